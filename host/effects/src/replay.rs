//! The layer that answers from the record: what an attempt had asked before its process ended is
//! not asked again.
//!
//! A step that is run again from its start asks for the same things in the same order, since it
//! sees the same inputs, the same answers, the same clocks and the same random numbers. As long as
//! the record lasts it is told what it was told before; then it goes on live. A request that is not
//! the recorded one ends the attempt: whatever it would do now, it did something else before. The
//! one write that nobody knows the end of is judged here, and never guessed at.

use crate::call::Grant;
use crate::wire::{Look, Wire};
use crate::{Answer, Attempt, CallError, Layer, Operation, Reason, Scope, told};
use journal::{CallRecord, Effect, EffectOutcome, Failure, Readings, Repeatable, StepRecord};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes of answers that are kept for one attempt. What is beyond is asked anew after a crash.
const KEPT_BYTES_MAX: u64 = 32 << 20;

/// What is left of a record, and what has been read since it ended.
#[derive(Debug, Default)]
pub(crate) struct Replay(Mutex<Left>);

#[derive(Debug, Default)]
struct Left {
    calls: VecDeque<CallRecord>,
    readings: VecDeque<(u64, u32)>,
    /// Of each stream that was opened.
    pieces: HashMap<u32, VecDeque<Option<String>>>,
    /// Read live, and not yet written down.
    fresh: Readings,
    kept_bytes: u64,
    /// Why the host has ended the attempt.
    ended: Option<Failure>,
}

/// A piece of a stream.
#[derive(Debug)]
pub enum Piece {
    /// What the step was told before.
    Recorded(Vec<u8>),
    /// The step was told before that it failed.
    Failed(CallError),
    /// Nothing is recorded any more.
    Live,
}

impl Replay {
    /// Of what was written of this attempt.
    pub(crate) fn of(record: Option<&StepRecord>) -> Self {
        let Some(record) = record.filter(|_| Layer::Replay.on()) else { return Self::default() };
        let calls: VecDeque<CallRecord> = record.own_calls().cloned().collect();
        let pieces = calls
            .iter()
            .filter(|call| !call.pieces.is_empty())
            .map(|call| (call.number, call.pieces.iter().cloned().collect()));
        Self(Mutex::new(Left {
            readings: record.readings().into_iter().collect(),
            pieces: pieces.collect(),
            calls,
            ..Left::default()
        }))
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self, beyond: bool) -> Option<CallRecord> {
        let mut left = self.left();
        let refused = left.calls.front().is_some_and(|call| call.effect.is_none());
        // Of the calls beyond a limit only the first is on record.
        if beyond && !refused { None } else { left.calls.pop_front() }
    }

    fn is_over(&self) -> bool {
        let left = self.left();
        left.calls.is_empty() && left.pieces.values().all(VecDeque::is_empty)
    }

    /// What was read live since the last call, to be written down with the next.
    pub(crate) fn fresh(&self) -> Readings {
        self.left().fresh.take()
    }

    /// Whether an answer of this size is kept.
    pub(crate) fn takes(&self, bytes: u64) -> bool {
        let mut left = self.left();
        left.kept_bytes = left.kept_bytes.saturating_add(bytes);
        left.kept_bytes <= KEPT_BYTES_MAX
    }
}

