//! The far side in tests: a server on loopback that plays a script byte by byte, as no honest
//! server would, and remembers what it was sent. Only built for tests.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// One thing that a server does.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Send(Vec<u8>),
    /// Sends this again and again until the client goes away.
    SendForEver(Vec<u8>, Duration),
    /// Keeps silent until the client goes away.
    Hang,
}

/// A server; dropping it stops it.
pub(crate) struct FarSide {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    left: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl FarSide {
    /// One that does `script` after the head of each request. Without a request it says nothing.
    pub(crate) async fn start(script: Vec<Act>) -> Self {
        Self::answering(move |_head| script.clone()).await
    }

    /// One whose script depends on the request's head.
    pub(crate) async fn answering(
        script: impl Fn(&str) -> Vec<Act> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let port = listener.local_addr().expect("know the port").port();
        let (heads, left): (Arc<Mutex<Vec<String>>>, Arc<AtomicUsize>) = Default::default();
        let (record, gone) = (Arc::clone(&heads), Arc::clone(&left));
        let script = Arc::new(script);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (record, gone, script) =
                    (Arc::clone(&record), Arc::clone(&gone), Arc::clone(&script));
                open.spawn(async move {
                    play(stream, &*script, &record).await;
                    gone.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, heads, left, _tasks: tasks }
    }

    /// The heads of all requests so far, as they came.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("look at the record").clone()
    }

    /// Waits until the client has closed `count` sockets.
    pub(crate) async fn sees_closed(&self, count: usize) {
        let closed = async {
            while self.left.load(Ordering::SeqCst) < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let within = Duration::from_secs(5);
        tokio::time::timeout(within, closed).await.expect("the client keeps its socket open");
    }
}

async fn play(
    mut stream: TcpStream,
    script: &(dyn Fn(&str) -> Vec<Act> + Send + Sync),
    record: &Mutex<Vec<String>>,
) {
    while let Some(head) = read_head(&mut stream).await {
        let acts = script(&head);
        record.lock().expect("write the record").push(head);
        for act in acts {
            let sent = match act {
                Act::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
                Act::SendForEver(bytes, pause) => {
                    while stream.write_all(&bytes).await.is_ok() {
                        tokio::time::sleep(pause).await;
                    }
                    false
                }
                Act::Hang => {
                    let mut rest = Vec::new();
                    let _ = stream.read_to_end(&mut rest).await;
                    false
                }
            };
            if !sent {
                return;
            }
        }
    }
}

/// The head of the next request; its body, if any, is read and dropped.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head)
}

/// An answer with these headers and this body.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Act {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    Act::Send([text.as_bytes(), body].concat())
}
