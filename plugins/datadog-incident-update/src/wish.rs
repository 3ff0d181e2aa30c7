//! What the incident should be like, and what of it is not so yet.
//!
//! Pure. An update merges: what is not named in it stays as it is.

use crate::Inputs;
use bowline_sdk::{Failure, log, text};
use datadog_api::{field, incident_id};
use serde_json::{Map, Value, json};

/// The most characters of a title. What the service takes is not documented.
const TITLE_CHARACTERS_MAX: usize = 1000;
/// The word for no commander.
const NOBODY: &str = "none";

/// What the author wants.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// Title, impact: by their names in the request.
    attributes: Map<String, Value>,
    /// As the author wrote them; their types may only be known from the incident.
    fields: Map<String, Value>,
    /// The id of a user, or nobody.
    commander: Option<Option<String>>,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// What changes, by the names that authors use.
    pub names: Vec<String>,
    /// The body of the request.
    pub body: Value,
}

impl Wish {
    /// Checks the inputs.
    ///
    /// # Errors
    ///
    /// `config` when nothing is wished, or something that can't be.
    pub fn new(inputs: &Inputs) -> Result<Self, Failure> {
        let mut wish = Self { fields: inputs.fields.clone(), ..Self::default() };
        if let Some(title) = &inputs.title {
            let (title, cut) = text::line(title, TITLE_CHARACTERS_MAX);
            if title.is_empty() {
                return Err(Failure::config("`title` is empty; leave it out to keep the title"));
            }
            if cut {
                log::warn!("`title` is cut to {TITLE_CHARACTERS_MAX} characters");
            }
            wish.attributes.insert("title".into(), title.into());
        }
        if let Some(impacted) = inputs.customer_impacted {
            wish.attributes.insert("customer_impacted".into(), impacted.into());
        }
        if let Some(scope) = &inputs.customer_impact_scope {
            wish.attributes.insert("customer_impact_scope".into(), scope.trim().into());
        }
        for (name, given) in [("severity", &inputs.severity), ("state", &inputs.state)] {
            let Some(given) = given.as_deref().map(str::trim) else { continue };
            if given.is_empty() {
                let message = format!("`{name}` is empty; leave it out to keep it as it is");
                return Err(Failure::config(message));
            }
            if wish.fields.insert(name.to_owned(), given.into()).is_some() {
                let message = format!("`{name}` is given twice, once in `fields`; leave one out");
                return Err(Failure::config(message));
            }
        }
        wish.commander = inputs.commander.as_deref().map(commander).transpose()?;
        if wish == Self::default() {
            return Err(Failure::config(
                "nothing is asked for; give at least one of `title`, `state`, `severity`, \
                 `commander`, `customer_impacted`, `customer_impact_scope` and `fields`",
            ));
        }
        Ok(wish)
    }

    /// What of the wish the incident does not show, for the incident of this id; none when it
    /// shows all of it.
    ///
    /// # Errors
    ///
    /// `config` for a field that the author did not write as its type wants it.
    pub fn difference(&self, id: &str, shown: &Value) -> Result<Option<Difference>, Failure> {
        let now = &shown["attributes"];
        let mut names = Vec::new();
        let mut attributes = Map::new();
        for (name, wanted) in &self.attributes {
            if now[name.as_str()] != *wanted {
                names.push(name.clone());
                attributes.insert(name.clone(), wanted.clone());
            }
        }
        if self.attributes.get("customer_impacted") == Some(&Value::Bool(true)) {
            self.check_impact(now)?;
        }
        let mut fields = Map::new();
        for (name, given) in &self.fields {
            let field = field(name, given, now["fields"][name.as_str()]["type"].as_str())?;
            if !shows(now, name, &field["value"]) {
                names.push(name.clone());
                fields.insert(name.clone(), field);
            }
        }
        if !fields.is_empty() {
            attributes.insert("fields".into(), fields.into());
        }
        let mut data = Map::new();
        data.insert("type".into(), "incidents".into());
        data.insert("id".into(), id.into());
        if !attributes.is_empty() {
            data.insert("attributes".into(), attributes.into());
        }
        if let Some(wanted) = &self.commander
            && wanted.as_deref() != led_by(shown)
        {
            names.push("commander".to_owned());
            let user = wanted.as_ref().map(|id| json!({"type": "users", "id": id}));
            data.insert("relationships".into(), json!({"commander_user": {"data": user}}));
        }
        let difference = Difference { names, body: json!({"data": data}) };
        Ok((!difference.names.is_empty()).then_some(difference))
    }

    /// Customers can't be affected without a word about how.
    fn check_impact(&self, now: &Value) -> Result<(), Failure> {
        let scope = self.attributes.get("customer_impact_scope");
        let scope = scope.unwrap_or(&now["customer_impact_scope"]).as_str().unwrap_or_default();
        if scope.is_empty() {
            return Err(Failure::config(
                "`customer_impacted` is true, so `customer_impact_scope` must say how customers \
                 are affected",
            ));
        }
        Ok(())
    }
}

fn commander(text: &str) -> Result<Option<String>, Failure> {
    let text = text.trim();
    if text == NOBODY {
        return Ok(None);
    }
    incident_id(text).map(|id| Some(id.to_owned())).map_err(|_| {
        let shown = bowline_sdk::shown(text);
        Failure::config(format!(
            "`commander` is no id of a user: `{shown}`; give a UUID, or `{NOBODY}` for nobody"
        ))
    })
}

/// Whether the incident shows this value of a field. The order of several values says nothing.
fn shows(now: &Value, name: &str, wanted: &Value) -> bool {
    let sorted = |value: &Value| {
        let mut texts: Vec<String> =
            value.as_array()?.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect();
        texts.sort();
        Some(texts)
    };
    let shown = &now["fields"][name]["value"];
    // State and severity stand beside the fields, too; older answers have them only there.
    let beside = if matches!(name, "severity" | "state") { &now[name] } else { &Value::Null };
    let shown = if shown.is_null() { beside } else { shown };
    match (sorted(shown), sorted(wanted)) {
        (Some(shown), Some(wanted)) => shown == wanted,
        (None, Some(wanted)) => wanted.is_empty() && shown.is_null(),
        _ => shown == wanted,
    }
}

/// The user who leads the incident. Recorded answers tell it in the attributes, while the
/// relationship is null.
fn led_by(shown: &Value) -> Option<&str> {
    let places = [
        &shown["attributes"]["commander"]["data"]["id"],
        &shown["relationships"]["commander_user"]["data"]["id"],
    ];
    places.into_iter().find_map(Value::as_str)
}