impl Attempt {
    /// Whether the step is still being told what it was told before a crash.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        !self.replay.is_over()
    }

    /// Something that the step reads of the world: what was recorded at this point, else what
    /// `live` gives. Past the bound of what is kept between two calls, the value that came last.
    pub fn reading(&self, live: impl FnOnce() -> u64) -> (u64, bool) {
        let mut left = self.replay.left();
        if let Some((value, times)) = left.readings.front_mut() {
            let value = *value;
            *times -= 1;
            if *times == 0 {
                left.readings.pop_front();
            }
            return (value, true);
        }
        let value = match left.fresh.last().filter(|_| left.fresh.is_full()) {
            Some(last) => last,
            None => live(),
        };
        left.fresh.push(value);
        (value, false)
    }

    /// Why the host itself has ended the attempt, whatever the step says of it.
    #[must_use]
    pub fn ended_by_host(&self) -> Option<Failure> {
        self.replay.left().ended.clone()
    }

    /// The step says that it has done its work: it must have asked for all that it had asked for
    /// before.
    ///
    /// # Errors
    ///
    /// The failure of an attempt that did not.
    pub fn ends_as_recorded(&self) -> Result<(), Failure> {
        let left = self.replay.left();
        match left.calls.front() {
            None => Ok(()),
            Some(call) => Err(diverged(&format!(
                "it ended without call {}, `{}`, which it had made before",
                call.number,
                said(call)
            ))),
        }
    }

    /// Ends the attempt: nothing more is done for it.
    fn end(&self, failure: Failure) -> CallError {
        let (code, message) = (failure.code.clone(), failure.message.clone());
        self.replay.left().ended.get_or_insert(failure);
        self.revoke();
        CallError::new(Reason::Revoked, code, message)
    }
}

impl Grant {
    /// Whether the next call is answered from the record.
    #[must_use]
    pub fn is_replaying(&self) -> bool {
        self.attempt.is_replaying()
    }

    /// The record of the next call, if there is one. `counted` is what the budget says of it.
    pub(crate) fn recorded(&self, counted: &Result<(), CallError>) -> Option<CallRecord> {
        self.attempt.replay.next(counted.is_err())
    }

    /// A request that was refused before it became a call is asked for again.
    pub(crate) async fn refused_again(&self, call: CallRecord, asked: &str) -> CallError {
        if call.effect.is_some() {
            return self.diverged(&call, asked);
        }
        match self.told(&call).await {
            Ok(Some(Err(error))) => error,
            Ok(_) => CallError::invalid("host.refused", "it was refused before, too"),
            Err(error) => error,
        }
    }

    /// A call that was made before is asked for again.
    pub(crate) async fn again(
        &self,
        call: CallRecord,
        operation: &Operation,
        in_scope: &(dyn Fn(&Scope) -> Result<u32, CallError> + Sync),
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        let Some(effect) = &call.effect else {
            return match self.told(&call).await? {
                Some(Err(error)) if error.reason == Reason::Exhausted => {
                    self.attempt.budget.told_once();
                    Err(error)
                }
                Some(told) => told,
                None => Err(CallError::invalid("host.refused", "it was refused before, too")),
            };
        };
        self.same(&call, effect, operation)?;
        if let Some(told) = self.told(&call).await? {
            if let Ok(answer) = &told {
                let _counted = self.attempt.budget.receive(answer.body.len() as u64);
            }
            return told;
        }
        self.attempt.live()?;
        if !operation.writes {
            return self.send_numbered(call.number, operation, in_scope, wire).await;
        }
        match (&call.outcome, call.settled) {
            // It was refused, or could not be sent: nothing happened.
            (Some(EffectOutcome::NotMade { .. }), _) => {
                self.send_again(&call, operation, in_scope, wire, "it was not made before").await
            }
            (_, Some(false)) => {
                let why = "it is settled that it did not take effect";
                self.send_again(&call, operation, in_scope, wire, why).await
            }
            (_, Some(true)) => self.tell_done(&call, operation, wire).await,
            (Some(outcome), None) if outcome.is_unsure() => {
                self.judge(&call, operation, in_scope, wire).await
            }
            // Answered, and what the answer was is not kept.
            (Some(EffectOutcome::Answered { status: ..400, .. }), None) => {
                // It stays known, also if the look for its answer fails.
                self.note_found(call.number, true, "its answer").await?;
                self.tell_done(&call, operation, wire).await
            }
            (Some(EffectOutcome::Answered { status, .. }), None) => {
                Ok(Answer::without_body(*status))
            }
            (None | Some(EffectOutcome::InDoubt { .. }), None) => {
                self.judge(&call, operation, in_scope, wire).await
            }
        }
    }

