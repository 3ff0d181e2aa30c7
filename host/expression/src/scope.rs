//! What an expression can see while it is evaluated.
//!
//! Plain data, handed in. What is absent here is not there *yet*: it leaves an expression
//! unresolved, it is no mistake.

use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The values that references resolve to.
#[derive(Clone, Default)]
pub struct Scope {
    /// Parameters of the run by name.
    pub parameters: BTreeMap<String, Value>,
    /// Secrets by name. Relay's secrets are texts.
    pub secrets: BTreeMap<String, Value>,
    /// Connections by type, then by name.
    pub connections: BTreeMap<String, BTreeMap<String, Value>>,
    /// Outputs by step, then by name.
    pub outputs: BTreeMap<String, BTreeMap<String, Value>>,
    /// Answers by the step that asks, then by name.
    pub answers: BTreeMap<String, BTreeMap<String, Value>>,
    /// How steps ended.
    pub steps: BTreeMap<String, StepFacts>,
    /// Data by name. Each name is a root of templates, such as `event` for a trigger.
    pub data: BTreeMap<String, Value>,
    /// Which of `data` a `!Data` without a name means.
    pub default_data: Option<String>,
    /// Which other roots templates have here.
    pub roots: Roots,
    /// What `now()` returns; without it, `now()` is an error.
    pub now: Option<Timestamp>,
}

/// Names only: values may be secrets.
impl fmt::Debug for Scope {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |map: &BTreeMap<String, BTreeMap<String, Value>>| -> Vec<(String, String)> {
            let each =
                map.iter().flat_map(|(outer, inner)| inner.keys().map(move |key| (outer, key)));
            each.map(|(outer, key)| (outer.clone(), key.clone())).collect()
        };
        out.debug_struct("Scope")
            .field("parameters", &self.parameters.keys())
            .field("secrets", &self.secrets.keys())
            .field("connections", &named(&self.connections))
            .field("outputs", &named(&self.outputs))
            .field("answers", &named(&self.answers))
            .field("steps", &self.steps)
            .field("data", &self.data.keys())
            .field("roots", &self.roots)
            .finish_non_exhaustive()
    }
}

/// What is known about a step. What is not known yet is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepFacts {
    /// It ran, and did not succeed.
    pub failed: Option<bool>,
    /// It did not run, because a condition was not met.
    pub skipped: Option<bool>,
    /// It ran, and succeeded.
    pub succeeded: Option<bool>,
}

impl StepFacts {
    /// The property called `name`, if it exists and is known.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<bool> {
        match name {
            "failed" => self.failed,
            "skipped" => self.skipped,
            "succeeded" => self.succeeded,
            _ => None,
        }
    }
}

/// The roots that a template may begin with, besides the names of data.
///
/// A root that is not there is a mistake of the author (`unknown key outputs`), while a root
/// without a value only waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// `parameters.NAME`.
    pub parameters: bool,
    /// `secrets.NAME`.
    pub secrets: bool,
    /// `connections.TYPE.NAME`.
    pub connections: bool,
    /// `outputs.STEP.NAME`.
    pub outputs: bool,
    /// `steps.STEP.PROPERTY`.
    pub steps: bool,
}

impl Roots {
    /// In a step's `spec`, `env` and `when`.
    pub const STEP: Self =
        Self { parameters: true, secrets: true, connections: true, outputs: true, steps: true };

    /// In a trigger's `source.spec` and `source.env`.
    pub const TRIGGER_SOURCE: Self =
        Self { parameters: false, secrets: true, connections: true, outputs: false, steps: false };

    /// In a trigger's `when` and `binding`, which see only the event.
    pub const TRIGGER_EVENT: Self = Self {
        parameters: false,
        secrets: false,
        connections: false,
        outputs: false,
        steps: false,
    };
}

impl Default for Roots {
    fn default() -> Self {
        Self::STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_printed_scope_shows_no_value() {
        let scope = Scope {
            secrets: [("key".to_owned(), json!("hidden"))].into(),
            connections: [("http".to_owned(), [("api".to_owned(), json!("hidden"))].into())].into(),
            ..Scope::default()
        };
        let printed = format!("{scope:?}");
        assert!(printed.contains("key") && printed.contains("api"), "{printed}");
        assert!(!printed.contains("hidden"), "{printed}");
    }
}
