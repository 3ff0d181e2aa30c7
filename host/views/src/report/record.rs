//! What happened when, and every call that was made.

use super::markdown::cell;
use super::{Report, calls, date};
use crate::{EffectView, Look, RunView, text, words};
use journal::Recorded;

impl Report {
    /// What a follower of the run would have read, without the lines that steps wrote.
    pub(super) fn timeline(&mut self, events: &[Recorded]) {
        let Some(mut view) = events.get(..1).and_then(RunView::from_events) else { return };
        self.heading("Timeline");
        self.table(&["Time", "Step", "What"]);
        for recorded in events {
            view.apply(recorded);
            if let Some((step, what)) = text::told(&view, recorded, &Look::PLAIN) {
                let step = step.map_or_else(|| "the run".to_owned(), |step| cell(step.as_str()));
                self.row(&[date(recorded.at), step, cell(&what)]);
            }
        }
    }

    /// Folded away: it is long, and the record.
    pub(super) fn calls(&mut self, view: &RunView) {
        let mut all: Vec<_> = calls(view).collect();
        if all.is_empty() {
            return;
        }
        all.sort_by_key(|(_, call)| call.at);
        self.heading("Calls");
        let count = words::count(all.len(), "call");
        self.line(&format!("<details><summary>{count}</summary>\n"));
        self.table(&["Time", "Step", "Attempt", "Number", "Kind", "Call and outcome"]);
        for (step, call) in all {
            self.row(&[
                date(call.at),
                cell(step.name.as_str()),
                call.attempt.to_string(),
                call.number.to_string(),
                kind(call).to_owned(),
                cell(&words::effect_in_full(call)),
            ]);
        }
        self.line("\n</details>");
    }
}

fn kind(call: &EffectView) -> &'static str {
    match (&call.effect, call.writes(), call.is_own()) {
        (None, _, _) => "refused",
        (Some(_), true, _) => "write",
        (Some(_), false, true) => "the host's own read",
        (Some(_), false, false) => "read",
    }
}
