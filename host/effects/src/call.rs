//! The way of one call, layer by layer.
//!
//! Up to the journal nothing has touched a credential or the network, so a refusal is free.
//! From the journal on each call has exactly one story there: an intent, and how it ended.

use crate::attempt::revoked;
use crate::{Attempt, CallError, Reason, Scope};
use journal::{Disposition, Effect, EffectOutcome};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

/// Depth of `restrict`: more is a loop, not a design.
const RESTRICT_DEPTH_MAX: u8 = 16;

/// How long a call may take when the guest does not say, in milliseconds.
const CALL_MS_DEFAULT: u64 = 30_000;

/// The right to use one connection, in one attempt, within a scope.
#[derive(Clone, Debug)]
pub struct Grant {
    attempt: Arc<Attempt>,
    connection: Arc<str>,
    scope: Arc<Scope>,
    depth: u8,
}

/// A call that is about to be made.
#[derive(Debug)]
pub struct Operation {
    /// For people and for comparison: `patch apps/deployments default/nginx`.
    pub text: String,
    /// Whether it changes anything.
    pub writes: bool,
    /// What must hold for a write to take effect.
    pub precondition: Option<String>,
    /// [`digest`] of what is sent.
    pub digest: String,
    /// Of the body.
    pub request_bytes: u64,
    /// Milliseconds that the guest allows.
    pub timeout_ms: Option<u64>,
}

/// What the far side answered, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// 100 to 599.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decoded.
    pub body: Vec<u8>,
}

/// The far side did not answer.
#[derive(Debug)]
pub struct SendError {
    /// Why, in the words of the contract.
    pub reason: Reason,
    /// Stable, dotted, for programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Whether the request may have reached the far side.
    pub sent: bool,
    /// Whether the same request would fail again, as with a certificate that is not trusted.
    pub permanent: bool,
}

/// `blake3:` over the parts of a request, each with its length, so that no two requests that
/// differ share a text.
#[must_use]
pub fn digest(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    format!("blake3:{}", hasher.finalize().to_hex())
}

impl Grant {
    /// A grant of `connection` (`type/name`) within `scope`.
    #[must_use]
    pub fn new(attempt: Arc<Attempt>, connection: &str, scope: Scope) -> Self {
        Self { attempt, connection: connection.into(), scope: Arc::new(scope), depth: 0 }
    }

    /// What it allows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The attempt that it belongs to.
    #[must_use]
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// A weaker grant of the same connection.
    ///
    /// # Errors
    ///
    /// As [`Scope::restrict`]; `exhausted` beyond 16 levels.
    pub fn restrict(&self, rules: &[serde_json::Value]) -> Result<Self, CallError> {
        self.attempt.live()?;
        if self.depth >= RESTRICT_DEPTH_MAX {
            return Err(CallError::new(
                Reason::Exhausted,
                "limit.restrict-depth",
                format!("a handle can be restricted {RESTRICT_DEPTH_MAX} times in a row at most"),
            ));
        }
        let scope = Arc::new(self.scope.restrict(rules)?);
        Ok(Self { scope, depth: self.depth + 1, ..self.clone() })
    }

    /// Takes one call all the way. `in_scope` decides about this operation; `send` resolves the
    /// credential and sends, and is only called when everything before it said yes. It must
    /// give up when more than the given number of bytes come back.
    ///
    /// # Errors
    ///
    /// The first layer that says no. What was sent and not answered is `in_doubt` when it
    /// writes.
    pub async fn call<F, Sending>(
        &self,
        operation: Operation,
        in_scope: impl FnOnce(&Scope) -> Result<(), CallError>,
        send: F,
    ) -> Result<Answer, CallError>
    where
        F: FnOnce(u64) -> Sending,
        Sending: Future<Output = Result<Answer, SendError>>,
    {
        let attempt = &*self.attempt;
        attempt.live()?;
        if let Err(refused) = in_scope(&self.scope) {
            self.record_refusal(&operation, &refused).await?;
            return Err(refused);
        }
        let _in_flight = attempt.budget.admit(operation.request_bytes).await?;

        let writes = operation.writes;
        let timeout = self.timeout(operation.timeout_ms);
        let number = self.intend(operation).await?;
        let bytes_max = attempt.budget.limits().response_bytes_max;
        let sent = tokio::select! {
            biased;
            () = attempt.stopped() => Err(given_up()),
            sent = tokio::time::timeout(timeout, send(bytes_max)) => match sent {
                Ok(sent) => sent.map_err(|error| error.into_call_error(writes)),
                Err(_elapsed) => Err(too_slow(timeout)),
            },
        };
        let sent = sent.map_err(|error| self.in_doubt_if(writes, error));
        let outcome = match &sent {
            Ok(answer) => EffectOutcome::Answered {
                status: answer.status,
                bytes: answer.body.len() as u64,
                redacted: 0,
            },
            Err(error) if error.in_doubt => EffectOutcome::InDoubt {
                message: attempt.redactor.text(&error.message).into_owned(),
            },
            Err(error) => EffectOutcome::NotMade {
                code: error.code.clone(),
                message: attempt.redactor.text(&error.message).into_owned(),
            },
        };
        self.settle(writes, number, outcome).await?;
        match sent {
            Ok(answer) => {
                // The answer is withheld, but what it answers has been done: a step that took this
                // for a refusal would write again.
                attempt.budget.receive(answer.body.len() as u64).map_err(|mut error| {
                    error.in_doubt = writes;
                    error
                })?;
                Ok(self.clean(answer))
            }
            Err(mut error) => {
                error.message = attempt.redactor.text(&error.message).into_owned();
                Err(error)
            }
        }
    }

