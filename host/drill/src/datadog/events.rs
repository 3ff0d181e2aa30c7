//! Events, in both versions of the API: taken, numbered, and found a moment later.

use super::documents::{self, failed, required_text};
use super::errors::Refusal;
use crate::clock::seconds_between;
use crate::exchange::{Answer, Asked};
use crate::identity::Ids;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::VecDeque;

/// Events that are kept; older ones are forgotten.
const EVENTS_MAX: usize = 5_000;
/// The longest text of an event, in characters.
const TEXT_CHARACTERS_MAX: usize = 4_000;
/// The longest aggregation key.
const AGGREGATION_KEY_CHARACTERS_MAX: usize = 100;
/// The longest title of an event of version 2.
const TITLE_BYTES_MAX: usize = 10_000;
/// An event may have happened so many seconds ago.
const AGE_SECONDS_MAX: i64 = 18 * 3_600;
/// An event can be read so many seconds after it was taken.
const SETTLING_SECONDS: i64 = 2;
const ALERT_TYPES: &[&str] =
    &["error", "warning", "info", "success", "user_update", "recommendation", "snapshot"];

/// The events of a start.
#[derive(Debug, Default)]
pub(crate) struct Events {
    kept: VecDeque<Event>,
}

#[derive(Debug)]
struct Event {
    id: u64,
    taken: Timestamp,
    title: String,
    shown: Value,
}

impl Events {
    /// The titles of the events that are kept, oldest first.
    pub(crate) fn titles(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(|event| event.title.as_str())
    }

    /// Answers POST of version 1.
    pub(super) fn create_v1(
        &mut self,
        ids: &mut Ids,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let body: Value = serde_json::from_slice(&asked.body)
            .map_err(|_| Refusal::invalid_event("Payload is not in the expected format"))?;
        let sent = body
            .as_object()
            .ok_or_else(|| Refusal::invalid_event("Payload is not in the expected format"))?;
        check_v1(sent, now)?;
        let id = ids.large_number();
        let happened = sent.get("date_happened").and_then(Value::as_i64);
        let member = |key: &str| sent.get(key).cloned().unwrap_or(Value::Null);
        let event = json!({
            "id": id,
            "id_str": id.to_string(),
            "title": member("title"),
            "text": member("text"),
            "date_happened": happened.unwrap_or_else(|| now.as_second()),
            "handle": null,
            "priority": member("priority"),
            "related_event_id": member("related_event_id"),
            "tags": member("tags"),
            "url": format!("https://app.datadog.invalid/event/event?id={id}"),
        });
        let title = event["title"].as_str().unwrap_or_default().to_owned();
        self.keep(Event { id, taken: now, title, shown: event.clone() });
        Ok(Answer::json(202, &json!({"status": "ok", "event": event})).effect(true))
    }

    /// Answers GET of one event of version 1.
    pub(super) fn show_v1(&self, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
        let id: Option<u64> = asked.segments.get(3).and_then(|text| text.parse().ok());
        let event = self
            .kept
            .iter()
            .find(|event| Some(event.id) == id)
            .filter(|event| seconds_between(event.taken, now) >= SETTLING_SECONDS)
            .ok_or_else(Refusal::no_event)?;
        Ok(Answer::json(200, &json!({"event": event.shown})))
    }

    /// Answers POST of version 2.
    pub(super) fn create_v2(
        &mut self,
        ids: &mut Ids,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Answer, Refusal> {
        let sent = documents::attributes(asked, "event")?;
        let title = required_text(&sent, "title", TITLE_BYTES_MAX)?.to_owned();
        match sent.get("category").and_then(Value::as_str) {
            Some("change" | "alert") => {}
            _ => {
                let why = "value must be one of: [\"alert\", \"change\"]";
                return Err(failed("$.data.attributes.category", why));
            }
        }
        let is_changing = sent.get("category").and_then(Value::as_str) == Some("change");
        let resource = sent.get("attributes").and_then(|inner| inner.get("changed_resource"));
        if is_changing && !resource.is_some_and(Value::is_object) {
            let place = "$.data.attributes.attributes.changed_resource";
            return Err(failed(place, "value is required"));
        }
        let (id, uid) = (ids.large_number(), ids.suffix(24));
        let body = json!({
            "data": {
                "id": "_",
                "type": "event",
                "attributes": {"attributes": {"evt": {"id": id.to_string(), "uid": uid}}},
            },
            "links": {"self": format!("https://app.datadog.invalid/event/event?uid={uid}")},
        });
        self.keep(Event {
            id,
            taken: now,
            title,
            shown: json!({"id": id, "title": sent["title"]}),
        });
        Ok(Answer::json(202, &body).effect(true))
    }

    fn keep(&mut self, event: Event) {
        if self.kept.len() == EVENTS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(event);
    }
}

fn check_v1(sent: &Map<String, Value>, now: Timestamp) -> Result<(), Refusal> {
    for key in ["title", "text"] {
        match sent.get(key) {
            Some(Value::String(text)) if !text.is_empty() => {}
            _ => {
                let text = format!("'{key}' is a required field for events");
                return Err(Refusal::invalid_event(&text));
            }
        }
    }
    let characters =
        |key: &str| sent.get(key).and_then(Value::as_str).map_or(0, |text| text.chars().count());
    if characters("text") > TEXT_CHARACTERS_MAX {
        return Err(Refusal::invalid_event("Event text must not exceed 4000 characters"));
    }
    if characters("aggregation_key") > AGGREGATION_KEY_CHARACTERS_MAX {
        return Err(Refusal::invalid_event("aggregation_key must not exceed 100 characters"));
    }
    let choice = |key: &str, choices: &[&str]| match sent.get(key) {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(text)) if choices.contains(&text.as_str()) => Ok(()),
        Some(_) => Err(Refusal::invalid_event(&format!("invalid value for '{key}'"))),
    };
    choice("alert_type", ALERT_TYPES)?;
    choice("priority", &["normal", "low"])?;
    if sent.get("tags").is_some_and(|tags| !tags.is_array() && !tags.is_null()) {
        return Err(Refusal::invalid_event("'tags' must be a list"));
    }
    match sent.get("date_happened") {
        None | Some(Value::Null) => Ok(()),
        Some(time) => match time.as_i64() {
            Some(time) if now.as_second() - time.clamp(0, now.as_second()) > AGE_SECONDS_MAX => {
                Err(Refusal::invalid_event("Event too far in the past"))
            }
            Some(_) => Ok(()),
            None => Err(Refusal::invalid_event("'date_happened' must be a unix time")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_can_not_be_are_refused_with_words() {
        let now = Timestamp::from_second(2_000_000_000).expect("a time");
        for (event, wanted) in [
            (json!({"title": "a", "text": "b"}), None),
            (json!({"title": "a", "text": "b", "alert_type": "error", "tags": ["x:y"]}), None),
            (json!({"text": "b"}), Some("'title' is a required field for events")),
            (json!({"title": "a"}), Some("'text' is a required field for events")),
            (
                json!({"title": "a", "text": "b", "date_happened": 1}),
                Some("Event too far in the past"),
            ),
            (
                json!({"title": "a", "text": "b", "alert_type": "red"}),
                Some("invalid value for 'alert_type'"),
            ),
            (
                json!({"title": "a", "text": "x".repeat(4_001)}),
                Some("Event text must not exceed 4000 characters"),
            ),
        ] {
            let sent = event.as_object().expect("an object");
            let wanted = wanted.map(Refusal::invalid_event);
            assert_eq!(check_v1(sent, now).err(), wanted, "{event:.60}");
        }
    }
}
