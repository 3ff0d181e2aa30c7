//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The Slack workspace.
    pub connection: Connection,
    /// The channel's id or name, for example `C024BE91L` or `#incidents`.
    pub channel: String,
    /// The text, in Slack's own Markdown; cut after 40,000 characters. With `blocks` it is what
    /// notifications show.
    pub message: Option<String>,
    /// Blocks, as a list or as the JSON text of one; at most 50.
    pub blocks: Option<Value>,
    /// The name to send under, where the app may choose it.
    pub username: Option<String>,
    /// The message whose thread this is an answer in, as its output `ts`.
    pub thread_ts: Option<String>,
    /// Lets mentions notify people.
    #[serde(default)]
    pub notify: bool,
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The message's name in its channel; absent when the service did not say it, or its answer was
    /// lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// The id of the channel; absent like `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}
