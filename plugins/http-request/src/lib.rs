//! The step `http-request`: one request to an HTTP API, for services without a step of their own.
//!
//! `request` makes it from the inputs, `exchange` decides how often it is sent, `answer` turns what
//! came into outputs. It knows no service.

mod answer;
mod exchange;
mod inputs;
mod request;
mod status;

pub use inputs::{Inputs, Outputs};
pub use status::Expected;

use bowline_sdk::http::Client;
use bowline_sdk::{Context, Failure};

/// Sends the request.
///
/// # Errors
///
/// `config` when an input can't be right; `http.invalid`, `http.not-found` and so on for a status
/// that was not expected; `ambiguous` when nobody knows whether a write took effect;
/// `http.answer-lost` when one did and what `extract` asks for is lost with its answer.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let expected = Expected::read(&inputs.expect)?;
    let request = request::request(ctx, &inputs)?;
    answer::check(&inputs)?;
    let client = Client::open(ctx, "api")?;
    let exchange = exchange::Exchange {
        ctx,
        client: &client,
        request: &request,
        expected: &expected,
        repeatable: request.is_read()
            || inputs.idempotent
            || inputs.idempotency_key_header.is_some(),
        needs_answer: !inputs.extract.is_empty(),
    };
    match exchange.take()? {
        Some(answer) => answer::outputs(answer, &inputs),
        None => Ok(Outputs::default()),
    }
}

bowline_sdk::step!(run);
