//! Which step an interaction belongs to, with which inputs, and how its requests are answered.

use super::Interaction;
use crate::datadog::replay::Reply;
use crate::support::server::Received;
use serde_json::{Map, Value, json};

/// How an interaction is played.
#[derive(Clone, Debug)]
pub(crate) struct Play {
    /// The step; none when the interaction is only read.
    pub(crate) step: Option<&'static str>,
    pub(crate) inputs: Map<String, Value>,
    pub(crate) way: Way,
    /// The inputs say everything that the recorded request said.
    pub(crate) whole: bool,
}

/// What the recorded answer is an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// A page of the list of incidents.
    Find,
    /// One incident, which is as it should be.
    See,
    /// The change of an incident.
    Change,
    /// A declaration.
    Declare,
    /// An event.
    Note,
    /// A cell of a timeline.
    Tell,
    /// Something that no step asks for: its refusal comes as an answer to a list.
    Refusal,
    /// Something that no step asks for, and no refusal.
    Read,
}

impl Play {
    pub(crate) fn of(one: &Interaction) -> Self {
        let path: Vec<&str> = one.path.trim_matches('/').split('/').collect();
        let play = match (one.method.as_str(), path.as_slice()) {
            ("GET", ["api", "v2", "incidents"]) => find(one),
            ("GET", ["api", "v2", "incidents", id]) if is_id(id) => see(one, id),
            ("PATCH", ["api", "v2", "incidents", id]) if is_id(id) => change(one, id),
            ("POST", ["api", "v2", "incidents"]) => declare(one),
            ("POST", ["api", "v1", "events"]) => note(one),
            ("POST", ["api", "v2", "incidents", id, "timeline"]) if is_id(id) => tell(one, id),
            _ => None,
        };
        play.unwrap_or_else(|| match one.status {
            400.. => {
                let inputs = members(json!({"public_id": 1}));
                Self::new("datadog-incident-extract-id", inputs, Way::Refusal)
            }
            _ => Self { step: None, inputs: Map::new(), way: Way::Read, whole: false },
        })
    }

    fn new(step: &'static str, inputs: Map<String, Value>, way: Way) -> Self {
        Self { step: Some(step), inputs, way, whole: true }
    }

    /// For counting: `step`, `refusal` or `read`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.way {
            Way::Refusal => "refusal",
            Way::Read => "read",
            _ => "step",
        }
    }

    /// The answer to one request of the step.
    pub(crate) fn answer(&self, one: &Interaction, asked: &Received) -> Result<Reply, String> {
        let headers = one.headers.iter().filter(|(name, _)| is_of_the_message(name)).cloned();
        let recorded = Reply {
            status: one.status,
            headers: headers.collect(),
            body: one.response_text(),
            ..Reply::default()
        };
        let list = || Reply::json(200, &json!({"data": []}));
        match (self.way, asked.method.as_str()) {
            (Way::Find, "GET") if one.status == 200 => Ok(page(one, asked)),
            (Way::Find | Way::Refusal | Way::See, "GET") => Ok(recorded),
            (Way::Change, "PATCH") | (Way::Declare | Way::Note | Way::Tell, "POST") => Ok(recorded),
            // Before the change the incident shows nothing of what is wished.
            (Way::Change, "GET") => {
                let id = &self.inputs["incident_id"];
                let commander = self.inputs.get("commander").filter(|user| *user == "none");
                let commander = commander.map(|_| json!({"data": {"id": "somebody"}}));
                let attributes = json!({"public_id": 1, "commander": commander});
                Ok(Reply::json(
                    200,
                    &json!({"data": {"id": id, "type": "incidents", "attributes": attributes}}),
                ))
            }
            // Whoever looks after an answer that proves nothing finds nothing.
            (Way::Declare | Way::Tell, "GET") => Ok(list()),
            (way, method) => Err(format!("{}: {way:?} must not send {method}", one.name)),
        }
    }
}

/// Framing and connection belong to the server.
fn is_of_the_message(name: &str) -> bool {
    name == "content-type" || name == "retry-after" || name.starts_with("x-ratelimit")
}