    /// Whether the step asks for what it had asked for.
    fn same(
        &self,
        call: &CallRecord,
        effect: &Effect,
        operation: &Operation,
    ) -> Result<(), CallError> {
        let same = effect.digest == operation.digest
            && effect.writes == operation.writes
            && effect.connection == *self.connection
            && effect.slot.as_deref().is_none_or(|slot| slot == &*self.slot);
        if same { Ok(()) } else { Err(self.diverged(call, &operation.text)) }
    }

    /// What is known of a stream that was opened before: its status if it was opened well, the
    /// error if it was not, None if nobody knows.
    pub(crate) async fn opened_before(
        &self,
        call: &CallRecord,
        operation: &Operation,
    ) -> Result<Option<u16>, CallError> {
        match &call.effect {
            Some(effect) => self.same(call, effect, operation)?,
            None => return Err(self.refused_again(call.clone(), &operation.text).await),
        }
        if let Some(EffectOutcome::Answered { status, .. }) = &call.outcome {
            return Ok(Some(*status));
        }
        match self.told(call).await? {
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Ok(None),
        }
    }

    /// A write of which nobody knows whether it took effect.
    async fn judge(
        &self,
        call: &CallRecord,
        operation: &Operation,
        in_scope: &(dyn Fn(&Scope) -> Result<u32, CallError> + Sync),
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        match operation.repeatable {
            Some(Repeatable::Verifiable) | None => {}
            Some(repeatable) => {
                return self.send_again(call, operation, in_scope, wire, repeatable.why()).await;
            }
        }
        let mut blind = String::new();
        if let Some(Look { asked, found }) = wire.took_effect(self.attempt.answer_bytes_max()).await
        {
            match found {
                Ok(done) => {
                    self.note_found(call.number, done, &asked).await?;
                    if done {
                        return self.tell_done(call, operation, wire).await;
                    }
                    let why = format!("{asked} shows that it did not take effect");
                    return self.send_again(call, operation, in_scope, wire, &why).await;
                }
                Err(error) => {
                    let message = self.attempt.redactor.text(&error.message);
                    blind = format!("; {asked}, which would tell, failed: {message}");
                }
            }
        }
        Err(self.unknown(call, &blind))
    }

    /// What a step is told of a write that took effect and whose answer is lost.
    async fn tell_done(
        &self,
        call: &CallRecord,
        operation: &Operation,
        wire: &dyn Wire,
    ) -> Result<Answer, CallError> {
        let lost = |cause: &str| {
            let message = format!(
                "`{}` took effect before, and its answer is lost{cause}; nothing is sent again",
                operation.text
            );
            let mut error = CallError::new(Reason::Other, "effect.done", message);
            error.in_doubt = true;
            error
        };
        let answer = match wire.answer_of_done(self.attempt.answer_bytes_max()).await {
            Some(Ok(answer)) if answer.status < 400 => Ok(answer),
            // The look failed, and not the write.
            Some(Ok(answer)) => Err(lost(&format!(
                ", and looking at what it changed was answered {}",
                answer.status
            ))),
            Some(Err(error)) => Err(lost(&format!(
                ", and looking at what it changed failed: {}",
                self.attempt.redactor.text(&error.message)
            ))),
            // Who can look for itself is asked to.
            None if operation.repeatable == Some(Repeatable::Verifiable) => Err(lost("")),
            None => {
                let headers = vec![("bowline-outcome".to_owned(), "done".to_owned())];
                Ok(Answer { status: 200, headers, body: b"{}".to_vec() })
            }
        };
        self.finish(call.number, operation, answer).await
    }

