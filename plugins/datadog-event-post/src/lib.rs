//! The step `datadog-event-post`: one event for Datadog's event stream.
//!
//! Inputs begin with those of Relay's step of that name, which put the API key into the address.
//! What is sent is made in `event`; here it is decided when, and how often.

pub mod event;
mod inputs;

pub use inputs::{Inputs, Outputs};

use bowline_sdk::http::{Client, Request, Response, refusal};
use bowline_sdk::{ConnectError, Context, Failure, log, retry::Patience};
use serde_json::{Map, Value};

/// The most posts of the same event.
const POSTS_MAX: u32 = 4;
/// What the step is doing, for its failures.
const DOING: &str = "can't post the event";

/// Posts the event; again only after an answer that proves that it was not taken.
///
/// # Errors
///
/// `config` when an input can't be right; `datadog.invalid`, `datadog.forbidden`,
/// `datadog.throttled` and so on; `ambiguous` when nobody can tell whether it was taken.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let key = format!("bowline-{}", ctx.idempotency_key());
    let body = event::body(&inputs, &key)?;
    let request = Request::post("/api/v1/events")
        .header("accept", "application/json")
        .json(&body)
        .map_err(|error| ConnectError::invalid(error.to_string()))?;
    let client = Client::open(ctx, "datadog")?;
    let connection = &inputs.connection.connection.name;
    let mut posts = 0;
    loop {
        posts += 1;
        let failure = match client.send(&request) {
            Ok(answer) => match answer.status() {
                200..=299 => return Ok(outputs(told(answer), &body)),
                429 => refusal(answer, "datadog", DOING, ""),
                408 | 500..=599 => return Err(unknown(&refusal(answer, "datadog", DOING, ""))),
                _ => return Err(refused(answer, connection)),
            },
            Err(error) if error.is_done() => return Ok(outputs(lost(), &body)),
            Err(error) if error.in_doubt => return Err(unknown(&error.into())),
            Err(error) if error.worth_repeating() => error.into(),
            Err(error) => return Err(error.into()),
        };
        let patience = Patience { tries: POSTS_MAX, ..Patience::default() };
        if !patience.wait(ctx, posts + 1, failure.retry_after()) {
            return Err(failure);
        }
    }
}

/// Posting needs the API key alone, so a 403 has fewer causes than elsewhere.
fn refused(answer: Response, connection: &str) -> Failure {
    let remedy = match answer.status() {
        401 | 403 => format!(
            "Datadog does not say which it is: the API key of connection `{connection}` is wrong or \
             revoked, its site is another than the key's, or the call comes from an address that is \
             not allowed"
        ),
        300..=399 => {
            format!("check the site of connection `{connection}`; redirects are not followed")
        }
        _ => String::new(),
    };
    refusal(answer, "datadog", DOING, &remedy)
}

fn unknown(doubt: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the event was posted: {doubt}. It is not sent again; look for it \
         in the event stream"
    );
    Failure::permanent("ambiguous", message).with_detail("inDoubt", true)
}

/// What the service says of the event. An answer that can't be read is no reason to doubt it.
fn told(answer: Response) -> Value {
    if answer.is_stand_in() {
        return lost();
    }
    match answer.value() {
        Ok(answer) => answer["event"].clone(),
        Err(failure) => {
            log::warn!("the event was posted, but the answer can't be read: {failure}");
            Value::Null
        }
    }
}

/// The event was posted, and what the service said of it is lost.
fn lost() -> Value {
    log::warn!("the event was posted before the process ended; its id is lost");
    Value::Null
}

fn outputs(event: Value, body: &Map<String, Value>) -> Outputs {
    // The number form has lost digits wherever a program reads numbers as floating point.
    let event_id = match (&event["id_str"], &event["id"]) {
        (Value::String(id), _) if !id.is_empty() => Some(id.clone()),
        (_, Value::Number(id)) if id.is_u64() => Some(id.to_string()),
        _ => None,
    };
    if let Some(id) = &event_id {
        log::info!("posted event {id}; it shows up within some seconds");
    }
    Outputs {
        event_id,
        url: event["url"].as_str().map(str::to_owned),
        aggregation_key: body["aggregation_key"].as_str().unwrap_or_default().to_owned(),
    }
}

bowline_sdk::step!(run);
