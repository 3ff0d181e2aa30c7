//! What a run would do, drawn from the events of a run that made no write.
//!
//! A plan shows each write before anybody makes it. Where the result of one would be needed to go
//! on, it says so and guesses nothing.

mod text;

pub use text::text;

use crate::{RunView, StepStatus, StepView};
use serde_json::{Value, json};
use std::collections::HashSet;
use workflow::StepName;

/// How far a plan could follow a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// It is known what it would do, at least up to a write that was not sent.
    Planned,
    /// It needs what another step would give, and nobody knows that.
    DependsOnUnmade,
    /// It would not run.
    Skipped,
    /// It would fail.
    Failed,
}

/// The plan for programs: what a later run may be bound to.
#[must_use]
pub fn json(view: &RunView) -> Value {
    let open = open_ends(view);
    let steps = view.steps.iter().map(|step| {
        json!({
            "name": step.name,
            "status": followed(step, &open).as_str(),
            "reads": reads(step),
            "writes": writes(step),
            "reason": reason(step),
        })
    });
    json!({
        "workflow": view.plan.workflow,
        "parameters": view.plan.parameters,
        "sourceDigest": view.plan.source_digest,
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn writes(step: &StepView) -> Vec<Value> {
    let write = |write: &crate::PlannedView| {
        let effect = &write.effect;
        json!({
            "connection": effect.connection,
            "operation": effect.operation,
            "precondition": effect.precondition,
            "content": effect.content.as_deref().unwrap_or(&effect.digest),
            "shown": write.shown,
        })
    };
    step.planned.iter().map(write).collect()
}

/// Calls that the step made to find out what it would do.
fn reads(step: &StepView) -> usize {
    let read = |call: &&crate::EffectView| {
        call.effect.is_some() && !call.writes() && !call.is_own() && !call.dropped
    };
    step.effects.iter().filter(read).count()
}

/// The steps whose results nobody knows: those that stop at a write that was not sent, and all
/// that were left out because they need one of these.
fn open_ends(view: &RunView) -> HashSet<&StepName> {
    let withheld = view.steps.iter().filter(|step| step.is_withheld());
    let mut open: HashSet<&StepName> = withheld.map(|step| &step.name).collect();
    loop {
        let before = open.len();
        for step in &view.steps {
            if followed(step, &open) == Followed::DependsOnUnmade {
                open.insert(&step.name);
            }
        }
        if open.len() == before {
            return open;
        }
    }
}

fn followed(step: &StepView, open: &HashSet<&StepName>) -> Followed {
    match step.status {
        StepStatus::Success => Followed::Planned,
        StepStatus::Failure => Followed::Failed,
        // Whoever leaves a step out names, in its reason, the one that it needs.
        StepStatus::Skipped => {
            let reason = step.skipped_because.as_deref().unwrap_or_default();
            let needs = |name: &&StepName| reason.contains(&format!("`{name}`"));
            match open.iter().any(needs) {
                true => Followed::DependsOnUnmade,
                false => Followed::Skipped,
            }
        }
        StepStatus::NotStarted
        | StepStatus::Waiting
        | StepStatus::Running
        | StepStatus::Interrupted
        | StepStatus::Cancelled => Followed::Skipped,
    }
}

/// Why it is not followed to its end; None if it is. Escape it before it is shown.
fn reason(step: &StepView) -> Option<String> {
    match step.status {
        StepStatus::Success => None,
        StepStatus::Failure => step.failure.as_ref().map(ToString::to_string),
        StepStatus::Skipped => step.skipped_because.clone(),
        StepStatus::NotStarted
        | StepStatus::Waiting
        | StepStatus::Running
        | StepStatus::Interrupted
        | StepStatus::Cancelled => Some("the plan ended before it".to_owned()),
    }
}

impl Followed {
    fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::DependsOnUnmade => "depends-on-unmade",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}
