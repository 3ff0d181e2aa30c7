//! The way of one call, layer by layer.
//!
//! Live, budget, scope; written down; sent within its time; bounded, cleaned; written down. Up to
//! the journal nothing has touched a credential or the network, so a refusal is free. From the
//! journal on each call has exactly one story there: an intent, and how it ended. (Taking the
//! request apart is the connection's, since only it knows the form; it happens before.)

use crate::scope::{Effective, Party};
use crate::wire::{Once, Wire};
use crate::{Attempt, CallError, Layer, Reason, Scope};
use journal::{Repeatable, kill_points};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Depth of `restrict`: more is a loop, not a design.
const RESTRICT_DEPTH_MAX: u8 = 16;

/// The right to use one connection, in one attempt, within a scope.
#[derive(Clone, Debug)]
pub struct Grant {
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) slot: Arc<str>,
    pub(crate) connection: Arc<str>,
    /// Where the connection leads; None where that does not matter.
    pub(crate) address: Option<Arc<str>>,
    pub(crate) scope: Arc<Effective>,
    own: Arc<OwnBudget>,
    depth: u8,
}

/// What the connection allows one attempt, whatever the attempt itself may do.
#[derive(Debug)]
struct OwnBudget {
    calls_max: Option<u32>,
    calls: AtomicU32,
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
    /// [`digest`] of what a write would change, its precondition left out; None where that is the
    /// same.
    pub content: Option<String>,
    /// Why a write may be asked for twice.
    pub repeatable: Option<Repeatable>,
    /// The host makes this call for itself: the step does not know of it, and it is in no replay.
    pub own: bool,
    /// What it comes to is kept nowhere, since it is somebody's secret: a step that is run again
    /// asks anew.
    pub unkept: bool,
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

impl Answer {
    /// An answer of which only the status is known any more.
    #[must_use]
    pub fn without_body(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }
}

/// A stream that was opened.
#[derive(Debug)]
pub struct Stream<T> {
    /// The number of the call that opened it.
    pub number: u32,
    /// HTTP status.
    pub status: u16,
    /// None when it was opened before a crash: pieces come from the record first
    /// ([`Grant::recorded_piece`]), and who needs more opens it anew.
    pub stream: Option<T>,
}

impl Operation {
    /// One that changes nothing.
    #[must_use]
    pub fn read(text: String, digest: String) -> Self {
        Self {
            text,
            writes: false,
            precondition: None,
            digest,
            content: None,
            repeatable: None,
            own: false,
            unkept: false,
            request_bytes: 0,
            timeout_ms: None,
        }
    }
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
    /// A grant of `connection` (`type/name`), which the plugin calls `slot`, within `scope`, and
    /// notes it for the audit. `calls_max`: calls of this connection in the attempt.
    #[must_use]
    pub fn new(
        attempt: Arc<Attempt>,
        slot: &str,
        connection: &str,
        scope: Effective,
        calls_max: Option<u32>,
        address: Option<String>,
    ) -> Self {
        if Layer::Record.on() {
            let rules = attempt.redactor.value(scope.rules().to_json());
            attempt.recorder.granted(slot, connection, rules, address.clone());
        }
        let own = Arc::new(OwnBudget { calls_max, calls: AtomicU32::new(0) });
        let (slot, connection, scope) = (slot.into(), connection.into(), Arc::new(scope));
        let address = address.map(Into::into);
        Self { attempt, slot, connection, address, scope, own, depth: 0 }
    }

    /// What it allows.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        self.scope.rules()
    }

