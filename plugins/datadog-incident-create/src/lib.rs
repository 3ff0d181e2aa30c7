//! The step `datadog-incident-create`: declares an incident, and never a second one in its place.
//!
//! Inputs begin with those of Relay's step of that name. What the incident says is put together in
//! `declaration`; when it is sent, and how often, is decided in `create`.

mod create;
pub mod declaration;
mod inputs;
mod newest;

pub use inputs::{Handle, Inputs, Outputs};

use bowline_sdk::http::Client;
use bowline_sdk::{Context, Failure};
use datadog_api::Mark;

/// Declares the incident, unless an earlier attempt has done so.
///
/// # Errors
///
/// `config` when an input can't be right; `datadog.forbidden`, `datadog.invalid` and so on;
/// `ambiguous` when nobody can tell whether the incident was declared, or which one it is.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let mark = Mark::of(ctx);
    let declaration = declaration::Declaration::new(&inputs, &mark)?;
    let service = newest::Service {
        ctx,
        client: Client::open(ctx, "datadog")?,
        connection: &inputs.connection.connection.name,
    };
    create::create(&service, &declaration, &mark)
}

bowline_sdk::step!(run);
