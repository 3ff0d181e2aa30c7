//! What a run needs besides its plan, so that it can be driven on by another process.

use serde::{Deserialize, Serialize};
use std::fmt;
use workflow::StepName;

/// Written with the start of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunContext {
    /// Where the steps' random numbers come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Seed>,
    /// The workflow file, absolute: documents beside it may be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The operator's settings file, absolute; None when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
    /// The writes that a plan has shown; no others may be made. None when the run is not bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Vec<PlannedWrite>>,
}

/// A write that a plan has shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedWrite {
    /// Of which step.
    pub step: StepName,
    /// `type/name`.
    pub connection: String,
    /// Where that led; None where it is not known, or does not matter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For people: `patch apps/deployments default/nginx-deployment`.
    pub operation: String,
    /// `blake3:` of what it changes, its precondition left out.
    pub content: String,
}

impl RunContext {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// 32 bytes, in hexadecimal, from which the random numbers of a run's steps are made. Whoever
/// reads them can foretell those numbers, so `Debug` hides them and no view shows them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(String);

impl Seed {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What it was made of, as text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_kept_and_not_shown() {
        let seed = Seed::new([7; 32]);
        let kept = serde_json::to_string(&seed).expect("serialize");
        assert_eq!(serde_json::from_str::<Seed>(&kept).expect("read"), seed);
        assert!(!format!("{seed:?}").contains("07"));
        assert!(RunContext::default().is_empty());
    }
}
