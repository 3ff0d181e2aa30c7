//! Statuses and effects in words and signs, the same in every view.

use crate::look::{BAD, BUSY, DIM, GOOD, Look, PLAIN, duration};
use crate::{EffectView, StepStatus, StepView, escape, question};
use anstyle::Style;
use journal::{Effect, EffectOutcome, Failure, Level, RunStatus};
use serde_json::Value;

pub(crate) fn step_sign(status: StepStatus, look: &Look) -> (Style, &'static str) {
    let (style, sign, ascii) = match status {
        StepStatus::NotStarted => (DIM, "○", "."),
        StepStatus::Waiting => (BUSY, "◐", "?"),
        StepStatus::Running => (BUSY, "◐", "*"),
        StepStatus::Interrupted => (BUSY, "○", "!"),
        StepStatus::Success => (GOOD, "✔", "+"),
        StepStatus::Failure => (BAD, "✖", "x"),
        StepStatus::Skipped | StepStatus::Cancelled => (DIM, "⊘", "-"),
    };
    (style, if look.ascii { ascii } else { sign })
}

pub(crate) fn run_sign(status: RunStatus, look: &Look) -> (Style, &'static str) {
    match status {
        RunStatus::Running => (BUSY, if look.ascii { "*" } else { "●" }),
        RunStatus::Waiting => step_sign(StepStatus::Waiting, look),
        RunStatus::Success => step_sign(StepStatus::Success, look),
        RunStatus::Failure | RunStatus::Rejected => step_sign(StepStatus::Failure, look),
        RunStatus::Cancelled => step_sign(StepStatus::Cancelled, look),
    }
}

/// As the end of a sentence that begins with the run.
pub(crate) fn run_verb(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Running => "is running",
        RunStatus::Waiting => "waits for a person",
        RunStatus::Success => "succeeded",
        RunStatus::Failure => "failed",
        RunStatus::Rejected => "was rejected",
        RunStatus::Cancelled => "was cancelled",
    }
}

/// As the end of a sentence that begins with the step.
pub(crate) fn step_verb(status: StepStatus) -> &'static str {
    match status {
        StepStatus::NotStarted => "not started",
        StepStatus::Waiting => "waits for a person",
        StepStatus::Running => "running",
        StepStatus::Interrupted => "interrupted",
        StepStatus::Success => "succeeded",
        StepStatus::Failure => "failed",
        StepStatus::Skipped => "skipped",
        StepStatus::Cancelled => "cancelled",
    }
}

pub(crate) fn level_style(level: Level) -> Style {
    match level {
        Level::Trace | Level::Debug => DIM,
        Level::Info => PLAIN,
        Level::Warn => BUSY,
        Level::Error => BAD,
    }
}

/// What stands before a line of that level; nothing for an ordinary one.
pub(crate) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace: ",
        Level::Debug => "debug: ",
        Level::Info => "",
        Level::Warn => "warning: ",
        Level::Error => "error: ",
    }
}

/// A line of a step as it is shown: its level, its text, its fields.
pub(crate) fn log_line(level: Level, message: &str, fields: &[(String, String)]) -> String {
    // A step that words its errors as kubectl does has said the word itself.
    let word = level_word(level);
    let bare = word.trim_end_matches(": ");
    let said = message.get(..bare.len()).is_some_and(|start| start.eq_ignore_ascii_case(bare))
        && !message[bare.len()..].starts_with(char::is_alphanumeric);
    let mut line = format!("{}{}", if said { "" } else { word }, escape::plain(message));
    for (name, value) in fields {
        line.push_str(&format!(" {}={}", escape::plain(name), field_value(value)));
    }
    line
}

/// Quoted where a reader could not see where it ends.
fn field_value(value: &str) -> String {
    let safe = escape::plain(value);
    if safe.is_empty() || safe.contains([' ', '"', '=']) {
        format!("\"{}\"", safe.replace('"', "\\\""))
    } else {
        safe.into_owned()
    }
}

