//! A run that goes on, as a frame of lines that is drawn again and again.
//!
//! Only the lines: moving the cursor and clearing the old frame is the terminal owner's part.

use crate::look::{BAD, BOLD, BUSY, DIM, Look, PLAIN, Row, duration};
use crate::{OpenView, RunView, StepStatus, StepView, escape, question, remedy, words};
use unicode_width::UnicodeWidthStr;

/// The most steps that are drawn one by one. More do not fit on a usual screen, and a frame
/// that scrolls can't be drawn over.
pub const STEPS_MAX: usize = 30;

/// The most columns for a step's name before what follows is pushed to the right.
const NAME_COLUMNS_MAX: usize = 32;

/// The run at the time `now` (milliseconds since 1970). No line is wider than `look.width`.
#[must_use]
pub fn frame(view: &RunView, now: i64, look: &Look) -> Vec<String> {
    let shown = shown(view);
    let folded = view.steps.len() - shown.len();
    let widest = shown.iter().map(|step| escape::plain(step.name.as_str()).width()).max();
    let columns = widest.unwrap_or(0).min(NAME_COLUMNS_MAX) + 2;
    let mut lines = vec![header(view, now, look)];
    for (index, step) in shown.iter().enumerate() {
        let last = index + 1 == shown.len() && folded == 0;
        lines.push(step_line(view, step, now, columns, last, look));
        lines.extend(below(view, step, last, look));
    }
    if folded > 0 {
        lines.push(fold_line(view, &shown, look));
    }
    lines
}

/// All steps, or of too many the ones that matter now: what failed, what runs, what waits,
/// then the rest, always in the order of the plan within each group.
fn shown(view: &RunView) -> Vec<&StepView> {
    if view.steps.len() <= STEPS_MAX {
        return view.steps.iter().collect();
    }
    let mut steps: Vec<&StepView> =
        view.steps.iter().filter(|step| urgency(step.status) < 3).collect();
    steps.sort_by_key(|step| urgency(step.status));
    steps.truncate(STEPS_MAX);
    steps
}

fn urgency(status: StepStatus) -> u8 {
    match status {
        StepStatus::Failure => 0,
        StepStatus::Running => 1,
        StepStatus::Waiting | StepStatus::Interrupted => 2,
        StepStatus::NotStarted
        | StepStatus::Success
        | StepStatus::Skipped
        | StepStatus::Cancelled => 3,
    }
}

fn header(view: &RunView, now: i64, look: &Look) -> String {
    let (style, sign) = words::run_sign(view.status, look);
    let took = view.finished_at.unwrap_or(now).saturating_sub(view.started_at);
    let mut row = Row::new()
        .add(style, sign)
        .add(BOLD, format!(" {}", escape::plain(&view.plan.workflow)))
        .add(PLAIN, format!("  {}", duration(took)));
    if view.drill {
        row = row.add(BUSY, "  drill");
    }
    match (&view.cancelled_by, view.timed_out) {
        _ if view.status.is_final() => {}
        (Some(by), _) => {
            row = row.add(BUSY, format!("  stopping, asked by {}", escape::plain(by)));
        }
        (None, Some(_)) => row = row.add(BUSY, "  stopping, its time is up"),
        (None, None) => {}
    }
    row.add(DIM, format!("  {}  by {}", view.run, escape::plain(&view.by))).draw(look)
}

fn step_line(
    view: &RunView,
    step: &StepView,
    now: i64,
    columns: usize,
    last: bool,
    look: &Look,
) -> String {
    let branch = match (last, look.ascii) {
        (false, false) => "├─",
        (true, false) => "└─",
        (false, true) => "|-",
        (true, true) => "`-",
    };
    let (style, sign) = words::step_sign(step.status, look);
    let took = step.took(now).map(duration).unwrap_or_default();
    let (detail_style, detail) = detail(view, step, now);
    Row::new()
        .add(DIM, branch)
        .add(style, sign)
        .add(PLAIN, " ")
        .column(PLAIN, &escape::plain(step.name.as_str()), columns)
        .column(PLAIN, &took, 8)
        .add(detail_style, detail)
        .draw(look)
}

