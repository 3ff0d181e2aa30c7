//! What an attempt that has ended comes to: its outputs, another try, a question, or a failure.

use super::RunState;
use super::step::Step;
use crate::StepOutcome;
use crate::retry::is_worth_it;
use journal::{CallRecord, Event, Failure, Question, StepRecord};
use workflow::StepName;

impl RunState {
    /// What an attempt that has ended comes to. `dice` is any number: it spreads the waits of those
    /// who fail together. The event must be applied.
    pub fn end_of_attempt(
        &mut self,
        step: &StepName,
        attempt: u32,
        outcome: StepOutcome,
        record: StepRecord,
        dice: u32,
    ) -> Event {
        let Some(&place) = self.places.get(step) else {
            // Can't be: only steps of this plan are started.
            let failure = Failure::permanent("step.unknown", "no such step");
            return Event::StepFailed { step: step.clone(), attempt, failure };
        };
        self.unmade |= record.planned > 0;
        self.steps[place].record = record;
        let step = step.clone();
        let failure = match outcome {
            Ok(outputs) => return Event::StepSucceeded { step, attempt, outputs },
            Err(failure) => failure,
        };
        if self.planning {
            if failure.code == Failure::WITHHELD {
                self.facts.unmade(&step);
                return Event::StepSucceeded { step, attempt, outputs: serde_json::Map::new() };
            }
            if self.unmade {
                let reason = format!(
                    "what it needs may come from a write that a plan does not make: {failure}"
                );
                return Event::StepSkipped { step, reason };
            }
        }
        let own = &self.steps[place];
        if self.stopping || failure.code == Failure::DIVERGED {
            return Event::StepFailed { step, attempt, failure };
        }
        let doubts: Vec<&CallRecord> = own.record.in_doubt().collect();
        let again = match doubts.is_empty() {
            true => is_worth_it(&failure),
            false => {
                failure.code != Failure::UNKNOWN
                    && doubts.iter().all(|call| call.may_be_tried_again())
            }
        };
        if again && let Some(delay) = own.next_try(&failure, dice, self.now, self.ends_at()) {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            return Event::AttemptFailed { step, attempt, failure, delay_ms };
        }
        match asked_about(&doubts, &failure) {
            Some(call) => own.doubt(step, attempt, call, failure),
            None => Event::StepFailed { step, attempt, failure },
        }
    }
}

/// Which of the writes in doubt people are asked about, one at a time: that which the host could
/// not judge, else one that nobody can look for.
fn asked_about<'a>(doubts: &[&'a CallRecord], failure: &Failure) -> Option<&'a CallRecord> {
    let judged = failure.details.as_ref().filter(|_| failure.code == Failure::UNKNOWN);
    let judged = judged.and_then(|details| details["call"].as_u64());
    let named = doubts.iter().find(|call| judged == Some(u64::from(call.number)));
    let blind = || doubts.iter().find(|call| !call.may_be_tried_again());
    named.or_else(blind).or(doubts.first()).copied()
}

impl Step {
    /// The question what came of a write.
    fn doubt(&self, step: StepName, attempt: u32, call: &CallRecord, failure: Failure) -> Event {
        let number = call.number;
        let what = call.effect.as_ref().map_or_else(String::new, |effect| {
            format!("`{}` on {}", effect.operation, effect.connection)
        });
        // Named after itself: what was said of the same write when it had left the host the time
        // before says nothing of this time.
        let question = self.doubts + 1;
        let digest = format!("attempt {attempt} call {number} question {question}");
        let message = match failure.code.as_str() {
            Failure::UNKNOWN => failure.message,
            _ => {
                format!("{what} left the host, and nobody knows whether it took effect: {failure}")
            }
        };
        let question = Question { digest, quorum: 1, ..Question::default() };
        Event::OutcomeUnknown { step, attempt, number, message, question }
    }
}
