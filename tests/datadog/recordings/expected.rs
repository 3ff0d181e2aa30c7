//! The right end of an interaction, told from the recorded answer alone, and what differs from it.

use super::Interaction;
use super::play::{Play, Way};
use crate::support::server::Received;
use serde_json::Value;

/// How a step ended.
pub(crate) struct Ended {
    pub(crate) outputs: Value,
    pub(crate) succeeded: bool,
    pub(crate) failure: Value,
    pub(crate) requests: Vec<Received>,
    pub(crate) complaints: Vec<String>,
}

/// What is different from what should be.
pub(crate) fn compare(one: &Interaction, play: &Play, ended: &Ended) -> Result<(), String> {
    if !ended.complaints.is_empty() {
        return Err(ended.complaints.join("; "));
    }
    if ended.requests.is_empty() {
        return Err(format!("{}: nothing was sent; {}", one.name, ended.failure));
    }
    let found = match one.status {
        200..=299 => success(one, play, ended),
        _ => refusal(one, play, ended),
    };
    found.and_then(|()| request(one, play, ended)).map_err(|why| format!("{}: {why}", one.name))
}

fn success(one: &Interaction, play: &Play, ended: &Ended) -> Result<(), String> {
    let outputs = &ended.outputs;
    let data = &one.response["data"];
    let items = data.as_array().map(Vec::as_slice).unwrap_or_default();
    match play.way {
        Way::Find => match items.last() {
            None => code(ended, "datadog.not-found"),
            Some(last) => {
                done(ended)?;
                same("incident_id", outputs, &last["id"])?;
                same("public_id", outputs, &last["attributes"]["public_id"])
            }
        },
        Way::Declare if data["id"].is_string() && data["attributes"]["public_id"].is_u64() => {
            done(ended)?;
            same("incident_id", outputs, &data["id"])?;
            same("public_id", outputs, &data["attributes"]["public_id"])?;
            same("created", outputs, &true.into())
        }
        // It is there, but nobody can tell which it is.
        Way::Declare => code(ended, "ambiguous"),
        Way::See | Way::Change => {
            done(ended)?;
            same("changed", outputs, &(play.way == Way::Change).into())?;
            same("public_id", outputs, &data["attributes"]["public_id"])?;
            match data["attributes"]["title"].as_str().map(str::trim) {
                Some(title) if !title.is_empty() => same("title", outputs, &title.into()),
                _ => Ok(()),
            }
        }
        Way::Note => {
            done(ended)?;
            let event = &one.response["event"];
            let number = event["id"].as_u64().map(|id| id.to_string().into());
            let id = event["id_str"].as_str().map(Value::from).or(number);
            same("event_id", outputs, &id.unwrap_or_default())
        }
        Way::Tell => {
            done(ended)?;
            same("cell_id", outputs, &data["id"])
        }
        Way::Refusal | Way::Read => Err("a success is no refusal".to_owned()),
    }
}

/// What a status means, and what of the body a person must see.
fn refusal(one: &Interaction, play: &Play, ended: &Ended) -> Result<(), String> {
    let class = match one.status {
        300..=399 => "datadog.redirected",
        400 | 413 | 415 | 422 => "datadog.invalid",
        401 => "datadog.unauthorized",
        403 => "datadog.forbidden",
        404 | 410 => "datadog.not-found",
        409 | 412 => "datadog.conflict",
        429 => "datadog.throttled",
        408 | 500..=599 if play.way == Way::Note => "ambiguous",
        408 | 500..=599 => "datadog.unavailable",
        _ => "datadog.unexpected",
    };
    code(ended, class)?;
    let message = ended.failure["message"].as_str().unwrap_or_default();
    match told(&one.response) {
        Some(text) if !message.contains(&text) => Err(format!("`{text}` is not in: {message}")),
        _ => Ok(()),
    }
}

/// The beginning of the first text for people in an error body.
fn told(body: &Value) -> Option<String> {
    let error = match &body["errors"] {
        Value::Array(errors) => errors.first()?,
        Value::Null => body.get("error").or(body.get("message"))?,
        one => one,
    };
    let text = error.as_str().or(error["detail"].as_str()).or(error["title"].as_str())?;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(line.chars().take(80).collect())
}

/// The step's request says what the recorded one said, as far as the step was told.
fn request(one: &Interaction, play: &Play, ended: &Ended) -> Result<(), String> {
    let Some(sent) = ended.requests.iter().find(|it| it.method == one.method) else {
        return Ok(());
    };
    let sent: Value = serde_json::from_str(&sent.body).unwrap_or_default();
    let recorded = &one.request;
    match play.way {
        Way::Change if play.whole => {
            let ours = &sent["data"];
            let theirs = &recorded["data"];
            if ours["attributes"] == theirs["attributes"]
                && ours["relationships"] == theirs["relationships"]
            {
                return Ok(());
            }
            Err(format!("sent {ours}, and {theirs} was recorded"))
        }
        Way::Declare if play.whole => {
            members(&sent["data"]["attributes"], &recorded["data"]["attributes"])
        }
        Way::Note if play.whole => {
            // Tags are normalised, which is more than the recorded client did.
            let mut recorded = recorded.clone();
            if let Some(tags) = recorded["tags"].as_array_mut() {
                for tag in tags {
                    *tag = tag.as_str().map(str::to_lowercase).into();
                }
            }
            members(&sent, &recorded)
        }
        _ => Ok(()),
    }
}

/// Every recorded member was sent, too.
fn members(sent: &Value, recorded: &Value) -> Result<(), String> {
    for (name, value) in recorded.as_object().into_iter().flatten() {
        if sent[name] != *value && value != &Value::Bool(false) {
            return Err(format!("`{name}` was sent as {}, and {value} was recorded", sent[name]));
        }
    }
    Ok(())
}

/// An answer that no step asks for: it is JSON or nothing, and each incident in it can be read.
pub(crate) fn readable(one: &Interaction) -> Result<(), String> {
    let mut unread = Vec::new();
    visit(&one.response, &mut |item| {
        let number = item["attributes"]["public_id"].as_u64();
        if item["type"] == "incidents" && item["id"].is_string() && number.is_some() {
            let read = datadog_api::Incident::read(item);
            let same =
                read.is_some_and(|it| Some(it.number) == number && item["id"] == it.id.as_str());
            if !same {
                unread.push(item["id"].to_string());
            }
        }
    });
    if unread.is_empty() { Ok(()) } else { Err(format!("{}: can't read {unread:?}", one.name)) }
}

fn visit(value: &Value, look: &mut dyn FnMut(&Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        Value::Object(members) => {
            look(value);
            members.values().for_each(|member| visit(member, look));
        }
        _ => {}
    }
}

fn done(ended: &Ended) -> Result<(), String> {
    if ended.succeeded { Ok(()) } else { Err(format!("failed: {}", ended.failure)) }
}

fn code(ended: &Ended, expected: &str) -> Result<(), String> {
    if ended.failure["code"] == expected {
        return Ok(());
    }
    let found = if ended.succeeded { &ended.outputs } else { &ended.failure };
    Err(format!("should have failed with `{expected}`: {found}"))
}

fn same(name: &str, outputs: &Value, expected: &Value) -> Result<(), String> {
    if outputs[name] == *expected {
        return Ok(());
    }
    Err(format!("`{name}` is {}, and {expected} was recorded", outputs[name]))
}
