//! What the end of a guest means: its answer checked, its failure made presentable, a trap named
//! after the limit that struck.

use crate::bindings::types;
use crate::engine::{STACK_BYTES_MAX, TICK};
use crate::imports::log::{cut, escape_controls};
use crate::imports::runtime::check_output_name;
use crate::imports::sockets::SocketsDenied;
use crate::json;
use crate::limits::Limits;
use crate::plugin::Plugin;
use crate::state::{OUTPUTS_BYTES_MAX, OUTPUTS_MAX, StepState};
use effects::{Layer, Redactor};
use journal::{Disposition, Failure};
use serde_json::{Map, Value};
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
    let bytes_max = if Layer::Outputs.on() { OUTPUTS_BYTES_MAX } else { usize::MAX };
    let returned = json::parse_object(returned, bytes_max)
        .map_err(|error| invalid(format!("the outputs are {error}")))?;
    let mut outputs = std::mem::take(&mut state.outputs);
    for (name, value) in returned {
        check_output_name(&name).map_err(invalid)?;
        outputs.insert(name, value);
    }
    if outputs.len() > OUTPUTS_MAX && Layer::Outputs.on() {
        return Err(invalid(format!("{} outputs, and {OUTPUTS_MAX} are allowed", outputs.len())));
    }
    let value = Value::Object(outputs);
    let text = value.to_string();
    if text.len() > OUTPUTS_BYTES_MAX && Layer::Outputs.on() {
        return Err(invalid(format!(
            "the outputs have {} bytes, and {OUTPUTS_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    if Layer::Outputs.on() && state.attempt.redactor().finds(&text) {
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

/// What only the host says: that an attempt did not do again what it did, or waits for a person.
const HOST_CODES: &[&str] = &[Failure::UNKNOWN, Failure::DIVERGED];

/// The failure that a guest reported, within bounds and without credentials.
pub(crate) fn reported(state: &StepState, failure: types::Failure) -> Failure {
    let disposition = match failure.disposition {
        types::Disposition::Permanent => Disposition::Permanent,
        types::Disposition::Retryable => Disposition::Retryable,
        types::Disposition::Cancelled => Disposition::Cancelled,
    };
    let redactor = state.attempt.redactor();
    // A credential in small letters would be a good code, too.
    let good = is_code(&failure.code)
        && !redactor.finds(&failure.code)
        && !HOST_CODES.contains(&failure.code.as_str());
    let code = if good { failure.code } else { "guest.invalid-code".to_owned() };
    Failure {
        disposition,
        code,
        message: state.clean_up_to(&failure.message, MESSAGE_BYTES_MAX),
        retry_after_ms: failure.retry_after_ms,
        details: failure.details.and_then(|text| clean_details(&text, redactor)),
    }
}

/// The details of a failure without credentials: read first, since in JSON every character of
/// a credential can be written in a way that no search for texts would find.
fn clean_details(text: &str, redactor: &Redactor) -> Option<Value> {
    let read = json::parse(text, DETAILS_BYTES_MAX).ok().filter(Value::is_object)?;
    json::parse(&redactor.text(&read.to_string()), usize::MAX).ok()
}

/// What a guest that ended without an answer died of. `printed` are its last words, clean.
pub(crate) fn trapped(
    state: &StepState,
    limits: &Limits,
    error: &wasmtime::Error,
    printed: &str,
) -> Failure {
    let (code, message) = cause(state, limits, error);
    let mut failure = Failure::permanent(code, message);
    let mut details = Map::new();
    if is_forgery(&innermost(error)) {
        details.insert("violation".to_owned(), "handle-forgery".into());
    }
    if !printed.trim().is_empty() {
        let from = printed.ceil_char_boundary(printed.len().saturating_sub(TRACE_BYTES_MAX));
        details.insert("trace".to_owned(), printed[from..].into());
    }
    failure.details = (!details.is_empty()).then_some(Value::Object(details));
    failure
}

/// Whether the guest used a handle that it does not hold: no compiler makes such code.
fn is_forgery(cause: &str) -> bool {
    cause.contains("unknown handle index") || cause.contains("used with the wrong type")
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
    let trap = error.downcast_ref::<Trap>();
    if let Some(struck) = limit_of_trap(state, limits, trap) {
        return struck;
    }
    let text = format!("{error:#}");
    if let Some(struck) = limit_in_words(limits, &text, &innermost(error)) {
        return struck;
    }
    if let Some(struck) = limit_refused(state, limits) {
        return struck;
    }
    let what = trap.map_or_else(|| innermost(error), ToString::to_string);
    ("guest.trap", format!("the step crashed: {}", escape_controls(cut(&what, 512))))
}

/// Limits that the runtime has a trap for.
fn limit_of_trap(
    state: &StepState,
    limits: &Limits,
    trap: Option<&Trap>,
) -> Option<(&'static str, String)> {
    match trap? {
        Trap::Interrupt => {
            let used = TICK * u32::try_from(state.cpu_ticks).unwrap_or(u32::MAX);
            let max = limits.cpu_time_max;
            Some((
                "limit.cpu",
                format!("the step computed for {used:?} and was stopped; {max:?} are allowed"),
            ))
        }
        Trap::StackOverflow => Some((
            "limit.stack",
            format!(
                "the step's calls nest too deeply: it used up its stack of {} KiB and was stopped",
                STACK_BYTES_MAX >> 10
            ),
        )),
        _ => None,
    }
}

/// Limits of which only the runtime's message tells.
fn limit_in_words(limits: &Limits, text: &str, cause: &str) -> Option<(&'static str, String)> {
    if text.contains("fuel allocated for hostcalls") {
        let max = limits.hostcall_bytes_max;
        let message = format!(
            "the step handed over more than {max} bytes in one call, which is what is allowed, \
             and was stopped"
        );
        return Some(("limit.hostcall-bytes", message));
    }
    if text.contains("handle limit exceeded") {
        let max = limits.handles_max;
        let message = format!(
            "the step held {max} handles, which is what is allowed, wanted one more and was stopped"
        );
        return Some(("limit.handles", message));
    }
    if text.contains("resource limit exceeded") {
        let message = format!(
            "the step was stopped: {}; allowed are {} instances, {} memories and {} tables",
            cause, limits.instances_max, limits.memories_max, limits.tables_max
        );
        return Some(("limit.resources", message));
    }
    None
}

/// Limits that the guest was told of, whatever it died of then.
fn limit_refused(state: &StepState, limits: &Limits) -> Option<(&'static str, String)> {
    if let Some(wanted) = state.limiter.memory_refused {
        let max = limits.memory_bytes_max;
        let message = format!(
            "the step wanted {wanted} bytes of memory in all, {max} are allowed, and it did not \
             go on without"
        );
        return Some(("limit.memory", message));
    }
    let wanted = state.limiter.table_refused?;
    let max = limits.table_elements_max;
    let message = format!(
        "the step wanted a table of {wanted} entries, {max} are allowed, and it did not go on \
         without"
    );
    Some(("limit.resources", message))
}

/// The innermost cause: the outer ones are a backtrace of addresses.
fn innermost(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
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
