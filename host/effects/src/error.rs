//! How a handle says no, in the words of the contract (`bowline:connect/errors`).

use crate::scope::Party;
use journal::Disposition;
use serde_json::Value;

/// Why a call did not give what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Outside of the scope; nothing left the host.
    Denied,
    /// The handle has ended.
    Revoked,
    /// Malformed; nothing left the host.
    Invalid,
    /// A budget is used up.
    Exhausted,
    /// A write that a plan shows and does not make.
    Withheld,
    /// No answer in time.
    Timeout,
    /// No connection, or cut before an answer.
    Unreachable,
    /// The far side answered with a failure.
    Remote,
    /// Anything else; see the code.
    Other,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Denied,
        Self::Revoked,
        Self::Invalid,
        Self::Exhausted,
        Self::Withheld,
        Self::Timeout,
        Self::Unreachable,
        Self::Remote,
        Self::Other,
    ];
}

/// A call that did not give what was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} ({code})")]
pub struct CallError {
    /// Why.
    pub reason: Reason,
    /// What to do with it.
    pub disposition: Disposition,
    /// Stable, dotted, for programs.
    pub code: String,
    /// For people. Already redacted.
    pub message: String,
    /// Of the far side's answer.
    pub status: Option<u16>,
    /// Milliseconds that the far side asked to wait.
    pub retry_after_ms: Option<u64>,
    /// Whether a write may have taken effect all the same.
    pub in_doubt: bool,
    /// Further facts.
    pub details: Option<Value>,
    /// Of a call outside of the scope: the rule that would have allowed it.
    pub missing_rule: Option<Box<Value>>,
    /// Of a call outside of the scope: who did not allow it.
    pub denied_by: Option<Party>,
}

impl CallError {
    /// One with neither status nor details.
    pub fn new(reason: Reason, code: impl Into<String>, message: impl Into<String>) -> Self {
        let disposition = match reason {
            Reason::Timeout | Reason::Unreachable => Disposition::Retryable,
            Reason::Revoked => Disposition::Cancelled,
            Reason::Denied
            | Reason::Invalid
            | Reason::Exhausted
            | Reason::Withheld
            | Reason::Remote
            | Reason::Other => Disposition::Permanent,
        };
        Self {
            reason,
            disposition,
            code: code.into(),
            message: message.into(),
            status: None,
            retry_after_ms: None,
            in_doubt: false,
            details: None,
            missing_rule: None,
            denied_by: None,
        }
    }

    /// A request that is malformed.
    pub fn invalid(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Reason::Invalid, code, message)
    }
}
