//! The layer that writes down: an intent before a call leaves, how it ended before the guest sees
//! it, and each refusal. Nothing that is written holds a credential.

use crate::call::Grant;
use crate::{Answer, CallError, Layer, Operation, Reason, told};
use journal::{Effect, EffectOutcome, Reply};

/// Bytes of what was asked for, in the record of a request that never became a call. It can be
/// anything that a guest makes up, and as long.
const ASKED_BYTES_MAX: usize = 256;

impl Grant {
    /// Counts and records what was refused before it became a call: a request that can't be read
    /// in one way, or one on a connection that is broken. `asked` says what it was; at most 256
    /// bytes of it are kept, without control characters. Gives the error for the guest: `why`, unless a budget is used up, the
    /// attempt is over, or the journal can't be written.
    pub async fn refused(&self, asked: &str, why: CallError) -> CallError {
        if let Err(over) = self.attempt.live() {
            return over;
        }
        let counted = self.count(0);
        if let Some(call) = self.recorded(&counted) {
            return self.refused_again(call, asked).await;
        }
        let refused = counted.err().unwrap_or(why);
        // Beyond a limit every further call is refused alike; once says it.
        if refused.reason == Reason::Exhausted && self.attempt.budget.told_once() {
            return refused;
        }
        let asked = self.attempt.redactor.text(asked);
        let asked = &asked[..asked.floor_char_boundary(ASKED_BYTES_MAX)];
        let mut kept = asked.escape_debug().to_string();
        kept.truncate(kept.floor_char_boundary(ASKED_BYTES_MAX));
        self.note_refusal(&kept, &refused).await.err().unwrap_or(refused)
    }

    /// A write is on record before it leaves the host. A read need not be: asked again after a
    /// crash it does no harm, and whatever write follows it makes its record durable.
    pub(crate) async fn intend(&self, operation: &Operation, rule: u32) -> Result<u32, CallError> {
        if !Layer::Record.on() {
            return Ok(0);
        }
        let recorder = &self.attempt.recorder;
        let effect = self.effect(operation, rule);
        // What the host does for itself does not follow from what the step has read.
        let readings = match operation.own {
            true => journal::Readings::default(),
            false => self.attempt.replay.fresh(),
        };
        if !operation.writes {
            return Ok(recorder.intend_read(effect, readings));
        }
        let intended = recorder.intend(effect, readings).await;
        intended.map_err(|error| journal_failed(&error, "so the call was not made"))
    }

    /// How a write ended, and what the guest is told, is on record before the guest sees it.
    pub(crate) async fn settle(
        &self,
        writes: bool,
        number: u32,
        outcome: EffectOutcome,
        told: Option<Result<&Answer, &CallError>>,
    ) -> Result<(), CallError> {
        if !Layer::Record.on() {
            return Ok(());
        }
        let recorder = &self.attempt.recorder;
        let reply = told.and_then(|told| self.keep(told));
        if !writes {
            recorder.settle_read(number, outcome, reply);
            return Ok(());
        }
        recorder.settle(number, outcome, reply).await.map_err(|error| {
            let mut error = journal_failed(&error, "and the call was made");
            error.in_doubt = true;
            error
        })
    }

    /// How the opening of a stream ended; what comes through it is written down piece by piece.
    pub(crate) fn settle_stream(
        &self,
        number: u32,
        outcome: EffectOutcome,
        error: Option<&CallError>,
    ) {
        if Layer::Record.on() {
            let reply = error.and_then(|error| self.keep(Err(error)));
            self.attempt.recorder.settle_read(number, outcome, reply);
        }
    }

    /// A request leaves the host once more; on record before it does.
    pub(crate) async fn note_again(&self, number: u32, why: &str) -> Result<(), CallError> {
        let noted = self.attempt.recorder.ask_again(number, why).await;
        noted.map_err(|error| journal_failed(&error, "so the call was not made again"))
    }

    /// A look at the far side has told whether a write took effect.
    pub(crate) async fn note_found(
        &self,
        number: u32,
        done: bool,
        by: &str,
    ) -> Result<(), CallError> {
        let by = self.attempt.redactor.text(by).into_owned();
        let noted = self.attempt.recorder.found_out(number, done, &by).await;
        noted.map_err(|error| journal_failed(&error, "so nothing more was done"))
    }

    /// What the guest is told, as far as there is room for it.
    fn keep(&self, told: Result<&Answer, &CallError>) -> Option<Reply> {
        let bytes = told.map_or(0, |answer| answer.body.len() as u64);
        if self.attempt.replay.takes(bytes) { told::keep(told) } else { None }
    }

    /// A refusal is worth knowing too: it says what a step tried to do.
    pub(crate) async fn refuse(
        &self,
        operation: &Operation,
        refused: &CallError,
    ) -> Result<(), CallError> {
        self.note_refusal(&operation.text, refused).await
    }

    async fn note_refusal(&self, asked: &str, refused: &CallError) -> Result<(), CallError> {
        if !Layer::Record.on() {
            return Ok(());
        }
        let redactor = &self.attempt.redactor;
        let message = format!("{} {asked}: {}", self.connection, refused.message);
        let outcome = EffectOutcome::NotMade {
            code: refused.code.clone(),
            message: redactor.text(&message).into_owned(),
            denial: refused
                .denial(&self.slot, &self.connection)
                .map(|denial| redactor.denial(denial)),
        };
        let reply = self.keep(Err(refused));
        let refused = self.attempt.recorder.refuse(outcome, reply).await;
        refused
            .map(|_number| ())
            .map_err(|error| journal_failed(&error, "and the call was refused"))
    }

    pub(crate) fn effect(&self, operation: &Operation, rule: u32) -> Effect {
        let clean = |text: &str| self.attempt.redactor.text(text).into_owned();
        Effect {
            connection: self.connection.to_string(),
            operation: clean(&operation.text),
            writes: operation.writes,
            precondition: operation.precondition.as_deref().map(clean),
            digest: operation.digest.clone(),
            slot: Some(self.slot.to_string()),
            // 0 stands for the host's own requests, which need no rule.
            rule: Some(rule).filter(|rule| *rule > 0),
            request_bytes: operation.request_bytes,
            repeatable: operation.repeatable.filter(|_| operation.writes),
            content: operation.content.clone(),
            own: operation.own,
        }
    }
}

/// How a call ended, for the journal. `answered` holds status and bytes, whatever the guest gets.
pub(crate) fn outcome<T>(
    answered: &Result<((u16, u64), T), CallError>,
    redacted: u64,
) -> EffectOutcome {
    match answered {
        Ok(((status, bytes), _)) => {
            EffectOutcome::Answered { status: *status, bytes: *bytes, redacted }
        }
        Err(error) if error.in_doubt => EffectOutcome::InDoubt { message: error.message.clone() },
        Err(error) => EffectOutcome::NotMade {
            code: error.code.clone(),
            message: error.message.clone(),
            denial: None,
        },
    }
}

fn journal_failed(source: &journal::JournalError, so: &str) -> CallError {
    let message = format!("the host could not write into its journal, {so}: {source}");
    CallError::new(Reason::Other, "host.journal", message)
}