fn members(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

pub(crate) fn is_id(text: &str) -> bool {
    let digits: String = text.chars().filter(|letter| *letter != '-').collect();
    matches!(text.len(), 32 | 36)
        && digits.len() == 32
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The recorded page, where its first incident would stand in the whole list.
fn page(one: &Interaction, asked: &Received) -> Reply {
    let items = one.response["data"].as_array().cloned().unwrap_or_default();
    let start = items.first().and_then(|item| item["attributes"]["public_id"].as_u64());
    let start = start.unwrap_or(1) - 1;
    let offset = asked.query.split('&').find_map(|pair| pair.strip_prefix("page[offset]="));
    let offset: u64 = offset.and_then(|text| text.parse().ok()).unwrap_or(0);
    let skip = usize::try_from(offset.saturating_sub(start)).unwrap_or(usize::MAX);
    let mut body = one.response.clone();
    body["data"] = items.into_iter().skip(skip).collect();
    Reply::json(200, &body)
}

fn find(one: &Interaction) -> Option<Play> {
    let items = one.response["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wanted = match items.last() {
        _ if one.status != 200 => 1,
        None => 1,
        Some(item) => item["attributes"]["public_id"].as_u64()?,
    };
    let inputs = members(json!({"public_id": wanted}));
    Some(Play::new("datadog-incident-extract-id", inputs, Way::Find))
}

fn see(one: &Interaction, id: &str) -> Option<Play> {
    let attributes = &one.response["data"]["attributes"];
    let state = attributes["fields"]["state"]["value"].as_str().or(attributes["state"].as_str());
    let state = if one.status == 200 { state? } else { "stable" };
    let inputs = members(json!({"incident_id": id, "state": state}));
    Some(Play::new("datadog-incident-update", inputs, Way::See))
}

fn change(one: &Interaction, id: &str) -> Option<Play> {
    let data = &one.request["data"];
    let mut inputs = Map::new();
    let mut whole = true;
    for (name, value) in data["attributes"].as_object().into_iter().flatten() {
        let known = ["title", "fields", "customer_impacted", "customer_impact_scope"];
        if known.contains(&name.as_str()) && !value.is_null() {
            inputs.insert(name.clone(), value.clone());
        } else {
            whole = false;
        }
    }
    for (name, value) in data["relationships"].as_object().into_iter().flatten() {
        match (name.as_str(), &value["data"]) {
            ("commander_user", Value::Null) => inputs.insert("commander".into(), "none".into()),
            ("commander_user", user) => inputs.insert("commander".into(), user["id"].clone()),
            _ => {
                whole = false;
                None
            }
        };
    }
    let wished = !inputs.is_empty();
    inputs.insert("incident_id".into(), id.into());
    wished.then(|| Play { whole, ..Play::new("datadog-incident-update", inputs, Way::Change) })
}

fn declare(one: &Interaction) -> Option<Play> {
    let data = &one.request["data"];
    let mut inputs = Map::new();
    let mut whole = data["attributes"].get("customer_impacted").is_some();
    for (name, value) in data["attributes"].as_object()? {
        let known = [
            "title",
            "fields",
            "customer_impacted",
            "customer_impact_scope",
            "notification_handles",
            "is_test",
        ];
        match name.as_str() {
            "incident_type_uuid" => inputs.insert("incident_type".into(), value.clone()),
            name if known.contains(&name) => inputs.insert(name.to_owned(), value.clone()),
            _ => {
                whole = false;
                None
            }
        };
    }
    for (name, value) in data["relationships"].as_object().into_iter().flatten() {
        let user = value["data"]["id"].as_str().filter(|id| is_id(id));
        match (name.as_str(), user) {
            ("commander_user", Some(id)) => inputs.insert("commander".into(), id.into()),
            _ => {
                whole = false;
                None
            }
        };
    }
    // Recorded before the service wanted both together.
    if inputs.get("customer_impacted") == Some(&json!(false))
        && inputs.remove("customer_impact_scope").is_some()
    {
        whole = false;
    }
    let title = inputs.get("title").and_then(Value::as_str).is_some_and(|it| !it.trim().is_empty());
    title.then(|| Play { whole, ..Play::new("datadog-incident-create", inputs, Way::Declare) })
}

fn note(one: &Interaction) -> Option<Play> {
    let sent = one.request.as_object()?;
    let mut inputs = Map::new();
    let mut whole = true;
    for (name, value) in sent {
        let key = match name.as_str() {
            "title" => "event_title",
            "text" => "event_text",
            "alert_type" => "event_type",
            "tags" | "priority" | "host" | "date_happened" | "aggregation_key" => name,
            _ => {
                whole = false;
                continue;
            }
        };
        inputs.insert(key.to_owned(), value.clone());
    }
    let said = ["event_title", "event_text"].iter().all(|name| {
        inputs.get(*name).and_then(Value::as_str).is_some_and(|it| !it.trim().is_empty())
    });
    said.then(|| Play { whole, ..Play::new("datadog-event-post", inputs, Way::Note) })
}

fn tell(one: &Interaction, id: &str) -> Option<Play> {
    let content = &one.request["data"]["attributes"]["content"];
    let text = content["message"].as_str().or(content["content"].as_str());
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or("a text");
    let inputs = members(json!({"incident_id": id, "timeline_cell_content": text}));
    Some(Play { whole: false, ..Play::new("datadog-incident-timeline-update", inputs, Way::Tell) })
}
