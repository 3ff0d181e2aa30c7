//! `bowline:connect/http`: the handle that a guest holds.

use super::exchange::Exchange;
use super::recovery::How;
use super::target::Target;
use super::{HttpService, request};
use crate::bindings::errors::ConnectError;
use crate::bindings::http::{Host, HostClient, HostResponse, Request};
use crate::bindings::{View, connect_error, push, rules};
use crate::breaker::Held;
use effects::scope::http::check;
use effects::{Answer, CallError, Grant, Operation, Reason, Scope, digest};
use futures::StreamExt as _;
use journal::Repeatable;
use sandbox::Context;
use std::sync::Arc;
use wasmtime::component::Resource;

/// Requests of one `send-all`.
const TOGETHER_MAX: usize = 32;

/// Bytes of one piece of an answer.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// A connection, as a guest holds it.
#[derive(Clone)]
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Client {
    grant: Grant,
    held: Arc<Held<HttpService>>,
}

/// An answer, as a guest reads it.
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Response {
    answer: Answer,
    read: usize,
}

/// What a guest asked for, as far as it can be said in one way.
struct Ready {
    method: reqwest::Method,
    url: reqwest::Url,
    headers: reqwest::header::HeaderMap,
}

impl Client {
    /// One request, all the way.
    async fn exchange(&self, asked: Request) -> Result<Response, CallError> {
        let text = format!("{} {}", asked.method, asked.path);
        let Ready { method, url, headers } = match self.ready(&asked) {
            Ok(ready) => ready,
            Err(why) => {
                // The values of a query are on no record that people read.
                let asked = text.split_once('?').map_or(text.as_str(), |(asked, _query)| asked);
                return Err(self.grant.refused(asked, why).await);
            }
        };
        self.held.admit(&self.grant, &text).await?;
        let Held { service, breaker, recovery } = &*self.held;
        let Request { method: verb, path, body, timeout_ms, .. } = asked;
        let sent = body.as_deref().unwrap_or_default();
        let how = recovery.of(&verb, &path);
        let idempotent = request::is_idempotent(&verb).then_some(Repeatable::Idempotent);
        let writes = request::writes(&verb);
        let content = request::content(&verb, &path, &headers, sent).filter(|_| writes);
        let operation = Operation {
            writes,
            content,
            repeatable: how.map(How::repeatable).or(idempotent),
            request_bytes: sent.len() as u64,
            timeout_ms,
            ..Operation::read(text, digest(&[verb.as_bytes(), path.as_bytes(), sent]))
        };
        let in_scope = |scope: &Scope| match scope {
            Scope::Http(rules) => check(rules, &verb, &path),
            Scope::Kubernetes(_) => check(&[], &verb, &path),
        };
        let wire = Exchange { service, breaker, method, url, headers, body, how };
        let answer = self.grant.carry(operation, &in_scope, &wire).await?;
        Ok(Response { answer, read: 0 })
    }

    /// Takes a request if there is no doubt about what it means.
    fn ready(&self, asked: &Request) -> Result<Ready, CallError> {
        let service = &self.held.service;
        let method = request::method(&asked.method)?;
        let url = service.url(Target::parse(&asked.path)?)?;
        let headers = request::headers(&asked.headers, service.injected())?;
        service.check_body(asked.body.as_deref())?;
        Ok(Ready { method, url, headers })
    }
}

impl Host for View<'_> {}

impl HostClient for View<'_> {
    async fn open(
        &mut self,
        _context: Resource<Context>,
        slot: String,
    ) -> wasmtime::Result<Result<Resource<Client>, ConnectError>> {
        match self.grants.open::<Held<HttpService>>(&slot) {
            Ok((grant, held)) => push(self.table, Client { grant, held }),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn send(
        &mut self,
        client: Resource<Client>,
        asked: Request,
    ) -> wasmtime::Result<Result<Resource<Response>, ConnectError>> {
        let client = self.table.get(&client)?.clone();
        match client.exchange(asked).await {
            Ok(response) => push(self.table, response),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn send_all(
        &mut self,
        client: Resource<Client>,
        asked: Vec<Request>,
    ) -> wasmtime::Result<Vec<Result<Resource<Response>, ConnectError>>> {
        let client = self.table.get(&client)?.clone();
        if asked.len() > TOGETHER_MAX {
            let refused = CallError::new(
                Reason::Exhausted,
                "limit.send-all",
                format!("{} requests at once, and {TOGETHER_MAX} are allowed", asked.len()),
            );
            let text = format!("{} requests at once", asked.len());
            let refused = client.grant.refused(&text, refused).await;
            return Ok(asked.iter().map(|_| Err(connect_error(refused.clone()))).collect());
        }
        let exchanges = asked.into_iter().map(|asked| client.exchange(asked));
        let together = asked_together(&client);
        let answers: Vec<_> = futures::stream::iter(exchanges).buffered(together).collect().await;
        let mut results = Vec::with_capacity(answers.len());
        for answer in answers {
            results.push(match answer {
                Ok(response) => push(self.table, response)?,
                Err(error) => Err(connect_error(error)),
            });
        }
        Ok(results)
    }

    async fn restrict(
        &mut self,
        client: Resource<Client>,
        scope: String,
    ) -> wasmtime::Result<Result<Resource<Client>, ConnectError>> {
        let Client { grant, held } = self.table.get(&client)?.clone();
        match rules(&scope).and_then(|rules| grant.restrict(&rules)) {
            Ok(grant) => push(self.table, Client { grant, held }),
            Err(error) => Ok(Err(connect_error(error))),
        }
    }

    async fn scope(&mut self, client: Resource<Client>) -> wasmtime::Result<String> {
        Ok(self.table.get(&client)?.grant.scope().to_json().to_string())
    }

    async fn drop(&mut self, client: Resource<Client>) -> wasmtime::Result<()> {
        self.table.delete(client)?;
        Ok(())
    }
}

impl HostResponse for View<'_> {
    async fn status(&mut self, response: Resource<Response>) -> wasmtime::Result<u16> {
        Ok(self.table.get(&response)?.answer.status)
    }

    async fn headers(
        &mut self,
        response: Resource<Response>,
    ) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.table.get(&response)?.answer.headers.clone())
    }

    async fn read(
        &mut self,
        response: Resource<Response>,
        max: u32,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, ConnectError>> {
        let response = self.table.get_mut(&response)?;
        let left = &response.answer.body[response.read..];
        if left.is_empty() {
            return Ok(Ok(None));
        }
        let length = left.len().min(PIECE_BYTES_MAX).min(max as usize);
        let piece = left[..length].to_vec();
        response.read += length;
        Ok(Ok(Some(piece)))
    }

    async fn drop(&mut self, response: Resource<Response>) -> wasmtime::Result<()> {
        self.table.delete(response)?;
        Ok(())
    }
}

/// How many of a list are sent at the same time; the budget bounds it over all handles.
fn asked_together(client: &Client) -> usize {
    client.grant.attempt().budget_limits().calls_in_flight_max.max(1) as usize
}
