//! What only this host reads of a workflow and of a step: the mapping `x-bowline`, which Relay
//! ignores.
//!
//! Of what a step may do it can only take away: that is what its plugin asks for, what the
//! operator allows, and what stands here. How often and for how long a step is tried is said here
//! and nowhere else in the language.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The key.
pub const EXTRAS_KEY: &str = "x-bowline";

/// The longest that a step, an approval or a run may be given: a week, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 604_800;

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
    /// How often it is tried. What is not said here, the workflow says for all of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Wall-clock seconds for all tries together, the waits in between included; 1 to 604,800. For
    /// an approval: how long it waits for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// The mapping under `x-bowline` of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunExtras {
    /// How often each step is tried, where the step itself does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Wall-clock seconds for the whole run; 1 to 604,800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// How often a step is tried when it fails in a way that may pass. What is not said, the host
/// decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// All tries together, the first included; 1 to 20.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Seconds before the second try, doubled before each further one; 1 to 3,600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_seconds: Option<u64>,
    /// The most seconds that it waits, also for a `Retry-After` of the far side; 1 to 86,400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delay_seconds: Option<u64>,
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
    /// Calls at the same time; 1 to 64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_in_flight: Option<u32>,
    /// KiB of one request's body; 1 to 65,536.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_kib: Option<u64>,
    /// KiB of one answer's decoded body; 1 to 8,192, which is what can be handed to a step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_kib: Option<u64>,
    /// KiB of all answers together; 1 to 1,048,576.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub responses_kib: Option<u64>,
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
        check_tries(extras.retry, extras.timeout_seconds)?;
        Ok(extras)
    }
}

impl RunExtras {
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
        check_tries(extras.retry, extras.timeout_seconds)?;
        Ok(extras)
    }
}

fn check_tries(retry: Option<Retry>, timeout_seconds: Option<u64>) -> Result<(), String> {
    retry.unwrap_or_default().check("retry")?;
    check_bounds("", &[("timeoutSeconds", timeout_seconds, TIMEOUT_SECONDS_MAX)])
}

impl Retry {
    /// This, and where nothing is said, what `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            attempts: self.attempts.or(other.attempts),
            delay_seconds: self.delay_seconds.or(other.delay_seconds),
            max_delay_seconds: self.max_delay_seconds.or(other.max_delay_seconds),
        }
    }

    /// Whether each number is one that can be meant; `at` is where they stand, for the message.
    ///
    /// # Errors
    ///
    /// The first that is not.
    pub fn check(&self, at: &str) -> Result<(), String> {
        let bounds = [
            ("attempts", self.attempts.map(u64::from), 20),
            ("delaySeconds", self.delay_seconds, 3_600),
            ("maxDelaySeconds", self.max_delay_seconds, 86_400),
        ];
        check_bounds(&format!("{at}."), &bounds)
    }
}

impl StepLimits {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and where nothing is said, those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            attempt_seconds: self.attempt_seconds.or(other.attempt_seconds),
            cpu_seconds: self.cpu_seconds.or(other.cpu_seconds),
            memory_mib: self.memory_mib.or(other.memory_mib),
            calls: self.calls.or(other.calls),
            calls_in_flight: self.calls_in_flight.or(other.calls_in_flight),
            request_kib: self.request_kib.or(other.request_kib),
            response_kib: self.response_kib.or(other.response_kib),
            responses_kib: self.responses_kib.or(other.responses_kib),
        }
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
            ("callsInFlight", self.calls_in_flight.map(u64::from), 64),
            ("requestKib", self.request_kib, 65_536),
            ("responseKib", self.response_kib, 8_192),
            ("responsesKib", self.responses_kib, 1_048_576),
        ];
        check_bounds(&format!("{at}."), &bounds)
    }
}

/// Whether each number is 1 to its bound; `before` stands before each name in the message.
fn check_bounds(before: &str, bounds: &[(&str, Option<u64>, u64)]) -> Result<(), String> {
    for &(name, value, max) in bounds {
        if value.is_some_and(|value| value == 0 || value > max) {
            return Err(format!("`{before}{name}` must be 1 to {max}"));
        }
    }
    Ok(())
}
