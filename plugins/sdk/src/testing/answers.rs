//! What a pretended service is asked, and the answers it gives.

use crate::bindings::bowline::plugin::types::Disposition;
use crate::kubernetes::{Kind, PatchKind, Query, Target, WriteOptions};
use crate::{ConnectError, Reason, connect_error};
use serde_json::Value;

/// An answer of a pretended HTTP service.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer with a status and a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// An answer whose body is JSON.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string())
    }

    /// What the host puts in the place of an answer that is lost, of a write that took effect.
    #[must_use]
    pub fn done() -> Self {
        Self::new(200, "{}").header("bowline-outcome", "done")
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A call to a pretended cluster.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the members are those of the contract")]
pub enum Call {
    Get {
        target: Target,
    },
    List {
        kind: Kind,
        namespace: Option<String>,
        query: Query,
    },
    Table {
        kind: Kind,
        namespace: Option<String>,
        name: Option<String>,
        query: Query,
    },
    Discover,
    Create {
        kind: Kind,
        namespace: Option<String>,
        object: Value,
        options: WriteOptions,
    },
    Replace {
        target: Target,
        object: Value,
        options: WriteOptions,
    },
    Patch {
        target: Target,
        how: PatchKind,
        patch: Value,
        options: WriteOptions,
    },
    Delete {
        target: Target,
        delete: Option<Value>,
        options: WriteOptions,
    },
    /// Answered by a list of changes, each as `{"type": "MODIFIED", "object": …}` or as the object
    /// alone. An `ERROR` ends the watch with the `Status` in it.
    Watch {
        kind: Kind,
        namespace: Option<String>,
        query: Query,
        from_version: Option<String>,
    },
}

/// A far side's failure: `service` and the reason of its `Status` make the code, 429 and 5xx are
/// retryable.
#[must_use]
pub fn remote(service: &str, status: u16, answer: &Value) -> ConnectError {
    let reason = answer["reason"].as_str().unwrap_or("unknown");
    let mut code = format!("{service}.");
    for (index, letter) in reason.chars().enumerate() {
        if letter.is_ascii_uppercase() && index > 0 {
            code.push('-');
        }
        code.push(letter.to_ascii_lowercase());
    }
    let message = answer["message"].as_str().unwrap_or("no message");
    let retryable = status == 429 || status >= 500;
    let mut error = connect_error::permanent(Reason::Remote, &code, message);
    error.status = Some(status);
    error.details = Some(answer.to_string());
    if retryable {
        error.disposition = Disposition::Retryable;
    }
    error
}

/// A write whose answer was lost: nobody knows whether it took effect.
#[must_use]
pub fn lost(service: &str) -> ConnectError {
    let code = format!("{service}.timeout");
    let error = connect_error::retryable(Reason::Timeout, &code, "no answer in time");
    ConnectError { in_doubt: true, ..error }
}

/// A write that took effect before the process ended, and whose answer is lost.
#[must_use]
pub fn done() -> ConnectError {
    let message = "it took effect before, and its answer is lost; nothing is sent again";
    let error = connect_error::permanent(Reason::Other, connect_error::DONE, message);
    ConnectError { in_doubt: true, ..error }
}

/// No connection: the request never left.
#[must_use]
pub fn unreachable(service: &str) -> ConnectError {
    let code = format!("{service}.unreachable");
    connect_error::retryable(Reason::Unreachable, &code, "connection refused")
}
