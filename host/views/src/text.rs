//! A run in plain lines: one per event for pipes and files, and the summary at its end.
//!
//! Everything reads well without colour. A summary says what happened, where, and what to do
//! next, since it is read at night by someone who wants to sleep again.

mod summary;

pub use summary::summary;

use crate::look::{BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{EffectView, RunView, StepStatus, StepView, escape, logs, question, remedy, words};
use journal::{EffectOutcome, Event, Level, Recorded};
use workflow::StepName;

/// The line for what happened to the run of `view`, which has taken it in already. None for
/// what a reader of lines does not miss: progress, and calls that only read and got an answer.
#[must_use]
pub fn line(view: &RunView, recorded: &Recorded, look: &Look) -> Option<String> {
    if let Event::StepLogged { level, .. } = &recorded.event {
        let shown = *level >= Level::Info || look.detail;
        return logs::line(recorded, None, look).filter(|_| shown);
    }
    let (step, mut text) = told(view, recorded, look)?;
    if let Some(command) = answer(view, &recorded.event) {
        text.push_str(&format!("; {command}"));
    }
    let row = Row::new().add(DIM, format!("{} ", look.time(recorded.at)));
    let row = match step {
        Some(step) => row.add(PLAIN, format!("{} {text}", escape::plain(step.as_str()))),
        None => row.add(BOLD, text),
    };
    Some(row.draw(look))
}

/// What happened, in words, and to which step, unless it is about the whole run.
pub(crate) fn told<'a>(
    view: &RunView,
    recorded: &'a Recorded,
    look: &Look,
) -> Option<(Option<&'a StepName>, String)> {
    let of_run = |text| Some((None, text));
    let (step, text) = match &recorded.event {
        Event::StepLogged { .. }
        | Event::StepProgressed { .. }
        | Event::StreamHeard { .. }
        | Event::ConnectionGranted { .. } => return None,
        Event::RunStarted { .. } => return of_run(started(view)),
        Event::RunResumed { by } => {
            return of_run(format!("run {} goes on, taken up by {}", view.run, escape::plain(by)));
        }
        Event::RunReopened { by, steps, .. } => return of_run(reopened(by, steps)),
        Event::CancelRequested { by } => {
            return of_run(format!("{} asked the run to stop", escape::plain(by)));
        }
        Event::RunTimedOut { seconds } => return of_run(words::timed_out(*seconds)),
        Event::RunFinished { status } => {
            return of_run(format!("run {} {}", view.run, words::run_verb(*status)));
        }
        Event::StepStarted { step, attempt } => (step, format!("started attempt={attempt}")),
        Event::StepResumed { step, attempt, keep } => (step, resumed(*attempt, *keep)),
        Event::StepInterrupted { step, attempt } => {
            (step, format!("interrupted attempt={attempt}: the host ended in the middle of it"))
        }
        Event::AttemptFailed { step, .. } => (step, words::retrying(view.step(step)?, recorded.at)),
        // What people did was told when they did it.
        Event::StepSucceeded { attempt: 0, .. } => return None,
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
        Event::EffectIntended { step, attempt, number, effect, .. } if effect.writes => {
            let call = view.step(step)?.effect(*attempt, *number)?;
            (step, format!("calls {}", words::effect_subject(call)))
        }
        Event::EffectIntended { .. } => return None,
        Event::EffectSettled { step, attempt, number, outcome, .. } => {
            let call = view.step(step)?.effect(*attempt, *number)?;
            (step, settled(call, outcome)?)
        }
        Event::EffectAskedAgain { step, attempt, number, why } => {
            let call = subject(view, step, *attempt, *number);
            (step, format!("calls {call} again: {}", escape::plain(why)))
        }
        Event::EffectPlanned { step, effect, .. } => {
            (step, format!("would call {}", words::subject(effect)))
        }
        Event::OutcomeUnknown { step, attempt, number, .. } => {
            let call = subject(view, step, *attempt, *number);
            (step, format!("waits: nobody knows whether {call} took effect"))
        }
        Event::OutcomeSettled { step, attempt, number, done, by, reason } => {
            let call = subject(view, step, *attempt, *number);
            (step, format!("{call}: {}", question::found(*done, by, reason.as_deref())))
        }
        Event::ApprovalAsked { step, question } => {
            (step, format!("waits: it {}", question::needs(question, &[], look)))
        }
        Event::ApprovalGiven { step, by, verdict, reason } => {
            (step, question::said(by, *verdict, reason.as_deref()))
        }
        Event::ApprovalSettled { step, verdict, by } => (step, question::ended(*verdict, by)),
    };
    Some((Some(step), text))
}

/// How to answer what is asked.
fn answer(view: &RunView, event: &Event) -> Option<String> {
    match event {
        Event::ApprovalAsked { step, .. } => {
            let (yes, no) = (remedy::approve(view, step), remedy::deny(view, step));
            Some(format!("{yes}, or {no}"))
        }
        Event::OutcomeUnknown { step, .. } => Some(remedy::resolve(view, step, "done|not-done")),
        _ => None,
    }
}

fn started(view: &RunView) -> String {
    format!(
        "run {} of {} started by {}{}{}",
        view.run,
        escape::plain(&view.plan.workflow),
        escape::plain(&view.by),
        if view.drill { " as a drill" } else { "" },
        if view.bound { ", bound to its plan" } else { "" }
    )
}

fn reopened(by: &str, steps: &[StepName]) -> String {
    let names: Vec<_> = steps.iter().map(|step| escape::plain(step.as_str())).collect();
    format!("{} has this tried again: {}", escape::plain(by), names.join(", "))
}

fn resumed(attempt: u32, keep: u32) -> String {
    let kept = match keep {
        u32::MAX => "with all that is on record of it".to_owned(),
        keep => format!("with what is on record up to call {keep}"),
    };
    format!("goes on attempt={attempt}, {kept}")
}

/// Of a call that only reads, and of one that the host made by itself, only what went wrong; of a
/// write that somebody had to look for, nothing more.
fn settled(call: &EffectView, outcome: &EffectOutcome) -> Option<String> {
    let went_well = matches!(outcome, EffectOutcome::Answered { status: 0..400, .. });
    let quiet = call.settled.is_some() || (!call.writes() && (went_well || call.is_own()));
    (!quiet).then(|| format!("called {}", words::effect(call)))
}

fn subject(view: &RunView, step: &StepName, attempt: u32, number: u32) -> String {
    let call = view.step(step).and_then(|step| step.effect(attempt, number));
    call.map_or_else(|| format!("call {number}"), words::effect_subject)
}

fn took(step: Option<&StepView>) -> String {
    let took = step.and_then(|step| step.took(step.ended_at?));
    took.map(|took| format!(" after {}", duration(took))).unwrap_or_default()
}
