//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The Datadog account.
    pub connection: Connection,
    /// The incident's number as people see it: `5`, `IR-5`, `#5` or its web address. An internal
    /// id is given back as it is.
    pub public_id: PublicIdInput,
}

/// A number, or a text with one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(untagged))]
pub enum PublicIdInput {
    /// For example `5`.
    Number(i64),
    /// For example `IR-5`.
    Text(String),
}

// Read by hand: an untagged enum can't say what would have been right.
impl<'de> Deserialize<'de> for PublicIdInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = match Value::deserialize(from)? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => number.as_i64().map(Self::Number),
            _ => None,
        };
        id.ok_or_else(|| {
            D::Error::custom("give a whole number or a text, for example `5` or `IR-5`")
        })
    }
}

/// What the step gives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The internal id, a UUID.
    pub incident_id: String,
    /// The public number; absent when an internal id was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_id: Option<u64>,
    /// What Datadog calls the incident, for example `IR-5`. Safe in a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The title, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// For example `active`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// For example `SEV-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
}
