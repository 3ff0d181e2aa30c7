//! How a handle says no, and the few questions a step asks of it.

pub use crate::bindings::bowline::connect::errors::{ConnectError, Reason};
use crate::bindings::bowline::plugin::types::Disposition;
use serde_json::Value;

/// The code of a write that took effect and whose answer is lost.
pub(crate) const DONE: &str = "effect.done";

impl ConnectError {
    /// Whether the same call may succeed later and can be repeated without a second effect.
    #[must_use]
    pub fn worth_repeating(&self) -> bool {
        matches!(self.disposition, Disposition::Retryable) && !self.in_doubt
    }

    /// Whether the host knows that this write took effect, although its answer is lost: the process
    /// ended after the write was sent, and the host has looked, or a person has. `in_doubt` is true
    /// as well, so that a step that does not ask for this looks before it writes again.
    ///
    /// Nothing is to be sent again. What only the answer had can be looked for, or left out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.code == DONE
    }

    /// A request that can't even be built. Nothing left.
    #[must_use]
    pub fn invalid(message: impl Into<String>) -> Self {
        permanent(Reason::Invalid, "guest.invalid-request", message)
    }

    /// The far side's own answer, for Kubernetes its `Status`; null when there was none.
    #[must_use]
    pub fn answer(&self) -> Value {
        let text = self.details.as_deref().unwrap_or("null");
        serde_json::from_str(text).unwrap_or(Value::Null)
    }
}

/// An error that the SDK itself found in what a step or the host said.
pub(crate) fn permanent(reason: Reason, code: &str, message: impl Into<String>) -> ConnectError {
    ConnectError {
        reason,
        disposition: Disposition::Permanent,
        code: code.to_owned(),
        message: message.into(),
        status: None,
        retry_after_ms: None,
        in_doubt: false,
        details: None,
    }
}

/// An error after which the same call may succeed. Only tests make one up.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn retryable(reason: Reason, code: &str, message: impl Into<String>) -> ConnectError {
    ConnectError { disposition: Disposition::Retryable, ..permanent(reason, code, message) }
}
