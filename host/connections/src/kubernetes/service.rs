//! The client of one cluster.

use super::settings;
use crate::tls::install_crypto_provider;
use crate::transport::{causes, chain, fault, host_and_port, too_large};
use effects::{Answer, Needles, SendError};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// One cluster, ready to send.
pub(crate) struct KubernetesService {
    client: kube::Client,
    address: String,
    pub(crate) needles: Arc<Needles>,
}

impl KubernetesService {
    /// Builds the client. Reads credentials and certificates; sends nothing.
    pub(crate) async fn new(settings: &Value, folder: &Path) -> Result<Self, String> {
        install_crypto_provider();
        let ready = settings::read(settings, folder).await?;
        let address = ready.config.cluster_url.to_string();
        let client = kube::Client::try_from(ready.config).map_err(|error| chain(&error))?;
        let needles = Arc::new(Needles::new(&ready.secrets));
        Ok(Self { client, address, needles })
    }

    /// Where the connection leads, for people.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends one request and reads at most `bytes_max` of the answer.
    pub(crate) async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        bytes_max: u64,
    ) -> Result<Answer, SendError> {
        let response =
            self.client.send(request.map(Body::from)).await.map_err(|error| self.failed(&error))?;
        let status = response.status().as_u16();
        let headers = crate::http::request::visible(response.headers());
        let mut stream = response.into_body();
        let mut body = Vec::new();
        while let Some(frame) = stream.frame().await {
            let Ok(piece) = frame.map_err(|error| self.failed(&error))?.into_data() else {
                continue;
            };
            if body.len() as u64 + piece.len() as u64 > bytes_max {
                return Err(too_large(bytes_max));
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request whose answer goes on for long.
    pub(crate) async fn open(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<(u16, Body), SendError> {
        let response =
            self.client.send(request.map(Body::from)).await.map_err(|error| self.failed(&error))?;
        Ok((response.status().as_u16(), response.into_body()))
    }

    fn failed(&self, error: &kube::Error) -> SendError {
        let connecting = causes(error).any(is_connect_error);
        let timeout = chain(error).contains("timed out");
        fault(error, &host_and_port(&self.address), connecting, timeout)
    }
}

fn is_connect_error(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}
