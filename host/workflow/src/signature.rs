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
    /// How the host finds out whether a write took effect whose answer was lost. A write that no
    /// entry is for is never sent again by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<Verify>,
}

/// What the host may do about one kind of write when nobody knows whether it took effect. Exactly
/// one of two ways: `recognised`, or `look` together with `contains`; see [`Verify::way`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verify {
    /// The method of the write.
    pub method: String,
    /// Its path: a pattern as in the rules of an HTTP connection, with `${inputs.x}` bound.
    pub path: String,
    /// Path and query of a `GET`; may hold `${inputs.x}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<String>,
    /// A text that is in the answer to `look` exactly if the write took effect. May hold
    /// `${step.key}` (the step's idempotency key), `${step.name}`, `${run.id}` and `${inputs.x}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// Whether the far side recognises the same request by a key in it, so that it may be sent
    /// again.
    #[serde(default)]
    pub recognised: bool,
}

/// The way of a [`Verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyWay<'a> {
    /// The same request again: the far side knows that it is the same.
    Recognised,
    /// A `GET` shows it.
    Look {
        /// Path and query, as written.
        path: &'a str,
        /// What must be in the answer, as written.
        contains: &'a str,
    },
}

impl Verify {
    /// The one way that is named; None if both are, or neither, or half of one.
    #[must_use]
    pub fn way(&self) -> Option<VerifyWay<'_>> {
        match (self.recognised, self.look.as_deref(), self.contains.as_deref()) {
            (true, None, None) => Some(VerifyWay::Recognised),
            (false, Some(path), Some(contains)) => Some(VerifyWay::Look { path, contains }),
            _ => None,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_write_is_verified_in_exactly_one_way() {
        let way = |rest: Value| {
            let mut verify = json!({"method": "POST", "path": "/things"});
            for (name, value) in rest.as_object().expect("a mapping") {
                verify[name] = value.clone();
            }
            serde_json::from_value::<Verify>(verify).expect("an entry")
        };
        let look = way(json!({"look": "/things", "contains": "${step.key}"}));
        let expected = VerifyWay::Look { path: "/things", contains: "${step.key}" };
        assert_eq!(look.way(), Some(expected));
        assert_eq!(way(json!({"recognised": true})).way(), Some(VerifyWay::Recognised));
        for rest in [
            json!({}),
            json!({"look": "/things"}),
            json!({"contains": "x"}),
            json!({"recognised": true, "contains": "x"}),
            json!({"recognised": true, "look": "/things", "contains": "x"}),
        ] {
            assert_eq!(way(rest.clone()).way(), None, "{rest}");
        }
    }

    #[test]
    fn a_connection_without_verify_is_written_as_before() {
        let need =
            json!({"type": "http", "from": ["/c"], "reason": "r", "optional": false, "allow": []});
        let read: ConnectionNeed = serde_json::from_value(need.clone()).expect("a need");
        assert_eq!(serde_json::to_value(&read).expect("JSON"), need);
    }
}
