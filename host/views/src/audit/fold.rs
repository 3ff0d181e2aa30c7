//! Folds events into decisions: an intent and its outcome are one record.

use super::{Call, Record, What};
use journal::{Effect, EffectOutcome, Event, Recorded, Shown};
use std::collections::{HashMap, HashSet};
use workflow::StepName;

/// The step, unless it is about the whole run, the attempt, and what.
type Told = (Option<StepName>, u32, What);

/// Step, attempt, number.
type Which = (StepName, u32, u32);

#[derive(Default)]
pub(super) struct Fold {
    pub(super) records: Vec<Record>,
    /// Where each call is told of last.
    calls: HashMap<Which, usize>,
    /// Calls of which somebody has found out whether they took effect.
    found: HashSet<Which>,
}

impl Fold {
    pub(super) fn take(&mut self, recorded: &Recorded) {
        if let Some((step, attempt, what)) = self.told(recorded) {
            let Recorded { at, position, .. } = *recorded;
            self.records.push(Record { at, position, step, attempt, what });
        }
    }

    fn told(&mut self, recorded: &Recorded) -> Option<Told> {
        let of_run = |what| Some((None, 0, what));
        let of_step = |step: &StepName, attempt, what| Some((Some(step.clone()), attempt, what));
        match &recorded.event {
            Event::RunStarted { .. } => of_run(What::Started),
            Event::CancelRequested { by } => of_run(What::CancelAsked { by: by.clone() }),
            Event::RunTimedOut { seconds } => of_run(What::TimedOut { seconds: *seconds }),
            Event::RunReopened { by, steps, .. } => {
                of_run(What::Reopened { by: by.clone(), steps: steps.clone() })
            }
            Event::RunResumed { by } => of_run(What::TakenUp { by: by.clone() }),
            Event::RunFinished { status } => of_run(What::Finished { status: *status }),
            Event::StepStarted { step, attempt } => of_step(step, *attempt, What::Attempt),
            Event::StepResumed { step, attempt, keep } => {
                of_step(step, *attempt, What::Resumed { keep: *keep })
            }
            Event::AttemptFailed { step, attempt, failure, delay_ms } => {
                let (failure, delay_ms) = (failure.clone(), *delay_ms);
                of_step(step, *attempt, What::TriedAgain { failure, delay_ms })
            }
            Event::ConnectionGranted { step, attempt, slot, connection, rules, address } => {
                let (slot, connection) = (slot.clone(), connection.clone());
                let (rules, address) = (rules.clone(), address.clone());
                of_step(step, *attempt, What::Granted { slot, connection, rules, address })
            }
            Event::EffectIntended { step, attempt, number, effect, .. } => {
                self.intend((step.clone(), *attempt, *number), effect)
            }
            Event::EffectSettled { step, attempt, number, outcome, .. } => {
                self.settle(recorded.at, (step.clone(), *attempt, *number), outcome)
            }
            Event::EffectAskedAgain { step, attempt, number, why } => {
                self.ask_again((step.clone(), *attempt, *number), why)
            }
            Event::EffectPlanned { step, attempt, effect, shown, .. } => {
                let rehearsed = match shown {
                    Shown::Rehearsed { status, .. } => Some(*status),
                    Shown::Request { .. } => None,
                };
                of_step(step, *attempt, What::Planned { effect: effect.clone().into(), rehearsed })
            }
            Event::OutcomeUnknown { step, attempt, number, question, .. } => {
                let (number, question) = (*number, question.clone());
                of_step(step, *attempt, What::OutcomeUnknown { number, question })
            }
            Event::OutcomeSettled { step, attempt, number, done, by, reason } => {
                self.found.insert((step.clone(), *attempt, *number));
                let (by, reason) = (by.clone(), reason.clone());
                let what = What::OutcomeSettled { number: *number, done: *done, by, reason };
                of_step(step, *attempt, what)
            }
            Event::ApprovalAsked { step, question } => {
                of_step(step, 0, What::ApprovalAsked { question: question.clone() })
            }
            Event::ApprovalGiven { step, by, verdict, reason } => {
                let (by, verdict, reason) = (by.clone(), *verdict, reason.clone());
                of_step(step, 0, What::ApprovalGiven { by, verdict, reason })
            }
            Event::ApprovalSettled { step, verdict, by } => {
                of_step(step, 0, What::ApprovalSettled { verdict: *verdict, by: by.clone() })
            }
            Event::StepSucceeded { step, attempt, .. } => of_step(step, *attempt, What::Succeeded),
            Event::StepFailed { step, attempt, failure } => {
                of_step(step, *attempt, What::Failed { failure: failure.clone() })
            }
            Event::StepSkipped { step, reason } => {
                of_step(step, 0, What::Skipped { reason: reason.clone() })
            }
            Event::StepInterrupted { step, attempt } => of_step(step, *attempt, What::Interrupted),
            Event::StepLogged { .. } | Event::StepProgressed { .. } | Event::StreamHeard { .. } => {
                None
            }
        }
    }

    fn intend(&mut self, which: Which, effect: &Effect) -> Option<Told> {
        self.calls.insert(which.clone(), self.records.len());
        let call = call(which.2, Some(effect.clone()));
        Some((Some(which.0), which.1, What::Call(Box::new(call))))
    }

    /// A record of its own, so that what the first time came to stays told.
    fn ask_again(&mut self, which: Which, why: &str) -> Option<Told> {
        let effect = self.call(&which).and_then(|call| call.effect.clone());
        self.calls.insert(which.clone(), self.records.len());
        self.found.remove(&which);
        let call = Box::new(call(which.2, effect));
        Some((Some(which.0), which.1, What::AskedAgain { why: why.to_owned(), call }))
    }

    /// Completes the call that was intended, or gives a record of one that never was.
    fn settle(&mut self, at: i64, which: Which, outcome: &EffectOutcome) -> Option<Told> {
        let (outcome, settled_at) = (Some(outcome.clone()), Some(at));
        let found = self.found.contains(&which);
        if let Some(intended) = self.call(&which) {
            let writes = intended.effect.as_ref().is_some_and(|effect| effect.writes);
            if writes && (found || intended.outcome.is_some()) {
                let told = Call { outcome, settled_at, ..intended.clone() };
                return Some((Some(which.0), which.1, What::Told(Box::new(told))));
            }
            (intended.outcome, intended.settled_at) = (outcome, settled_at);
            return None;
        }
        self.calls.insert(which.clone(), self.records.len());
        let (step, attempt, number) = which;
        let call = Call { number, effect: None, outcome, settled_at };
        Some((Some(step), attempt, What::Call(Box::new(call))))
    }

    fn call(&mut self, which: &Which) -> Option<&mut Call> {
        let place = *self.calls.get(which)?;
        match &mut self.records[place].what {
            What::Call(call) | What::AskedAgain { call, .. } => Some(call),
            _ => None,
        }
    }
}

fn call(number: u32, effect: Option<Effect>) -> Call {
    Call { number, effect, outcome: None, settled_at: None }
}
