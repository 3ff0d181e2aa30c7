//! Incidents: list, get, create, change, delete.
//!
//! The list is oldest first and tells a next offset even when there is nothing more, as the
//! real one does; a client must look at what it got.

use super::State;
use super::documents::{attributes, data, failed, flag, required_text};
use super::errors::Refusal;
use super::people;
use super::stamp;
use super::timeline::Cell;
use crate::clock::seconds_between;
use crate::exchange::{Answer, Asked};
use http::Method;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Incidents in the practice Datadog, the deleted ones included.
const INCIDENTS_MAX: usize = 10_000;
/// A title longer than this is refused.
const TITLE_BYTES_MAX: usize = 10_000;
/// A page of the list when nothing is said.
const PAGE_SIZE_DEFAULT: usize = 25;
/// The largest page.
const PAGE_SIZE_MAX: usize = 100;
/// Custom fields of an incident.
const FIELDS_MAX: usize = 200;
const FIELD_TYPES: &[&str] =
    &["dropdown", "textbox", "multiselect", "textarray", "metrictag", "autocomplete"];

/// One incident.
#[derive(Debug, Clone)]
pub(crate) struct Incident {
    /// The number that people say.
    pub(crate) public_id: u64,
    /// The id in requests.
    pub(crate) id: Uuid,
    /// The title.
    pub(crate) title: String,
    /// Whether customers feel it.
    pub(crate) customer_impacted: bool,
    /// How customers feel it.
    pub(crate) customer_impact_scope: Option<String>,
    /// Custom fields by name, each `{type, value}`; `severity` and `state` are always there.
    pub(crate) fields: Map<String, Value>,
    /// When it was declared.
    pub(crate) created: Timestamp,
    /// When it was last changed.
    pub(crate) modified: Timestamp,
    /// When it was resolved.
    pub(crate) resolved: Option<Timestamp>,
    /// Whether it is only a test.
    pub(crate) is_test: bool,
    /// The id of its commander.
    pub(crate) commander: Option<String>,
    /// Whether it was deleted.
    pub(crate) is_deleted: bool,
    /// Its timeline, oldest first.
    pub(crate) timeline: Vec<Cell>,
}

impl Incident {
    /// A new incident with nothing but what every one has.
    pub(super) fn new(public_id: u64, id: Uuid, title: &str, created: Timestamp) -> Self {
        let mut fields = Map::new();
        for (name, kind, value) in [
            ("severity", "dropdown", json!("UNKNOWN")),
            ("state", "dropdown", json!("active")),
            ("detection_method", "dropdown", json!("unknown")),
            ("root_cause", "textbox", Value::Null),
            ("summary", "textbox", Value::Null),
            ("services", "autocomplete", Value::Null),
            ("teams", "autocomplete", Value::Null),
        ] {
            fields.insert(name.to_owned(), json!({"type": kind, "value": value}));
        }
        let slug = json!({"type": "textbox", "value": format!("IR-{public_id}")});
        fields.insert("slug".to_owned(), slug);
        Self {
            public_id,
            id,
            title: title.to_owned(),
            customer_impacted: false,
            customer_impact_scope: None,
            fields,
            created,
            modified: created,
            resolved: None,
            is_test: false,
            commander: None,
            is_deleted: false,
            timeline: Vec::new(),
        }
    }

    /// The value of a custom field, or the empty text.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields
            .get(name)
            .and_then(|field| field.get("value"))
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Sets the value of a dropdown.
    pub(super) fn set_field(&mut self, name: &str, value: &str) {
        self.fields.insert(name.to_owned(), json!({"type": "dropdown", "value": value}));
    }

