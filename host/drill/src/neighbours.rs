//! The small practice services beside the two big ones: a Slack, a PagerDuty, and an HTTP API that
//! says what it was sent.
//!
//! They stand on the practice Datadog's address under `/_practice/`, take the keys of this start,
//! and remember in one line what they were told, so that a rehearsal can show it. They do no more
//! than a runbook needs.

use crate::credentials::{Credentials, same};
use crate::exchange::{Answer, Asked};
use http::Method;
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// What is remembered; later messages are taken and forgotten.
const TOLD_MAX: usize = 5_000;

/// What the neighbours were told.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    told: Mutex<Vec<String>>,
}

impl Neighbours {
    /// One line for each message, oldest first.
    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A fresh start.
    pub(crate) fn clear(&self) {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Answers a request under `/_practice/`.
    pub(crate) fn answer(&self, asked: Option<&Asked>, keys: &Credentials) -> Answer {
        let Some(asked) = asked else {
            return Answer::json(400, &json!({"error": "the request can't be read"}));
        };
        let path: Vec<&str> = asked.segments.iter().skip(1).map(String::as_str).collect();
        match (&asked.method, path.as_slice()) {
            (&Method::POST, ["slack", "chat.postMessage"]) => self.slack(asked, keys),
            (&Method::POST, ["pagerduty", "v2", "enqueue"]) => self.alert(asked, keys),
            (&Method::POST, ["pagerduty", "v2", "change", "enqueue"]) => self.change(asked, keys),
            (_, ["http", ..]) => self.echo(asked, keys, &path[1..]),
            _ => Answer::json(404, &json!({"error": "there is no such practice service"})),
        }
    }

    fn tell(&self, line: String) -> usize {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_MAX {
            told.push(line);
        }
        told.len()
    }

    fn slack(&self, asked: &Asked, keys: &Credentials) -> Answer {
        let refuse = |error: &str| Answer::json(200, &json!({"ok": false, "error": error}));
        if !has_token(asked, keys) {
            return refuse("invalid_auth");
        }
        let Some(message) = body(asked) else { return refuse("invalid_json") };
        let text = message["text"].as_str().unwrap_or_default();
        let blocks = message["blocks"].as_array().map_or(0, Vec::len);
        match message["channel"].as_str() {
            None | Some("") => refuse("channel_not_found"),
            Some(_) if text.is_empty() && blocks == 0 => refuse("no_text"),
            Some(channel) => {
                let blocks =
                    if blocks > 0 { format!(" and {blocks} blocks") } else { String::new() };
                let number = self.tell(format!("Slack {channel}: {text:?}{blocks}"));
                let ts = format!("1700000000.{number:06}");
                let channel = format!("C{:010}", channel.len());
                Answer::json(200, &json!({"ok": true, "channel": channel, "ts": ts})).effect(true)
            }
        }
    }

    fn alert(&self, asked: &Asked, keys: &Credentials) -> Answer {
        let event = match event(asked, keys) {
            Ok(event) => event,
            Err(refusal) => return refusal,
        };
        let action = event["event_action"].as_str().unwrap_or_default();
        let key = event["dedup_key"].as_str().unwrap_or("practice").to_owned();
        let missing = match action {
            "trigger" => ["summary", "source", "severity"]
                .into_iter()
                .find(|name| event["payload"][*name].as_str().is_none_or(str::is_empty)),
            "acknowledge" | "resolve" => None,
            _ => Some("event_action"),
        };
        if let Some(name) = missing {
            return invalid(&format!("'{name}' is missing or blank"));
        }
        let summary = event["payload"]["summary"].as_str().unwrap_or("the alert");
        self.tell(format!("PagerDuty {action}: {summary:?}"));
        let told = json!({"status": "success", "message": "Event processed", "dedup_key": key});
        Answer::json(202, &told).effect(true)
    }

    fn change(&self, asked: &Asked, keys: &Credentials) -> Answer {
        let event = match event(asked, keys) {
            Ok(event) => event,
            Err(refusal) => return refusal,
        };
        let Some(summary) = event["payload"]["summary"].as_str() else {
            return invalid("'payload.summary' is missing or blank");
        };
        self.tell(format!("PagerDuty change: {summary:?}"));
        let told = json!({"status": "success", "message": "Change event processed"});
        Answer::json(202, &told).effect(true)
    }

    fn echo(&self, asked: &Asked, keys: &Credentials, path: &[&str]) -> Answer {
        if !has_token(asked, keys) {
            return Answer::json(401, &json!({"error": "the token is missing or wrong"}));
        }
        let (method, path) = (asked.method.as_str(), path.join("/"));
        let sent = body(asked).unwrap_or_else(|| String::from_utf8_lossy(&asked.body).into());
        let writes = !matches!(asked.method, Method::GET | Method::HEAD | Method::OPTIONS);
        if writes {
            self.tell(format!("HTTP {method} /{path}: {sent}"));
        }
        let echo = json!({"method": method, "path": format!("/{path}"), "body": sent});
        Answer::json(200, &echo).effect(writes)
    }
}

fn body(asked: &Asked) -> Option<Value> {
    serde_json::from_slice(&asked.body).ok()
}

fn has_token(asked: &Asked, keys: &Credentials) -> bool {
    let shown = asked.header("authorization").and_then(|text| text.strip_prefix("Bearer "));
    shown.is_some_and(|token| same(token.as_bytes(), keys.token.as_bytes()))
}

/// An event with the right key in it.
fn event(asked: &Asked, keys: &Credentials) -> Result<Value, Answer> {
    let event = body(asked).ok_or_else(|| invalid("the event is no JSON"))?;
    let key = event["routing_key"].as_str().unwrap_or_default();
    if same(key.as_bytes(), keys.api_key.as_bytes()) {
        Ok(event)
    } else {
        Err(invalid("'routing_key' is missing or blank"))
    }
}

fn invalid(error: &str) -> Answer {
    let body =
        json!({"status": "invalid event", "message": "Event object is invalid", "errors": [error]});
    Answer::json(400, &body)
}
