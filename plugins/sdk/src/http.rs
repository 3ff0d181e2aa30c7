//! HTTP to one service: the one that the workflow bound to a slot.
//!
//! A step names a slot and sends paths; address and credential stay with the host. A status of
//! 400 or more is an answer here, not an error: the step knows what its service means by it.

mod refusal;
mod request;
mod response;

pub use refusal::{explain, refusal};
pub use request::{Request, segment};
pub use response::Response;

use crate::{ConnectError, Context, json_text, log, retry::Patience, wire};
use serde_json::Value;

/// A handle to one service.
#[derive(Debug)]
pub struct Client {
    wire: wire::Client,
}

impl Client {
    /// Opens the connection bound to `slot`, a name under `connections` in `plugin.toml`.
    ///
    /// # Errors
    ///
    /// Reason `denied` when nothing of that name was granted to this step.
    pub fn open(ctx: &Context, slot: &str) -> Result<Self, ConnectError> {
        Ok(Self { wire: wire::Client::open(ctx.wire(), slot)? })
    }

    /// Sends one request, once.
    ///
    /// # Errors
    ///
    /// When there is no answer to look at. `in_doubt` then tells whether a write may have taken
    /// effect all the same.
    pub fn send(&self, request: &Request) -> Result<Response, ConnectError> {
        Ok(Response::new(self.wire.send(&request.to_wire())?))
    }

    /// Sends up to 32 requests, at most 8 at the same time, and answers in their order.
    pub fn send_all(&self, requests: &[Request]) -> Vec<Result<Response, ConnectError>> {
        let requests: Vec<_> = requests.iter().map(Request::to_wire).collect();
        let answers = self.wire.send_all(&requests);
        answers.into_iter().map(|answer| answer.map(Response::new)).collect()
    }

    /// Sends a request that reads (`GET`, `HEAD`, `OPTIONS`), again while the service is busy or out of
    /// reach: after 408, 429, 5xx and errors that may pass. It waits as long as `Retry-After` or
    /// `X-RateLimit-Reset` says, if that fits into the remaining time.
    ///
    /// The last answer comes back whatever its status. Any other method is sent once.
    ///
    /// # Errors
    ///
    /// The last error, when no try led to an answer.
    pub fn read(&self, ctx: &Context, request: &Request) -> Result<Response, ConnectError> {
        let patience = Patience::default();
        let mut tried = 1;
        loop {
            let outcome = self.send(request);
            let (asked, why) = match &outcome {
                Ok(answer) if !answer.is_busy() => return outcome,
                Err(error) if !error.worth_repeating() => return outcome,
                Ok(answer) => (answer.retry_after(), format!("status {}", answer.status())),
                Err(error) => (
                    error.retry_after_ms.map(std::time::Duration::from_millis),
                    error.message.clone(),
                ),
            };
            if !request.is_read() || !patience.wait(ctx, tried + 1, asked) {
                return outcome;
            }
            log::debug!("asking again for {}: {why}", request.path());
            tried += 1;
        }
    }

    /// A weaker handle that obeys `scope`, a list of rules in the manifest's form.
    ///
    /// # Errors
    ///
    /// `invalid` when it is malformed, `denied` when it allows what this handle does not.
    pub fn restrict(&self, scope: &Value) -> Result<Self, ConnectError> {
        Ok(Self { wire: self.wire.restrict(&json_text(scope))? })
    }

    /// The rules that this handle obeys, as a list. Null when the host's answer is no JSON.
    #[must_use]
    pub fn scope(&self) -> Value {
        serde_json::from_str(&self.wire.scope()).unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answer, Host};
    use std::{cell::Cell, rc::Rc, time::Duration};

    #[test]
    fn a_busy_service_is_asked_again_and_a_refusal_is_final() {
        let cases = [(429, 4), (502, 4), (408, 4), (403, 1), (404, 1), (200, 1)];
        for (status, expected) in cases {
            let sent = Rc::new(Cell::new(0));
            let counter = Rc::clone(&sent);
            let host = Host::new().http("api", move |_| {
                counter.set(counter.get() + 1);
                Ok(Answer::new(status, "{}"))
            });
            let ctx = host.context();
            let client = Client::open(&ctx, "api").expect("open");

            let answer = client.read(&ctx, &Request::get("/v1/things")).expect("an answer");

            assert_eq!((answer.status(), sent.get()), (status, expected), "{status}");
        }
    }

    #[test]
    fn the_reset_header_says_how_long_to_wait() {
        let mut first = true;
        let host = Host::new().http("api", move |_| {
            Ok(if std::mem::take(&mut first) {
                Answer::new(429, "null").header("x-ratelimit-reset", "3")
            } else {
                Answer::new(200, "{}")
            })
        });
        let ctx = host.context();

        let answer = Client::open(&ctx, "api").and_then(|it| it.read(&ctx, &Request::get("/")));

        assert_eq!(answer.expect("an answer").status(), 200);
        assert!((3..=4).contains(&host.slept().as_secs()), "{:?}", host.slept());
    }

    #[test]
    fn a_post_is_never_repeated_by_itself() {
        let sent = Rc::new(Cell::new(0));
        let counter = Rc::clone(&sent);
        let host = Host::new().http("api", move |_| {
            counter.set(counter.get() + 1);
            Ok(Answer::new(503, ""))
        });
        let ctx = host.context();
        let client = Client::open(&ctx, "api").expect("open");

        let answer = client.read(&ctx, &Request::post("/v1/things")).expect("an answer");

        assert_eq!((answer.status(), sent.get()), (503, 1));
        assert_eq!(host.slept(), Duration::ZERO);
    }

    #[test]
    fn a_slot_that_was_not_granted_does_not_open() {
        let host = Host::new();
        let error = Client::open(&host.context(), "nothing").expect_err("must be refused");
        assert_eq!(error.code, "http.denied");
    }
}