    /// The incident as the API shows it.
    pub(super) fn shown(&self) -> Value {
        let resolve_seconds =
            self.resolved.map_or(0, |resolved| seconds_between(self.created, resolved));
        let commander =
            self.commander.as_ref().map_or(Value::Null, |id| json!({"type": "users", "id": id}));
        json!({
            "type": "incidents",
            "id": self.id.to_string(),
            "attributes": {
                "public_id": self.public_id,
                "incident_type_uuid": "5a1f0c7e-0000-4000-8000-000000000702",
                "title": self.title,
                "resolved": self.resolved.map(stamp),
                "customer_impact_scope": self.customer_impact_scope,
                "customer_impact_start": self.customer_impacted.then(|| stamp(self.created)),
                "customer_impact_end": null,
                "customer_impacted": self.customer_impacted,
                "notification_handles": null,
                "last_modified_by": people::user(),
                "last_modified_by_uuid": people::USER_ID,
                "created": stamp(self.created),
                "modified": stamp(self.modified),
                "commander": null,
                "detected": stamp(self.created),
                "created_by": people::user(),
                "created_by_uuid": people::USER_ID,
                "creation_idempotency_key": null,
                "customer_impact_duration": 0,
                "time_to_detect": 0,
                "time_to_repair": 0,
                "time_to_internal_response": 0,
                "time_to_resolve": resolve_seconds,
                "archived": null,
                "is_test": self.is_test,
                "declared": stamp(self.created),
                "declared_by": people::user(),
                "declared_by_uuid": people::USER_ID,
                "fields": self.fields,
                "field_analytics": null,
                "severity": self.field("severity"),
                "state": self.field("state"),
                "non_datadog_creator": null,
                "visibility": "organization",
                "case_id": null,
            },
            "relationships": {
                "created_by_user": people::link(),
                "last_modified_by_user": people::link(),
                "commander_user": {"data": commander},
                "declared_by_user": people::link(),
                "user_defined_fields": {"data": []},
                "integrations": {"data": []},
                "attachments": {"data": []},
                "responders": {"data": []},
                "impacts": {"data": []},
            },
        })
    }
}

/// Where a page begins and how long it is, from `page[offset]` and `page[size]`.
pub(super) fn page(asked: &Asked) -> Result<(usize, usize), Refusal> {
    let number = |name: &str, default: usize| match asked.query.filled(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Refusal::invalid(&format!("{name} must be a whole number, not {text:?}"))),
    };
    let (offset, size) = (number("page[offset]", 0)?, number("page[size]", PAGE_SIZE_DEFAULT)?);
    if size == 0 || size > PAGE_SIZE_MAX {
        let detail = format!("page[size] must be between 1 and {PAGE_SIZE_MAX}, not {size}");
        return Err(Refusal::invalid(&detail));
    }
    Ok((offset, size))
}

/// What the list says about its page.
pub(super) fn pagination(offset: usize, size: usize) -> Value {
    json!({"pagination": {
        "offset": offset,
        "next_offset": offset.saturating_add(size),
        "size": size,
    }})
}

/// Answers the list.
pub(super) fn list(state: &State, asked: &Asked) -> Result<Answer, Refusal> {
    let (offset, size) = page(asked)?;
    let shown: Vec<Value> = state
        .incidents
        .iter()
        .filter(|incident| !incident.is_deleted)
        .skip(offset)
        .take(size)
        .map(Incident::shown)
        .collect();
    Ok(Answer::json(200, &json!({"data": shown, "meta": pagination(offset, size)})))
}

/// Answers GET, PATCH and DELETE of one incident.
pub(super) fn one(state: &mut State, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
    let text = asked.segments.get(3).map(String::as_str).unwrap_or_default();
    let id = parse_id(text).ok_or_else(Refusal::malformed_id)?;
    let incident = find(state, id).ok_or_else(|| Refusal::no_incident(text))?;
    match asked.method {
        Method::GET => Ok(Answer::json(200, &json!({"data": incident.shown()}))),
        Method::DELETE => {
            incident.is_deleted = true;
            Ok(Answer::empty(204).effect(true))
        }
        _ => {
            let took_effect = change(incident, asked, now)?;
            Ok(Answer::json(200, &json!({"data": incident.shown()})).effect(took_effect))
        }
    }
}

/// The incident with this id, unless it was deleted.
pub(super) fn find(state: &mut State, id: Uuid) -> Option<&mut Incident> {
    state.incidents.iter_mut().find(|incident| incident.id == id && !incident.is_deleted)
}

/// An id with or without dashes; nothing else is one.
pub(super) fn parse_id(text: &str) -> Option<Uuid> {
    if matches!(text.len(), 32 | 36) { Uuid::try_parse(text).ok() } else { None }
}

fn change(incident: &mut Incident, asked: &Asked, now: Timestamp) -> Result<bool, Refusal> {
    let data = data(asked, "incidents")?;
    match data.get("id").and_then(Value::as_str).and_then(parse_id) {
        Some(id) if id == incident.id => {}
        _ => return Err(failed("$.data.id", "value must be the id of the incident in the path")),
    }
    let attributes = attributes(asked, "incidents")?;
    let mut changed = incident.clone();
    if attributes.contains_key("title") {
        changed.title = required_text(&attributes, "title", TITLE_BYTES_MAX)?.to_owned();
    }
    if attributes.contains_key("customer_impacted") {
        changed.customer_impacted = flag(&attributes, "customer_impacted")?;
    }
    if let Some(scope) = attributes.get("customer_impact_scope") {
        changed.customer_impact_scope = scope.as_str().map(str::to_owned);
    }
    set_fields(&mut changed, attributes.get("fields"))?;
    set_commander(&mut changed, data.get("relationships"));
    note_resolution(incident, &mut changed, now);
    let took_effect = changed.shown() != incident.shown();
    if took_effect {
        changed.modified = now;
        *incident = changed;
    }
    Ok(took_effect)
}