    async fn send_again(
        &self,
        call: &CallRecord,
        operation: &Operation,
        in_scope: &(dyn Fn(&Scope) -> Result<u32, CallError> + Sync),
        wire: &dyn Wire,
        why: &str,
    ) -> Result<Answer, CallError> {
        // What may not be sent any more is not on record as though it had been.
        if let Err(refused) = self.scope.check(in_scope) {
            self.refuse(operation, &refused).await?;
            return Err(refused);
        }
        self.note_again(call.number, why).await?;
        self.send_numbered(call.number, operation, in_scope, wire).await
    }

    /// Nobody knows, so a person must say: the attempt ends here.
    fn unknown(&self, call: &CallRecord, blind: &str) -> CallError {
        let message = format!(
            "`{}` on {} left the host, and nobody knows whether it took effect{blind}",
            said(call),
            self.connection
        );
        let details = Some(json!({"call": call.number}));
        self.attempt.end(Failure { details, ..Failure::permanent(Failure::UNKNOWN, message) })
    }

    fn diverged(&self, call: &CallRecord, asked: &str) -> CallError {
        let asked = self.attempt.redactor.text(asked);
        let message = format!(
            "call {} was `{}`, and now the step asks for `{}`",
            call.number,
            said(call),
            asked.escape_debug()
        );
        self.attempt.end(diverged(&message))
    }

    /// What the step was told before; None if that is not kept.
    async fn told(
        &self,
        call: &CallRecord,
    ) -> Result<Option<Result<Answer, CallError>>, CallError> {
        if call.outcome.is_none() {
            return Ok(None);
        }
        let Some(digest) = &call.reply else { return Ok(None) };
        let bytes = self.kept(digest).await?;
        Ok(bytes.and_then(|bytes| told::read(&bytes)))
    }

    /// The next piece of the stream that call `number` has opened.
    ///
    /// # Errors
    ///
    /// When the journal can't be read.
    pub async fn recorded_piece(&self, number: u32) -> Result<Piece, CallError> {
        let digest = {
            let mut left = self.attempt.replay.left();
            left.pieces.get_mut(&number).and_then(VecDeque::pop_front)
        };
        let Some(Some(digest)) = digest else { return Ok(Piece::Live) };
        let Some(bytes) = self.kept(&digest).await? else { return Ok(Piece::Live) };
        Ok(match told::read(&bytes) {
            Some(Err(error)) => Piece::Failed(error),
            Some(Ok(_)) | None => Piece::Recorded(bytes),
        })
    }

    /// Writes down a piece of the stream that call `number` has opened, before the step is told.
    /// `bytes` hold no credential and begin with a letter; None for what must not be kept.
    pub fn heard(&self, number: u32, bytes: Option<Vec<u8>>) {
        self.hear(number, bytes.map(journal::Reply::new));
    }

    /// Writes down that the stream failed, or could not be opened, before the step is told.
    pub fn heard_error(&self, number: u32, error: &CallError) {
        self.hear(number, told::keep(Err(error)));
    }

    fn hear(&self, number: u32, reply: Option<journal::Reply>) {
        if !Layer::Record.on() {
            return;
        }
        let reply = reply.filter(|reply| self.attempt.replay.takes(reply.bytes.len() as u64));
        let readings = self.attempt.replay.fresh();
        self.attempt.recorder.heard(number, reply, readings);
    }

    async fn kept(&self, digest: &str) -> Result<Option<Vec<u8>>, CallError> {
        self.attempt.recorder.reply(digest).await.map_err(|error| {
            let message = format!("the host could not read what is on record: {error}");
            CallError::new(Reason::Other, "host.journal", message)
        })
    }
}

fn diverged(how: &str) -> Failure {
    Failure::permanent(
        Failure::DIVERGED,
        format!(
            "the step does not do again what it did before its process ended: {how}. Nothing more \
             is done for it; look at its calls to see how far it came, and start the workflow anew"
        ),
    )
}

fn said(call: &CallRecord) -> &str {
    call.effect.as_ref().map_or("a request that was refused", |effect| effect.operation.as_str())
}

#[cfg(test)]
mod tests;
