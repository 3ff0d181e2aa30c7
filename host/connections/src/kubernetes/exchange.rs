//! One request to a cluster, and what can be found out about it without doing it: a server tries a
//! write and takes it back (`dryRun=All`), admission and permissions included.

use super::KubernetesService;
use super::difference::changes;
use crate::breaker::Breaker;
use async_trait::async_trait;
use effects::{Answer, CallError, Rehearsal, SendError, Wire};
use http::Method;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Value, json};

/// A request that is ready.
pub(crate) struct Exchange<'a> {
    pub(crate) service: &'a KubernetesService,
    pub(crate) breaker: &'a Breaker,
    pub(crate) method: Method,
    /// With its query.
    pub(crate) path: String,
    pub(crate) accept: &'static str,
    /// Media type and body.
    pub(crate) content: Option<(&'static str, Vec<u8>)>,
    /// The path of the object that a write is about; None for one that has no name yet.
    pub(crate) object: Option<String>,
    /// Its values are nobody's business.
    pub(crate) secret: bool,
}

impl Exchange<'_> {
    /// Whether it can be said as HTTP at all.
    ///
    /// # Errors
    ///
    /// `invalid`.
    pub(crate) fn check(&self) -> Result<(), CallError> {
        let request = build(&self.method, &self.path, self.accept, None);
        request
            .map(|_request| ())
            .map_err(|error| CallError::invalid("kubernetes.invalid-request", error.to_string()))
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        content: Option<(&'static str, Vec<u8>)>,
        bytes_max: u64,
    ) -> Result<Answer, SendError> {
        let accept = if method == Method::GET { self.accept } else { "application/json" };
        let request = build(method, path, accept, content).map_err(|error| SendError {
            reason: effects::Reason::Invalid,
            code: "kubernetes.invalid-request",
            message: error.to_string(),
            sent: false,
            permanent: true,
        })?;
        let answer = self.service.send(request, bytes_max).await?;
        self.breaker.heard(answer.status);
        Ok(answer)
    }

    /// The object as it is; None when there is none.
    async fn object(&self, bytes_max: u64) -> Result<Option<Value>, SendError> {
        let Some(path) = &self.object else { return Ok(None) };
        let answer = self.exchange(&Method::GET, path, None, bytes_max).await?;
        Ok(match answer.status {
            200 => serde_json::from_slice(&answer.body).ok(),
            _ => None,
        })
    }

    /// The same write as one that is taken back. A server that finds a body with a deletion does
    /// not look at the query.
    fn dry(&self) -> (String, Option<(&'static str, Vec<u8>)>) {
        let joined = if self.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{joined}dryRun=All", self.path);
        let mut content = self.content.clone();
        if self.method == Method::DELETE
            && let Some((_, body)) = &mut content
        {
            let mut options: Value = serde_json::from_slice(body).unwrap_or_else(|_| json!({}));
            options["dryRun"] = json!(["All"]);
            *body = options.to_string().into_bytes();
        }
        (path, content)
    }
}

#[async_trait]
impl Wire for Exchange<'_> {
    async fn send(&self, bytes_max: u64) -> Result<Answer, SendError> {
        self.exchange(&self.method, &self.path, self.content.clone(), bytes_max).await
    }

    async fn answer_of_done(&self, bytes_max: u64) -> Option<Result<Answer, SendError>> {
        if self.method == Method::DELETE {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
            let body = status.to_string().into_bytes();
            return Some(Ok(Answer { status: 200, headers: Vec::new(), body }));
        }
        let path = self.object.as_deref()?;
        Some(self.exchange(&Method::GET, path, None, bytes_max).await)
    }

    async fn rehearse(&self, bytes_max: u64) -> Rehearsal {
        let before = match self.object(bytes_max).await {
            Ok(before) => before,
            Err(error) => return Rehearsal::Failed(error),
        };
        let (path, content) = self.dry();
        match self.exchange(&self.method, &path, content, bytes_max).await {
            Err(error) => Rehearsal::Failed(error),
            Ok(answer) => {
                let good = (200..300).contains(&answer.status);
                let after = (good && self.method != Method::DELETE)
                    .then(|| serde_json::from_slice::<Value>(&answer.body).ok())
                    .flatten();
                let changes = match good {
                    true => changes(before.as_ref(), after.as_ref(), self.secret),
                    false => Vec::new(),
                };
                Rehearsal::Tried { answer, changes }
            }
        }
    }
}

fn build(
    method: &Method,
    path: &str,
    accept: &str,
    content: Option<(&'static str, Vec<u8>)>,
) -> Result<http::Request<Vec<u8>>, http::Error> {
    let builder = http::Request::builder().method(method.clone()).uri(path).header(ACCEPT, accept);
    match content {
        Some((media_type, body)) => builder.header(CONTENT_TYPE, media_type).body(body),
        None => builder.body(Vec::new()),
    }
}
