//! Accepts connections, speaks TLS and HTTP/1.1, and hands each request to the front.
//!
//! Every connection belongs to the accept loop that took it: when that loop is dropped, they
//! all end. This file decides nothing about what is answered.

use crate::exchange::Outgoing;
use crate::front::Front;
use crate::recording::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// Connections to one service at the same time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 512;
/// A client that does not finish its handshake is sent away after this.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long a kept-alive connection may stay silent before the headers of its next request.
const IDLE: Duration = Duration::from_secs(120);
/// After an accept that failed (too many open files), so that the loop does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves one of the services until it is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    front: Arc<Front>,
    service: Service,
) {
    let acceptor = TlsAcceptor::from(tls);
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let (acceptor, front) = (acceptor.clone(), Arc::clone(&front));
                connections.spawn(converse(stream, acceptor, front, service, permit));
            }
            Err(error) => {
                tracing::warn!(%error, ?service, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    front: Arc<Front>,
    service: Service,
    _permit: OwnedSemaphorePermit,
) {
    // Answers are small and asked for one after the other: waiting to fill a packet only delays.
    let _ = stream.set_nodelay(true);
    let stream = match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, ?service, "handshake failed");
            return;
        }
        Err(_) => return,
    };
    let answer = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { front.answer(service, request).await.map(|response| response.map(Outgoing::from)) }
    });
    let ended = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Some(IDLE))
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = ended {
        tracing::debug!(%error, ?service, "connection ended");
    }
}
