//! The client of one cluster.

use super::exec::{Exec, Minted};
use super::settings::{self, Ready};
use super::token_file::TokenFile;
use super::{client, pages::Pages};
use crate::address::Guard;
use crate::echo;
use crate::inflow::{self, Patience};
use crate::tls::install_crypto_provider;
use crate::transport::{address_denied, causes, chain, fault, host_and_port};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use effects::{Answer, Needles, Reason, SendError};
use http::HeaderMap;
use http::header::AUTHORIZATION;
use kube::client::Body;
use secrecy::SecretString;
use serde_json::Value;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// Bytes of a refusal where a stream was asked for.
const REFUSAL_BYTES_MAX: u64 = 1 << 20;

/// One cluster, ready to send.
pub(crate) struct KubernetesService {
    client: kube::Client,
    address: String,
    host: String,
    guard: Guard,
    patience: Patience,
    /// Where the token of each request comes from, if the client does not hold one.
    tokens: Tokens,
    /// Whether an answer that echoes a credential is withheld.
    pub(crate) strict: bool,
    /// Which pages of which lists were begun.
    pub(crate) pages: Pages,
    pub(crate) needles: Arc<Needles>,
}

/// A source of tokens that change.
enum Tokens {
    None,
    File(TokenFile),
    Minted(Box<Exec>),
}

/// What a stream begins with: an open one, or the answer that refuses it.
pub(crate) enum Opened {
    Stream(Body),
    Refused(Answer),
}

impl KubernetesService {
    /// Builds the client. Reads credentials and certificates, and runs the program that mints them
    /// where the operator allows one; sends nothing.
    pub(crate) async fn new(settings: &Value, folder: &Path) -> Result<Self, String> {
        Self::with_patience(settings, folder, Patience::default()).await
    }

    pub(crate) async fn with_patience(
        settings: &Value,
        folder: &Path,
        patience: Patience,
    ) -> Result<Self, String> {
        install_crypto_provider();
        let Ready { mut config, secrets, exec, strict } = settings::read(settings, folder).await?;
        let needles = Arc::new(Needles::new(&secrets));
        let address = config.cluster_url.to_string();
        let host = config.cluster_url.host().unwrap_or_default().to_owned();
        // The operator wrote the cluster's address, here or in a kubeconfig.
        let guard = Guard::new([host.as_str()]);
        let auth = &mut config.auth_info;
        let tokens = match (exec, auth.token_file.take()) {
            (Some(exec), _) => match Exec::start(exec, Arc::clone(&needles)).await {
                Ok(Minted::Token(exec)) => Tokens::Minted(exec),
                Ok(Minted::Identity { certificate, key }) => {
                    auth.client_certificate_data = Some(STANDARD.encode(certificate));
                    let key = STANDARD.encode(key.reveal());
                    auth.client_key_data = Some(SecretString::from(key));
                    Tokens::None
                }
                Err(error) => return Err(chain(&error)),
            },
            (None, Some(path)) if auth.token.is_none() => {
                Tokens::File(TokenFile::new(path.into(), Arc::clone(&needles)))
            }
            (None, _) => Tokens::None,
        };
        let client = client::build(&config, guard.clone(), Arc::clone(&needles), patience)?;
        let pages = Pages::default();
        Ok(Self { client, address, host, guard, patience, tokens, strict, pages, needles })
    }

    /// Where the connection leads, for people.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Host and port, for messages.
    pub(crate) fn place(&self) -> String {
        host_and_port(&self.address)
    }

    /// Sends one request and reads at most `bytes_max` of the answer.
    pub(crate) async fn send(
        &self,
        request: http::Request<Vec<u8>>,
        bytes_max: u64,
    ) -> Result<Answer, SendError> {
        let (head, body) = self.exchange(request).await?;
        self.answer(&head, body, bytes_max).await
    }

    /// Sends a request whose answer goes on for long.
    pub(crate) async fn open(
        &self,
        request: http::Request<Vec<u8>>,
    ) -> Result<(u16, Opened), SendError> {
        let (head, body) = self.exchange(request).await?;
        let status = head.status.as_u16();
        if status == 200 && !head.headers.contains_key(http::header::CONTENT_ENCODING) {
            return Ok((status, Opened::Stream(body)));
        }
        let answer = self.answer(&head, body, REFUSAL_BYTES_MAX).await?;
        Ok((status, Opened::Refused(answer)))
    }

    async fn exchange(
        &self,
        mut request: http::Request<Vec<u8>>,
    ) -> Result<(http::response::Parts, Body), SendError> {
        self.guard.check_literal(&self.host).map_err(|denied| address_denied(&denied))?;
        let header = match &self.tokens {
            Tokens::None => None,
            Tokens::File(file) => Some(file.header().map_err(|error| no_credentials(&error))?),
            Tokens::Minted(exec) => {
                Some(exec.header().await.map_err(|error| no_credentials(&error))?)
            }
        };
        if let Some(header) = header {
            request.headers_mut().insert(AUTHORIZATION, header);
        }
        let sending = self.client.send(request.map(Body::from));
        let response = self.patience.first(sending).await?.map_err(|error| self.failed(&error))?;
        Ok(response.into_parts())
    }

    async fn answer(
        &self,
        head: &http::response::Parts,
        body: Body,
        bytes_max: u64,
    ) -> Result<Answer, SendError> {
        let headers = crate::http::request::visible(&head.headers, &HeaderMap::new())?;
        let failed = |error: kube::Error| self.failed(&error);
        let body = inflow::read(body, &head.headers, bytes_max, self.patience, failed).await?;
        let answer = Answer { status: head.status.as_u16(), headers, body };
        echo::examine(&self.needles, self.strict, &self.place(), answer)
    }

    fn failed(&self, error: &kube::Error) -> SendError {
        let connecting = causes(error).any(is_connect_error);
        let text = chain(error);
        let timeout = text.contains("timed out") || text.contains("deadline has elapsed");
        fault(error, &self.place(), connecting, timeout)
    }
}

fn no_credentials(error: &(dyn Error + 'static)) -> SendError {
    SendError {
        reason: Reason::Unreachable,
        code: "connection.credentials",
        message: chain(error),
        sent: false,
        permanent: false,
    }
}

fn is_connect_error(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<hyper_util::client::legacy::Error>()
        .is_some_and(hyper_util::client::legacy::Error::is_connect)
}

#[cfg(test)]
mod tests;
