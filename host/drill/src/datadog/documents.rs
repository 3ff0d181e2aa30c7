//! Reading what clients send: one JSON:API document, checked for its outer shape.

use super::errors::Refusal;
use crate::exchange::Asked;
use serde_json::{Map, Value};

/// `data.attributes` of the body (empty when absent), after checking `data.type`.
pub(super) fn attributes(asked: &Asked, kind: &str) -> Result<Map<String, Value>, Refusal> {
    let data = data(asked, kind)?;
    match data.get("attributes") {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(attributes)) => Ok(attributes.clone()),
        Some(_) => Err(failed("$.data.attributes", "value must be an object")),
    }
}

/// `data` of the body, after checking its type.
pub(super) fn data(asked: &Asked, kind: &str) -> Result<Map<String, Value>, Refusal> {
    let body = json_body(asked)?;
    let Some(Value::Object(data)) = body.get("data") else {
        return Err(failed("$.data", "value must be an object"));
    };
    match data.get("type").and_then(Value::as_str) {
        Some(found) if found == kind => Ok(data.clone()),
        Some(found) => {
            Err(Refusal::invalid(&format!("got type {found:?} expected one of {kind:?}")))
        }
        None => Err(failed("$.data.type", "value is required")),
    }
}

/// The body as JSON.
pub(super) fn json_body(asked: &Asked) -> Result<Value, Refusal> {
    match asked.media_type().as_deref() {
        None | Some("application/json" | "application/vnd.api+json") => {}
        Some(other) => {
            let detail = format!("content type {other:?} is not supported, send application/json");
            return Err(Refusal::invalid(&detail));
        }
    }
    serde_json::from_slice(&asked.body)
        .map_err(|problem| Refusal::invalid(&format!("the body is not JSON: {problem}")))
}

/// 400: the value at `place` is wrong.
pub(super) fn failed(place: &str, why: &str) -> Refusal {
    Refusal::invalid(&format!("JSON validation failed at {place}: {why}."))
}

/// A text that must be there and not blank, of at most `bytes_max` bytes.
pub(super) fn required_text<'a>(
    attributes: &'a Map<String, Value>,
    key: &str,
    bytes_max: usize,
) -> Result<&'a str, Refusal> {
    let place = format!("$.data.attributes.{key}");
    match attributes.get(key) {
        Some(Value::String(text)) if text.len() > bytes_max => {
            Err(failed(&place, &format!("value must not be longer than {bytes_max} bytes")))
        }
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(text),
        Some(Value::String(_)) => Err(failed(&place, "value must not be empty")),
        Some(_) => Err(failed(&place, "value must be a string")),
        None => Err(failed(&place, "value is required")),
    }
}

/// A flag that may be absent, which means no.
pub(super) fn flag(attributes: &Map<String, Value>, key: &str) -> Result<bool, Refusal> {
    match attributes.get(key) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(failed(&format!("$.data.attributes.{key}"), "value must be a boolean")),
    }
}
