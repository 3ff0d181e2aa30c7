//! Where a step and a run stand, as Relay tells it: truth tables.
//!
//! It decides nothing about what happens next; that is the scheduler's business.

use crate::scope::StepFacts;

/// What became of a step's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStatus {
    /// They were not asked yet, or nobody knows.
    Unknown,
    /// They are being asked.
    Evaluating,
    /// The step may run.
    Satisfied,
    /// The step is skipped.
    NotSatisfied,
    /// They could not be decided in time; the step is skipped.
    Failure,
}

/// True, false, or not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ternary {
    /// It is so.
    True,
    /// It is not so.
    False,
    /// Not known yet.
    Unknown,
}

impl Ternary {
    /// `True`, `False` or `Unknown`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl From<Option<bool>> for Ternary {
    fn from(value: Option<bool>) -> Self {
        match value {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Unknown,
        }
    }
}

/// Where a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepStatus {
    /// What `steps.NAME.…` comes to.
    pub facts: StepFacts,
    /// Nothing more will happen to it.
    pub completed: Ternary,
    /// It did not run and will not.
    pub skipped: Ternary,
    /// It ran and exited with 0. A skipped step did not succeed.
    pub succeeded: Ternary,
}

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// Every step is completed.
    pub completed: Ternary,
    /// No step failed; skipped steps do not spoil it.
    pub succeeded: Ternary,
    /// Someone asked for its end.
    pub cancelled: Ternary,
}

/// Where a step stands, by its conditions and its exit code, if it has one.
#[must_use]
pub fn step(when: WhenStatus, exit_code: Option<i32>) -> StepStatus {
    let skipped = match when {
        WhenStatus::NotSatisfied | WhenStatus::Failure => Some(true),
        WhenStatus::Satisfied => Some(false),
        WhenStatus::Unknown | WhenStatus::Evaluating => None,
    };
    let ended_with = |ended: fn(i32) -> bool| match skipped {
        Some(true) => Some(false),
        _ => exit_code.map(ended),
    };
    let facts = StepFacts {
        failed: ended_with(|code| code != 0),
        skipped,
        succeeded: ended_with(|code| code == 0),
    };
    let completed = match (exit_code, skipped) {
        (Some(_), _) | (None, Some(true)) => Ternary::True,
        (None, Some(false)) => Ternary::False,
        (None, None) => Ternary::Unknown,
    };
    StepStatus { facts, completed, skipped: skipped.into(), succeeded: facts.succeeded.into() }
}

/// Where a run stands, by all of its steps.
#[must_use]
pub fn run<'a>(steps: impl IntoIterator<Item = &'a StepStatus>, cancelled: bool) -> RunStatus {
    let mut status = RunStatus {
        completed: Ternary::True,
        succeeded: Ternary::True,
        cancelled: if cancelled { Ternary::True } else { Ternary::Unknown },
    };
    for step in steps {
        if step.completed != Ternary::True {
            status.completed = Ternary::False;
        }
        let failed = step.succeeded == Ternary::False && step.skipped == Ternary::False;
        if failed {
            status.succeeded = Ternary::False;
        } else if step.succeeded == Ternary::Unknown && status.succeeded == Ternary::True {
            status.succeeded = Ternary::Unknown;
        }
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_step_neither_failed_nor_succeeded() {
        for exit_code in [None, Some(0), Some(1)] {
            let status = step(WhenStatus::NotSatisfied, exit_code);
            let facts =
                StepFacts { failed: Some(false), skipped: Some(true), succeeded: Some(false) };
            assert_eq!(status.facts, facts);
            assert_eq!(status.completed, Ternary::True);
        }
    }

    #[test]
    fn a_running_step_is_known_not_to_be_skipped() {
        let status = step(WhenStatus::Satisfied, None);
        assert_eq!(status.facts.skipped, Some(false));
        assert_eq!(status.facts.succeeded, None);
        assert_eq!(status.completed, Ternary::False);
    }

    #[test]
    fn a_failure_decides_the_run_even_while_others_wait() {
        let failed = step(WhenStatus::Satisfied, Some(1));
        let waiting = step(WhenStatus::Evaluating, None);
        let succeeded = step(WhenStatus::Satisfied, Some(0));
        let skipped = step(WhenStatus::NotSatisfied, None);
        assert_eq!(run([&failed, &waiting], false).succeeded, Ternary::False);
        assert_eq!(run([&waiting, &failed], false).succeeded, Ternary::False);
        assert_eq!(run([&waiting, &succeeded], false).succeeded, Ternary::Unknown);
        assert_eq!(run([&skipped, &succeeded], false).succeeded, Ternary::True);
        assert_eq!(run([], false).completed, Ternary::True);
    }
}
