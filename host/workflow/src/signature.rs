//! What a plugin takes, gives and needs. Plain data, handed in by whoever knows plugins.

use crate::documents::DocumentsFrom;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The manifest of a plugin, as frozen in its `bowline:manifest` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Form of this document; 1 is the only one so far.
    pub schema: u32,
    /// `a-z`, `0-9` and `-`; the name in `image:`.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// One line for lists.
    pub summary: String,
    /// Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// JSON Schema (2020-12) of the inputs, an object.
    pub inputs: Value,
    /// JSON Schema (2020-12) of the outputs, an object.
    pub outputs: Value,
    /// The connections it asks for, by slot.
    #[serde(default)]
    pub connections: BTreeMap<String, ConnectionNeed>,
    /// The inputs at the top that hold documents, which the host parses for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub documents: BTreeMap<String, DocumentsFrom>,
    /// What it wants of the budgets, where the defaults do not fit.
    #[serde(default)]
    pub limits: LimitsWanted,
}

/// A connection that a plugin asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConnectionNeed {
    /// The type of `!Connection`: `kubernetes`, `datadog` …
    #[serde(rename = "type")]
    pub kind: String,
    /// JSON pointers into the inputs, the first that holds a connection counts.
    pub from: Vec<String>,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether the step can do without.
    #[serde(default)]
    pub optional: bool,
    /// What it wants to do there. The form of a rule belongs to the type of the connection.
    pub allow: Vec<Value>,
}

/// Budgets that a plugin wants instead of the defaults; the operator has the last word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LimitsWanted {
    /// Wall-clock seconds of one attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_seconds: Option<u64>,
    /// Bytes of linear memory, all memories of the component together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// One exact plugin: what a plan pins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginPin {
    /// The manifest's name.
    pub name: String,
    /// The manifest's version.
    pub version: String,
    /// `sha256:` and 64 hexadecimal digits, over the whole component file.
    pub digest: String,
    /// The operator's name for whoever signed it; `bowline` for those inside the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// A plugin that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    /// Which one exactly.
    pub pin: PluginPin,
    /// What it says of itself.
    pub manifest: Manifest,
}

/// What an `image:` of a workflow leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum Resolution {
    /// A plugin.
    Found(Box<Signature>),
    /// None of that name. `known` lists the names that would have been found.
    Missing {
        /// For suggestions.
        known: Vec<String>,
    },
    /// A file was found and refused.
    Refused {
        /// For example `plugin.core-module`.
        code: String,
        /// Why, and what to do.
        message: String,
    },
}

/// What each `image:` of a workflow leads to, by its text as written.
pub type Signatures = BTreeMap<String, Resolution>;
