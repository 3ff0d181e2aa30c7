//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
use datadog_api::Incident;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The Datadog account.
    pub connection: Connection,
    /// What happened, on one line; cut after 1,000 characters.
    pub title: String,
    /// Whether customers feel it.
    #[serde(default)]
    pub customer_impacted: bool,
    /// How customers feel it; needed when they do.
    pub customer_impact_scope: Option<String>,
    /// For example `SEV-3`.
    pub severity: Option<String>,
    /// For example `active`, which Datadog takes when nothing is said.
    pub state: Option<String>,
    /// The id (UUID) of the user who leads it.
    pub commander: Option<String>,
    /// Further fields by name: a text, a list of texts, or `{type, value}`.
    #[serde(default)]
    pub fields: Map<String, Value>,
    /// The id (UUID) of the incident's type; the organisation's default when not given.
    pub incident_type: Option<String>,
    /// Markdown that the timeline begins with.
    pub timeline_cell_content: Option<String>,
    /// Who is told of the incident.
    #[serde(default)]
    pub notification_handles: Vec<Handle>,
    /// Marks the incident as a test.
    #[serde(default)]
    pub is_test: bool,
    /// Lets mentions (`@name`) in `timeline_cell_content` notify people.
    #[serde(default)]
    pub notify: bool,
}

/// Someone or something that is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Handle {
    /// For example `@jane@example.com` or `@slack-channel`.
    pub handle: String,
    /// The name to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The internal id, a UUID.
    pub incident_id: String,
    /// The public number.
    pub public_id: u64,
    /// Whether this attempt declared it; false when an earlier one had done so.
    pub created: bool,
    /// What Datadog calls the incident, for example `IR-5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The title as Datadog keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For example `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// For example `SEV-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}

impl Outputs {
    pub(crate) fn of(incident: Incident, created: bool) -> Self {
        Self {
            incident_id: incident.id,
            public_id: incident.number,
            created,
            slug: incident.slug,
            title: incident.title,
            state: incident.state,
            severity: incident.severity,
        }
    }
}
