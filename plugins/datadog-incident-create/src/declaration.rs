//! What the incident says: the inputs checked, and put into the form of Datadog's request.
//!
//! Pure, and the same for the same inputs: a second post of it is the same text.

use crate::Inputs;
use bowline_sdk::{Failure, log, text};
use datadog_api::{Mark, field, incident_id, quiet};
use serde_json::{Map, Value, json};

/// The most characters of a title. What the service takes is not documented.
pub const TITLE_CHARACTERS_MAX: usize = 1000;
/// The most characters of the timeline's first text, the mark not counted.
const CELL_CHARACTERS_MAX: usize = 3800;

/// The request, and the title to look for.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration {
    /// On one line, as it is sent.
    pub title: String,
    /// The whole body.
    pub body: Value,
}

impl Declaration {
    /// Checks the inputs.
    ///
    /// # Errors
    ///
    /// `config` when they can't be right together.
    pub fn new(inputs: &Inputs, mark: &Mark) -> Result<Self, Failure> {
        let (title, cut) = text::line(&inputs.title, TITLE_CHARACTERS_MAX);
        if title.is_empty() {
            return Err(Failure::config("`title` is empty; say what happened"));
        }
        if cut {
            log::warn!("`title` is cut to {TITLE_CHARACTERS_MAX} characters");
        }
        let mut attributes = Map::new();
        attributes.insert("title".into(), title.clone().into());
        attributes.insert("customer_impacted".into(), inputs.customer_impacted.into());
        if let Some(scope) = impact(inputs)? {
            attributes.insert("customer_impact_scope".into(), scope.into());
        }
        let fields = fields(inputs)?;
        if !fields.is_empty() {
            attributes.insert("fields".into(), fields.into());
        }
        if let Some(kind) = &inputs.incident_type {
            attributes.insert("incident_type_uuid".into(), user(kind, "incident_type")?.into());
        }
        if inputs.is_test {
            attributes.insert("is_test".into(), true.into());
        }
        if !inputs.notification_handles.is_empty() {
            attributes.insert("notification_handles".into(), handles(inputs)?);
        }
        attributes.insert("initial_cells".into(), json!([first_cell(inputs, mark)]));
        let mut data = Map::new();
        data.insert("type".into(), "incidents".into());
        data.insert("attributes".into(), attributes.into());
        if let Some(commander) = &inputs.commander {
            let commander = json!({"type": "users", "id": user(commander, "commander")?});
            data.insert("relationships".into(), json!({"commander_user": {"data": commander}}));
        }
        Ok(Self { title, body: json!({"data": data}) })
    }
}

fn impact(inputs: &Inputs) -> Result<Option<&str>, Failure> {
    let scope = inputs.customer_impact_scope.as_deref().map(str::trim);
    let scope = scope.filter(|scope| !scope.is_empty());
    match (inputs.customer_impacted, scope) {
        (true, None) => Err(Failure::config(
            "`customer_impacted` is true, so `customer_impact_scope` must say how customers are \
             affected",
        )),
        (false, Some(_)) => Err(Failure::config(
            "`customer_impact_scope` is given, but `customer_impacted` is not true; set both or \
             neither",
        )),
        (_, scope) => Ok(scope),
    }
}

fn fields(inputs: &Inputs) -> Result<Map<String, Value>, Failure> {
    let mut fields = Map::new();
    for (name, given) in &inputs.fields {
        fields.insert(name.clone(), field(name, given, None)?);
    }
    for (name, given) in [("severity", &inputs.severity), ("state", &inputs.state)] {
        let Some(given) = given.as_deref().map(str::trim).filter(|text| !text.is_empty()) else {
            continue;
        };
        if fields.insert(name.to_owned(), field(name, &given.into(), None)?).is_some() {
            let message = format!("`{name}` is given twice, once in `fields`; leave one out");
            return Err(Failure::config(message));
        }
    }
    Ok(fields)
}

/// An id of the shape that all of Datadog's have, under the name of its input.
fn user<'a>(id: &'a str, input: &str) -> Result<&'a str, Failure> {
    let id = id.trim();
    incident_id(id).map_err(|_| {
        let shown = bowline_sdk::shown(id);
        Failure::config(format!("`{input}` is no id: `{shown}`; give a UUID"))
    })
}

fn handles(inputs: &Inputs) -> Result<Value, Failure> {
    let empty = inputs.notification_handles.iter().any(|handle| handle.handle.trim().is_empty());
    if empty {
        return Err(Failure::config(
            "a `handle` in `notification_handles` is empty; give for example `@jane@example.com`",
        ));
    }
    serde_json::to_value(&inputs.notification_handles)
        .map_err(|error| Failure::config(format!("`notification_handles`: {error}")))
}

/// The cell that the timeline begins with: what the author wrote, and the mark.
fn first_cell(inputs: &Inputs, mark: &Mark) -> Value {
    let written = inputs.timeline_cell_content.as_deref().unwrap_or_default();
    let written = text::clean(written);
    let written = written.trim();
    let quieted = if inputs.notify { (written.to_owned(), 0) } else { quiet(written) };
    if quieted.1 > 0 {
        log::info!("{} mentions notify nobody; set `notify: true` to let them", quieted.1);
    }
    let kept = text::first_letters(&quieted.0, CELL_CHARACTERS_MAX);
    let note = if kept.len() < quieted.0.len() {
        log::warn!("`timeline_cell_content` is cut to {CELL_CHARACTERS_MAX} characters");
        "\n\n… (cut)"
    } else {
        ""
    };
    let joint = if kept.is_empty() { "" } else { "\n\n" };
    let content = format!("{kept}{note}{joint}{}", mark.line());
    json!({"cell_type": "markdown", "content": {"content": content}})
}
