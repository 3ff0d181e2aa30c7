//! A proxy before the API server, in which a scenario's faults happen.
//!
//! It passes everything on as it is, except for the requests that a fault is about.

use crate::control_plane::ControlPlane;
use crate::oracle;
use crate::scenario::Fault;
use anyhow::{Context as _, Result};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// The proxy; dropping it stops it.
pub(crate) struct Proxy {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

/// What all requests share.
struct Shared {
    plane: Arc<ControlPlane>,
    client: reqwest::Client,
    namespace: String,
    /// With how often each is still to happen.
    faults: Mutex<Vec<(Fault, u32)>>,
}

impl Proxy {
    pub(crate) async fn start(
        plane: &Arc<ControlPlane>,
        faults: &[Fault],
        namespace: &str,
    ) -> Result<Self> {
        let acceptor = plane.authority.acceptor()?;
        let root = reqwest::Certificate::from_pem(plane.authority.pem.as_bytes());
        let client = reqwest::Client::builder()
            .tls_certs_only([root.context("read the authority")?])
            .no_proxy()
            .no_gzip()
            .build()
            .context("make a client")?;
        let shared = Arc::new(Shared {
            plane: Arc::clone(plane),
            client,
            namespace: namespace.to_owned(),
            faults: Mutex::new(faults.iter().map(|fault| (fault.clone(), fault.times)).collect()),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let url = format!("https://{}", listener.local_addr().context("know the port")?);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, shared) = (acceptor.clone(), Arc::clone(&shared));
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request| pass(request, Arc::clone(&shared)));
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    // An error is how an answer gets lost.
                    let _ = connection.await;
                });
            }
        });
        Ok(Self { url, _tasks: tasks })
    }
}

impl Shared {
    /// The fault that happens to this request, if any; it has then happened once more.
    fn fault(&self, request: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, left) =
            faults.iter_mut().find(|(fault, left)| *left > 0 && request.starts_with(&fault.on))?;
        *left -= 1;
        Some(fault.clone())
    }
}

async fn pass(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.context("read a request")?.to_bytes();
    let fault = shared.fault(&short(head.method.as_str(), head.uri.path()));
    if let Some(fault) = &fault {
        if let Some(status) = fault.answer {
            return refused(status, fault.retry_after);
        }
        if let Some(words) = &fault.first {
            oracle::as_admin(&shared.plane, &words.list(), &shared.namespace).await?;
        }
    }
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut headers = head.headers;
    headers.remove(hyper::header::HOST);
    let sent = shared.client.request(head.method, format!("{}{target}", shared.plane.url));
    let answer = sent.headers(headers).body(body).send().await.context("pass a request on")?;
    if fault.is_some_and(|fault| fault.lose_answer) {
        anyhow::bail!("the answer gets lost");
    }
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        // The body is framed anew.
        if name != hyper::header::TRANSFER_ENCODING && name != hyper::header::CONTENT_LENGTH {
            response = response.header(name, value);
        }
    }
    let chunks = answer.bytes_stream().map_ok(Frame::data).map_err(anyhow::Error::from);
    response.body(StreamBody::new(chunks).boxed_unsync()).context("answer")
}

/// `PATCH deployments/web` of a request for an object in a namespace.
fn short(method: &str, path: &str) -> String {
    let mut parts = path.split('/').skip_while(|part| *part != "namespaces").skip(2);
    let resource = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    format!("{method} {resource}/{}", rest.join("/"))
}

fn refused(status: u16, retry_after: Option<u32>) -> Result<Response<Body>> {
    let code = StatusCode::from_u16(status).context("a status")?;
    let (reason, message) = match status {
        409 => ("Conflict", "the server reported a conflict".to_owned()),
        429 => ("TooManyRequests", "too many requests, please try again later".to_owned()),
        503 => ("ServiceUnavailable", "the server is overloaded".to_owned()),
        _ => ("InternalError", format!("answered {status} by the test")),
    };
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": status});
    let mut response = Response::builder().status(code).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    let body = Full::new(Bytes::from(body.to_string())).map_err(anyhow::Error::from).boxed_unsync();
    response.body(body).context("answer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_named_by_what_they_are_for() {
        let cases = [
            ("/apis/apps/v1/namespaces/s1/deployments/web", "GET deployments/web"),
            ("/apis/apps/v1/namespaces/s1/deployments/web/scale", "GET deployments/web/scale"),
            ("/apis/apps/v1/namespaces/s1/replicasets", "GET replicasets/"),
            ("/api/v1", "GET /"),
        ];
        for (path, expected) in cases {
            assert_eq!(short("GET", path), expected);
        }
    }
}
