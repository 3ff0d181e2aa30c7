//! What a run changed outside: each write that took effect or may have, and from what to what.

use super::markdown::{cell, code};
use super::{calls, date};
use crate::{EffectView, RunView, StepView, words};
use journal::EffectOutcome;
use serde_json::{Map, Value};

/// What is said of the changes of a run.
pub(super) struct Changes {
    /// Cells: time, step, connection, operation, precondition, status, outcome.
    pub(super) writes: Vec<Vec<String>>,
    /// Lines of a list.
    pub(super) moves: Vec<String>,
}

impl Changes {
    pub(super) fn of(view: &RunView) -> Self {
        let mut writes: Vec<_> = calls(view).filter(|(_, call)| may_have_changed(call)).collect();
        writes.sort_by_key(|(_, call)| call.at);
        let writes = writes.into_iter().filter_map(|(step, call)| cells(step, call)).collect();
        let moves = view.steps.iter().flat_map(moves_of).collect();
        Self { writes, moves }
    }
}

/// Of a call that left the host again, the last answer may be to a change that was there already.
fn may_have_changed(call: &EffectView) -> bool {
    let answered = matches!(call.outcome, Some(EffectOutcome::Answered { .. }));
    call.changed() || call.is_in_doubt() || (call.writes() && call.asked > 0 && answered)
}

fn cells(step: &StepView, call: &EffectView) -> Option<Vec<String>> {
    let effect = call.effect.as_ref()?;
    let status = match &call.outcome {
        Some(EffectOutcome::Answered { status, .. }) if call.settled.is_none() => {
            status.to_string()
        }
        Some(_) | None => "-".to_owned(),
    };
    let outcome = match (call.changed(), call.is_in_doubt(), &call.settled) {
        (_, true, _) => "**in doubt**",
        (true, _, Some(_)) => "done, as somebody found out",
        (true, _, None) => "done",
        (false, _, _) => "refused when asked again",
    };
    Some(vec![
        date(call.at),
        cell(step.name.as_str()),
        cell(&effect.connection),
        cell(&effect.operation),
        effect.precondition.as_deref().map_or_else(|| "-".to_owned(), cell),
        status,
        outcome.to_owned(),
    ])
}

/// What the outputs of a step say of where something was and is: `fromRevision` with
/// `toRevision`, and `images`, for one target or for each of its `results`.
fn moves_of(step: &StepView) -> Vec<String> {
    let results = step.outputs.get("results").and_then(Value::as_array);
    let results = results.into_iter().flatten().filter_map(Value::as_object);
    let all = std::iter::once(&step.outputs).chain(results);
    all.filter_map(|outputs| moves(step, outputs)).collect()
}

fn moves(step: &StepView, outputs: &Map<String, Value>) -> Option<String> {
    let mut parts: Vec<String> = outputs
        .iter()
        .filter_map(|(name, to)| {
            let what = name.strip_prefix("to").filter(|what| begins_a_word(what))?;
            let from = outputs.get(&format!("from{what}"));
            let from =
                from.map_or_else(|| "(unknown)".to_owned(), |from| code(&words::value(from)));
            Some(format!("{} {from} -> {}", code(&what.to_lowercase()), code(&words::value(to))))
        })
        .collect();
    if let Some(images) = outputs.get("images").and_then(Value::as_object) {
        let image = |(name, image): (&String, &Value)| {
            format!("image of {} is {}", code(name), code(&words::value(image)))
        };
        parts.extend(images.iter().map(image));
    }
    if parts.is_empty() {
        return None;
    }
    let target = outputs.get("name").map(|name| format!(" {}", code(&words::value(name))));
    let step = code(step.name.as_str());
    Some(format!("- {step}{}: {}", target.unwrap_or_default(), parts.join("; ")))
}

/// `Revision` of `toRevision`, and not `tal` of `total`.
fn begins_a_word(rest: &str) -> bool {
    rest.starts_with(char::is_uppercase)
}
