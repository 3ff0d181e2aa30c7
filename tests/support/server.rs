//! An HTTPS server of the test's own, with a private authority, that records what it receives.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A request, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// What a request is answered with: status, media type, body.
pub(crate) type Answer = (u16, &'static str, String);

/// An answer with headers of its own.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl From<Answer> for Reply {
    fn from((status, media_type, body): Answer) -> Self {
        let headers = vec![("content-type", media_type.to_owned())];
        Self { status, headers, body: body.into_bytes() }
    }
}

type Handler = Arc<dyn Fn(&Received) -> Reply + Send + Sync>;

/// What a server's certificate says.
pub(crate) struct Certificate {
    pub(crate) name: &'static str,
    /// Days from now from which, and until which, it is valid.
    pub(crate) days: (i64, i64),
}

impl Default for Certificate {
    fn default() -> Self {
        Self { name: "127.0.0.1", days: (-1, 30) }
    }
}

/// The private authority of one test.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A server; dropping it stops it.
pub(crate) struct Server {
    pub(crate) url: String,
    received: Arc<Mutex<Vec<Received>>>,
    _tasks: JoinSet<()>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("make a key");
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = parameters.self_signed(&key).expect("sign the authority");
        Self { pem: certificate.pem(), issuer: Issuer::new(parameters, key) }
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_with(&Certificate::default())
    }

    fn acceptor_with(&self, certificate: &Certificate) -> TlsAcceptor {
        let key = KeyPair::generate().expect("make a key");
        let mut parameters =
            CertificateParams::new(vec![certificate.name.to_owned()]).expect("name the server");
        let day = |days: i64| {
            let day = std::time::Duration::from_secs(days.unsigned_abs() * 86_400);
            #[expect(clippy::disallowed_methods, reason = "a certificate is valid around now")]
            let now = std::time::SystemTime::now();
            if days < 0 { now - day } else { now + day }
        };
        parameters.not_before = day(certificate.days.0).into();
        parameters.not_after = day(certificate.days.1).into();
        let certificate = parameters.signed_by(&key, &self.issuer).expect("sign the server");
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .expect("configure the server");
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Server {
    pub(crate) async fn start(
        authority: &Authority,
        handler: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let handler = move |received: &Received| handler(received).into();
        Self::start_with(authority, &Certificate::default(), handler).await
    }

    /// The same, with a certificate of its own and answers with headers of their own.
    pub(crate) async fn start_with(
        authority: &Authority,
        certificate: &Certificate,
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("https://{}", listener.local_addr().expect("know the port"));
        let received = Arc::new(Mutex::new(Vec::new()));
        let (acceptor, handler): (_, Handler) =
            (authority.acceptor_with(certificate), Arc::new(handler));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, acceptor, handler, Arc::clone(&received)));
        Self { url, received, _tasks: tasks }
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("look at the record").clone()
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handler: Handler,
    record: Arc<Mutex<Vec<Received>>>,
) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, handler, record) =
            (acceptor.clone(), Arc::clone(&handler), Arc::clone(&record));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                answer(request, Arc::clone(&handler), Arc::clone(&record))
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    handler: Handler,
    record: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head
            .headers
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let reply = handler(&received);
    record.lock().expect("write the record").push(received);
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(Bytes::from(reply.body))).expect("make an answer"))
}
