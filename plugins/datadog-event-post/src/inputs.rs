//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The Datadog account.
    pub connection: Connection,
    /// What happened, on one line; cut after 500 characters.
    pub event_title: String,
    /// The text; cut after 4,000 characters.
    pub event_text: String,
    /// How it is shown: `error`, `warning`, `info`, `success`, `user_update`, `recommendation` or
    /// `snapshot`.
    #[serde(default = "info")]
    pub event_type: String,
    /// `normal` or `low`.
    pub priority: Option<String>,
    /// For example `env:prod`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The host that it is about.
    pub host: Option<String>,
    /// Events with the same key are shown as one; at most 100 characters.
    pub aggregation_key: Option<String>,
    /// Unix time in seconds, at most 18 hours ago; the time of arrival when not given.
    pub date_happened: Option<i64>,
    /// Shows the text as Markdown.
    #[serde(default)]
    pub markdown: bool,
    /// Lets mentions (`@name`) notify people.
    #[serde(default)]
    pub notify: bool,
}

fn info() -> String {
    "info".to_owned()
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The event's number, as a text: it has more digits than a JSON number keeps everywhere.
    /// Absent when the service did not say it, or its answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// Where people see it; absent like the number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The key under which it is shown together with others.
    pub aggregation_key: String,
}
