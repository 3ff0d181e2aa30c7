//! The way into a step: JSON in, the function, JSON out, and every mishap turned into a failure.
//!
//! Knows nothing of what a step does. What can't be turned (running out of memory, an aborting
//! panic) ends as a trap, after the reason was logged.

use crate::{Context, Failure, typed};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `step` once for the host.
#[cfg(target_family = "wasm")]
pub fn run<I, O>(
    ctx: crate::bindings::Context,
    inputs: &str,
    step: impl Fn(&Context, I) -> Result<O, Failure>,
) -> Result<String, crate::bindings::Failure>
where
    I: DeserializeOwned,
    O: Serialize,
{
    std::panic::set_hook(Box::new(|panic| crate::log::error!("the step panicked: {panic}")));
    answer(&Context::new(ctx), inputs, step).map_err(Failure::into_wire)
}

pub(crate) fn answer<I, O>(
    ctx: &Context,
    inputs: &str,
    step: impl Fn(&Context, I) -> Result<O, Failure>,
) -> Result<String, Failure>
where
    I: DeserializeOwned,
    O: Serialize,
{
    let invalid = |why: String| {
        Failure::permanent("guest.invalid-input", format!("the inputs do not fit: {why}"))
    };
    let inputs: Value = serde_json::from_str(inputs).map_err(|error| invalid(error.to_string()))?;
    let inputs: I = typed::read(&inputs).map_err(|error| invalid(error.to_string()))?;
    // A component aborts on panic; where the toolchain unwinds, a panic is a failure like others.
    let outputs = catch_unwind(AssertUnwindSafe(|| step(ctx, inputs))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(Failure::permanent("guest.panic", format!("the step panicked: {text}")))
    })?;
    write(&outputs)
}

fn write(outputs: &impl Serialize) -> Result<String, Failure> {
    let invalid = |why: String| Failure::permanent("guest.invalid-output", why);
    let text = serde_json::to_string(outputs)
        .map_err(|error| invalid(format!("the outputs can't be written as JSON: {error}")))?;
    match text.as_bytes().first() {
        Some(b'{') => Ok(text),
        Some(b'n') => Ok("{}".to_owned()),
        _ => Err(invalid("the outputs are no JSON object; return a struct".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Host;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Inputs {
        count: u32,
    }

    fn call(inputs: &str, step: impl Fn(&Context, Inputs) -> Result<Value, Failure>) -> String {
        match answer(&Host::new().context(), inputs, step) {
            Ok(outputs) => outputs,
            Err(failure) => format!("{}: {}", failure.code(), failure.message()),
        }
    }

    #[test]
    fn every_mishap_becomes_a_failure() {
        let doubled =
            call(r#"{"count":2}"#, |_, inputs| Ok(serde_json::json!({"n": inputs.count * 2})));
        assert_eq!(doubled, r#"{"n":4}"#);
        assert_eq!(call(r#"{"count":2}"#, |_, _| Ok(Value::Null)), "{}");

        let wrong = call(r#"{"count":-1}"#, |_, _| Ok(Value::Null));
        assert!(wrong.starts_with("guest.invalid-input: the inputs do not fit: "), "{wrong}");
        let list = call(r#"{"count":1}"#, |_, _| Ok(serde_json::json!([1])));
        assert!(list.starts_with("guest.invalid-output: "), "{list}");
        let panic = call(r#"{"count":1}"#, |_, inputs| panic!("lost count at {}", inputs.count));
        assert_eq!(panic, "guest.panic: the step panicked: lost count at 1");
    }
}
