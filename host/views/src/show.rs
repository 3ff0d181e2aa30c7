//! A run in full: what it was given, what it waits for, what each step did, and every call in
//! words.

mod waiting;

use crate::look::{BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{ApprovalView, EffectView, RunView, StepStatus, StepView, TryView};
use crate::{escape, question, words};
use serde_json::Value;
use workflow::StepKind;

/// The page, each line with a line break at its end. Lines are not cut: what is shown here is
/// the record.
#[must_use]
pub fn page(view: &RunView, look: &Look) -> String {
    page_of(view, None, look)
}

/// As [`page`], where it may be known whether a process drives the run.
#[must_use]
pub fn page_of(view: &RunView, driven: Option<bool>, look: &Look) -> String {
    let mut page = Page { text: String::new(), look: Look { width: usize::MAX, ..*look } };
    page.run(view);
    page.waiting(view, driven);
    for step in &view.steps {
        page.step(view, step);
    }
    page.text
}

struct Page {
    text: String,
    look: Look,
}

impl Page {
    fn line(&mut self, row: Row) {
        self.text.push_str(&row.draw(&self.look));
        self.text.push('\n');
    }

    fn fact(&mut self, indent: &str, name: &str, value: &str) {
        self.line(Row::new().add(PLAIN, indent).column(DIM, name, 12).add(PLAIN, value));
    }

    fn run(&mut self, view: &RunView) {
        let (style, sign) = words::run_sign(view.status, &self.look);
        let title =
            format!(" {} {}", escape::plain(&view.plan.workflow), words::run_verb(view.status));
        self.line(Row::new().add(style, sign).add(BOLD, title));
        self.fact("  ", "run", view.run.as_str());
        let drill = if view.drill { ", as a drill: nothing outside was touched" } else { "" };
        self.fact(
            "  ",
            "started",
            &format!("{} by {}{drill}", self.look.date(view.started_at), escape::plain(&view.by)),
        );
        if let Some(at) = view.finished_at {
            let took = duration(at.saturating_sub(view.started_at));
            self.fact("  ", "finished", &format!("{}, after {took}", self.look.date(at)));
        }
        for resumed in &view.resumed {
            let text = format!("{} by {}", self.look.date(resumed.at), escape::plain(&resumed.by));
            self.fact("  ", "taken up", &text);
        }
        for reopened in &view.reopened {
            let steps: Vec<_> =
                reopened.steps.iter().map(|step| escape::plain(step.as_str())).collect();
            let (at, by) = (self.look.date(reopened.at), escape::plain(&reopened.by));
            let text = format!("{at} by {by}, to try again: {}", steps.join(", "));
            self.fact("  ", "reopened", &text);
        }
        if let Some(by) = &view.cancelled_by {
            self.fact("  ", "stopped by", &escape::plain(by));
        }
        if let Some(seconds) = view.timed_out {
            self.fact("  ", "timed out", &words::timed_out(seconds));
        }
        if view.bound {
            self.fact("  ", "bound", "to its plan: it makes no write that the plan did not show");
        }
        self.fact("  ", "workflow", &escape::plain(&view.plan.source));
        self.fact("  ", "digest", &escape::plain(&view.plan.source_digest));
        for (name, value) in &view.plan.parameters {
            self.fact("  ", "parameter", &assignment(name, value));
        }
    }

    fn step(&mut self, view: &RunView, step: &StepView) {
        self.text.push('\n');
        let (style, sign) = words::step_sign(step.status, &self.look);
        let mut state = words::step_verb(step.status).to_owned();
        if let Some(at) = step.retry_at {
            state =
                format!("between two tries, try {} at {}", step.try_number(), self.look.time(at));
        } else if let Some(took) = step.ended_at.and_then(|at| step.took(at)) {
            state.push_str(&format!(" after {}", duration(took)));
        }
        if step.attempts > 1 {
            state.push_str(&format!(", attempt {}", step.attempts));
        }
        let name = escape::plain(step.name.as_str()).into_owned();
        self.line(
            Row::new()
                .add(style, sign)
                .add(BOLD, format!(" {name}"))
                .add(PLAIN, format!("  {state}")),
        );
        self.origin(view, step);
        if let Some(at) = step.started_at {
            self.fact("    ", "started", &self.look.date(at));
        }
        self.tries(step);
        if let Some(failure) = &step.failure {
            self.fact("    ", "failure", &words::failure(failure));
            if let Some(details) = &failure.details {
                self.fact("    ", "details", &escape::json(details.to_string()));
            }
        }
        if let Some(reason) = &step.skipped_because {
            self.fact("    ", "reason", &escape::plain(reason));
        }
        for approval in &step.approvals {
            self.approval(approval);
        }
        for (name, value) in &step.outputs {
            self.fact("    ", "output", &assignment(name, value));
        }
        for effect in &step.effects {
            self.effect(step, effect);
        }
        for write in &step.planned {
            let condition = words::condition(&write.effect);
            let text = format!("{}{condition}", words::subject(&write.effect));
            self.fact("    ", "would", &text);
        }
    }

    fn tries(&mut self, step: &StepView) {
        for TryView { at, attempt, failure, delay_ms } in &step.tries {
            let delay = words::wait(i64::try_from(*delay_ms).unwrap_or(i64::MAX));
            let text = format!(
                "{} attempt {attempt} failed, tried again after {delay}: {}",
                self.look.time(*at),
                words::failure(failure)
            );
            self.fact("    ", "try", &text);
        }
        if step.resumed > 0 {
            let times = words::count(step.resumed as usize, "time");
            self.fact("    ", "resumed", &format!("{times}, with what was on record of it"));
        }
    }

    fn approval(&mut self, approval: &ApprovalView) {
        for answer in &approval.answers {
            let said = question::said(&answer.by, answer.verdict, answer.reason.as_deref());
            self.fact("    ", "answer", &format!("{} {said}", self.look.time(answer.at)));
        }
        let ended = question::ended(approval.verdict, &approval.by);
        self.fact("    ", "approval", &format!("{} {ended}", self.look.time(approval.at)));
    }

    fn effect(&mut self, step: &StepView, effect: &EffectView) {
        let attempt = match step.attempts {
            0 | 1 => String::new(),
            _ => format!("attempt {}: ", effect.attempt),
        };
        let text =
            format!("{} {attempt}{}", self.look.time(effect.at), words::effect_in_full(effect));
        let kind = if effect.is_in_doubt() {
            "in doubt"
        } else if effect.effect.is_none() {
            "refused"
        } else if effect.writes() {
            "write"
        } else if effect.is_own() {
            "host reads"
        } else {
            "read"
        };
        let style = if effect.is_own() || effect.dropped { DIM } else { PLAIN };
        self.line(Row::new().add(PLAIN, "    ").column(DIM, kind, 12).add(style, text));
    }

    fn origin(&mut self, view: &RunView, step: &StepView) {
        let Some(planned) = view.plan.steps.iter().find(|planned| planned.name == step.name) else {
            return;
        };
        match (&planned.plugin, &planned.image, planned.kind) {
            (Some(pin), _, _) => {
                let pin = format!("{} {} {}", pin.name, pin.version, pin.digest);
                self.fact("    ", "plugin", &escape::plain(&pin));
            }
            (None, Some(image), _) => self.fact("    ", "image", &escape::plain(image)),
            (None, None, StepKind::Approval) => {
                self.fact("    ", "kind", "a person says yes or no")
            }
            (None, None, StepKind::Container) => {}
        }
        let after: Vec<_> = planned.after.iter().map(|name| escape::plain(name.as_str())).collect();
        if !after.is_empty() && step.status != StepStatus::Success {
            self.fact("    ", "after", &after.join(", "));
        }
    }
}

fn assignment(name: &str, value: &Value) -> String {
    format!("{} = {}", escape::plain(name), escape::json(value.to_string()))
}
