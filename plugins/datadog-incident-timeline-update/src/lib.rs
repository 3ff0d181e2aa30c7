//! The step `datadog-incident-timeline-update`: adds one Markdown cell to an incident's timeline.
//!
//! Inputs are those of Relay's step of that name, which posted twice when an answer was lost. Here
//! the text carries a mark, and whoever does not know whether it was posted looks for the mark.

pub mod content;
mod inputs;
mod post;
mod timeline;

pub use inputs::{ContentKey, Inputs, Outputs};

use bowline_sdk::http::Client;
use bowline_sdk::{Context, Failure};
use datadog_api::{Mark, incident_id};

/// Posts the cell, unless it is there already.
///
/// # Errors
///
/// `config` when an input can't be right; `datadog.forbidden`, `datadog.not-found` and so on;
/// `ambiguous` when nobody can tell whether the cell was posted.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let incident = incident_id(&inputs.incident_id)?;
    let mark = Mark::of(ctx);
    let text = content::cell(&inputs.timeline_cell_content, &inputs.values, inputs.notify, &mark)?;
    let timeline = timeline::Timeline {
        ctx,
        client: Client::open(ctx, "datadog")?,
        incident,
        connection: &inputs.connection.connection.name,
    };
    post::post(&timeline, &text, &mark, inputs.timeline_content_key)
}

bowline_sdk::step!(run);
