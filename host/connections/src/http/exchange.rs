//! One request of an HTTP connection, and what can be found out about it without sending it.

use super::HttpService;
use super::recovery::{How, LookAt};
use super::target::Target;
use crate::breaker::Breaker;
use async_trait::async_trait;
use effects::{Answer, Look, Reason, Rehearsal, SendError, Wire};
use journal::Shown;
use reqwest::header::HeaderMap;
use std::time::Duration;

/// How long something that was written may take to show up where it is read.
const LAG: Duration = Duration::from_secs(2);

/// Bytes of a body that a plan shows.
const BODY_BYTES_MAX: usize = 4 << 10;

/// A request that is ready.
pub(crate) struct Exchange<'a> {
    pub(crate) service: &'a HttpService,
    pub(crate) breaker: &'a Breaker,
    pub(crate) method: reqwest::Method,
    pub(crate) url: reqwest::Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) how: Option<&'a How>,
}

impl Exchange<'_> {
    async fn look(&self, at: &LookAt, bytes_max: u64) -> Result<bool, SendError> {
        let url = Target::parse(&at.path).and_then(|target| self.service.url(target));
        let url = url.map_err(|error| SendError {
            reason: Reason::Invalid,
            code: "http.invalid-look",
            message: error.message,
            sent: false,
            permanent: true,
        })?;
        let headers = HeaderMap::new();
        let answer = self.service.send(reqwest::Method::GET, url, headers, None, bytes_max).await?;
        self.breaker.heard(answer.status);
        if !(200..300).contains(&answer.status) {
            return Err(SendError {
                reason: Reason::Remote,
                code: "http.look-refused",
                message: format!("it was answered {}", answer.status),
                sent: false,
                permanent: false,
            });
        }
        let text = at.text.as_bytes();
        Ok(answer.body.windows(text.len()).any(|window| window == text))
    }
}

#[async_trait]
impl Wire for Exchange<'_> {
    async fn send(&self, bytes_max: u64) -> Result<Answer, SendError> {
        let (method, url) = (self.method.clone(), self.url.clone());
        let (headers, body) = (self.headers.clone(), self.body.clone());
        let answer = self.service.send(method, url, headers, body, bytes_max).await?;
        self.breaker.heard(answer.status);
        Ok(answer)
    }

    async fn took_effect(&self, bytes_max: u64) -> Option<Look> {
        let Some(How::Look(at)) = self.how else { return None };
        let mut found = self.look(at, bytes_max).await;
        if let Ok(false) = found {
            tokio::time::sleep(LAG).await;
            found = self.look(at, bytes_max).await;
        }
        Some(Look { asked: format!("GET {}", at.path), found })
    }

    async fn rehearse(&self, _bytes_max: u64) -> Rehearsal {
        let body = self.body.as_deref().unwrap_or_default();
        Rehearsal::Shown(Shown::Request {
            method: self.method.to_string(),
            url: self.url.to_string(),
            credentials: self.service.credential_names(),
            body: shown(body),
        })
    }
}

/// A body for people: JSON in lines, else text; cut.
fn shown(body: &[u8]) -> String {
    let pretty = serde_json::from_slice::<serde_json::Value>(body)
        .ok()
        .and_then(|value| serde_json::to_string_pretty(&value).ok());
    let text = pretty.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    match text.len() > BODY_BYTES_MAX {
        true => format!("{}…", &text[..text.floor_char_boundary(BODY_BYTES_MAX)]),
        false => text,
    }
}
