//! Timelines: the cells of an incident, in order.
//!
//! Cells are taken with the documented key `content.message` and with the older
//! `content.content`, never with both, and are shown with the documented one.

use super::State;
use super::documents::{attributes, failed};
use super::errors::Refusal;
use super::incidents::{find, parse_id};
use super::stamp;
use crate::exchange::{Answer, Asked};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Cells of one incident.
const CELLS_MAX: usize = 1_000;
/// A text longer than this is refused. The real limit is not known.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;
const KIND: &str = "incident_timeline_cells";

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// Its id.
    pub(crate) id: Uuid,
    /// `markdown`, or another kind that only the service writes.
    pub(crate) kind: &'static str,
    /// The text; empty for other kinds than markdown.
    pub(crate) message: String,
    important: bool,
    created: Timestamp,
    modified: Timestamp,
    display_time: Timestamp,
    source: &'static str,
}

impl Cell {
    /// A cell that the service wrote by itself.
    pub(super) fn own(id: Uuid, kind: &'static str, message: &str, created: Timestamp) -> Self {
        Self {
            id,
            kind,
            message: message.to_owned(),
            important: false,
            created,
            modified: created,
            display_time: created,
            source: "datadog",
        }
    }

    /// A cell as a client describes it.
    pub(super) fn read(
        attributes: Option<&Map<String, Value>>,
        id: Uuid,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let place = "$.data.attributes";
        let attributes = attributes.ok_or_else(|| failed(place, "value must be an object"))?;
        match attributes.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => {}
            _ => {
                let why = "value must be one of: [\"markdown\"]";
                return Err(failed(&format!("{place}.cell_type"), why));
            }
        }
        let important = super::documents::flag(attributes, "important")?;
        let display_time = match attributes.get("display_time") {
            None | Some(Value::Null) => now,
            Some(time) => time.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| {
                failed(&format!("{place}.display_time"), "value must be a date and time")
            })?,
        };
        let message = message(attributes.get("content"))?.to_owned();
        Ok(Self {
            id,
            kind: "markdown",
            message,
            important,
            created: now,
            modified: now,
            display_time,
            source: "api",
        })
    }

    fn shown(&self, incident: Uuid) -> Value {
        json!({
            "type": KIND,
            "id": self.id.to_string(),
            "attributes": {
                "cell_type": self.kind,
                "content": {"message": self.message},
                "created": stamp(self.created),
                "modified": stamp(self.modified),
                "display_time": stamp(self.display_time),
                "important": self.important,
                "incident_id": incident.to_string(),
                "parent_uuid": null,
                "source": self.source,
            },
        })
    }
}

fn message(content: Option<&Value>) -> Result<&str, Refusal> {
    let place = "$.data.attributes.content";
    let Some(Value::Object(content)) = content else {
        return Err(failed(place, "value must be an object"));
    };
    let text = match (content.get("message"), content.get("content")) {
        (Some(_), Some(_)) => {
            return Err(failed(place, "value must not have both `message` and `content`"));
        }
        (Some(text), None) | (None, Some(text)) => text.as_str(),
        (None, None) => return Err(failed(&format!("{place}.message"), "value is required")),
    };
    match text {
        Some(text) if text.len() > MESSAGE_BYTES_MAX => {
            let why = format!("value must not be longer than {MESSAGE_BYTES_MAX} bytes");
            Err(failed(&format!("{place}.message"), &why))
        }
        Some(text) if !text.trim().is_empty() => Ok(text),
        _ => Err(failed(&format!("{place}.message"), "value must be a text that is not empty")),
    }
}

/// Answers GET and POST of a timeline.
pub(super) fn all(state: &mut State, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
    let id = incident_id(asked)?;
    let cell_id = state.ids.uuid();
    let incident = find(state, id).ok_or_else(Refusal::no_incident_here)?;
    if asked.method == Method::GET {
        let cells: Vec<Value> = incident.timeline.iter().map(|cell| cell.shown(id)).collect();
        return Ok(Answer::json(200, &json!({"data": cells})));
    }
    if incident.timeline.len() >= CELLS_MAX {
        return Err(Refusal::full("cells in this timeline"));
    }
    let cell = Cell::read(Some(&attributes(asked, KIND)?), cell_id, now)?;
    let shown = cell.shown(id);
    incident.timeline.push(cell);
    Ok(Answer::json(201, &json!({"data": shown})).effect(true))
}

/// Answers PATCH and DELETE of one cell.
pub(super) fn one(state: &mut State, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
    let id = incident_id(asked)?;
    let incident = find(state, id).ok_or_else(Refusal::no_incident_here)?;
    let cell_id = asked.segments.get(5).and_then(|text| parse_id(text));
    let position = incident
        .timeline
        .iter()
        .position(|cell| Some(cell.id) == cell_id && cell.kind == "markdown")
        .ok_or_else(Refusal::no_cell)?;
    if asked.method == Method::DELETE {
        incident.timeline.remove(position);
        return Ok(Answer::empty(204).effect(true));
    }
    let cell = &mut incident.timeline[position];
    let new = Cell::read(Some(&attributes(asked, KIND)?), cell.id, now)?;
    let took_effect = new.message != cell.message || new.important != cell.important;
    if took_effect {
        *cell = Cell { created: cell.created, ..new };
    }
    let shown = cell.shown(id);
    Ok(Answer::json(200, &json!({"data": shown})).effect(took_effect))
}

fn incident_id(asked: &Asked) -> Result<Uuid, Refusal> {
    asked.segments.get(3).and_then(|text| parse_id(text)).ok_or_else(Refusal::malformed_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_its_text_in_one_of_two_ways() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().expect("a time");
        for (content, wanted) in [
            (json!({"message": "done"}), Some("done")),
            (json!({"content": "done"}), Some("done")),
            (json!({"message": "a", "content": "b"}), None),
            (json!({"message": "  "}), None),
            (json!({"message": 7}), None),
            (json!({}), None),
            (json!("done"), None),
            (json!({"message": "x".repeat(MESSAGE_BYTES_MAX + 1)}), None),
        ] {
            let attributes = json!({"cell_type": "markdown", "content": content});
            let cell = Cell::read(attributes.as_object(), Uuid::nil(), now);
            assert_eq!(cell.ok().map(|cell| cell.message).as_deref(), wanted, "{content:.60}");
        }
    }

    #[test]
    fn only_markdown_is_written() {
        let now: Timestamp = "2026-07-01T00:00:00Z".parse().expect("a time");
        for attributes in [
            json!({"cell_type": "meeting_chat", "content": {"message": "a"}}),
            json!({"content": {"message": "a"}}),
            json!({"cell_type": "markdown", "important": "yes", "content": {"message": "a"}}),
            json!({"cell_type": "markdown", "display_time": "now", "content": {"message": "a"}}),
        ] {
            let refused =
                Cell::read(attributes.as_object(), Uuid::nil(), now).expect_err("refused");
            assert_eq!(refused.status, 400, "{attributes}");
        }
    }
}
