//! The Rust side of `wit/connect`: generated, with the resources mapped to our own types.

#![allow(missing_docs, reason = "generated; the documentation is in wit/connect/connect.wit")]

wasmtime::component::bindgen!({
    path: ["../../wit/plugin", "../../wit/connect"],
    world: "bowline:connect/connections",
    imports: { default: async | trappable },
    with: {
        "bowline:plugin/types": sandbox::bindings::types,
        "bowline:plugin/runtime": sandbox::bindings::runtime,
        "bowline:connect/http.client": crate::http::handle::Client,
        "bowline:connect/http.response": crate::http::handle::Response,
        "bowline:connect/kubernetes.cluster": crate::kubernetes::handle::Cluster,
        "bowline:connect/kubernetes.watcher": crate::kubernetes::watch::Watcher,
    },
});

pub(crate) use bowline::connect::{errors, http, kubernetes};

use effects::{CallError, Reason};
use sandbox::bindings::types::Disposition;
use sandbox::{Grants, StepState};
use wasmtime::component::{HasData, ResourceTable, ResourceTableError};

/// What the host side of a connection may touch of an attempt.
pub(crate) struct View<'a> {
    pub(crate) grants: &'a Grants,
    pub(crate) table: &'a mut ResourceTable,
}

/// Tells the linker how to get a [`View`].
pub(crate) struct HasView;

impl HasData for HasView {
    type Data<'a> = View<'a>;
}

pub(crate) fn view(state: &mut StepState) -> View<'_> {
    let (grants, table) = state.connections();
    View { grants, table }
}

impl errors::Host for View<'_> {}

/// The words of the contract for a call that failed.
pub(crate) fn connect_error(error: CallError) -> errors::ConnectError {
    let reason = match error.reason {
        Reason::Denied => errors::Reason::Denied,
        Reason::Revoked => errors::Reason::Revoked,
        Reason::Invalid => errors::Reason::Invalid,
        Reason::Exhausted => errors::Reason::Exhausted,
        Reason::Withheld => errors::Reason::Withheld,
        Reason::Timeout => errors::Reason::Timeout,
        Reason::Unreachable => errors::Reason::Unreachable,
        Reason::Remote => errors::Reason::Remote,
        Reason::Other => errors::Reason::Other,
    };
    let disposition = match error.disposition {
        journal::Disposition::Permanent => Disposition::Permanent,
        journal::Disposition::Retryable => Disposition::Retryable,
        journal::Disposition::Cancelled => Disposition::Cancelled,
    };
    errors::ConnectError {
        reason,
        disposition,
        code: error.code,
        message: error.message,
        status: error.status,
        retry_after_ms: error.retry_after_ms,
        in_doubt: error.in_doubt,
        details: error.details.map(|details| details.to_string()),
    }
}

/// Puts something into the guest's table. A full table is the guest's doing and an ordinary
/// answer; anything else about the table is our fault and a trap.
pub(crate) fn push<T: Send + 'static>(
    table: &mut ResourceTable,
    entry: T,
) -> wasmtime::Result<Result<wasmtime::component::Resource<T>, errors::ConnectError>> {
    match table.push(entry) {
        Ok(resource) => Ok(Ok(resource)),
        Err(ResourceTableError::Full) => Ok(Err(connect_error(CallError::new(
            Reason::Exhausted,
            "limit.handles",
            "the step holds too many handles and answers; drop some",
        )))),
        Err(error) => Err(error.into()),
    }
}

/// The rules in a text that a guest handed to `restrict`.
pub(crate) fn rules(text: &str) -> Result<Vec<serde_json::Value>, CallError> {
    let invalid = |message: String| CallError::invalid("scope.invalid", message);
    match sandbox::json::parse(text, 64 << 10) {
        Ok(serde_json::Value::Array(rules)) => Ok(rules),
        Ok(_) => Err(invalid("a scope is a list of rules".to_owned())),
        Err(error) => Err(invalid(format!("the scope is {error}"))),
    }
}
