//! The client below a cluster's connection: its sockets, its TLS and its credentials.
//!
//! Built by hand from `kube`'s parts, for two reasons: names are resolved by our own guard, and the
//! innermost layer sees each credential that goes out, wherever it came from, and teaches it to the
//! redactor before it is sent. It follows no redirect, repeats nothing, and asks no environment.

use crate::address::Guard;
use crate::credential_forms;
use crate::inflow::Patience;
use crate::transport::chain;
use effects::Needles;
use futures::TryFutureExt as _;
use futures::future::MapErr;
use http::header::AUTHORIZATION;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt as _};
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::Service;
use tower::util::option_layer;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client for `config`, which teaches `needles` what it sends.
pub(crate) fn build(
    config: &kube::Config,
    guard: Guard,
    needles: Arc<Needles>,
    patience: Patience,
) -> Result<kube::Client, String> {
    let failed = |error: kube::Error| chain(&error);
    let mut sockets = HttpConnector::new_with_resolver(guard);
    sockets.enforce_http(false);
    let tls = config.rustls_https_connector_with_connector(sockets).map_err(failed)?;
    let mut connector = TimeoutConnector::new(tls);
    connector.set_connect_timeout(Some(patience.connect));
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    let client: hyper_util::client::legacy::Client<_, Body> = client.build(connector);
    let builder = ClientBuilder::new(Teaching { inner: client, needles }, "default")
        .with_layer(&config.base_uri_layer())
        .with_layer(&option_layer(config.auth_layer().map_err(failed)?))
        .with_layer(&config.extra_headers_layer().map_err(failed)?);
    Ok(builder.build())
}

/// Learns each credential before it leaves.
#[derive(Clone)]
struct Teaching<S> {
    inner: S,
    needles: Arc<Needles>,
}

impl<S> Service<http::Request<Body>> for Teaching<S>
where
    S: Service<http::Request<Body>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = MapErr<S::Future, fn(S::Error) -> BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        for value in request.headers().get_all(AUTHORIZATION) {
            let text = String::from_utf8_lossy(value.as_bytes());
            self.needles.learn(&credential_forms::of_header(&text));
        }
        self.inner.call(request).map_err(Into::into)
    }
}