    /// Opens a stream of answers to a read: the same layers, but what comes is handed over piece
    /// by piece. Each piece must go through [`Grant::piece`].
    ///
    /// # Errors
    ///
    /// As [`Grant::call`].
    pub async fn open_stream<T, Sending>(
        &self,
        operation: Operation,
        in_scope: impl FnOnce(&Scope) -> Result<(), CallError>,
        send: impl FnOnce() -> Sending,
    ) -> Result<(u16, T), CallError>
    where
        Sending: Future<Output = Result<(u16, T), SendError>>,
    {
        let attempt = &*self.attempt;
        attempt.live()?;
        if let Err(refused) = in_scope(&self.scope) {
            self.record_refusal(&operation, &refused).await?;
            return Err(refused);
        }
        let _in_flight = attempt.budget.admit(operation.request_bytes).await?;
        let timeout = self.timeout(operation.timeout_ms);
        let number = self.intend(Operation { writes: false, ..operation }).await?;
        let opened = tokio::select! {
            biased;
            () = attempt.stopped() => Err(given_up()),
            sent = tokio::time::timeout(timeout, send()) => match sent {
                Ok(sent) => sent.map_err(|error| error.into_call_error(false)),
                Err(_elapsed) => Err(too_slow(timeout)),
            },
        };
        let opened = opened.map_err(|mut error| {
            error.in_doubt = false;
            error.message = attempt.redactor.text(&error.message).into_owned();
            error
        });
        let outcome = match &opened {
            Ok((status, _)) => EffectOutcome::Answered { status: *status, bytes: 0, redacted: 0 },
            Err(error) => {
                EffectOutcome::NotMade { code: error.code.clone(), message: error.message.clone() }
            }
        };
        attempt.recorder.settle_read(number, outcome);
        opened
    }

    /// One piece of a stream: still live, within the budget, without credentials.
    ///
    /// # Errors
    ///
    /// `revoked`, `exhausted`.
    pub fn piece(&self, bytes: Vec<u8>) -> Result<Vec<u8>, CallError> {
        self.attempt.live()?;
        self.attempt.budget.receive(bytes.len() as u64)?;
        Ok(self.attempt.redactor.bytes(bytes).0)
    }

    /// A write is on record before it leaves the host. A read need not be: asked again after a
    /// crash it does no harm, and whatever write follows it makes its record durable.
    async fn intend(&self, operation: Operation) -> Result<u32, CallError> {
        let recorder = &self.attempt.recorder;
        if !operation.writes {
            return Ok(recorder.intend_read(self.effect(operation)));
        }
        let intended = recorder.intend(self.effect(operation)).await;
        intended.map_err(|error| journal_failed(&error, "so the call was not made"))
    }

    /// How a write ended is on record before the guest sees it.
    async fn settle(
        &self,
        writes: bool,
        number: u32,
        outcome: EffectOutcome,
    ) -> Result<(), CallError> {
        let recorder = &self.attempt.recorder;
        if !writes {
            recorder.settle_read(number, outcome);
            return Ok(());
        }
        recorder.settle(number, outcome).await.map_err(|error| {
            let mut error = journal_failed(&error, "and the call was made");
            error.in_doubt = true;
            error
        })
    }

