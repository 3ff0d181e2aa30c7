//! An admission webhook of the run's own, over TLS on loopback: it says no to everything.

use crate::control_plane::ControlPlane;
use crate::scenario::Webhook;
use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// For the API server to learn of a new webhook.
const LEARN_SECONDS_MAX: u64 = 20;
const POLL: Duration = Duration::from_millis(50);

/// The server; dropping it stops it.
pub(crate) struct Judge {
    url: String,
    _tasks: JoinSet<()>,
}

impl Judge {
    pub(crate) async fn start(acceptor: TlsAcceptor) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("listen")?;
        let url = format!("https://{}", listener.local_addr().context("know the port")?);
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor));
        Ok(Self { url, _tasks: tasks })
    }

    /// Puts the webhook before every change of a Deployment in `namespace`, and waits until it is.
    pub(crate) async fn guard(
        &self,
        plane: &ControlPlane,
        webhook: Webhook,
        namespace: &str,
        deployment: &str,
    ) -> Result<()> {
        let url = match webhook {
            Webhook::Denies => self.url.clone(),
            Webhook::Unreachable => "https://127.0.0.1:1".to_owned(),
        };
        let bundle = STANDARD.encode(&plane.authority.pem);
        let configuration = json!({
            "metadata": {"name": namespace},
            "webhooks": [{
                "name": "freeze.example.com",
                "clientConfig": {"url": url, "caBundle": bundle},
                "rules": [{"apiGroups": ["apps"], "apiVersions": ["v1"],
                    "operations": ["UPDATE"], "resources": ["deployments"]}],
                "namespaceSelector": {"matchLabels": {"bowline-test": namespace}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Fail",
                "timeoutSeconds": 5,
            }],
        });
        let path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
        plane.api.create(path, &configuration).await?;
        let probe =
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/{deployment}?dryRun=All");
        let deadline = Instant::now() + Duration::from_secs(LEARN_SECONDS_MAX);
        while plane
            .api
            .patch(&probe, &json!({"metadata": {"labels": {"probe": "1"}}}))
            .await
            .is_ok()
        {
            if Instant::now() >= deadline {
                bail!("the API server does not ask the webhook after {LEARN_SECONDS_MAX} s");
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(deny));
            let _ = connection.await;
        });
    }
}

async fn deny(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let answer = json!({
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": review["request"]["uid"],
            "allowed": false,
            "status": {"code": 403, "message": "change freeze in effect"},
        },
    });
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    Ok(response)
}
