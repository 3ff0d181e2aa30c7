//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
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
    /// The incident's internal id (UUID), as `datadog-incident-extract-id` gives it.
    pub incident_id: String,
    /// A new title, on one line; cut after 1,000 characters.
    pub title: Option<String>,
    /// For example `stable` or `resolved`.
    pub state: Option<String>,
    /// For example `SEV-3`.
    pub severity: Option<String>,
    /// The id (UUID) of the user who leads it from now on; `none` for nobody.
    pub commander: Option<String>,
    /// Whether customers feel it.
    pub customer_impacted: Option<bool>,
    /// How customers feel it.
    pub customer_impact_scope: Option<String>,
    /// Further fields by name: a text, a list of texts, null for no value, or `{type, value}`.
    #[serde(default)]
    pub fields: Map<String, Value>,
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The internal id, as it was given.
    pub incident_id: String,
    /// Whether anything had to be changed.
    pub changed: bool,
    /// The names of what was changed.
    pub changes: Vec<String>,
    /// The public number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_id: Option<u64>,
    /// What Datadog calls the incident, for example `IR-5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For example `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// For example `SEV-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The id of the user who leads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commander: Option<String>,
}