/// `message (code)`.
pub(crate) fn failure(failure: &Failure) -> String {
    escape::plain(&failure.to_string()).into_owned()
}

/// `retrying in 4s (try 2): message (code)`, at the time `now`.
pub(crate) fn retrying(step: &StepView, now: i64) -> String {
    let left = step.retry_at.map_or(0, |at| at.saturating_sub(now));
    let why = step.tries.last().map(|tried| failure(&tried.failure)).unwrap_or_default();
    format!("retrying in {} (try {}): {why}", wait(left), step.try_number())
}

/// `the run's time is up: it was allowed 5m00s`.
pub(crate) fn timed_out(seconds: u64) -> String {
    let allowed = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000);
    format!("the run's time is up: it was allowed {}", wait(allowed))
}

/// A wait in milliseconds, in whole seconds: `4s`, `1m12s`.
pub(crate) fn wait(millis: i64) -> String {
    let seconds = millis.max(0).saturating_add(999) / 1000;
    if seconds < 10 { format!("{seconds}s") } else { duration(seconds.saturating_mul(1000)) }
}

/// As [`effect`], with what must have held for it to take effect, and whether it still counts.
pub(crate) fn effect_in_full(view: &EffectView) -> String {
    let condition = view.effect.as_ref().map(condition).unwrap_or_default();
    let again = match (&view.asked_because, view.asked) {
        (Some(why), 1) => format!(" (asked again: {})", escape::plain(why)),
        (Some(why), times) => format!(" (asked again {times} times: {})", escape::plain(why)),
        (None, _) => String::new(),
    };
    let dropped = if view.dropped { " (superseded)" } else { "" };
    format!("{}{condition}: {}{again}{dropped}", effect_subject(view), effect_outcome(view))
}

/// `, if resourceVersion 4711`.
pub(crate) fn condition(effect: &Effect) -> String {
    let condition = effect.precondition.as_deref();
    condition.map_or_else(String::new, |text| format!(", if {}", escape::plain(text)))
}

/// `patch apps/deployments web/nginx on kubernetes/eric0-demos: answered 200`.
pub(crate) fn effect(view: &EffectView) -> String {
    format!("{}: {}", effect_subject(view), effect_outcome(view))
}

pub(crate) fn effect_subject(view: &EffectView) -> String {
    match &view.effect {
        None => format!("call {}", view.number),
        Some(effect) => subject(effect),
    }
}

/// `patch apps/deployments web/nginx on kubernetes/eric0-demos`.
pub(crate) fn subject(effect: &Effect) -> String {
    format!("{} on {}", escape::plain(&effect.operation), escape::plain(&effect.connection))
}

pub(crate) fn effect_outcome(view: &EffectView) -> String {
    // What comes behind that is what the step was told, and no answer of the far side.
    if let Some(settled) = &view.settled {
        return question::settled(settled);
    }
    match &view.outcome {
        None if view.is_in_doubt() => "no answer was recorded; it may have taken effect".to_owned(),
        None => "no answer was recorded".to_owned(),
        Some(EffectOutcome::Answered { status, .. }) => format!("answered {status}"),
        Some(EffectOutcome::NotMade { code, message, .. }) => {
            format!("not made: {} ({})", escape::plain(message), escape::plain(code))
        }
        Some(EffectOutcome::InDoubt { message }) => {
            format!("it may have taken effect: {}", escape::plain(message))
        }
    }
}

/// A value as a person would write it: a text without quotes. Not escaped.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The outputs that fit into a few words: `revision=41 name=web`.
pub(crate) fn outputs(step: &StepView) -> String {
    let shown = step.outputs.iter().filter_map(|(name, value)| {
        let short = match value {
            Value::String(text) => field_value(text),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(format!("{}={short}", escape::plain(name)))
    });
    shown.collect::<Vec<_>>().join(" ")
}

/// `1 step`, `3 steps`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