fn detail(view: &RunView, step: &StepView, now: i64) -> (anstyle::Style, String) {
    match step.status {
        StepStatus::NotStarted => {
            let awaited: Vec<_> =
                view.awaited(step).map(|step| escape::plain(step.name.as_str())).collect();
            let text = if awaited.is_empty() || view.status.is_final() {
                String::new()
            } else {
                format!("waits for {}", awaited.join(", "))
            };
            (DIM, text)
        }
        StepStatus::Waiting => (BUSY, waiting(step)),
        StepStatus::Running if step.retry_at.is_some() => (BUSY, words::retrying(step, now)),
        StepStatus::Running => (PLAIN, running(step)),
        StepStatus::Interrupted => (BUSY, "interrupted, runs again".to_owned()),
        StepStatus::Success => (DIM, words::outputs(step)),
        StepStatus::Failure | StepStatus::Cancelled => {
            let style = if step.status == StepStatus::Failure { BAD } else { DIM };
            (style, step.failure.as_ref().map(words::failure).unwrap_or_default())
        }
        StepStatus::Skipped => {
            let reason = step.skipped_because.as_deref().unwrap_or_default();
            (DIM, escape::plain(reason).into_owned())
        }
    }
}

fn waiting(step: &StepView) -> String {
    match &step.open {
        Some(OpenView::Outcome { .. }) => "nobody knows whether a write took effect".to_owned(),
        Some(OpenView::Approval { question, answers, .. }) if question.quorum > 1 => {
            let given = question::given(answers);
            format!("waits for a yes or a no, {given} of {} said yes", question.quorum)
        }
        Some(OpenView::Approval { .. }) | None => "waits for a yes or a no".to_owned(),
    }
}

fn running(step: &StepView) -> String {
    let mut parts = Vec::new();
    match step.try_number() {
        1 if step.attempts > 1 => parts.push(format!("attempt {}", step.attempts)),
        1 => {}
        tried => parts.push(format!("try {tried}")),
    }
    if let Some(progress) = &step.progress {
        match progress.total {
            Some(total) => parts.push(format!("{}/{total}", progress.done)),
            None if progress.done > 0 => parts.push(progress.done.to_string()),
            None => {}
        }
        if !progress.note.is_empty() {
            parts.push(escape::plain(&progress.note).into_owned());
        }
    }
    parts.join("  ")
}

/// The newest line of a step that runs or has failed, or how to answer for one that asks.
fn below(view: &RunView, step: &StepView, last: bool, look: &Look) -> Option<String> {
    let trunk = match (last, look.ascii) {
        (true, _) => "     ",
        (false, false) => "│    ",
        (false, true) => "|    ",
    };
    let row = Row::new().add(DIM, trunk);
    let row = match (step.status, &step.open) {
        (StepStatus::Running | StepStatus::Failure, _) => {
            let line = step.newest_line.as_ref()?;
            let text = words::log_line(line.level, &line.message, &[]);
            row.add(DIM, format!("{} ", look.time(line.at)))
                .add(words::level_style(line.level), text)
        }
        (StepStatus::Waiting, Some(OpenView::Approval { .. })) => {
            row.add(DIM, remedy::approve(view, &step.name))
        }
        (StepStatus::Waiting, Some(OpenView::Outcome { .. })) => {
            row.add(DIM, remedy::resolve(view, &step.name, "done|not-done"))
        }
        _ => return None,
    };
    Some(row.draw(look))
}

/// How the steps stand that are not drawn.
fn fold_line(view: &RunView, shown: &[&StepView], look: &Look) -> String {
    let groups = [
        StepStatus::Success,
        StepStatus::Failure,
        StepStatus::Running,
        StepStatus::Waiting,
        StepStatus::Interrupted,
        StepStatus::Skipped,
        StepStatus::Cancelled,
        StepStatus::NotStarted,
    ];
    let count = |status| {
        let of = |steps: &mut dyn Iterator<Item = &StepView>| {
            steps.filter(|step| step.status == status).count()
        };
        of(&mut view.steps.iter()) - of(&mut shown.iter().copied())
    };
    let mut row = Row::new().add(DIM, if look.ascii { "`-" } else { "└─" });
    let mut gap = "";
    for status in groups {
        let number = count(status);
        if number > 0 {
            let (style, sign) = words::step_sign(status, look);
            let words = format!(" {number} {}", words::step_verb(status));
            row = row.add(PLAIN, gap).add(style, sign).add(DIM, words);
            gap = "  ";
        }
    }
    row.draw(look)
}
