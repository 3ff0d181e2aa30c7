//! A run for programs: one JSON object per line.
//!
//! The last line of a run and the form of a run in a list are a contract that other programs
//! rely on; the lines before are the events, with the run and a readable time added.

use crate::look::rfc3339;
use crate::{RunView, StepStatus, escape};
use journal::{Event, Recorded, RunId, RunStatus, RunSummary};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use workflow::Plan;

/// The line for what happened to the run of `view`, which has taken it in already.
#[must_use]
pub fn line(view: &RunView, recorded: &Recorded) -> String {
    match &recorded.event {
        Event::RunFinished { .. } => finished(view),
        Event::RunStarted { .. }
        | Event::StepStarted { .. }
        | Event::StepLogged { .. }
        | Event::StepProgressed { .. }
        | Event::EffectIntended { .. }
        | Event::EffectSettled { .. }
        | Event::StepSucceeded { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepInterrupted { .. }
        | Event::ConnectionGranted { .. }
        | Event::StepResumed { .. }
        | Event::AttemptFailed { .. }
        | Event::EffectAskedAgain { .. }
        | Event::EffectPlanned { .. }
        | Event::StreamHeard { .. }
        | Event::OutcomeUnknown { .. }
        | Event::OutcomeSettled { .. }
        | Event::ApprovalAsked { .. }
        | Event::ApprovalGiven { .. }
        | Event::ApprovalSettled { .. }
        | Event::RunTimedOut { .. }
        | Event::RunReopened { .. }
        | Event::RunResumed { .. }
        | Event::CancelRequested { .. } => event(&view.run, recorded),
    }
}

/// The last line of a run: how it ended, and how each step did.
#[must_use]
pub fn finished(view: &RunView) -> String {
    let steps = view.steps.iter().map(|step| {
        let status = match step.status {
            StepStatus::Interrupted => StepStatus::NotStarted,
            status => status,
        };
        let ended =
            EndedStep { status: status.as_str(), outputs: &step.outputs, attempts: step.attempts };
        (step.name.as_str(), ended)
    });
    write(&Ended {
        event: "run-finished",
        run: &view.run,
        status: status_word(view.status),
        steps: steps.collect(),
    })
}

/// The line of a run in a list.
#[must_use]
pub fn summary(run: &RunSummary) -> String {
    write(&Listed {
        run: &run.run,
        workflow: &run.workflow,
        status: status_word(run.status),
        started_at: rfc3339(run.started_at),
        finished_at: run.finished_at.map(rfc3339),
    })
}

#[derive(Serialize)]
struct Line<'a> {
    event: Value,
    run: &'a RunId,
    at: String,
    position: u64,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize)]
struct Ended<'a> {
    event: &'static str,
    run: &'a RunId,
    status: &'static str,
    steps: BTreeMap<&'a str, EndedStep<'a>>,
}

#[derive(Serialize)]
struct EndedStep<'a> {
    status: &'static str,
    outputs: &'a Map<String, Value>,
    attempts: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    run: &'a RunId,
    workflow: &'a str,
    status: &'static str,
    started_at: String,
    finished_at: Option<String>,
}

/// The contract has one word for a run that did not do its work; who said no is in the steps.
fn status_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Rejected => RunStatus::Failure.as_str(),
        RunStatus::Running
        | RunStatus::Waiting
        | RunStatus::Success
        | RunStatus::Failure
        | RunStatus::Cancelled => status.as_str(),
    }
}

/// Members of events that only a host which runs a step again has use for: what the step has read
/// and was told, and where its random numbers come from.
const UNTOLD: &[&str] = &["context", "readings", "reply"];

fn event(run: &RunId, recorded: &Recorded) -> String {
    let mut rest = match serde_json::to_value(&recorded.event) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) | Err(_) => Map::new(),
    };
    let event = rest.remove("event").unwrap_or_default();
    rest.remove("run");
    for untold in UNTOLD {
        rest.remove(*untold);
    }
    if let Event::RunStarted { plan, context, .. } = &recorded.event {
        rest.remove("plan");
        outline(plan, &mut rest);
        rest.insert("boundToPlan".to_owned(), context.bound.is_some().into());
    }
    write(&Line { event, run, at: rfc3339(recorded.at), position: recorded.position, rest })
}

/// What a follower needs of the plan: enough to draw the graph, without each step's inputs.
fn outline(plan: &Plan, fields: &mut Map<String, Value>) {
    let steps = plan.steps.iter().map(|step| {
        json!({
            "name": step.name,
            "kind": step.kind,
            "image": step.image,
            "plugin": step.plugin,
            "after": step.after,
        })
    });
    fields.insert("steps".to_owned(), steps.collect());
    fields.insert("workflow".to_owned(), json!(plan.workflow));
    fields.insert("source".to_owned(), json!(plan.source));
    fields.insert("sourceDigest".to_owned(), json!(plan.source_digest));
    fields.insert("parameters".to_owned(), json!(plan.parameters));
}

/// None of the forms above can fail to be JSON: all keys are texts.
fn write(value: &impl Serialize) -> String {
    escape::json(serde_json::to_string(value).unwrap_or_default())
}
