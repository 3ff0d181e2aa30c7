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
    /// The cell's text, Markdown.
    pub timeline_cell_content: String,
    /// Foreign texts by name: each `{name}` in the cell's text stands for one, which is shown to the
    /// letter and never read as Markdown.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// Under which key the service takes the text. It has known both; `auto` tries.
    #[serde(default)]
    pub timeline_content_key: ContentKey,
    /// Lets mentions (`@name`) in the text notify people.
    #[serde(default)]
    pub notify: bool,
}

/// The member of `content` that holds the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ContentKey {
    /// `message`, and `content` where that is refused.
    #[default]
    Auto,
    /// `message`, as documented today.
    Message,
    /// `content`, as Relay sent it.
    Content,
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The cell's id; absent when the service did not say it, or its answer was lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell_id: Option<String>,
    /// Whether this attempt posted the cell; false when an earlier one had done so.
    pub posted: bool,
}
