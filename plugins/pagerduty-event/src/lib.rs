//! The step `pagerduty-event`: one event for PagerDuty's Events API, version 2.
//!
//! What is sent is made in `event`; here it is decided how often. PagerDuty's key against doubles
//! makes an alert safe to send again; a change has none.

pub mod event;
mod inputs;

pub use inputs::{Action, Inputs, Link, Outputs, Severity};

use bowline_sdk::http::{Client, Request, refusal};
use bowline_sdk::{ConnectError, Context, Failure, log, retry::Patience};
use serde_json::Value;

/// The most posts of the same event.
const POSTS_MAX: u32 = 4;
/// What the step is doing, for its failures.
const DOING: &str = "can't send the event";

/// Sends the event.
///
/// # Errors
///
/// `config` when an input is missing or can't be right; `pagerduty.invalid`, `pagerduty.throttled`
/// and so on; `ambiguous` when nobody can tell whether a change was taken.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let event = event::event(&inputs, &format!("bowline-{}", ctx.idempotency_key()))?;
    let request = Request::post(event.path)
        .json(&event.body)
        .map_err(|error| ConnectError::invalid(error.to_string()))?;
    let client = Client::open(ctx, "pagerduty")?;
    let connection = &inputs.connection.connection.name;
    let repeatable = event.dedup_key.is_some();
    let mut posts = 0;
    loop {
        posts += 1;
        let failure = match client.send(&request) {
            Ok(answer) => match answer.status() {
                200..=299 => {
                    let told = answer.value().unwrap_or(Value::Null);
                    let key = told["dedup_key"].as_str().map(str::to_owned);
                    let dedup_key = event.dedup_key.map(|ours| key.unwrap_or(ours));
                    log::info!("PagerDuty has taken the event");
                    return Ok(Outputs { dedup_key });
                }
                429 => refusal(answer, "pagerduty", DOING, ""),
                408 | 500..=599 if repeatable => refusal(answer, "pagerduty", DOING, ""),
                408 | 500..=599 => {
                    return Err(unknown(&refusal(answer, "pagerduty", DOING, "")));
                }
                status => {
                    let remedy = match status {
                        400 => format!(
                            "a key that is unknown to PagerDuty is refused so, too: check the \
                             routing key of connection `{connection}`"
                        ),
                        _ => format!("check connection `{connection}`"),
                    };
                    return Err(refusal(answer, "pagerduty", DOING, &remedy));
                }
            },
            Err(error) if error.is_done() => {
                log::warn!("PagerDuty took the event before the process ended");
                return Ok(Outputs { dedup_key: event.dedup_key });
            }
            Err(error) if error.in_doubt && repeatable => error.into(),
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

fn unknown(doubt: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the change was recorded: {doubt}. It is not sent again; look at \
         the service's recent changes"
    );
    Failure::permanent("ambiguous", message).with_detail("inDoubt", true)
}

bowline_sdk::step!(run);