    fn effect(&self, operation: Operation) -> Effect {
        let Operation { text, writes, precondition, digest, .. } = operation;
        let operation = self.attempt.redactor.text(&text).into_owned();
        Effect {
            connection: self.connection.to_string(),
            operation,
            writes,
            precondition,
            digest,
            slot: None,
            rule: None,
            request_bytes: 0,
        }
    }

    /// The time for one call: what the guest allows, within what the attempt has left.
    fn timeout(&self, asked_ms: Option<u64>) -> Duration {
        Duration::from_millis(asked_ms.unwrap_or(CALL_MS_DEFAULT)).min(self.attempt.remaining())
    }

    /// A refusal is worth knowing too: it says what a step tried to do.
    async fn record_refusal(
        &self,
        operation: &Operation,
        refused: &CallError,
    ) -> Result<(), CallError> {
        let recorder = &self.attempt.recorder;
        let message = format!("{} {}: {}", self.connection, operation.text, refused.message);
        let outcome = EffectOutcome::NotMade {
            code: refused.code.clone(),
            message: self.attempt.redactor.text(&message).into_owned(),
        };
        let refused = recorder.refuse(outcome).await;
        refused
            .map(|_number| ())
            .map_err(|error| journal_failed(&error, "and the call was refused"))
    }

    fn in_doubt_if(&self, writes: bool, mut error: CallError) -> CallError {
        error.in_doubt &= writes;
        if error.in_doubt {
            // Sending it again is not the engine's to decide.
            error.disposition = Disposition::Permanent;
        }
        error
    }

    /// The answer without credentials, which an echoing server may have put in.
    fn clean(&self, answer: Answer) -> Answer {
        let redactor = &self.attempt.redactor;
        let headers = answer
            .headers
            .into_iter()
            .map(|(name, value)| {
                let value = redactor.text(&value).into_owned();
                (name, value)
            })
            .collect();
        let (body, _found) = redactor.bytes(answer.body);
        Answer { status: answer.status, headers, body }
    }
}

impl SendError {
    fn into_call_error(self, writes: bool) -> CallError {
        let mut error = CallError::new(self.reason, self.code, self.message);
        error.in_doubt = self.sent && writes;
        if self.permanent {
            error.disposition = Disposition::Permanent;
        }
        error
    }
}

/// The run was stopped while the request was on its way.
fn given_up() -> CallError {
    let mut error = revoked("the run was stopped while this call was on its way");
    error.in_doubt = true;
    error
}

fn too_slow(timeout: Duration) -> CallError {
    let message = format!("no answer within {} ms", timeout.as_millis());
    let mut error = CallError::new(Reason::Timeout, "connection.timeout", message);
    error.in_doubt = true;
    error
}

