//! The step `datadog-incident-update`: brings an incident into the state that was asked for.
//!
//! What is wished is in `wish`, which compares it with what the incident shows; when to send the
//! difference, and how often, is decided in `update`.

mod inputs;
mod update;
pub mod wish;

pub use inputs::{Inputs, Outputs};

use bowline_sdk::http::Client;
use bowline_sdk::{Context, Failure};

/// Changes what is different.
///
/// # Errors
///
/// `config` when an input can't be right; `datadog.not-found`, `datadog.forbidden`,
/// `datadog.invalid` and so on; `ambiguous` when nobody can tell whether the change was made.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let wish = wish::Wish::new(&inputs)?;
    let id = datadog_api::incident_id(&inputs.incident_id)?;
    let incident = update::Target {
        ctx,
        client: Client::open(ctx, "datadog")?,
        id,
        connection: &inputs.connection.connection.name,
    };
    update::update(&incident, &wish)
}

bowline_sdk::step!(run);
