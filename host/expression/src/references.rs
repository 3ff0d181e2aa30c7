//! What an expression refers to: which parameters, outputs, connections and the like.
//!
//! Names only, never values.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Names of things that an expression uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// Parameters of the run.
    pub parameters: BTreeSet<String>,
    /// Secrets of the workflow.
    pub secrets: BTreeSet<String>,
    /// Connections: type and name.
    pub connections: BTreeSet<(String, String)>,
    /// Outputs: step and name; no name means whatever the step has set.
    pub outputs: BTreeSet<(String, Option<String>)>,
    /// Answers: the asking step and the name of the answer.
    pub answers: BTreeSet<(String, String)>,
    /// Statuses: step and property (`failed`, `skipped`, `succeeded`).
    pub statuses: BTreeSet<(String, String)>,
    /// Data by name; the empty name is the default one, such as a trigger's event.
    pub data: BTreeSet<String>,
}

impl References {
    /// Whether nothing is referred to.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds everything in `other`.
    pub fn merge(&mut self, mut other: Self) {
        self.parameters.append(&mut other.parameters);
        self.secrets.append(&mut other.secrets);
        self.connections.append(&mut other.connections);
        self.outputs.append(&mut other.outputs);
        self.answers.append(&mut other.answers);
        self.statuses.append(&mut other.statuses);
        self.data.append(&mut other.data);
    }

    /// The names as Relay's API lists them: `{"parameters": [{"name": …}], …}`, empty kinds
    /// left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut kinds = Map::new();
        let mut add = |kind: &str, ids: Vec<Value>| {
            if !ids.is_empty() {
                kinds.insert(kind.to_owned(), Value::Array(ids));
            }
        };
        let names = |set: &BTreeSet<String>| set.iter().map(|name| json!({"name": name})).collect();
        add("data", names(&self.data));
        add("secrets", names(&self.secrets));
        add("parameters", names(&self.parameters));
        let pairs = |set: &BTreeSet<(String, String)>, first: &str, second: &str| {
            set.iter().map(|(a, b)| json!({first: a, second: b})).collect()
        };
        add("connections", pairs(&self.connections, "type", "name"));
        add("answers", pairs(&self.answers, "askRef", "name"));
        add("statuses", pairs(&self.statuses, "action", "property"));
        let outputs = self.outputs.iter().map(|(from, name)| match name {
            Some(name) => json!({"from": from, "name": name}),
            None => json!({"from": from}),
        });
        add("outputs", outputs.collect());
        Value::Object(kinds)
    }
}

/// What was found and what was not while something was evaluated.
///
/// Most values refer to nothing, and traces are passed through every level of evaluation, so an
/// empty one is a single word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    noted: Option<Box<Noted>>,
}

#[derive(Clone, Debug, Default)]
struct Noted {
    resolved: References,
    unresolved: References,
}

impl Trace {
    /// Whether everything was found.
    pub(crate) fn is_complete(&self) -> bool {
        self.noted.as_ref().is_none_or(|noted| noted.unresolved.is_empty())
    }

    pub(crate) fn merge(&mut self, other: Self) {
        match (&mut self.noted, other.noted) {
            (_, None) => {}
            (noted @ None, more) => *noted = more,
            (Some(noted), Some(more)) => {
                noted.resolved.merge(more.resolved);
                noted.unresolved.merge(more.unresolved);
            }
        }
    }

    /// Notes one reference with `note`, among those found or those not found.
    pub(crate) fn note(found: bool, note: impl FnOnce(&mut References)) -> Self {
        let mut noted = Box::<Noted>::default();
        note(if found { &mut noted.resolved } else { &mut noted.unresolved });
        Self { noted: Some(noted) }
    }

    /// What was found, and what was not.
    pub(crate) fn into_parts(self) -> (References, References) {
        let noted = self.noted.map(|noted| *noted).unwrap_or_default();
        (noted.resolved, noted.unresolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_as_relay_lists_them() {
        let mut references = References::default();
        assert!(references.is_empty());
        references.outputs.insert(("a".into(), None));
        let mut more = References::default();
        more.outputs.insert(("a".into(), Some("x".into())));
        more.connections.insert(("kubernetes".into(), "prod".into()));
        references.merge(more);
        assert_eq!(
            references.to_json(),
            json!({
                "outputs": [{"from": "a"}, {"from": "a", "name": "x"}],
                "connections": [{"type": "kubernetes", "name": "prod"}],
            })
        );
    }
}
