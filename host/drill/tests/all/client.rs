//! A plain HTTPS client that hides nothing: one connection for each request.

use bytes::Bytes;
use drill::{ClusterEndpoint, DatadogEndpoint, Drill, Options};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// A hang must be red too.
const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    /// The body as JSON, or null.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// A client of one of the services.
pub(crate) struct Client {
    address: String,
    tls: Arc<ClientConfig>,
    /// Sent with every request.
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// An answer that goes on.
pub(crate) struct Stream {
    pub(crate) response: Response<Incoming>,
    rest: Vec<u8>,
    _connection: JoinSet<()>,
}

impl Client {
    pub(crate) fn of_cluster(endpoint: &ClusterEndpoint) -> Self {
        let headers = vec![("authorization", format!("Bearer {}", endpoint.token))];
        Self::new(&endpoint.url, &endpoint.ca_pem, headers)
    }

    pub(crate) fn of_datadog(endpoint: &DatadogEndpoint) -> Self {
        let headers = vec![
            ("dd-api-key", endpoint.api_key.clone()),
            ("dd-application-key", endpoint.application_key.clone()),
        ];
        Self::new(&endpoint.url, &endpoint.ca_pem, headers)
    }

    fn new(url: &str, ca_pem: &str, headers: Vec<(&'static str, String)>) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).expect("the authority");
        roots.add(ca).expect("trust it");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let address = url.strip_prefix("https://").expect("https").to_owned();
        Self { address, tls: Arc::new(tls), headers }
    }

    /// Opens a request and gives its answer back as it begins.
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Stream, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| error.to_string())?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name, stream)
            .await
            .map_err(|error| error.to_string())?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let _ = connection.await;
        });
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.address.as_str());
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_str());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        Ok(Stream { response, rest: Vec::new(), _connection: tasks })
    }

    /// Sends a request with headers of its own; an error when no whole answer came.
    pub(crate) async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Reply, String> {
        let sending = async {
            let stream = self.open(method, path, headers, body).await?;
            let (parts, body) = stream.response.into_parts();
            let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            let text = String::from_utf8(bytes.to_vec()).expect("text");
            Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, text })
        };
        tokio::time::timeout(PATIENCE, sending).await.expect("an answer in time")
    }

    /// As `try_send`, when an answer must come.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        self.try_send(method, path, headers, body).await.expect("an answer")
    }

    /// GET.
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    /// A JSON body.
    pub(crate) async fn send_json(&self, method: &str, path: &str, body: &Value) -> Reply {
        self.send(method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// PATCH; `language` is the middle of the media type, as `json-patch+json`.
    pub(crate) async fn patch(&self, path: &str, language: &str, body: &Value) -> Reply {
        let media_type = format!("application/{language}");
        self.send("PATCH", path, &[("content-type", media_type.as_str())], body.to_string()).await
    }
}

impl Stream {
    /// The next line as JSON; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).expect("a line of JSON"));
            }
            let next = tokio::time::timeout(PATIENCE, self.response.body_mut().frame());
            match next.await.expect("a line in time") {
                Some(Ok(frame)) => {
                    self.rest.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Some(Err(_)) | None => return None,
            }
        }
    }
}

/// Practice services with their clients.
pub(crate) struct Practice {
    pub(crate) drill: Drill,
    pub(crate) cluster: Client,
    pub(crate) datadog: Client,
}

impl Practice {
    /// Lets the controllers come to rest.
    pub(crate) fn settle(&self) {
        let _ = self.drill.picture();
    }
}

/// Starts practice services.
pub(crate) async fn practice() -> Practice {
    practice_with(Options::default()).await
}

/// Starts practice services with options.
pub(crate) async fn practice_with(options: Options) -> Practice {
    let drill = Drill::start(options).await.expect("practice services");
    let cluster = Client::of_cluster(&drill.cluster());
    let datadog = Client::of_datadog(&drill.datadog());
    Practice { drill, cluster, datadog }
}
