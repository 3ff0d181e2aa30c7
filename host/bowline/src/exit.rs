//! Exit codes: a contract with scripts.

use journal::{EffectOutcome, Failure, RunStatus};
use std::process::ExitCode;
use views::RunView;
use views::{EffectView, StepView};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: what was asked for is done.
    Success,
    /// 1: a step or the run failed.
    Failure,
    /// 2: workflow, parameters, settings or usage are wrong; nothing was started.
    Usage,
    /// 3: the run waits for a person.
    Waiting,
    /// 4: a step was denied what it wanted, and nothing else failed.
    Denied,
    /// 130: cancelled.
    Cancelled,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Waiting => 3,
            Exit::Denied => 4,
            Exit::Cancelled => 130,
        })
    }
}

impl Exit {
    /// For a run that ended like this.
    pub(crate) fn of_run(view: &RunView) -> Self {
        match view.status {
            RunStatus::Success => Self::Success,
            RunStatus::Waiting => Self::Waiting,
            RunStatus::Cancelled => Self::Cancelled,
            RunStatus::Failure if only_denied(view) => Self::Denied,
            RunStatus::Failure | RunStatus::Rejected | RunStatus::Running => Self::Failure,
        }
    }
}

impl Exit {
    /// For a plan that was followed as far as it could be.
    pub(crate) fn of_plan(view: &RunView) -> Self {
        match view.status {
            RunStatus::Failure if only_denied(view) => Self::Denied,
            RunStatus::Failure | RunStatus::Running | RunStatus::Rejected => Self::Failure,
            RunStatus::Cancelled => Self::Cancelled,
            RunStatus::Success | RunStatus::Waiting => Self::Success,
        }
    }
}

/// Whether every step that failed was denied what it wanted.
fn only_denied(view: &RunView) -> bool {
    let mut failed = view.steps.iter().filter_map(|step| Some((step, step.failure.as_ref()?)));
    let denied = |(step, failure): (&StepView, &Failure)| {
        let by_the_host = ["denied.", "connection.not-granted"];
        let refused = |effect: &EffectView| {
            matches!(&effect.outcome, Some(EffectOutcome::NotMade { denial: Some(_), .. }))
        };
        // A step may call its own failure what it likes; that it was refused is on record.
        by_the_host.iter().any(|code| failure.code.starts_with(code))
            || (failure.code.ends_with(".denied") && step.effects.iter().any(refused))
    };
    failed.clone().next().is_some() && failed.all(denied)
}