    /// What it allows whatever the step gave up itself.
    #[must_use]
    pub fn granted(&self) -> &Scope {
        self.scope.granted()
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

    /// Takes one call all the way over a wire that can do nothing but send: a read, or a write of
    /// which nothing else can be found out. `send` is as [`Wire::send`].
    ///
    /// # Errors
    ///
    /// As [`Grant::carry`].
    pub async fn call<F, Sending>(
        &self,
        operation: Operation,
        in_scope: impl Fn(&Scope) -> Result<u32, CallError> + Sync,
        send: F,
    ) -> Result<Answer, CallError>
    where
        F: FnOnce(u64) -> Sending + Send,
        Sending: Future<Output = Result<Answer, crate::SendError>> + Send,
    {
        self.carry(operation, &in_scope, &Once::new(send)).await
    }

    /// Takes one call all the way. `in_scope` compares this operation with a list of rules and
    /// gives the number of the one that allows it; `wire` is asked only when everything before it
    /// said yes.
    ///
    /// # Errors
    ///
    /// The first layer that says no. What was sent and not answered is `in_doubt` when it
    /// writes.
    pub async fn carry(
        &self,
        operation: Operation,
        in_scope: &(dyn Fn(&Scope) -> Result<u32, CallError> + Sync),
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        // What is over has nothing to write any more; the journal may be closed to it.
        self.attempt.live()?;
        let counted = self.count(operation.request_bytes);
        if !operation.own
            && let Some(call) = self.recorded(&counted)
        {
            return self.again(call, &operation, in_scope, wire).await;
        }
        let rule = self.admit(&operation, counted, in_scope).await?;
        let attempt = &*self.attempt;
        let _in_flight = attempt.budget.take_turn().await?;
        if operation.writes
            && let Some(withheld) = self.plan(&operation, rule, wire).await?
        {
            return withheld;
        }
        let number = self.intend(&operation, rule).await?;
        self.send(number, &operation, wire).await
    }

    /// Makes a call that has its number and its intent on record already, if it may still be made.
    pub(crate) async fn send_numbered(
        &self,
        number: u32,
        operation: &Operation,
        in_scope: &(dyn Fn(&Scope) -> Result<u32, CallError> + Sync),
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        if let Err(refused) = self.scope.check(in_scope) {
            self.refuse(operation, &refused).await?;
            return Err(refused);
        }
        let _in_flight = self.attempt.budget.take_turn().await?;
        self.send(number, operation, wire).await
    }

    async fn send(
        &self,
        number: u32,
        operation: &Operation,
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        let attempt = &*self.attempt;
        // The run may have been stopped while the intent was written.
        if operation.writes
            && let Err(over) = attempt.live()
        {
            return self.finish(number, operation, Err(over)).await;
        }
        let timeout = attempt.time_for(operation.timeout_ms);
        if operation.writes {
            kill_points::reached("before-send");
        }
        let sending = wire.send(attempt.answer_bytes_max());
        let sent = attempt.within(timeout, operation.writes, sending).await;
        if operation.writes {
            kill_points::reached("after-send");
        }
        self.finish(number, operation, sent).await
    }

    /// Bounds and cleans what came back, and writes down how the call ended before the step knows.
    pub(crate) async fn finish(
        &self,
        number: u32,
        operation: &Operation,
        sent: Result<Answer, CallError>,
    ) -> Result<Answer, CallError> {
        let attempt = &*self.attempt;
        let writes = operation.writes;
        let (answered, redacted) = match sent {
            Ok(answer) => {
                // An answer that is withheld answers all the same what has been done: a step that
                // took it for a refusal would write again.
                let bounded = attempt.budget.receive(answer.body.len() as u64);
                let size = (answer.status, answer.body.len() as u64);
                let (answer, found) = attempt.redactor.answer(answer);
                let answer = bounded.map(|()| answer).map_err(|mut error| {
                    error.in_doubt = writes;
                    error
                });
                (Ok((size, answer)), found)
            }
            Err(mut error) => {
                error.message = attempt.redactor.text(&error.message).into_owned();
                (Err(error), 0)
            }
        };
        let outcome = crate::record::outcome(&answered, redacted);
        let told = answered.and_then(|(_size, answer)| answer);
        let kept = Some(told.as_ref()).filter(|_| !operation.unkept);
        self.settle(writes, number, outcome, kept).await?;
        told
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
        in_scope: impl Fn(&Scope) -> Result<u32, CallError> + Sync,
        send: impl FnOnce() -> Sending,
    ) -> Result<Stream<T>, CallError>
    where
        Sending: Future<Output = Result<(u16, T), crate::SendError>>,
    {
        let operation = Operation { writes: false, ..operation };
        self.attempt.live()?;
        let counted = self.count(operation.request_bytes);
        if !operation.own
            && let Some(call) = self.recorded(&counted)
        {
            let number = call.number;
            return match self.opened_before(&call, &operation).await? {
                Some(status) => Ok(Stream { number, status, stream: None }),
                None => self.open_numbered(number, &operation, send).await,
            };
        }
        let rule = self.admit(&operation, counted, &in_scope).await?;
        let _in_flight = self.attempt.budget.take_turn().await?;
        let number = self.intend(&operation, rule).await?;
        self.open_numbered(number, &operation, send).await
    }

    async fn open_numbered<T, Sending>(
        &self,
        number: u32,
        operation: &Operation,
        send: impl FnOnce() -> Sending,
    ) -> Result<Stream<T>, CallError>
    where
        Sending: Future<Output = Result<(u16, T), crate::SendError>>,
    {
        let attempt = &*self.attempt;
        let timeout = attempt.time_for(operation.timeout_ms);
        let opened = attempt.within(timeout, false, send()).await.map_err(|mut error| {
            error.message = attempt.redactor.text(&error.message).into_owned();
            error
        });
        let size = opened.as_ref().map(|(status, _)| ((*status, 0), ())).map_err(Clone::clone);
        let outcome = crate::record::outcome(&size, 0);
        self.settle_stream(number, outcome, opened.as_ref().err());
        opened.map(|(status, stream)| Stream { number, status, stream: Some(stream) })
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

    /// The layers that cost nothing: live, budget, scope. Gives the number of the rule that
    /// allows the call.
    async fn admit(
        &self,
        operation: &Operation,
        counted: Result<(), CallError>,
        in_scope: impl Fn(&Scope) -> Result<u32, CallError>,
    ) -> Result<u32, CallError> {
        let admitted = counted.and_then(|()| self.scope.check(in_scope));
        match admitted {
            Ok(rule) => Ok(rule),
            Err(refused) => {
                // Beyond a limit every further call is refused alike; once says it.
                let beyond = refused.reason == Reason::Exhausted;
                if !beyond || !self.attempt.budget.told_once() {
                    self.refuse(operation, &refused).await?;
                }
                Err(refused)
            }
        }
    }
}

impl Grant {
    /// Takes one call out of the attempt's budget and out of the connection's own.
    pub(crate) fn count(&self, request_bytes: u64) -> Result<(), CallError> {
        self.attempt.budget.count(request_bytes)?;
        self.own.count(&self.connection)
    }
}

impl OwnBudget {
    fn count(&self, connection: &str) -> Result<(), CallError> {
        let Some(max) = self.calls_max.filter(|_| Layer::Budget.on()) else { return Ok(()) };
        let used = self.calls.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if used <= max {
            return Ok(());
        }
        Err(CallError::new(
            Reason::Exhausted,
            "limit.connection-calls",
            format!(
                "the connection `{connection}` allows an attempt {max} calls, this would be {used}"
            ),
        ))
    }
}

impl CallError {
    /// For the journal: the rule that is missing and who does not allow it.
    pub(crate) fn denial(&self, slot: &str, connection: &str) -> Option<journal::Denial> {
        let rule = self.missing_rule.as_deref()?.clone();
        let by = self.denied_by.unwrap_or(Party::Manifest).as_str().to_owned();
        let (slot, connection) = (slot.to_owned(), connection.to_owned());
        Some(journal::Denial { by, slot, connection, rule })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttemptOptions, BudgetLimits, Needles, Redactor, Secret, SendError};
    use journal::conformance::{owner, start};
    use journal::{EffectOutcome, Event, Journal, MemoryJournal, RunId, StepRecorder};
    use std::time::{Duration, Instant};
    use tokio_util::sync::CancellationToken;

    const KEY: &str = "CANARY-0123456789";

    /// A grant that allows everything, and the journal that it writes into.
    async fn grant(limits: BudgetLimits) -> (Grant, Arc<MemoryJournal>, RunId) {
        let journal = Arc::new(MemoryJournal::default());
        let (run, first) = start("w");
        let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
        let step = "a".parse().expect("a name");
        let shared: Arc<dyn Journal> = Arc::clone(&journal) as _;
        let attempt = Attempt::new(AttemptOptions {
            stop: CancellationToken::new(),
            deadline: Instant::now() + Duration::from_secs(60),
            limits,
            redactor: Redactor::new(vec![Arc::new(Needles::new([&Secret::new(KEY.into())]))]),
            recorder: StepRecorder::new(shared, claim, step, 1),
            mode: crate::Mode::Act,
            last_word: Duration::ZERO,
        });
        (Grant::new(Arc::new(attempt), "x", "http/x", all(), None, None), journal, run)
    }

    /// A scope without rules; the tests decide themselves.
    fn all() -> Effective {
        Effective::asked(Scope::Http(vec![]))
    }

    fn operation(writes: bool) -> Operation {
        Operation {
            writes,
            request_bytes: 1,
            timeout_ms: Some(200),
            ..Operation::read("POST /x".into(), digest(&[b"x"]))
        }
    }

    fn answer(body: &str) -> Answer {
        Answer { status: 200, headers: vec![("x".into(), KEY.into())], body: body.into() }
    }

    /// What the journal knows of the calls: `intended` and how each ended.
    async fn story(journal: &MemoryJournal, run: &RunId) -> Vec<&'static str> {
        let events = journal.events(run, 1, 100).await.expect("read");
        let events = events.iter().filter(|e| !matches!(e.event, Event::ConnectionGranted { .. }));
        let word = |event: &Event| match event {
            Event::EffectIntended { .. } => "intended",
            Event::EffectSettled { outcome: EffectOutcome::Answered { .. }, .. } => "answered",
            Event::EffectSettled { outcome: EffectOutcome::NotMade { .. }, .. } => "not made",
            Event::EffectSettled { outcome: EffectOutcome::InDoubt { .. }, .. } => "in doubt",
            _ => "other",
        };
        events.map(|recorded| word(&recorded.event)).collect()
    }

    #[tokio::test]
    async fn an_answer_comes_back_without_credentials_and_is_on_record() {
        let (grant, journal, run) = grant(BudgetLimits::default()).await;

        let body = format!("you sent {KEY}");
        let called = grant.call(operation(true), |_| Ok(1), |_| async { Ok(answer(&body)) }).await;

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
        let revoked = grant.call(operation(true), |_| Ok(1), never).await.expect_err("revoked");

        assert_eq!((denied.reason, revoked.reason), (Reason::Denied, Reason::Revoked));
        assert!(!denied.in_doubt && !revoked.in_doubt);
        assert_eq!(story(&journal, &run).await, ["not made"]);
    }

    #[tokio::test]
    async fn a_refusal_is_on_record_without_credentials() {
        let (grant, journal, run) = grant(BudgetLimits::default()).await;
        let never = |_| async { panic!("it was sent") };
        let message = format!("{KEY} is outside of what this step was granted");
        let no = |_: &Scope| Err(CallError::new(Reason::Denied, "http.denied", message.clone()));
        let asked = Operation { text: format!("POST /x/{KEY}"), ..operation(true) };

        grant.call(asked, no, never).await.expect_err("denied");

        let events = journal.events(&run, 1, 100).await.expect("read");
        let told = format!("{events:?}");
        assert!(told.contains("POST /x/***") && !told.contains(KEY), "{told}");
    }

    #[tokio::test]
    async fn what_never_became_a_call_is_counted_and_on_record_in_few_bytes() {
        let limits = BudgetLimits { calls_max: 2, ..BudgetLimits::default() };
        let (grant, journal, run) = grant(limits).await;
        let why = || CallError::invalid("http.invalid-path", "no path");
        let asked = format!("GET {KEY}\r\n{}", "ä".repeat(5_000));

        let mut codes = Vec::new();
        for _ in 0..3 {
            codes.push(grant.refused(&asked, why()).await.code);
        }
        grant.attempt().revoke();
        codes.push(grant.refused(&asked, why()).await.code);

        let expected = ["http.invalid-path", "http.invalid-path", "limit.calls", "handle.revoked"];
        assert_eq!(codes, expected);
        assert_eq!(story(&journal, &run).await, ["not made"; 3]);
        let told = format!("{:?}", journal.events(&run, 1, 100).await.expect("read"));
        assert!(told.contains(r"GET ***\\r\\nää") && !told.contains(KEY), "{told}");
        assert!(!told.contains(&"ä".repeat(130)), "{told}");
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

            let lost = grant.call(operation(writes), |_| Ok(1), cut).await.expect_err("cut");
            let hang = |_| std::future::pending();
            let slow = grant.call(operation(writes), |_| Ok(1), hang).await.expect_err("slow");

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
            let error = grant.call(operation(writes), |_| Ok(1), long).await.expect_err("too long");

            assert_eq!((error.reason, error.in_doubt), (Reason::Exhausted, writes));
        }
    }
}
