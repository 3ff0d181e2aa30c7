//! What became of each target, and the outputs that come out of it.
//!
//! With several targets the rest goes on when one fails; what is done is not taken back.

use crate::Outputs;
use crate::members::put;
use crate::session::Target;
use crate::wording;
use bowline_sdk::{Failure, log};
use serde_json::{Map, Value};

/// What became of one target.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// Whether it was changed.
    pub changed: bool,
    /// kubectl's line.
    pub message: String,
    /// Further outputs.
    pub outputs: Map<String, Value>,
    /// The generation that a wait for the rollout has to see.
    pub generation: Option<i64>,
}

impl Done {
    /// A line, and whether something was changed.
    #[inline(never)]
    pub fn new(changed: bool, message: impl Into<String>) -> Self {
        Self { changed, message: message.into(), ..Self::default() }
    }

    /// Adds an output.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.outputs.insert(name.to_owned(), value.into());
        self
    }

    /// Notes the generation of the object after the change.
    #[must_use]
    pub fn at(mut self, object: &Value) -> Self {
        self.generation = object["metadata"]["generation"].as_i64();
        self
    }
}

/// Writes a text to the log, a line at a time.
pub fn say(text: &str) {
    for line in text.lines() {
        log::info!("{line}");
    }
}

/// The outputs of all targets, or the failure of one of them.
///
/// # Errors
///
/// The failure, when there is one target; else a failure of the first one's code that says how
/// many failed and carries what became of each.
pub fn outputs(
    namespace: &str,
    results: Vec<(Target, Result<Done, Failure>)>,
) -> Result<Outputs, Failure> {
    let mut outputs = Map::new();
    if let [(target, _)] = results.as_slice() {
        put(&mut outputs, "name", target.name.as_str());
        put(&mut outputs, "kind", target.kind.name.as_str());
        if target.kind.name == "Deployment" {
            put(&mut outputs, "deployment", target.name.as_str());
        }
    }
    let count = results.len();
    let (mut changed, mut lines, mut list) = (false, Vec::new(), Vec::new());
    let mut first: Option<Failure> = None;
    let mut failed = 0;
    for (target, result) in results {
        let mut entry = Map::new();
        put(&mut entry, "name", target.name);
        put(&mut entry, "kind", target.kind.name);
        match result {
            Ok(done) => {
                changed |= done.changed;
                put(&mut entry, "changed", done.changed);
                put(&mut entry, "message", done.message.as_str());
                let own = if count == 1 { &mut outputs } else { &mut entry };
                own.extend(done.outputs);
                lines.push(done.message);
            }
            Err(failure) if count == 1 => return Err(failure),
            Err(failure) => {
                log::error!("{}", wording::as_printed(failure.message()));
                failed += 1;
                put(&mut entry, "error", failure.message());
                put(&mut entry, "code", failure.code());
                first.get_or_insert(failure);
            }
        }
        list.push(Value::Object(entry));
    }
    if let Some(first) = first {
        let text = format!(
            "{failed} of {count} targets failed, the others are done and stay so; the first: {}",
            first.message()
        );
        // Another attempt would begin with those that are done.
        let first = if changed { first.finally() } else { first };
        return Err(first.with_message(text).with_detail("results", list));
    }
    if count != 1 {
        put(&mut outputs, "results", list);
    }
    put(&mut outputs, "changed", changed);
    put(&mut outputs, "namespace", namespace);
    put(&mut outputs, "message", lines.join("\n"));
    Ok(Outputs(outputs))
}
