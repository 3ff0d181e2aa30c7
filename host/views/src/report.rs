//! A run as Markdown, for whoever writes down what happened that night.
//!
//! Drawn from events alone, all times in UTC. Whatever a step, a far side or a person has written
//! stands between backticks or in a block of code: none of it becomes Markdown or HTML, whoever
//! renders it. The one exception are links to addresses that steps gave out, each as itself.

mod changes;
mod links;
mod markdown;
mod record;

use crate::look::duration;
use crate::{Look, OpenView, RunView, StepStatus, StepView, question, remedy, words};
use changes::Changes;
use journal::Recorded;
use markdown::{block, cell, code};

/// The report on the run of `view`, which is drawn from `events`.
#[must_use]
pub fn markdown(view: &RunView, events: &[Recorded]) -> String {
    let mut report = Report { text: String::new() };
    report.title(view);
    report.facts(view);
    report.changes(view);
    report.doubts(view);
    report.approvals(view);
    report.failures(view);
    report.links(view);
    report.timeline(events);
    report.calls(view);
    report.text
}

struct Report {
    text: String,
}

impl Report {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line(&format!("\n## {heading}\n"));
    }

    /// Begins a table.
    fn table(&mut self, columns: &[&str]) {
        self.line(&format!("| {} |", columns.join(" | ")));
        self.line(&format!("|{}", " --- |".repeat(columns.len())));
    }

    fn row(&mut self, cells: &[String]) {
        self.line(&format!("| {} |", cells.join(" | ")));
    }

    fn title(&mut self, view: &RunView) {
        let verb = words::run_verb(view.status);
        self.line(&format!("# {} {verb}", code(&view.plan.workflow)));
        self.line(&format!("\nDrawn from the record of run {}. All times are UTC.\n", view.run));
    }

    fn facts(&mut self, view: &RunView) {
        self.table(&["What", "Value"]);
        let mut fact = |name: &str, value: String| self.row(&[name.to_owned(), value]);
        fact("Status", words::run_verb(view.status).to_owned());
        let drill = if view.drill { ", as a drill: nothing outside was touched" } else { "" };
        fact("Started", format!("{} by {}{drill}", date(view.started_at), cell(&view.by)));
        if let Some(at) = view.finished_at {
            let took = duration(at.saturating_sub(view.started_at));
            fact("Ended", format!("{}, after {took}", date(at)));
        }
        for resumed in &view.resumed {
            fact("Taken up", format!("{} by {}", date(resumed.at), cell(&resumed.by)));
        }
        for reopened in &view.reopened {
            let steps: Vec<_> = reopened.steps.iter().map(|step| cell(step.as_str())).collect();
            let (at, by) = (date(reopened.at), cell(&reopened.by));
            fact("Reopened", format!("{at} by {by}, to try again {}", steps.join(", ")));
        }
        if let Some(by) = &view.cancelled_by {
            fact("Stopped by", cell(by));
        }
        if let Some(seconds) = view.timed_out {
            fact("Timed out", words::timed_out(seconds));
        }
        if view.bound {
            fact("Bound", "to its plan: no write that the plan did not show".to_owned());
        }
        let (source, digest) = (cell(&view.plan.source), cell(&view.plan.source_digest));
        fact("Workflow", format!("{source} {digest}"));
        for (name, value) in &view.plan.parameters {
            let value = crate::escape::json(value.to_string());
            fact("Parameter", format!("{} = {}", cell(name), cell(&value)));
        }
        for plugin in plugins(view) {
            fact("Plugin", cell(&plugin));
        }
    }

    fn changes(&mut self, view: &RunView) {
        let changes = Changes::of(view);
        self.heading("What changed");
        if changes.writes.is_empty() {
            self.line("Nothing outside.");
        } else {
            self.table(&[
                "Time",
                "Step",
                "Connection",
                "Operation",
                "Only if",
                "Status",
                "Outcome",
            ]);
            for write in &changes.writes {
                self.row(write);
            }
        }
        if !changes.moves.is_empty() {
            self.line("");
        }
        for line in &changes.moves {
            self.line(line);
        }
    }

    /// What nobody knows, and what somebody had to find out.
    fn doubts(&mut self, view: &RunView) {
        let mut lines = Vec::new();
        for (step, call) in calls(view) {
            let subject = words::effect_subject(call);
            let name = code(step.name.as_str());
            let open = step.status != StepStatus::Success && !call.dropped;
            if call.is_in_doubt() || (call.is_unsure() && open) {
                let left = date(call.left_at);
                let outcome = words::effect_outcome(call);
                lines.push(format!(
                    "- {name}: {}, left the host {left}: {}",
                    code(&subject),
                    code(&outcome)
                ));
            }
            if let Some(settled) = &call.settled {
                let (at, found) = (date(settled.at), code(&question::settled(settled)));
                lines.push(format!("- {name}: {}, found out {at}: {found}", code(&subject)));
            }
        }
        self.list("In doubt and settled", &lines);
    }

    fn approvals(&mut self, view: &RunView) {
        let mut lines = Vec::new();
        let said = |answer: &crate::AnswerView| {
            let said = question::said(&answer.by, answer.verdict, answer.reason.as_deref());
            format!("  - {} {}", date(answer.at), code(&said))
        };
        for (step, over) in view.approvals() {
            let ended = question::ended(over.verdict, &over.by);
            let name = code(step.name.as_str());
            lines.push(format!("- {name}: {} {}", date(over.at), code(&ended)));
            lines.extend(over.answers.iter().map(said));
        }
        for step in &view.steps {
            if let Some(OpenView::Approval { question, answers, .. }) = &step.open {
                let needs = question::needs(question, answers, &Look::PLAIN);
                let name = code(step.name.as_str());
                lines.push(format!("- {name}: still waits, {}", code(&needs)));
                lines.extend(answers.iter().map(said));
            }
        }
        self.list("Approvals", &lines);
    }

    fn failures(&mut self, view: &RunView) {
        let mut lines = Vec::new();
        for step in &view.steps {
            let name = code(step.name.as_str());
            for tried in &step.tries {
                let why = code(&words::failure(&tried.failure));
                lines.push(format!("- {name}, {}, and was tried again: {why}", date(tried.at)));
            }
            if let Some(failure) = &step.failure {
                let at = step.ended_at.map(date).unwrap_or_default();
                lines.push(format!("- {name}, {at}: {}", code(&words::failure(failure))));
            }
        }
        self.list("What failed", &lines);
        for remedy in remedy::of_run(view, &set_under) {
            self.line(&format!("\n{}", block(&remedy)));
        }
    }

    fn links(&mut self, view: &RunView) {
        let mut lines = Vec::new();
        for step in &view.steps {
            for (name, value) in &step.outputs {
                for link in links::of(value) {
                    let (step, name) = (code(step.name.as_str()), code(name));
                    lines.push(format!("- <{link}> from {step}, output {name}"));
                }
            }
        }
        self.list("Links", &lines);
    }

    fn list(&mut self, heading: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        self.heading(heading);
        for line in lines {
            self.line(line);
        }
    }
}

/// All calls, each with its step.
fn calls(view: &RunView) -> impl Iterator<Item = (&StepView, &crate::EffectView)> {
    view.steps.iter().flat_map(|step| step.effects.iter().map(move |call| (step, call)))
}

/// Each plugin once, with its version and digest.
fn plugins(view: &RunView) -> Vec<String> {
    let mut plugins = Vec::new();
    for pin in view.plan.steps.iter().filter_map(|step| step.plugin.as_ref()) {
        let signer = pin.signer.as_ref().map(|signer| format!(" signed by {signer}"));
        let plugin =
            format!("{} {} {}{}", pin.name, pin.version, pin.digest, signer.unwrap_or_default());
        if !plugins.contains(&plugin) {
            plugins.push(plugin);
        }
    }
    plugins
}

/// The settings are not on record: a connection is taken to be set under its own name.
fn set_under(connection: &str) -> String {
    connection.split_once('/').map_or(connection, |(_, name)| name).to_owned()
}

fn date(at: i64) -> String {
    Look::PLAIN.date(at)
}
