//! The cluster's API as its administrator sees it: set things up, look at them.
//!
//! Not the client under test; it has no retries and no opinions.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::time::Duration;

/// Longer than any single answer of an idle server on the same machine.
const ANSWER_SECONDS_MAX: u64 = 30;

/// A client with the administrator's token.
#[derive(Clone)]
pub(crate) struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    pub(crate) fn new(url: &str, authority_pem: &str, token: &str) -> Result<Self> {
        let root = reqwest::Certificate::from_pem(authority_pem.as_bytes());
        let client = reqwest::Client::builder()
            .tls_certs_only([root.context("read the authority")?])
            .no_proxy()
            .timeout(Duration::from_secs(ANSWER_SECONDS_MAX))
            .build()
            .context("make a client")?;
        Ok(Self { client, url: url.to_owned(), token: token.to_owned() })
    }

    /// Sends a request and gives the status and the body, whatever they are.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<(u16, Value)> {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url)).bearer_auth(&self.token);
        if let Some((media_type, body)) = body {
            request = request.header("content-type", media_type).body(body.to_string());
        }
        let response = request.send().await.with_context(|| format!("ask for {path}"))?;
        let status = response.status().as_u16();
        let text = response.text().await.with_context(|| format!("read {path}"))?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok((status, body))
    }

    /// The items of a list; none where the kind does not exist.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let (status, mut body) = self.send(reqwest::Method::GET, path, None).await?;
        if status == 404 {
            return Ok(Vec::new());
        }
        if status != 200 {
            bail!("listing {path} was answered {status}: {body}");
        }
        match body["items"].take() {
            Value::Array(items) => Ok(items),
            _ => bail!("{path} is no list: {body}"),
        }
    }

    /// Creates an object; one that is there already stays as it is.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<()> {
        let body = Some(("application/json", object));
        let (status, answer) = self.send(reqwest::Method::POST, path, body).await?;
        match status {
            200..=299 | 409 => Ok(()),
            _ => bail!("creating below {path} was answered {status}: {answer}"),
        }
    }

    /// A strategic merge patch.
    pub(crate) async fn patch(&self, path: &str, patch: &Value) -> Result<Value> {
        let body = Some(("application/strategic-merge-patch+json", patch));
        succeeded(path, self.send(reqwest::Method::PATCH, path, body).await?)
    }
}

fn succeeded(path: &str, (status, body): (u16, Value)) -> Result<Value> {
    match status {
        200..=299 => Ok(body),
        _ => bail!("{path} was answered {status}: {body}"),
    }
}
