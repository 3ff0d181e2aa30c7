//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::{Map, Value};
#[cfg(not(target_family = "wasm"))]
use std::collections::BTreeMap;

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The kubectl command, for example `rollout` or `rollout undo`.
    pub command: String,
    /// Its arguments: a text that is split on blanks (flags before the resource), or a list that
    /// is taken literally.
    pub args: Option<Args>,
    /// The namespace of the object.
    #[serde(default = "default_namespace")]
    pub namespace: String,
    /// The cluster, in the form of Relay's step.
    pub cluster: Option<ClusterInput>,
    /// The connection, when there is no `cluster`.
    pub connection: Option<Connection>,
    /// The revision to go back to, as `--to-revision`; the previous one when absent or 0.
    pub to_revision: Option<Count>,
    /// As `--dry-run`: `client` sends nothing, `server` lets the server check without writing.
    pub dry_run: Option<DryRunInput>,
    /// Accepted so that a published workflow gets a clear answer: belongs to `apply`.
    pub file: Option<String>,
    /// Accepted so that a published workflow gets a clear answer: belongs to `apply`.
    pub git: Option<Value>,
}

fn default_namespace() -> String {
    "default".to_owned()
}

/// A cluster by name and connection.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ClusterInput {
    /// A name for people; it selects nothing.
    pub name: Option<String>,
    /// The connection.
    pub connection: Connection,
}

/// Arguments as one text or as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(untagged))]
pub enum Args {
    /// Split on blanks, quotes honoured.
    Text(String),
    /// Taken literally.
    List(Vec<Word>),
}

/// One argument of a list. YAML makes numbers of what looks like one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(untagged))]
pub enum Word {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// A revision, as a number or as a text of digits, since parameters are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(untagged))]
pub enum Count {
    /// A whole number.
    Number(i64),
    /// Digits.
    Text(String),
}

/// How far a dry run goes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema), schemars(untagged))]
pub enum DryRunInput {
    /// `none`, `client` or `server`.
    Text(String),
    /// `true` means `server`, `false` means `none`.
    Flag(bool),
}

// Read by hand: an untagged enum can't say what would have been right.

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let args = match Value::deserialize(from)? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(items) => items.iter().map(word).collect::<Option<_>>().map(Self::List),
            _ => None,
        };
        args.ok_or_else(|| D::Error::custom("give a text, or a list of texts and whole numbers"))
    }
}

fn word(item: &Value) -> Option<Word> {
    match item {
        Value::String(text) => Some(Word::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Word::Number),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let count = match Value::deserialize(from)? {
            Value::String(text) => Some(Self::Text(text)),
            Value::Number(number) => number.as_i64().map(Self::Number),
            _ => None,
        };
        count.ok_or_else(|| D::Error::custom("give a whole number, as a number or a text"))
    }
}

impl<'de> Deserialize<'de> for DryRunInput {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => Ok(Self::Text(text)),
            Value::Bool(flag) => Ok(Self::Flag(flag)),
            _ => Err(D::Error::custom("give `none`, `client` or `server`")),
        }
    }
}

/// What the step gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Outputs {
    /// Whether the Deployment was changed, by this attempt or an earlier one of this step.
    pub changed: bool,
    /// The Deployment's name.
    pub deployment: String,
    /// The namespace used.
    pub namespace: String,
    /// The revision before, when the Deployment says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_revision: Option<i64>,
    /// The revision whose template the Deployment has now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_revision: Option<i64>,
    /// The images of that template, by container.
    #[cfg_attr(not(target_family = "wasm"), schemars(with = "BTreeMap<String, String>"))]
    pub images: Map<String, Value>,
    /// The line that kubectl would print.
    pub message: String,
}
