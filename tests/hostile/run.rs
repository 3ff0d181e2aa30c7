//! What a run of a case came to, and the questions that cases ask about it.

use journal::chain::Sealed;
use journal::{EffectOutcome, Event, Failure, Level, Recorded, RunId, RunStatus};
use serde_json::{Map, Value};
use std::time::Duration;

/// A line that a step wrote: how grave, what, and its fields.
pub(crate) type Line<'a> = (Level, &'a str, &'a [(String, String)]);

/// A run that ended.
pub(crate) struct Run {
    pub(crate) id: RunId,
    pub(crate) events: Vec<Recorded>,
    /// The same as they are kept, each with its hash.
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) status: RunStatus,
    pub(crate) elapsed: Duration,
    /// What people saw of it, all views.
    pub(crate) seen: String,
}

impl Run {
    /// Why `step` failed in the end.
    #[track_caller]
    pub(crate) fn failure_of(&self, step: &str) -> &Failure {
        let failed = self.events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::StepFailed { step: own, failure, .. } if own.as_str() == step => Some(failure),
            _ => None,
        });
        failed.unwrap_or_else(|| panic!("`{step}` did not fail: {}", self.tail()))
    }

    /// Why the only step failed, which it must have done with `code`.
    #[track_caller]
    pub(crate) fn fails(&self, code: &str) -> &Failure {
        let failed = self.events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::StepFailed { failure, .. } => Some(failure),
            _ => None,
        });
        let failure = failed.unwrap_or_else(|| panic!("no step failed: {}", self.tail()));
        assert_eq!(failure.code, code, "{}", failure.message);
        assert_eq!(self.status, RunStatus::Failure);
        self.ends_once();
        failure
    }

    /// The outputs of `step`.
    #[track_caller]
    pub(crate) fn outputs_of(&self, step: &str) -> &Map<String, Value> {
        let done = self.events.iter().rev().find_map(|recorded| match &recorded.event {
            Event::StepSucceeded { step: own, outputs, .. } if own.as_str() == step => {
                Some(outputs)
            }
            _ => None,
        });
        done.unwrap_or_else(|| panic!("`{step}` did not succeed: {}", self.tail()))
    }

    /// What the probe's orders answered, one for each.
    #[track_caller]
    pub(crate) fn results(&self) -> Vec<Value> {
        self.ends_once();
        self.outputs_of("probe")["results"].as_array().cloned().expect("a list of results")
    }

    /// The events as JSON, without the plan.
    pub(crate) fn told(&self) -> Vec<Value> {
        let later = self.events.iter().skip(1);
        later.map(|recorded| serde_json::to_value(&recorded.event).expect("an event")).collect()
    }

    /// The lines that the step wrote.
    pub(crate) fn lines(&self) -> Vec<Line<'_>> {
        self.events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::StepLogged { level, message, fields, .. } => {
                    Some((*level, message.as_str(), fields.as_slice()))
                }
                _ => None,
            })
            .collect()
    }

    /// How many calls were admitted.
    pub(crate) fn admitted(&self) -> usize {
        let intended = |r: &&Recorded| matches!(r.event, Event::EffectIntended { .. });
        self.events.iter().filter(intended).count()
    }

    /// The codes of the calls that were not made, in their order.
    pub(crate) fn refusals(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::EffectSettled { outcome: EffectOutcome::NotMade { code, .. }, .. } => {
                    Some(code.as_str())
                }
                _ => None,
            })
            .collect()
    }

    /// Each step that began has one end, and nothing of it comes after.
    #[track_caller]
    pub(crate) fn ends_once(&self) {
        let mut ended = std::collections::BTreeSet::new();
        for event in self.told() {
            let kind = event["event"].as_str().unwrap_or_default();
            let Some(step) = event["step"].as_str() else { continue };
            let attempt = event["attempt"].as_u64().unwrap_or_default();
            assert!(
                !ended.contains(&(step.to_owned(), attempt)),
                "{kind} of `{step}` after its end: {}",
                self.tail()
            );
            if matches!(kind, "step-succeeded" | "step-failed" | "step-interrupted") {
                ended.insert((step.to_owned(), attempt));
            }
        }
    }

    /// The last events, for messages.
    pub(crate) fn tail(&self) -> String {
        let told = self.told();
        let last = &told[told.len().saturating_sub(4)..];
        let text: Vec<String> = last.iter().map(Value::to_string).collect();
        text.join("\n").chars().take(3000).collect()
    }
}
