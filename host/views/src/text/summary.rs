//! How a run ended, or what it waits for, and what to do next.

use super::took;
use crate::look::{BAD, BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{EffectView, OpenView, RunView, StepStatus, StepView};
use crate::{escape, question, remedy, words};
use anstyle::Style;
use journal::RunStatus;

/// How the run of `view` ended and what to do next, each line with a line break at its end.
#[must_use]
pub fn summary(view: &RunView, look: &Look) -> String {
    let whole = Look { width: usize::MAX, ..*look };
    let mut lines = vec![head(view, look)];
    for step in &view.steps {
        lines.extend(step_lines(view, step, &whole));
    }
    let commands = remedy::commands(view).into_iter().enumerate();
    lines.extend(commands.map(|(index, command)| {
        let label = if index == 0 { "  next:  " } else { "         " };
        Row::new().add(BOLD, label).add(PLAIN, command).draw(&whole)
    }));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn head(view: &RunView, look: &Look) -> String {
    let (style, sign) = words::run_sign(view.status, look);
    let took = duration(view.finished_at.unwrap_or(view.seen_at).saturating_sub(view.started_at));
    let name = escape::plain(&view.plan.workflow);
    let verb = words::run_verb(view.status);
    let mut text = match (&view.status, &view.cancelled_by) {
        (RunStatus::Cancelled, Some(by)) => {
            format!(" {name} {verb} by {} after {took}", escape::plain(by))
        }
        _ => format!(" {name} {verb} after {took}"),
    };
    if let Some(seconds) = view.timed_out {
        text.push_str(&format!(", {}", words::timed_out(seconds)));
    }
    let number = |status| view.steps.iter().filter(|step| step.status == status).count();
    let counts: Vec<String> = [
        StepStatus::Success,
        StepStatus::Failure,
        StepStatus::Cancelled,
        StepStatus::Running,
        StepStatus::Interrupted,
        StepStatus::Skipped,
        StepStatus::Waiting,
        StepStatus::NotStarted,
    ]
    .into_iter()
    .filter(|status| number(*status) > 0)
    .map(|status| format!("{} {}", number(status), words::step_verb(status)))
    .collect();
    if !counts.is_empty() {
        text.push_str(&format!(" ({})", counts.join(", ")));
    }
    Row::new().add(style, sign).add(BOLD, text).draw(look)
}

/// What a summary says of one step: nothing of one that went as it should in a run that did.
fn step_lines(view: &RunView, step: &StepView, look: &Look) -> Vec<String> {
    if step.status == StepStatus::Success && view.status == RunStatus::Success {
        return Vec::new();
    }
    let (style, sign) = words::step_sign(step.status, look);
    let name = escape::plain(step.name.as_str());
    let first = Row::new()
        .add(style, format!("  {sign} "))
        .add(PLAIN, format!("{name} {}", detail(view, step, look)));
    let mut lines = vec![first.draw(look)];
    match step.status {
        StepStatus::Failure | StepStatus::Cancelled | StepStatus::Interrupted => {
            lines.extend(traces(step, look));
        }
        StepStatus::Waiting => lines.extend(doubts(step, look)),
        StepStatus::NotStarted
        | StepStatus::Running
        | StepStatus::Success
        | StepStatus::Skipped => {}
    }
    lines
}

fn detail(view: &RunView, step: &StepView, look: &Look) -> String {
    match step.status {
        // A person who says yes changes nothing outside.
        StepStatus::Success if step.attempts == 0 => words::step_verb(step.status).to_owned(),
        StepStatus::Success => succeeded(step),
        StepStatus::Failure | StepStatus::Cancelled => failed(step),
        StepStatus::Skipped => {
            let reason = step.skipped_because.as_deref().unwrap_or_default();
            format!("skipped: {}", escape::plain(reason))
        }
        StepStatus::Running if step.retry_at.is_some() => words::retrying(step, view.seen_at),
        StepStatus::Waiting => waits(step, look),
        StepStatus::NotStarted | StepStatus::Running | StepStatus::Interrupted => {
            words::step_verb(step.status).to_owned()
        }
    }
}

fn succeeded(step: &StepView) -> String {
    let changes = step.effects.iter().filter(|effect| effect.changed()).count();
    match changes {
        0 => "succeeded, changed nothing outside".to_owned(),
        _ => format!("succeeded, and what it did stays done ({})", words::count(changes, "write")),
    }
}

fn failed(step: &StepView) -> String {
    let attempts = match (step.attempts, step.try_number()) {
        (0, _) => " before it started".to_owned(),
        (1, 1) => took(Some(step)),
        (attempt, 1) => format!("{} in attempt {attempt}", took(Some(step))),
        (_, tried) => format!("{} in try {tried}", took(Some(step))),
    };
    let verb = words::step_verb(step.status);
    match (&step.failure, step.tries.last()) {
        (Some(failure), _) => format!("{verb}{attempts}: {}", words::failure(failure)),
        // Stopped before anything more could become of it.
        (None, Some(tried)) => {
            let why = words::failure(&tried.failure);
            format!("{verb} before try {}: {why}", step.try_number())
        }
        (None, None) => verb.to_owned(),
    }
}

fn waits(step: &StepView, look: &Look) -> String {
    match &step.open {
        Some(OpenView::Approval { question, answers, .. }) => {
            format!("waits for a person: it {}", question::needs(question, answers, look))
        }
        Some(OpenView::Outcome { .. }) => {
            "waits for a person: nobody knows whether a write took effect".to_owned()
        }
        None => words::step_verb(step.status).to_owned(),
    }
}

/// The writes of a step of which nobody knows whether they took effect.
fn doubts(step: &StepView, look: &Look) -> Vec<String> {
    let in_doubt = step.effects.iter().filter(|effect| effect.is_in_doubt());
    in_doubt.map(|effect| trace(BAD, "in doubt", effect, look)).collect()
}

/// What a step that did not come to its end has left outside.
fn traces(step: &StepView, look: &Look) -> Vec<String> {
    let mut lines = doubts(step, look);
    let changed = step.effects.iter().filter(|effect| effect.changed());
    lines.extend(changed.map(|effect| trace(PLAIN, "done", effect, look)));
    let unsure = step.effects.iter().filter(|effect| effect.is_unsure() && !effect.dropped);
    lines.extend(unsure.map(|effect| trace(BAD, "perhaps", effect, look)));
    if lines.is_empty() && step.attempts > 0 {
        let text = "      it changed nothing outside";
        lines.push(Row::new().add(PLAIN, text).draw(look));
    }
    let told = |effect: &&EffectView| {
        !effect.changed()
            && !effect.is_in_doubt()
            && !effect.is_unsure()
            && !effect.is_own()
            && !effect.dropped
    };
    if let Some(last) = step.effects.iter().rev().find(told) {
        lines.push(trace(DIM, "last call", last, look));
    }
    lines
}

fn trace(style: Style, label: &str, effect: &EffectView, look: &Look) -> String {
    Row::new().add(style, format!("      {label}: {}", words::effect(effect))).draw(look)
}
