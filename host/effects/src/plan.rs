//! The layer of plans: a plan shows writes and makes none, and a run that is bound to a plan makes
//! no write that it did not show.

use crate::call::Grant;
use crate::wire::{Rehearsal, Wire};
use crate::{Answer, CallError, Layer, Operation, Reason};
use journal::{Change, PlannedWrite, Shown};

/// Whether an attempt makes its writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    #[default]
    Act,
    /// It makes those that a plan has shown.
    Bound(Bound),
    /// It makes none; each is shown.
    Plan,
}

/// The writes that a plan has shown of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound(Vec<PlannedWrite>);

impl Bound {
    /// These.
    #[must_use]
    pub fn new(writes: Vec<PlannedWrite>) -> Self {
        Self(writes)
    }

    /// How often the plan has shown this write.
    fn shows(&self, connection: &str, operation: &str, content: &str) -> usize {
        let same = |write: &&PlannedWrite| {
            write.connection == connection
                && write.operation == operation
                && write.content == content
        };
        self.0.iter().filter(same).count()
    }

    /// Where the plan's connection led, if that is another place than `now`.
    fn elsewhere(&self, connection: &str, now: Option<&str>) -> Option<&str> {
        let mut then = self.0.iter().filter(|write| write.connection == connection);
        then.find_map(|write| write.address.as_deref().filter(|then| Some(*then) != now))
    }
}

impl Operation {
    /// What a write would change, its precondition left out.
    #[must_use]
    pub fn content(&self) -> &str {
        self.content.as_deref().unwrap_or(&self.digest)
    }
}

impl Grant {
    /// What the step gets of a write that is not made; None for one that is.
    ///
    /// # Errors
    ///
    /// A write that the plan of this run did not show.
    pub(crate) async fn plan(
        &self,
        operation: &Operation,
        rule: u32,
        wire: &dyn Wire,
    ) -> Result<Option<Result<Answer, CallError>>, CallError> {
        if !Layer::Plan.on() {
            return Ok(None);
        }
        match &self.attempt.mode {
            Mode::Act => Ok(None),
            Mode::Bound(bound) => {
                let Some(refused) = self.unplanned(bound, operation) else { return Ok(None) };
                self.refuse(operation, &refused).await?;
                Err(refused)
            }
            Mode::Plan => Ok(Some(self.rehearse(operation, rule, wire).await?)),
        }
    }

    /// Why the plan that the run is bound to does not allow a write; None if it does.
    fn unplanned(&self, bound: &Bound, operation: &Operation) -> Option<CallError> {
        let text = self.attempt.redactor.text(&operation.text);
        let connection = &*self.connection;
        let how = if let Some(then) = bound.elsewhere(connection, self.address.as_deref()) {
            let now = self.address.as_deref().unwrap_or("an unknown place");
            format!("was made when {connection} led to {then}, and it leads to {now} now")
        } else {
            let made = self.attempt.recorder.record().made(&text, connection, operation.content());
            match bound.shows(connection, &text, operation.content()) {
                0 => format!("does not show `{text}` on {connection} with this content"),
                shown if shown <= made => {
                    format!("shows `{text}` on {connection} {shown} times, and no more often")
                }
                _ => return None,
            }
        };
        let message = format!(
            "the plan that this run is bound to {how}; plan anew, look at it, and run that"
        );
        Some(CallError::new(Reason::Denied, "denied.plan", message))
    }

    async fn rehearse(
        &self,
        operation: &Operation,
        rule: u32,
        wire: &dyn Wire,
    ) -> Result<Result<Answer, CallError>, CallError> {
        let attempt = &*self.attempt;
        let timeout = attempt.time_for(operation.timeout_ms);
        let rehearsing = async { Ok(wire.rehearse(attempt.answer_bytes_max()).await) };
        let (shown, told) = match attempt.within(timeout, false, rehearsing).await? {
            Rehearsal::Tried { answer, changes } => {
                let status = answer.status;
                // What the step reads from here on does not show what it has written.
                if status < 400 {
                    attempt.withhold();
                }
                let changes = changes.into_iter().map(|change| self.clean(change)).collect();
                let (answer, _found) = attempt.redactor.answer(answer);
                (Shown::Rehearsed { status, changes }, Ok(answer))
            }
            Rehearsal::Shown(shown) => {
                attempt.withhold();
                (self.clean_shown(shown), Err(withheld(operation)))
            }
            Rehearsal::Failed(error) => {
                let message = attempt.redactor.text(&error.message).into_owned();
                return Ok(Err(CallError::new(error.reason, error.code, message)));
            }
        };
        let planned = attempt.recorder.planned(self.effect(operation, rule), shown).await;
        planned.map_err(|error| {
            CallError::new(Reason::Other, "host.journal", format!("the plan is lost: {error}"))
        })?;
        Ok(told)
    }

    fn clean(&self, change: Change) -> Change {
        let clean = |text: String| self.attempt.redactor.text(&text).into_owned();
        Change {
            field: clean(change.field),
            from: change.from.map(clean),
            to: change.to.map(clean),
        }
    }

    fn clean_shown(&self, shown: Shown) -> Shown {
        let clean = |text: &str| self.attempt.redactor.text(text).into_owned();
        match shown {
            Shown::Request { method, url, credentials, body } => {
                Shown::Request { method, url: clean(&url), credentials, body: clean(&body) }
            }
            rehearsed @ Shown::Rehearsed { .. } => rehearsed,
        }
    }
}

fn withheld(operation: &Operation) -> CallError {
    let message =
        format!("a plan does not make `{}`; it is shown, and was not sent", operation.text);
    CallError::new(Reason::Withheld, journal::Failure::WITHHELD, message)
}