/// Answers the creation of an incident.
pub(super) fn create(state: &mut State, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
    if state.incidents.len() >= INCIDENTS_MAX {
        return Err(Refusal::full("incidents"));
    }
    let data = data(asked, "incidents")?;
    let attributes = attributes(asked, "incidents")?;
    let title = required_text(&attributes, "title", TITLE_BYTES_MAX)?;
    if !attributes.contains_key("customer_impacted") {
        return Err(failed("$.data.attributes.customer_impacted", "value is required"));
    }
    let public_id = state.incidents.last().map_or(0, |last| last.public_id) + 1;
    let mut incident = Incident::new(public_id, state.ids.uuid(), title, now);
    incident.customer_impacted = flag(&attributes, "customer_impacted")?;
    if incident.customer_impacted {
        let scope = required_text(&attributes, "customer_impact_scope", TITLE_BYTES_MAX)?;
        incident.customer_impact_scope = Some(scope.to_owned());
    }
    incident.is_test = flag(&attributes, "is_test")?;
    set_fields(&mut incident, attributes.get("fields"))?;
    set_commander(&mut incident, data.get("relationships"));
    let declared = incident.clone();
    note_resolution(&declared, &mut incident, now);
    let cells = attributes.get("initial_cells").and_then(Value::as_array);
    for cell in cells.into_iter().flatten() {
        let id = state.ids.uuid();
        incident.timeline.push(Cell::read(cell.as_object(), id, now)?);
    }
    let shown = incident.shown();
    state.incidents.push(incident);
    Ok(Answer::json(201, &json!({"data": shown})).effect(true))
}

fn set_fields(incident: &mut Incident, fields: Option<&Value>) -> Result<(), Refusal> {
    let place = "$.data.attributes.fields";
    let fields = match fields {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err(failed(place, "value must be an object")),
    };
    for (name, field) in fields {
        let kind = field.get("type").and_then(Value::as_str).unwrap_or_default();
        let value = field.get("value").unwrap_or(&Value::Null);
        let place = format!("{place}.{name}");
        if !FIELD_TYPES.contains(&kind) {
            return Err(failed(&format!("{place}.type"), &one_of(FIELD_TYPES)));
        }
        let is_single = matches!(kind, "dropdown" | "textbox");
        let fits = match value {
            Value::Null => true,
            Value::String(_) => is_single,
            Value::Array(items) => !is_single && items.iter().all(Value::is_string),
            _ => false,
        };
        if !fits {
            return Err(failed(&format!("{place}.value"), &format!("value does not fit {kind}")));
        }
        check_choice(name, value, &place)?;
        if name != "slug" {
            incident.fields.insert(name.clone(), json!({"type": kind, "value": value}));
        }
    }
    if incident.fields.len() > FIELDS_MAX {
        return Err(failed(place, &format!("there must not be more than {FIELDS_MAX} fields")));
    }
    Ok(())
}

fn check_choice(name: &str, value: &Value, place: &str) -> Result<(), Refusal> {
    let choices: &[&str] = match name {
        "severity" => &["UNKNOWN", "SEV-0", "SEV-1", "SEV-2", "SEV-3", "SEV-4", "SEV-5"],
        "state" => &["active", "stable", "resolved", "completed"],
        _ => return Ok(()),
    };
    match value.as_str() {
        Some(chosen) if choices.contains(&chosen) => Ok(()),
        _ => Err(failed(&format!("{place}.value"), &one_of(choices))),
    }
}

fn one_of(choices: &[&str]) -> String {
    format!("value must be one of: {}", json!(choices))
}

fn set_commander(incident: &mut Incident, relationships: Option<&Value>) {
    let commander = relationships.and_then(|value| value.pointer("/commander_user/data"));
    match commander {
        None => {}
        Some(commander) => {
            incident.commander = commander.get("id").and_then(Value::as_str).map(str::to_owned);
        }
    }
}

fn note_resolution(before: &Incident, after: &mut Incident, now: Timestamp) {
    let is_over = |state: &str| matches!(state, "resolved" | "completed");
    match (is_over(before.field("state")), is_over(after.field("state"))) {
        (_, false) => after.resolved = None,
        (true, true) if before.resolved.is_some() => {}
        (_, true) => after.resolved = Some(now),
    }
}
