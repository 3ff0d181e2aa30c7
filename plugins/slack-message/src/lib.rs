//! The step `slack-message`: one message in a Slack channel.
//!
//! Inputs begin with those of Relay's step `slack-step-message-send`. What is sent is made in
//! `message`, what an answer means is told in `verdict`; here it is decided how often it is sent.

mod inputs;
pub mod message;
mod verdict;

pub use inputs::{Inputs, Outputs};

use bowline_sdk::http::{Client, Request};
use bowline_sdk::{ConnectError, Context, Failure, log, retry::Patience};
use verdict::Verdict;

/// The most posts of the same message.
const POSTS_MAX: u32 = 4;

/// Sends the message; again only after an answer that proves that it was not taken.
///
/// # Errors
///
/// `config` when an input can't be right; `slack.forbidden`, `slack.not-found`, `slack.throttled`
/// and so on; `ambiguous` when nobody can tell whether it was sent.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let body = message::body(&inputs)?;
    let request = Request::post("/chat.postMessage")
        .header("content-type", "application/json; charset=utf-8")
        .text(&serde_json::to_string(&body).map_err(|e| ConnectError::invalid(e.to_string()))?);
    let client = Client::open(ctx, "slack")?;
    let connection = &inputs.connection.connection.name;
    let mut posts = 0;
    loop {
        posts += 1;
        match verdict::judge(client.send(&request), connection) {
            Verdict::Sent(outputs) => {
                log::info!("sent to {}", outputs.channel.as_deref().unwrap_or("the channel"));
                return Ok(outputs);
            }
            Verdict::Refused(failure) => return Err(failure),
            Verdict::InDoubt(doubt) => {
                let message = format!(
                    "nobody can tell whether the message was sent: {doubt}. It is not sent again; \
                     look into the channel"
                );
                let failure = Failure::permanent("ambiguous", message);
                return Err(failure.with_detail("inDoubt", true));
            }
            Verdict::NotYet(failure) => {
                let patience = Patience { tries: POSTS_MAX, ..Patience::default() };
                if !patience.wait(ctx, posts + 1, failure.retry_after()) {
                    return Err(failure);
                }
            }
        }
    }
}

bowline_sdk::step!(run);
