//! A server that takes everything and answers nothing, and counts who is still connected.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Dropping it stops it.
pub(crate) struct Silent {
    pub(crate) url: String,
    taken: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Silent {
    pub(crate) fn start(runtime: &Runtime, acceptor: TlsAcceptor) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listen");
        let url = format!("https://{}", listener.local_addr().expect("know the port"));
        let (taken, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counted, held) = (Arc::clone(&taken), Arc::clone(&open));
        let mut tasks = JoinSet::new();
        let accepting = async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, counted) = (acceptor.clone(), Arc::clone(&counted));
                let held = Arc::clone(&held);
                held.fetch_add(1, Ordering::SeqCst);
                connections.spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let mut bytes = [0; 4096];
                        while let Ok(1..) = stream.read(&mut bytes).await {
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    held.fetch_sub(1, Ordering::SeqCst);
                });
            }
        };
        tasks.spawn_on(accepting, runtime.handle());
        Self { url, taken, open, _tasks: tasks }
    }

    /// Whether anything was sent to it.
    pub(crate) fn was_asked(&self) -> bool {
        self.taken.load(Ordering::SeqCst) > 0
    }

    /// How many are still connected when none has gone for this long.
    pub(crate) fn open_after(&self, patience: Duration) -> usize {
        let began = Instant::now();
        while self.open.load(Ordering::SeqCst) > 0 && began.elapsed() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.open.load(Ordering::SeqCst)
    }
}
