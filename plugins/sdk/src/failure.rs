//! Why a step did not do its work, in the terms that the engine acts on.
//!
//! A failure is an answer, not a crash: the code is for programs, the message for a person at
//! night. It never carries a credential, since a step never has one.

use crate::{ConnectError, bindings};
use serde_json::{Map, Value};
use std::{fmt, time::Duration};

/// What the engine should do after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The same inputs will fail again.
    Permanent,
    /// Another attempt may succeed.
    Retryable,
    /// Stopped because the host asked for it.
    Cancelled,
}

/// Why a step did not do its work.
///
/// One pointer wide, since every `?` on the way out copies it.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure(Box<Content>);

#[derive(Clone, Debug, PartialEq)]
struct Content {
    disposition: Disposition,
    code: String,
    message: String,
    retry_after: Option<Duration>,
    details: Map<String, Value>,
}

impl Failure {
    /// A failure that the same inputs will meet again.
    ///
    /// `code`: 1 to 64 characters, words of `a-z`, `0-9` and `-`, joined by dots. `message`: one
    /// or two sentences, what happened and what to do; cut by the host after 4 KiB.
    #[inline(never)]
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Disposition::Permanent, code.into(), message.into())
    }

    #[inline(never)]
    fn new(disposition: Disposition, code: String, message: String) -> Self {
        let (retry_after, details) = (None, Map::new());
        Self(Box::new(Content { disposition, code, message, retry_after, details }))
    }

    /// A failure after which another attempt may succeed, not earlier than `after` when given.
    pub fn retryable(
        code: impl Into<String>,
        message: impl Into<String>,
        after: Option<Duration>,
    ) -> Self {
        let mut failure = Self::new(Disposition::Retryable, code.into(), message.into());
        failure.0.retry_after = after;
        failure
    }

    /// The step stopped because the run is being stopped.
    pub fn cancelled(message: impl Into<String>) -> Self {
        Self::new(Disposition::Cancelled, "cancelled".to_owned(), message.into())
    }

    /// The author's or the caller's fault: an input that can't be right. Code `config`.
    #[inline(never)]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Disposition::Permanent, "config".to_owned(), message.into())
    }

    /// Adds one fact for programs. All details together: at most 64 KiB.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// The same failure in other words; code, disposition and details stay.
    #[must_use]
    #[inline(never)]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// The same failure as one after which no other attempt is made, since what was done already
    /// would be done again. One that was cancelled stays so.
    #[must_use]
    pub fn finally(mut self) -> Self {
        if self.0.disposition == Disposition::Retryable {
            self.0.disposition = Disposition::Permanent;
        }
        self
    }

    /// What the engine should do.
    #[must_use]
    pub fn disposition(&self) -> Disposition {
        self.0.disposition
    }

    /// The stable name for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The text for a person.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// How long to wait before another attempt, when the far side said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Facts for programs.
    #[must_use]
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    #[cfg(any(target_family = "wasm", test))]
    pub(crate) fn into_wire(self) -> bindings::Failure {
        use bindings::bowline::plugin::types::Disposition as Wire;
        let content = *self.0;
        bindings::Failure {
            disposition: match content.disposition {
                Disposition::Permanent => Wire::Permanent,
                Disposition::Retryable => Wire::Retryable,
                Disposition::Cancelled => Wire::Cancelled,
            },
            code: content.code,
            message: content.message,
            retry_after_ms: content
                .retry_after
                .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            details: (!content.details.is_empty())
                .then(|| crate::json_text(&Value::Object(content.details))),
        }
    }
}

/// A connection's no becomes the step's no, so `?` is enough.
///
/// A write of which nobody knows whether it took effect is permanent, whatever the host thought
/// of the request: another attempt would send it blindly. `details.inDoubt` says so.
impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        use bindings::bowline::plugin::types::Disposition as Wire;
        let disposition = match error.disposition {
            _ if error.in_doubt => Disposition::Permanent,
            Wire::Permanent => Disposition::Permanent,
            Wire::Retryable => Disposition::Retryable,
            Wire::Cancelled => Disposition::Cancelled,
        };
        let mut details = Map::new();
        if let Some(Value::Object(facts)) =
            error.details.as_deref().and_then(|text| serde_json::from_str(text).ok())
        {
            details.insert("answer".to_owned(), Value::Object(facts));
        }
        if let Some(status) = error.status {
            details.insert("status".to_owned(), status.into());
        }
        if error.in_doubt {
            details.insert("inDoubt".to_owned(), true.into());
        }
        let mut failure = Self::new(disposition, error.code, error.message);
        failure.0.retry_after = error.retry_after_ms.map(Duration::from_millis);
        failure.0.details = details;
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, connect_error};

    #[test]
    fn a_write_in_doubt_is_never_tried_again_by_the_engine() {
        let lost = ConnectError {
            in_doubt: true,
            ..connect_error::retryable(Reason::Timeout, "http.timeout", "no answer")
        };

        let failure = Failure::from(lost);

        assert_eq!(failure.disposition(), Disposition::Permanent);
        assert_eq!(failure.details()["inDoubt"], true);
    }

    #[test]
    fn a_refusal_keeps_what_the_far_side_said() {
        let busy = ConnectError {
            status: Some(429),
            retry_after_ms: Some(1500),
            details: Some(r#"{"reason":"TooManyRequests"}"#.to_owned()),
            ..connect_error::retryable(Reason::Remote, "kubernetes.too-many-requests", "busy")
        };

        let wire = Failure::from(busy).into_wire();

        assert_eq!(wire.code, "kubernetes.too-many-requests");
        assert_eq!(wire.retry_after_ms, Some(1500));
        let details: Value = serde_json::from_str(&wire.details.expect("details")).expect("JSON");
        assert_eq!(details["answer"]["reason"], "TooManyRequests");
        assert_eq!(details["status"], 429);
    }
}
