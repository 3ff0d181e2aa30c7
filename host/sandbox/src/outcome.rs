//! What the end of a guest means: its answer checked, its failure made presentable, a trap named
//! after the limit that struck.

use crate::bindings::types;
use crate::imports::log::{cut, escape_controls};
use crate::imports::runtime::check_output_name;
use crate::imports::sockets::SocketsDenied;
use crate::json;
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::state::{OUTPUTS_BYTES_MAX, OUTPUTS_MAX, StepState};
use journal::{Disposition, Failure};
use serde_json::{Map, Value, json};
use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

/// Bytes of a failure's message.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Bytes of a failure's details, as JSON.
const DETAILS_BYTES_MAX: usize = 64 << 10;

/// Bytes of the last words of a guest that trapped.
const TRACE_BYTES_MAX: usize = 8 << 10;

/// The outputs of a guest that said it succeeded.
pub(crate) fn outputs(
    state: &mut StepState,
    plugin: &Plugin,
    returned: &str,
) -> Result<Map<String, Value>, Failure> {
    let invalid = |message: String| Failure::permanent("step.outputs", message);
    let returned = json::parse_object(returned, OUTPUTS_BYTES_MAX)
        .map_err(|error| invalid(format!("the outputs are {error}")))?;
    let mut outputs = std::mem::take(&mut state.outputs);
    for (name, value) in returned {
        check_output_name(&name).map_err(invalid)?;
        outputs.insert(name, value);
    }
    if outputs.len() > OUTPUTS_MAX {
        return Err(invalid(format!("{} outputs, and {OUTPUTS_MAX} are allowed", outputs.len())));
    }
    let value = Value::Object(outputs);
    let text = value.to_string();
    if text.len() > OUTPUTS_BYTES_MAX {
        return Err(invalid(format!(
            "the outputs have {} bytes, and {OUTPUTS_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    if state.attempt.redactor().finds(&text) {
        // Masking it silently would hand a broken value to the next step.
        return Err(Failure::permanent(
            "output.secret-leak",
            "an output holds a credential of one of the step's connections, so none was kept",
        ));
    }
    plugin.outputs.check(&value, "step.outputs", "outputs")?;
    match value {
        Value::Object(outputs) => Ok(outputs),
        _ => Ok(Map::new()),
    }
}

/// The failure that a guest reported, within bounds and without credentials.
pub(crate) fn reported(state: &StepState, failure: types::Failure) -> Failure {
    let disposition = match failure.disposition {
        types::Disposition::Permanent => Disposition::Permanent,
        types::Disposition::Retryable => Disposition::Retryable,
        types::Disposition::Cancelled => Disposition::Cancelled,
    };
    let code = if is_code(&failure.code) { failure.code } else { "guest.invalid-code".to_owned() };
    let redactor = state.attempt.redactor();
    let details = failure.details.and_then(|text| {
        json::parse(&redactor.text(&text), DETAILS_BYTES_MAX).ok().filter(Value::is_object)
    });
    Failure {
        disposition,
        code,
        message: state.clean(cut(&failure.message, MESSAGE_BYTES_MAX)),
        retry_after_ms: failure.retry_after_ms,
        details,
    }
}

/// What a guest that ended without an answer died of.
pub(crate) fn trapped(state: &mut StepState, limits: &Limits, error: &wasmtime::Error) -> Failure {
    let (code, message) = cause(state, limits, error);
    let mut failure = Failure::permanent(code, message);
    let trace = state.printed.take();
    if !trace.is_empty() {
        let tail = &trace[trace.ceil_char_boundary(trace.len().saturating_sub(TRACE_BYTES_MAX))..];
        failure.details = Some(json!({ "trace": state.clean(tail) }));
    }
    failure
}

fn cause(state: &StepState, limits: &Limits, error: &wasmtime::Error) -> (&'static str, String) {
    if let Some(denied) = error.downcast_ref::<SocketsDenied>() {
        return ("denied.wasi-sockets", denied.to_string());
    }
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let message =
            format!("the step ended itself with exit code {} instead of answering", exit.0);
        return ("guest.exit", message);
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => (
            "limit.cpu",
            format!("the step computed for more than {:?} and was stopped", limits.cpu_time_max),
        ),
        Some(Trap::StackOverflow) => (
            "limit.stack",
            "the step's calls nest too deeply, it ran out of stack and was stopped".to_owned(),
        ),
        _ if state.limiter.memory_refused => (
            "limit.memory",
            format!(
                "the step wanted more than {} MiB of memory and was stopped",
                limits.memory_bytes_max >> 20
            ),
        ),
        trap => {
            let text = format!("{error:#}");
            if text.contains("fuel allocated for hostcalls") {
                let max = limits.hostcall_bytes_max >> 20;
                return (
                    "limit.hostcall-bytes",
                    format!("the step handed over more than {max} MiB in one call and was stopped"),
                );
            }
            if text.contains("handle limit exceeded") {
                let max = limits.handles_max;
                return (
                    "limit.handles",
                    format!("the step held more than {max} handles and was stopped"),
                );
            }
            if text.contains("resource limit exceeded") {
                return ("limit.resources", format!("the step was stopped: {}", last(&text)));
            }
            let what = trap.map_or_else(|| last(&text), ToString::to_string);
            let message = format!("the step crashed: {}", escape_controls(cut(&what, 512)));
            ("guest.trap", message)
        }
    }
}

/// The innermost cause: the outer ones are a backtrace of addresses.
fn last(chain: &str) -> String {
    chain.rsplit(": ").next().unwrap_or(chain).trim().to_owned()
}

/// 1 to 64 characters: words of `a-z`, `0-9` and `-`, joined by dots.
fn is_code(code: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    code.len() <= 64 && code.split('.').all(word)
}

#[cfg(test)]
mod tests {
    use super::is_code;

    #[test]
    fn codes() {
        let cases = [
            ("kubernetes.not-found", true),
            ("x", true),
            ("", false),
            ("a..b", false),
            ("A.b", false),
            ("a b", false),
            ("a\n", false),
        ];
        for (code, expected) in cases {
            assert_eq!(is_code(code), expected, "{code:?}");
        }
    }
}
