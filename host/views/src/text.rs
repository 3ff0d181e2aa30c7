//! A run in plain lines: one per event for pipes and files, and the summary at its end.
//!
//! Everything reads well without colour. A summary says what happened, where, and what to do
//! next, since it is read at night by someone who wants to sleep again.

use crate::look::{BAD, BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{EffectView, RunView, StepStatus, StepView, escape, logs, words};
use journal::{EffectOutcome, Event, Level, Recorded, RunStatus};

/// The line for what happened to the run of `view`, which has taken it in already. None for
/// what a reader of lines does not miss: progress, and calls that only read and got an answer.
#[must_use]
pub fn line(view: &RunView, recorded: &Recorded, look: &Look) -> Option<String> {
    let (step, text) = match &recorded.event {
        Event::StepLogged { level: Level::Trace | Level::Debug, .. } if !look.detail => {
            return None;
        }
        Event::StepLogged { .. } => return logs::line(recorded, None, look),
        Event::StepProgressed { .. } => return None,
        Event::RunStarted { .. } => return Some(run_line(recorded, started(view), look)),
        Event::CancelRequested { by } => {
            let text = format!("{} asked the run to stop", escape::plain(by));
            return Some(run_line(recorded, text, look));
        }
        Event::RunFinished { status } => {
            let text = format!("run {} {}", view.run, words::run_verb(*status));
            return Some(run_line(recorded, text, look));
        }
        Event::StepStarted { step, attempt } => (step, format!("started attempt={attempt}")),
        Event::StepSucceeded { step, .. } => {
            let outputs = view.step(step).map(words::outputs).unwrap_or_default();
            (step, format!("succeeded{} {outputs}", took(view.step(step))).trim_end().to_owned())
        }
        Event::StepFailed { step, failure, .. } => {
            let verb = view.step(step).map_or(StepStatus::Failure, |step| step.status);
            let verb = words::step_verb(verb);
            (step, format!("{verb}{}: {}", took(view.step(step)), words::failure(failure)))
        }
        Event::StepSkipped { step, reason } => {
            (step, format!("skipped: {}", escape::plain(reason)))
        }
        Event::StepInterrupted { step, attempt } => {
            (step, format!("interrupted attempt={attempt}: the host ended in the middle of it"))
        }
        Event::ConnectionGranted { .. } => return None,
        Event::EffectIntended { step, attempt, number, effect } => {
            if !effect.writes {
                return None;
            }
            let view = effect_of(view, step, *attempt, *number)?;
            (step, format!("calls {}", words::effect_subject(view)))
        }
        Event::EffectSettled { step, attempt, number, outcome } => {
            let view = effect_of(view, step, *attempt, *number)?;
            let writes = view.effect.as_ref().is_some_and(|effect| effect.writes);
            if !writes && matches!(outcome, EffectOutcome::Answered { status: 0..400, .. }) {
                return None;
            }
            (step, format!("called {}", words::effect(view)))
        }
    };
    let row = Row::new()
        .add(DIM, format!("{} ", look.time(recorded.at)))
        .add(PLAIN, format!("{} {text}", escape::plain(step.as_str())));
    Some(row.draw(look))
}

/// How the run of `view` ended and what to do next, each line with a line break at its end.
#[must_use]
pub fn summary(view: &RunView, look: &Look) -> String {
    let mut lines = vec![head(view, look)];
    for step in &view.steps {
        lines.extend(step_lines(view, step, look));
    }
    lines.extend(next(view).into_iter().enumerate().map(|(index, command)| {
        let label = if index == 0 { "  next:  " } else { "         " };
        Row::new().add(BOLD, label).add(PLAIN, command).draw(&Look { width: usize::MAX, ..*look })
    }));
    lines.into_iter().map(|line| line + "\n").collect()
}

fn run_line(recorded: &Recorded, text: String, look: &Look) -> String {
    Row::new().add(DIM, format!("{} ", look.time(recorded.at))).add(BOLD, text).draw(look)
}

fn started(view: &RunView) -> String {
    format!(
        "run {} of {} started by {}{}",
        view.run,
        escape::plain(&view.plan.workflow),
        escape::plain(&view.by),
        if view.drill { " as a drill" } else { "" }
    )
}

fn took(step: Option<&StepView>) -> String {
    let took = step.and_then(|step| step.took(step.ended_at?));
    took.map(|took| format!(" after {}", duration(took))).unwrap_or_default()
}

fn effect_of<'a>(
    view: &'a RunView,
    step: &workflow::StepName,
    attempt: u32,
    number: u32,
) -> Option<&'a EffectView> {
    let same = |effect: &&EffectView| effect.attempt == attempt && effect.number == number;
    view.step(step)?.effects.iter().rfind(same)
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
    let number = |status| view.steps.iter().filter(|step| step.status == status).count();
    let counts: Vec<String> = [
        StepStatus::Success,
        StepStatus::Failure,
        StepStatus::Cancelled,
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
    let whole = Look { width: usize::MAX, ..*look };
    let detail = match step.status {
        StepStatus::Success if view.status == RunStatus::Success => return Vec::new(),
        StepStatus::Success => {
            let changes = step.effects.iter().filter(|effect| effect.changed()).count();
            match changes {
                0 => "succeeded, changed nothing outside".to_owned(),
                _ => format!(
                    "succeeded, and what it did stays done ({})",
                    words::count(changes, "write")
                ),
            }
        }
        StepStatus::Failure | StepStatus::Cancelled => {
            let attempts = match step.attempts {
                0 => " before it started".to_owned(),
                1 => took(Some(step)),
                many => format!("{} in attempt {many}", took(Some(step))),
            };
            let failure = step.failure.as_ref().map(words::failure).unwrap_or_default();
            format!("{}{attempts}: {failure}", words::step_verb(step.status))
        }
        StepStatus::Skipped => {
            let reason = step.skipped_because.as_deref().unwrap_or_default();
            format!("skipped: {}", escape::plain(reason))
        }
        StepStatus::NotStarted
        | StepStatus::Waiting
        | StepStatus::Running
        | StepStatus::Interrupted => words::step_verb(step.status).to_owned(),
    };
    let (style, sign) = words::step_sign(step.status, look);
    let mut lines = vec![
        Row::new()
            .add(style, format!("  {sign} "))
            .add(PLAIN, format!("{} {detail}", escape::plain(step.name.as_str())))
            .draw(&whole),
    ];
    if matches!(step.status, StepStatus::Failure | StepStatus::Cancelled | StepStatus::Interrupted)
    {
        lines.extend(traces(step, &whole));
    }
    lines
}

