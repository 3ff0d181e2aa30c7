//! Runs as a table, newest first.

use crate::look::{BOLD, DIM, Look, PLAIN, Row, duration};
use crate::{escape, words};
use journal::RunSummary;
use unicode_width::UnicodeWidthStr;

/// The most columns for a workflow's name: a run's name, which a person wants to copy, must
/// still fit on a line of 120.
const WORKFLOW_COLUMNS_MAX: usize = 40;

/// The table, each line with a line break at its end. `now` is in milliseconds since 1970.
#[must_use]
pub fn table(runs: &[RunSummary], now: i64, look: &Look) -> String {
    if runs.is_empty() {
        return "There are no runs yet. Start one: bowline run WORKFLOW\n".to_owned();
    }
    let names: Vec<_> = runs.iter().map(|run| escape::plain(&run.workflow)).collect();
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let run_columns = widest(&mut runs.iter().map(|run| run.run.as_str().len())).max(3) + 2;
    let names_widest = widest(&mut names.iter().map(|name| name.width()));
    let name_columns = names_widest.clamp(8, WORKFLOW_COLUMNS_MAX) + 2;
    let mut table = Row::new()
        .column(BOLD, "RUN", run_columns)
        .column(BOLD, "WORKFLOW", name_columns)
        .column(BOLD, "STATUS", 12)
        .column(BOLD, "STARTED", 21)
        .add(BOLD, "TOOK")
        .draw(look)
        + "\n";
    for (run, name) in runs.iter().zip(names) {
        let (style, sign) = words::run_sign(run.status, look);
        let took = run.finished_at.unwrap_or(now).saturating_sub(run.started_at);
        let name_look = Look { width: name_columns - 2, ..*look };
        let name = Row::new().add(PLAIN, name).draw(&name_look);
        let line = Row::new()
            .column(PLAIN, run.run.as_str(), run_columns)
            .column(PLAIN, &name, name_columns)
            .column(style, &format!("{sign} {}", run.status.as_str()), 12)
            .column(DIM, &look.date(run.started_at), 21)
            .add(
                PLAIN,
                if run.finished_at.is_some() {
                    duration(took)
                } else {
                    format!("{} so far", duration(took))
                },
            )
            .draw(look);
        table.push_str(&line);
        table.push('\n');
    }
    table
}
