//! What the steps of a run wrote, line by line.

use crate::look::{DIM, Look, PLAIN, Row};
use crate::{escape, words};
use journal::{Event, Recorded};
use workflow::StepName;

/// The line for this event, if it is one that a step wrote; with `only`, that step.
///
/// The step's name stands before the message unless there is only one step to read.
#[must_use]
pub fn line(recorded: &Recorded, only: Option<&StepName>, look: &Look) -> Option<String> {
    let Event::StepLogged { step, level, message, fields, .. } = &recorded.event else {
        return None;
    };
    if only.is_some_and(|only| only != step) {
        return None;
    }
    let mut row = Row::new().add(DIM, format!("{} ", look.time(recorded.at)));
    if only.is_none() {
        row = row.add(PLAIN, format!("{} | ", escape::plain(step.as_str())));
    }
    let text = words::log_line(*level, message, fields);
    Some(row.add(words::level_style(*level), text).draw(look))
}

/// All lines among `events`, each with a line break at its end.
#[must_use]
pub fn lines(events: &[Recorded], only: Option<&StepName>, look: &Look) -> String {
    events
        .iter()
        .filter_map(|recorded| line(recorded, only, look))
        .map(|line| line + "\n")
        .collect()
}