fn journal_failed(source: &journal::JournalError, so: &str) -> CallError {
    let message = format!("the host could not write into its journal, {so}: {source}");
    CallError::new(Reason::Other, "host.journal", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptOptions, BudgetLimits, Needles, Redactor, Secret};
    use journal::conformance::{owner, start};
    use journal::{Event, Journal, MemoryJournal, RunId, StepRecorder};
    use std::time::Instant;
    use tokio_util::sync::CancellationToken;

    const KEY: &str = "CANARY-0123456789";

    /// A grant that allows everything, and the journal that it writes into.
    async fn grant(limits: BudgetLimits) -> (Grant, Arc<MemoryJournal>, RunId) {
        let journal = Arc::new(MemoryJournal::default());
        let (run, first) = start("w");
        let claim = journal.create(&run, &owner(1), first).await.expect("create");
        let step = "a".parse().expect("a name");
        let shared: Arc<dyn Journal> = Arc::clone(&journal) as _;
        let attempt = Attempt::new(AttemptOptions {
            stop: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(60),
            limits,
            redactor: Redactor::new(vec![Arc::new(Needles::new([&Secret::new(KEY.into())]))]),
            recorder: StepRecorder::new(shared, claim, step, 1),
        });
        (Grant::new(Arc::new(attempt), "http/x", Scope::Http(vec![])), journal, run)
    }

    fn operation(writes: bool) -> Operation {
        Operation {
            text: "POST /x".into(),
            writes,
            precondition: None,
            digest: digest(&[b"x"]),
            request_bytes: 1,
            timeout_ms: Some(200),
        }
    }

    fn answer(body: &str) -> Answer {
        Answer { status: 200, headers: vec![("x".into(), KEY.into())], body: body.into() }
    }

    /// What the journal knows of the calls: `intended` and how each ended.
    async fn story(journal: &MemoryJournal, run: &RunId) -> Vec<&'static str> {
        let events = journal.events(run, 1, 100).await.expect("read");
        let word = |event: &Event| match event {
            Event::EffectIntended { .. } => "intended",
            Event::EffectSettled { outcome: EffectOutcome::Answered { .. }, .. } => "answered",
            Event::EffectSettled { outcome: EffectOutcome::NotMade { .. }, .. } => "not made",
            Event::EffectSettled { outcome: EffectOutcome::InDoubt { .. }, .. } => "in doubt",
            _ => "other",
        };
        events.iter().map(|recorded| word(&recorded.event)).collect()
    }

    #[tokio::test]
    async fn an_answer_comes_back_without_credentials_and_is_on_record() {
        let (grant, journal, run) = grant(BudgetLimits::default()).await;

        let body = format!("you sent {KEY}");
        let called = grant.call(operation(true), |_| Ok(()), |_| async { Ok(answer(&body)) }).await;

        let answer = called.expect("an answer");
        assert_eq!(answer.body, b"you sent ***");
        assert_eq!(answer.headers, [("x".to_owned(), "***".to_owned())]);
        assert_eq!(story(&journal, &run).await, ["intended", "answered"]);
    }

    #[tokio::test]
    async fn what_is_out_of_scope_or_revoked_is_never_sent() {
        let (grant, journal, run) = grant(BudgetLimits::default()).await;
        let never = |_| async { panic!("it was sent") };
        let no = |_: &Scope| Err(CallError::new(Reason::Denied, "http.denied", "no"));

        let denied = grant.call(operation(true), no, never).await.expect_err("denied");
        grant.attempt().revoke();
        let revoked = grant.call(operation(true), |_| Ok(()), never).await.expect_err("revoked");

        assert_eq!((denied.reason, revoked.reason), (Reason::Denied, Reason::Revoked));
        assert!(!denied.in_doubt && !revoked.in_doubt);
        assert_eq!(story(&journal, &run).await, ["not made"]);
    }

    #[tokio::test]
    async fn a_refusal_is_on_record_without_credentials() {
        let (grant, journal, run) = grant(BudgetLimits::default()).await;
        let never = |_| async { panic!("it was sent") };
        let message = format!("{KEY} is outside of what this step was granted");
        let no = |_: &Scope| Err(CallError::new(Reason::Denied, "http.denied", message));
        let asked = Operation { text: format!("POST /x/{KEY}"), ..operation(true) };

        grant.call(asked, no, never).await.expect_err("denied");

        let events = journal.events(&run, 1, 100).await.expect("read");
        let told = format!("{events:?}");
        assert!(told.contains("POST /x/***") && !told.contains(KEY), "{told}");
    }

    #[tokio::test]
    async fn a_write_without_an_answer_is_in_doubt_and_a_read_is_not() {
        for writes in [true, false] {
            let (grant, journal, run) = grant(BudgetLimits::default()).await;
            let cut = |_| async {
                let (code, message) = ("connection.cut", format!("cut after {KEY}"));
                Err(SendError {
                    reason: Reason::Unreachable,
                    code,
                    message,
                    sent: true,
                    permanent: false,
                })
            };

            let lost = grant.call(operation(writes), |_| Ok(()), cut).await.expect_err("cut");
            let hang = |_| std::future::pending();
            let slow = grant.call(operation(writes), |_| Ok(()), hang).await.expect_err("slow");

            assert_eq!((lost.in_doubt, slow.in_doubt), (writes, writes));
            assert_eq!((lost.message.as_str(), slow.reason), ("cut after ***", Reason::Timeout));
            let end = if writes { "in doubt" } else { "not made" };
            assert_eq!(story(&journal, &run).await, ["intended", end, "intended", end]);
        }
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_over_the_budget_has_been_done_all_the_same() {
        let limits = BudgetLimits { responses_bytes_max: 3, ..BudgetLimits::default() };
        for writes in [true, false] {
            let (grant, _journal, _run) = grant(limits).await;

            let long = |_| async { Ok(answer("long")) };
            let error =
                grant.call(operation(writes), |_| Ok(()), long).await.expect_err("too long");

            assert_eq!((error.reason, error.in_doubt), (Reason::Exhausted, writes));
        }
    }
}
