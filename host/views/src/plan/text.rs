//! A plan for people: what would be done, field by field, and what can't be told.

use super::{Followed, followed, open_ends, reads, reason};
use crate::look::{BAD, BOLD, BUSY, DIM, Look, PLAIN, Row};
use crate::{OpenView, PlannedView, RunView, StepView, escape, question, words};
use journal::{Change, Question, Shown};
use std::collections::{BTreeSet, HashSet};
use workflow::{StepKind, StepName};

/// The plan, each line with a line break at its end. Lines are not cut: whoever agrees to a plan
/// must be able to read all of it.
#[must_use]
pub fn text(view: &RunView, look: &Look) -> String {
    let mut page = Page { text: String::new(), look: Look { width: usize::MAX, ..*look } };
    let open = open_ends(view);
    page.head(view);
    for step in &view.steps {
        page.step(view, step, &open);
    }
    page.end(view, &open);
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

    fn below(&mut self, style: anstyle::Style, columns: usize, text: &str) {
        self.line(Row::new().add(PLAIN, " ".repeat(columns)).add(style, text));
    }

    fn head(&mut self, view: &RunView) {
        let name = escape::plain(&view.plan.workflow);
        let drill = if view.drill { ", as a drill" } else { "" };
        self.line(Row::new().add(BOLD, format!("plan of {name}{drill}")));
        let source = format!("{} {}", view.plan.source, view.plan.source_digest);
        self.below(PLAIN, 2, &escape::plain(&source));
        for (name, value) in &view.plan.parameters {
            let value = escape::json(value.to_string());
            self.below(PLAIN, 2, &format!("{} = {value}", escape::plain(name)));
        }
        self.text.push('\n');
    }

    fn step(&mut self, view: &RunView, step: &StepView, open: &HashSet<&StepName>) {
        let followed = followed(step, open);
        let changes = !step.planned.is_empty();
        let (style, sign, ascii) = match (followed, step.kind) {
            (Followed::Planned, StepKind::Approval) => (BUSY, "◐", "?"),
            (Followed::Planned, StepKind::Container) if changes => (BUSY, "●", "*"),
            (Followed::Planned, StepKind::Container) => (DIM, "○", "."),
            (Followed::DependsOnUnmade | Followed::Skipped, _) => (DIM, "⊘", "-"),
            (Followed::Failed, _) => (BAD, "✖", "x"),
        };
        let name = escape::plain(step.name.as_str());
        let row = Row::new()
            .add(style, if self.look.ascii { ascii } else { sign })
            .add(BOLD, format!(" {name}"))
            .add(DIM, plugin(view, step));
        let does = if followed == Followed::Planned { does(step) } else { String::new() };
        self.line(row.add(PLAIN, "  ").add(if changes { BUSY } else { PLAIN }, does));
        for write in &step.planned {
            self.write(write);
        }
        match (followed, reason(step)) {
            (Followed::Planned, _) if step.is_withheld() => {
                let text = "a plan does not send this, so nobody knows what the step does then";
                self.below(DIM, 4, text);
            }
            (Followed::DependsOnUnmade, Some(why)) => {
                self.below(PLAIN, 4, &format!("can't be planned: {}", escape::plain(&why)));
            }
            (Followed::Skipped, Some(why)) => {
                self.below(PLAIN, 4, &format!("would be left out: {}", escape::plain(&why)));
            }
            (Followed::Failed, Some(why)) => {
                self.below(BAD, 4, &format!("would fail: {}", escape::plain(&why)));
            }
            (_, _) => {}
        }
    }

    fn write(&mut self, write: &PlannedView) {
        let condition = words::condition(&write.effect);
        self.below(BOLD, 4, &format!("{}{condition}", words::subject(&write.effect)));
        match &write.shown {
            Shown::Rehearsed { status: status @ 400.., .. } => {
                self.below(BAD, 6, &format!("refused: {status}"));
            }
            Shown::Rehearsed { changes, .. } if changes.is_empty() => {
                self.below(PLAIN, 6, "nothing would be another than it is");
            }
            Shown::Rehearsed { changes, .. } => {
                for change in changes {
                    self.below(PLAIN, 6, &changed(change));
                }
            }
            Shown::Request { method, url, credentials, body } => {
                self.request(&write.effect.connection, method, url, credentials, body);
            }
        }
    }

    fn request(
        &mut self,
        connection: &str,
        method: &str,
        url: &str,
        credentials: &[String],
        body: &str,
    ) {
        self.below(PLAIN, 6, &format!("{} {}", escape::plain(method), escape::plain(url)));
        for place in credentials {
            let (place, connection) = (escape::plain(place), escape::plain(connection));
            self.below(PLAIN, 6, &format!("{place}: ({connection})"));
        }
        for line in body.lines() {
            self.below(PLAIN, 6, &escape::plain(line));
        }
    }

    fn end(&mut self, view: &RunView, open: &HashSet<&StepName>) {
        let writes = || view.steps.iter().flat_map(|step| &step.planned);
        let connections: BTreeSet<&str> =
            writes().map(|write| write.effect.connection.as_str()).collect();
        let (writes, connections) = (writes().count(), connections.len());
        let would = match writes {
            0 => "no writes".to_owned(),
            _ => format!(
                "{} on {}",
                words::count(writes, "write"),
                words::count(connections, "connection")
            ),
        };
        self.text.push('\n');
        self.line(Row::new().add(BOLD, format!("{would}; nothing was changed")));
        let named = |of: &dyn Fn(&&StepView) -> bool| {
            let names = view.steps.iter().filter(of);
            let names = names.map(|step| escape::plain(step.name.as_str()).into_owned());
            Some(names.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
        };
        if let Some(names) = named(&|step| open.contains(&step.name)) {
            self.below(PLAIN, 2, &format!("not followed to their end: {names}"));
        }
        if let Some(names) = named(&|step| followed(step, open) == Followed::Failed) {
            self.below(BAD, 2, &format!("would fail: {names}"));
        }
    }
}

fn plugin(view: &RunView, step: &StepView) -> String {
    let planned = view.plan.steps.iter().find(|planned| planned.name == step.name);
    let pin = planned.and_then(|planned| planned.plugin.as_ref());
    pin.map_or_else(String::new, |pin| {
        format!("  {} {}", escape::plain(&pin.name), escape::plain(&pin.version))
    })
}

/// What it does in a word, or whom it asks.
fn does(step: &StepView) -> String {
    match (step.kind, step.planned.len(), reads(step)) {
        (StepKind::Approval, _, _) => asks(step),
        (StepKind::Container, 0, 0) => String::new(),
        (StepKind::Container, 0, reads) => format!("reads ({reads})"),
        (StepKind::Container, _, _) => "CHANGES".to_owned(),
    }
}

fn asks(step: &StepView) -> String {
    let asked = |question: &Question| match question.quorum {
        0 | 1 => format!("would ask {}", question::people(question)),
        quorum => format!("would ask {}: {quorum} must say yes", question::people(question)),
    };
    let over = step.approvals.last().and_then(|approval| approval.question.as_ref());
    match (over, &step.open) {
        (Some(question), _) | (None, Some(OpenView::Approval { question, .. })) => asked(question),
        (None, _) => "would ask for approval".to_owned(),
    }
}

/// `spec.replicas: 2 -> 3`.
fn changed(change: &Change) -> String {
    let side = |value: &Option<String>| match value {
        Some(value) => escape::plain(value).into_owned(),
        None => "(nothing)".to_owned(),
    };
    let field = escape::plain(&change.field);
    format!("{field}: {} -> {}", side(&change.from), side(&change.to))
}