/// What a step that did not come to its end has left outside.
fn traces(step: &StepView, look: &Look) -> Vec<String> {
    let line = |style, text: String| Row::new().add(style, format!("      {text}")).draw(look);
    let mut lines = Vec::new();
    let in_doubt = step.effects.iter().filter(|effect| effect.is_in_doubt());
    lines.extend(in_doubt.map(|effect| line(BAD, format!("in doubt: {}", words::effect(effect)))));
    let changed: Vec<_> = step.effects.iter().filter(|effect| effect.changed()).collect();
    lines.extend(
        changed.iter().map(|effect| line(PLAIN, format!("done: {}", words::effect(effect)))),
    );
    if lines.is_empty() && step.attempts > 0 {
        lines.push(line(PLAIN, "it changed nothing outside".to_owned()));
    }
    if let Some(last) =
        step.effects.iter().rev().find(|effect| !effect.changed() && !effect.is_in_doubt())
    {
        lines.push(line(DIM, format!("last call: {}", words::effect(last))));
    }
    lines
}

/// Commands for what a person may want to do now.
fn next(view: &RunView) -> Vec<String> {
    let run = &view.run;
    let drill = if view.drill { " --drill" } else { "" };
    let again = format!("bowline run {}{drill}", escape::shell_word(&view.plan.source));
    let named = |status| {
        let of = view.steps.iter().filter(move |step| step.status == status);
        of.map(|step| escape::shell_word(step.name.as_str()).into_owned())
    };
    match view.status {
        RunStatus::Success => Vec::new(),
        RunStatus::Running => vec![format!("bowline runs resume {run}")],
        RunStatus::Waiting => {
            let answers = named(StepStatus::Waiting).flat_map(|step| {
                [format!("bowline approve {run} {step}"), format!("bowline deny {run} {step}")]
            });
            answers.chain([format!("bowline runs cancel {run}")]).collect()
        }
        RunStatus::Failure | RunStatus::Rejected => {
            let logs =
                named(StepStatus::Failure).map(|step| format!("bowline runs logs {run} {step}"));
            logs.chain([format!("bowline runs show {run}"), again]).collect()
        }
        RunStatus::Cancelled => {
            vec![format!("bowline runs show {run}"), again]
        }
    }
}
