//! A run in full: what it was given, what each step did, and every call in words.

use crate::look::{BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{RunView, StepStatus, StepView, escape, words};
use serde_json::Value;
use workflow::StepKind;

/// The page, each line with a line break at its end. Lines are not cut: what is shown here is
/// the record.
#[must_use]
pub fn page(view: &RunView, look: &Look) -> String {
    let mut page = Page { text: String::new(), look: Look { width: usize::MAX, ..*look } };
    page.run(view);
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
        if let Some(by) = &view.cancelled_by {
            self.fact("  ", "stopped by", &escape::plain(by));
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
        if let Some(took) = step.ended_at.and_then(|at| step.took(at)) {
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
        if let Some(failure) = &step.failure {
            self.fact("    ", "failure", &words::failure(failure));
            if let Some(details) = &failure.details {
                self.fact("    ", "details", &escape::json(details.to_string()));
            }
        }
        if let Some(reason) = &step.skipped_because {
            self.fact("    ", "reason", &escape::plain(reason));
        }
        for (name, value) in &step.outputs {
            self.fact("    ", "output", &assignment(name, value));
        }
        for effect in &step.effects {
            let attempt = match step.attempts {
                0 | 1 => String::new(),
                _ => format!("attempt {}: ", effect.attempt),
            };
            let text =
                format!("{} {attempt}{}", self.look.time(effect.at), words::effect_in_full(effect));
            let kind = if effect.is_in_doubt() {
                "in doubt"
            } else if effect.effect.as_ref().is_some_and(|effect| effect.writes) {
                "write"
            } else if effect.effect.is_some() {
                "read"
            } else {
                "refused"
            };
            self.fact("    ", kind, &text);
        }
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
