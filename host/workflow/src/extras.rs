//! What only this host reads of a step: the mapping `x-bowline`, which Relay ignores.
//!
//! It can only take away: what a step may do is what its plugin asks for, what the operator
//! allows, and what stands here.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The key.
pub const EXTRAS_KEY: &str = "x-bowline";

/// The mapping under `x-bowline` of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepExtras {
    /// By the plugin's name for a connection: the rules that the workflow grants of those that the
    /// plugin asks for. A connection that is not named here is granted as it is asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grants: BTreeMap<String, Vec<Value>>,
    /// What one attempt may use up, where less will do.
    #[serde(default, skip_serializing_if = "StepLimits::is_empty")]
    pub limits: StepLimits,
}

/// Limits of one step's attempts. None can raise what the host allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepLimits {
    /// Wall-clock seconds of one attempt; 1 to 86,400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_seconds: Option<u64>,
    /// Seconds of computing; 1 to 3,600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// MiB of memory; 1 to 4,096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u64>,
    /// Calls of connections; 1 to 100,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u32>,
}

impl StepExtras {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads the mapping.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn read(value: &Value) -> Result<Self, String> {
        let extras = Self::deserialize(value).map_err(|error| error.to_string())?;
        extras.limits.check("limits")?;
        Ok(extras)
    }
}

impl StepLimits {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether each limit is one that can be meant; `at` is where they stand, for the message.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub fn check(&self, at: &str) -> Result<(), String> {
        let bounds = [
            ("attemptSeconds", self.attempt_seconds, 86_400),
            ("cpuSeconds", self.cpu_seconds, 3_600),
            ("memoryMib", self.memory_mib, 4_096),
            ("calls", self.calls.map(u64::from), 100_000),
        ];
        for (name, value, max) in bounds {
            if value.is_some_and(|value| value == 0 || value > max) {
                return Err(format!("`{at}.{name}` must be 1 to {max}"));
            }
        }
        Ok(())
    }
}
