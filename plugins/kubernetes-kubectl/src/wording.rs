//! What the cluster's errors are called: kubectl's texts, with the remedy behind them.
//!
//! Only words; whether to try again is decided elsewhere.

use crate::members::holds;
use bowline_sdk::{ConnectError, Failure, Reason};
use serde_json::Value;

/// A failure's message as kubectl would print it on its error output.
pub(crate) fn as_printed(message: &str) -> String {
    if message.starts_with("Error from server")
        || message.starts_with("The ") && !message.starts_with("The -")
    {
        message.to_owned()
    } else {
        format!("error: {message}")
    }
}

/// What the server itself said, without any wrapping.
pub(crate) fn said(error: &ConnectError) -> String {
    match error.answer().get("message").and_then(Value::as_str) {
        Some(message) if !message.is_empty() => message.to_owned(),
        _ => error.message.clone(),
    }
}

/// The failure of the first look at an object.
pub(crate) fn first_look(error: ConnectError, remedy: &str) -> Failure {
    if error.reason != Reason::Remote {
        return error.into();
    }
    let said = said(&error);
    let reason = error.answer()["reason"].as_str().map(str::to_owned);
    let reason = reason.or_else(|| reason_of(error.status).map(str::to_owned));
    let text = match (error.status, reason) {
        (Some(401), _) => format!("You must be logged in to the server ({said})"),
        (_, Some(reason)) if reason == "Invalid" => invalid(&said),
        (_, Some(reason)) => format!("Error from server ({reason}): {said}"),
        (_, None) => said,
    };
    with_remedy(error, &text, remedy)
}

/// `Deployment.apps "web" is invalid: …` as kubectl tells it: without the group.
fn invalid(said: &str) -> String {
    match said.split_once(' ') {
        Some((kind, rest)) if holds(rest, "\" is invalid: ") => {
            let kind = kind.split_once('.').map_or(kind, |(kind, _group)| kind);
            format!("The {kind} {rest}")
        }
        _ => format!("The request is invalid: {said}"),
    }
}

/// The failure of a later call: `while_doing` is how kubectl begins the line.
pub(crate) fn later(error: ConnectError, while_doing: &str, remedy: &str) -> Failure {
    if error.reason != Reason::Remote {
        return error.into();
    }
    let text = format!("{while_doing}: {}", said(&error));
    with_remedy(error, &text, remedy)
}

fn with_remedy(error: ConnectError, text: &str, remedy: &str) -> Failure {
    let remedy = match error.status {
        Some(401) => "; the credentials of the connection are expired or invalid".to_owned(),
        Some(403) if !holds(&error.code, "denied") && is_rbac(text) => format!("; {remedy}"),
        _ => String::new(),
    };
    Failure::from(error).with_message(format!("{text}{remedy}"))
}

/// A webhook that refuses answers 403 as well, and no role helps against that.
fn is_rbac(text: &str) -> bool {
    holds(text, "is forbidden: User ")
}

fn reason_of(status: Option<u16>) -> Option<&'static str> {
    Some(match status? {
        400 => "BadRequest",
        403 => "Forbidden",
        404 => "NotFound",
        405 => "MethodNotAllowed",
        409 => "Conflict",
        410 => "Expired",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => return None,
    })
}
