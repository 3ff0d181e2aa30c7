//! An HTTPS server of the test's own that can do more than answer: it records first, and then
//! answers, cuts the connection, or says nothing at all.
//!
//! What it has recorded counts as done: cutting afterwards is an answer lost after the effect.

use crate::support::Place;
use crate::support::server::{Authority, Received};
use crate::workflows::workflow;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body, Frame};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// The credential of all connections that lead here. The search for credentials looks for it.
pub(crate) const TOKEN: &str = "CANARY-durable-token-0123456789abcdefgh";

/// The variable that holds it.
pub(crate) const VARIABLE: &str = "FAR_TOKEN";

/// What a request comes to once it is recorded.
pub(crate) enum Way {
    /// Status, headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The same, after a while.
    Slow(Duration, u16, String),
    /// The connection is closed without an answer.
    Cut,
    /// An answer that begins well and then comes byte by byte, without an end.
    Trickle,
    /// No answer, until the other side gives up.
    Hang,
    /// An answer as soon as the other side has given up a request that hangs.
    AfterHang(u16, String),
}

impl Way {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer(status, vec![("content-type", "application/json".to_owned())], body.to_owned())
    }

    /// A refusal that says when to come again.
    pub(crate) fn later(status: u16, seconds: u64) -> Self {
        Self::Answer(status, vec![("retry-after", seconds.to_string())], "{}".to_owned())
    }
}

/// A request, and when it was there.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Instant,
    pub(crate) request: Received,
}

type Handler = dyn Fn(&Received, usize) -> Way + Send + Sync;

struct Inner {
    handler: Box<Handler>,
    seen: Mutex<Vec<Seen>>,
    given_up: Notify,
}

/// The server; it ends with this value.
pub(crate) struct Far {
    url: String,
    authority: String,
    inner: Arc<Inner>,
    runtime: Option<Runtime>,
}

impl Far {
    /// One that asks `handler` what to do, with the request and how many came before of this
    /// method and path.
    pub(crate) fn start(handler: impl Fn(&Received, usize) -> Way + Send + Sync + 'static) -> Self {
        let authority = Authority::new();
        let inner = Arc::new(Inner {
            handler: Box::new(handler),
            seen: Mutex::default(),
            given_up: Notify::new(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("start the server's thread");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listen");
        let url = format!("https://{}", listener.local_addr().expect("know the port"));
        runtime.spawn(accept(listener, authority.acceptor(), Arc::clone(&inner)));
        Self { url, authority: authority.pem, inner, runtime: Some(runtime) }
    }

    /// Writes settings into `place` under which `http/api` and `slack/workspace` lead here; `rest`
    /// stands behind them.
    pub(crate) fn settings(&self, place: &mut Place, rest: &str) {
        let common = format!("baseUrl: '{}', certificateAuthority: {{file: ca.pem}}", self.url);
        let settings = format!(
            "connections:\n  http:\n    api: {{{common}, token: {{env: {VARIABLE}}}}}\n  slack:\n    \
             workspace: {{{common}, apiToken: {{env: {VARIABLE}}}}}\npolicy: {{default: allow}}\n\
             plugins: [plugins]\n{rest}"
        );
        std::fs::create_dir_all(place.path("plugins")).expect("make a folder for plugins");
        place.write("ca.pem", &self.authority).write("bowline.yaml", settings);
        place.set(VARIABLE, TOKEN);
    }

    /// A place whose connections lead here, with a workflow `w.yaml` of these steps.
    pub(crate) fn place(&self, steps: &[String]) -> Place {
        let mut place = Place::new();
        self.settings(&mut place, "");
        place.write("w.yaml", workflow("", steps));
        place
    }

    /// Everything that came, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came, as `METHOD PATH`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let seen = self.seen().into_iter();
        seen.map(|seen| format!("{} {}", seen.request.method, seen.request.path)).collect()
    }

    /// How often this came.
    pub(crate) fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|seen| *seen == line).count()
    }

    /// Waits until this has come so often.
    #[track_caller]
    pub(crate) fn wait_for(&self, line: &str, times: usize) {
        let began = Instant::now();
        while self.count(line) < times {
            assert!(
                began.elapsed() < Duration::from_secs(40),
                "`{line}` did not come; {:?}",
                self.lines()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, inner: Arc<Inner>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, inner) = (acceptor.clone(), Arc::clone(&inner));
        connections.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| answer(request, Arc::clone(&inner)));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // Cut on purpose, as often as not.
            let _ = connection.await;
        });
    }
}

async fn answer(
    request: Request<hyper::body::Incoming>,
    inner: Arc<Inner>,
) -> Result<Response<Either<Full<Bytes>, Trickle>>, io::Error> {
    let received = received(request).await?;
    let way = record(&inner, received);
    let json = || vec![("content-type", "application/json".to_owned())];
    let (status, headers, body) = match way {
        Way::Answer(status, headers, body) => (status, headers, body),
        Way::Slow(time, status, body) => {
            tokio::time::sleep(time).await;
            (status, json(), body)
        }
        Way::Cut => return Err(io::Error::other("cut")),
        Way::Trickle => {
            let trickle = Trickle(tokio::time::interval(Duration::from_millis(250)));
            return Ok(Response::new(Either::Right(trickle)));
        }
        Way::Hang => {
            // Dropped with the connection.
            let _told = TellsWhenDropped(&inner.given_up);
            std::future::pending::<()>().await;
            return Err(io::Error::other("never"));
        }
        Way::AfterHang(status, body) => {
            inner.given_up.notified().await;
            (status, json(), body)
        }
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Either::Left(Full::new(Bytes::from(body)))).map_err(io::Error::other)
}

/// A byte now and then, for ever.
struct Trickle(tokio::time::Interval);

impl Body for Trickle {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_tick(context).map(|_now| Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}

struct TellsWhenDropped<'a>(&'a Notify);

impl Drop for TellsWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

async fn received(request: Request<hyper::body::Incoming>) -> Result<Received, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers: BTreeMap<String, String> = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), text(value.as_bytes())))
        .collect();
    Ok(Received {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: text(&body),
    })
}

/// Writes the request down and asks what is to become of it.
fn record(inner: &Inner, request: Received) -> Way {
    let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
    let alike =
        |seen: &&Seen| seen.request.method == request.method && seen.request.path == request.path;
    let before = seen.iter().filter(alike).count();
    let way = (inner.handler)(&request, before);
    seen.push(Seen { at: Instant::now(), request });
    way
}
