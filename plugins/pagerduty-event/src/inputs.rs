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
    /// The integration of a PagerDuty service.
    pub connection: Connection,
    /// What the event does.
    #[serde(default)]
    pub event_action: Action,
    /// What happened, on one line; cut after 1,024 characters. Needed for `trigger` and `change`.
    pub summary: Option<String>,
    /// What it happened to, for example a host name. Needed for `trigger`.
    pub source: Option<String>,
    /// `critical`, `error`, `warning` or `info`. Needed for `trigger`.
    pub severity: Option<Severity>,
    /// Names the alert; at most 255 characters. Needed for `acknowledge` and `resolve`.
    pub dedup_key: Option<String>,
    /// The part of the source that is concerned.
    pub component: Option<String>,
    /// A logical group of components.
    pub group: Option<String>,
    /// The kind of event, for example `ping failure`.
    pub class: Option<String>,
    /// When it happened, ISO 8601; the time of arrival when not given.
    pub timestamp: Option<String>,
    /// Further facts by name.
    #[serde(default)]
    pub custom_details: Map<String, Value>,
    /// Links to show.
    #[serde(default)]
    pub links: Vec<Link>,
}

/// What an event does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Opens an alert, and notifies whoever is on call.
    Trigger,
    /// Says that somebody works on it.
    Acknowledge,
    /// Closes it.
    Resolve,
    /// Records a change; notifies nobody.
    #[default]
    Change,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The worst.
    Critical,
    /// Bad.
    Error,
    /// May become bad.
    Warning,
    /// Good to know.
    Info,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Where it leads, `https://…`.
    pub href: String,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// Names the alert, for a later `acknowledge` or `resolve`; absent for a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
}
