//! What Slack's answers mean. A refusal comes with status 200 and `ok: false`.

use crate::Outputs;
use bowline_sdk::http::{Response, refusal};
use bowline_sdk::{ConnectError, Failure, log, shown};
use serde_json::Value;

/// What the step is doing, for its failures.
const DOING: &str = "can't send the message";

/// What an answer means.
pub(crate) enum Verdict {
    /// It is there.
    Sent(Outputs),
    /// Certainly not there; the same again after the wait that was asked for.
    NotYet(Failure),
    /// Nobody knows.
    InDoubt(Failure),
    /// Certainly not there, for good.
    Refused(Failure),
}

pub(crate) fn judge(outcome: Result<Response, ConnectError>, connection: &str) -> Verdict {
    let answer = match outcome {
        Ok(answer) if answer.is_stand_in() => return lost(),
        Ok(answer) => answer,
        Err(error) if error.is_done() => return lost(),
        Err(error) if error.in_doubt => return Verdict::InDoubt(error.into()),
        Err(error) if error.worth_repeating() => return Verdict::NotYet(error.into()),
        Err(error) => return Verdict::Refused(error.into()),
    };
    let wait = answer.retry_after();
    match answer.status() {
        200..=299 => match answer.value() {
            Ok(body) => told(&body, wait, connection),
            Err(failure) => Verdict::InDoubt(failure),
        },
        429 => Verdict::NotYet(refusal(answer, "slack", DOING, "")),
        408 | 500..=599 => Verdict::InDoubt(refusal(answer, "slack", DOING, "")),
        _ => Verdict::Refused(refusal(answer, "slack", DOING, "check the connection's base URL")),
    }
}

/// It is there, and what Slack said of it is lost.
fn lost() -> Verdict {
    log::warn!("the message was sent before the process ended; its `ts` is lost");
    Verdict::Sent(Outputs { ts: None, channel: None })
}

fn told(body: &Value, wait: Option<std::time::Duration>, connection: &str) -> Verdict {
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    if body["ok"] == true {
        for warning in body["response_metadata"]["warnings"].as_array().into_iter().flatten() {
            log::warn!("Slack warns: {}", shown(warning.as_str().unwrap_or_default()));
        }
        return Verdict::Sent(Outputs { ts: text("ts"), channel: text("channel") });
    }
    let error = body["error"].as_str().unwrap_or("no error is named");
    let (class, remedy) = meaning(error, body, connection);
    let hints = body["response_metadata"]["messages"].as_array();
    let hint = hints.and_then(|hints| hints.first()).and_then(Value::as_str).map(shown);
    let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
    let message = format!("{DOING}: slack answered `{}`{hint}; {remedy}", shown(error));
    let code = format!("slack.{class}");
    match class {
        "throttled" => Verdict::NotYet(Failure::retryable(code, message, wait)),
        "unavailable" => Verdict::InDoubt(Failure::permanent(code, message)),
        _ => Verdict::Refused(Failure::permanent(code, message).with_detail("error", error)),
    }
}

/// The class of an error that Slack names, and what to do about it.
fn meaning(error: &str, body: &Value, connection: &str) -> (&'static str, String) {
    match error {
        "invalid_auth" | "not_authed" | "account_inactive" | "token_revoked" | "token_expired" => {
            ("unauthorized", format!("the token of connection `{connection}` is not accepted"))
        }
        "missing_scope" => {
            let needed = shown(body["needed"].as_str().unwrap_or("chat:write"));
            ("forbidden", format!("give the app of connection `{connection}` the scope `{needed}`"))
        }
        "not_in_channel" => {
            ("forbidden", format!("invite the app of connection `{connection}` to the channel"))
        }
        "channel_not_found" => (
            "not-found",
            "check `channel`; a private channel is only seen by an app that was invited".to_owned(),
        ),
        "is_archived" => ("conflict", "the channel is archived; name another one".to_owned()),
        "ratelimited" | "rate_limited" => {
            ("throttled", "Slack takes about one message a second to a channel".to_owned())
        }
        "fatal_error" | "internal_error" | "service_unavailable" | "request_timeout" => {
            ("unavailable", "try again later".to_owned())
        }
        "access_denied"
        | "no_permission"
        | "ekm_access_denied"
        | "org_login_required"
        | "enterprise_is_restricted"
        | "team_access_not_granted" => {
            ("forbidden", "an administrator of the workspace does not allow it".to_owned())
        }
        _ if error.starts_with("restricted_action") => {
            ("forbidden", "the workspace does not let the app post there".to_owned())
        }
        _ => ("invalid", "see Slack's errors of chat.postMessage".to_owned()),
    }
}
