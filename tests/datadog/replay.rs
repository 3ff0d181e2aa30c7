//! A server that answers as was recorded, with faults where a test wants them.
//!
//! What was not recorded is refused, and every request is held against Datadog's description. What
//! was wrong is kept as complaints, which the test must look at.

use super::specification::Specification;
use crate::support::server::{Authority, Received};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// One answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    /// Waits before it answers.
    pub(crate) slow: Duration,
    /// Closes the connection instead.
    pub(crate) cut: bool,
}

/// A request that is expected, and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) reply: Reply,
}

/// Answers a request, or says what is wrong with it.
pub(crate) type Answerer = dyn Fn(&Received) -> Result<Reply, String> + Send + Sync;

type Handler = Arc<Answerer>;

/// What a server and its test share.
#[derive(Default)]
struct Record {
    received: Mutex<Vec<Received>>,
    complaints: Mutex<Vec<String>>,
}

/// The running server; dropping it stops it.
pub(crate) struct Replay {
    pub(crate) url: String,
    record: Arc<Record>,
    left: Arc<Mutex<VecDeque<Exchange>>>,
    _tasks: JoinSet<()>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self { status, body: body.to_string(), ..Self::default() }
    }
}

impl Replay {
    /// Answers by `handler`, which says what is wrong with a request that it does not expect.
    pub(crate) async fn start(
        authority: &Authority,
        handler: impl Fn(&Received) -> Result<Reply, String> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let url = format!("https://{}", listener.local_addr().expect("know the port"));
        let record = Arc::new(Record::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, authority.acceptor(), Arc::new(handler), Arc::clone(&record)));
        Self { url, record, left: Arc::default(), _tasks: tasks }
    }

    /// Answers these requests, in this order, and no others.
    pub(crate) async fn in_order(
        authority: &Authority,
        specification: Option<Specification>,
        exchanges: Vec<Exchange>,
    ) -> Self {
        let left = Arc::new(Mutex::new(VecDeque::from(exchanges)));
        let script = Arc::clone(&left);
        let handler = move |request: &Received| {
            if let Some(specification) = &specification {
                specification.check(request)?;
            }
            let asked = format!("{} {}", request.method, request.path);
            let mut script = script.lock().expect("the script");
            match script.pop_front() {
                Some(next) if next.method == request.method && next.path == request.path => {
                    Ok(next.reply)
                }
                Some(next) => {
                    let expected = format!("{} {}", next.method, next.path);
                    script.push_front(next);
                    Err(format!("{asked} came, and {expected} was recorded next"))
                }
                None => Err(format!("{asked} came after all that was recorded")),
            }
        };
        Self { left, ..Self::start(authority, handler).await }
    }

    /// What came, in order.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.record.received.lock().expect("look at the record").clone()
    }

    /// What was wrong with it.
    pub(crate) fn complaints(&self) -> Vec<String> {
        self.record.complaints.lock().expect("look at the record").clone()
    }

    /// Fails unless everything that was recorded was asked for, and nothing else.
    #[track_caller]
    pub(crate) fn is_done(&self) {
        assert_eq!(self.complaints(), Vec::<String>::new());
        assert!(self.left.lock().expect("the script").is_empty(), "not all of it was asked for");
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handler: Handler,
    record: Arc<Record>,
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
    record: Arc<Record>,
) -> Result<Response<Full<Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let text =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let received = Received {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let reply = handler(&received).unwrap_or_else(|complaint| {
        record.complaints.lock().expect("write the record").push(complaint.clone());
        Reply { status: 418, body: complaint, ..Reply::default() }
    });
    record.received.lock().expect("write the record").push(received);
    tokio::time::sleep(reply.slow).await;
    if reply.cut {
        return Err(std::io::Error::other("the connection is cut"));
    }
    let mut response = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    response.body(Full::new(Bytes::from(reply.body))).map_err(std::io::Error::other)
}
