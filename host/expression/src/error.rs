//! What other rooms see of a failed evaluation.
//!
//! The message may hold pieces of the values that were evaluated (a key, a character that is no
//! JSON). Who evaluates with secrets must redact it.

use crate::fault::{Class, Fault};

/// Why an expression has no value, in the words of Relay.
///
/// The whole chain of causes stands in the message, so there is no `source`.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct EvaluateError {
    fault: Fault,
}

impl EvaluateError {
    /// The keys from the root of the tree to the mistake; empty at the root.
    #[must_use]
    pub fn path(&self) -> Vec<String> {
        self.fault.keys()
    }

    /// The kind of mistake.
    #[must_use]
    pub fn class(&self) -> Class {
        self.fault.class()
    }
}

impl From<Fault> for EvaluateError {
    fn from(fault: Fault) -> Self {
        Self { fault }
    }
}
