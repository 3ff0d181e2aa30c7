//! `bowline:plugin/runtime`: what a running step may know about itself.

use crate::bindings::runtime::{Host, HostContext};
use crate::bindings::types;
use crate::imports::log::escape_controls;
use crate::json;
use crate::state::{OUTPUTS_BYTES_MAX, OUTPUTS_MAX, StepState};
use effects::Layer;
use std::time::{Duration, Instant};
use wasmtime::component::Resource;

/// Characters of a progress note.
const NOTE_CHARACTERS_MAX: usize = 200;

/// Shortest time between two progress events.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// The token that a guest holds while `run` lasts.
#[derive(Debug)]
pub struct Context(());

impl Context {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl Host for StepState {}
impl types::Host for StepState {}

impl HostContext for StepState {
    async fn run_id(&mut self, _context: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.facts.run.clone())
    }

    async fn step_name(&mut self, _context: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.facts.step.clone())
    }

    async fn attempt(&mut self, _context: Resource<Context>) -> wasmtime::Result<u32> {
        Ok(self.facts.attempt)
    }

    async fn idempotency_key(&mut self, _context: Resource<Context>) -> wasmtime::Result<String> {
        Ok(self.facts.idempotency_key())
    }

    async fn remaining_ms(&mut self, _context: Resource<Context>) -> wasmtime::Result<u64> {
        let attempt = &self.attempt;
        let left = || u64::try_from(attempt.remaining().as_millis()).unwrap_or(u64::MAX);
        Ok(attempt.reading(left).0)
    }

    async fn cancelled(&mut self, _context: Resource<Context>) -> wasmtime::Result<bool> {
        Ok(self.attempt.cancelled())
    }

    async fn sleep(&mut self, _context: Resource<Context>, ms: u64) -> wasmtime::Result<bool> {
        // What was waited for before a crash is over; that the step went on says that it slept in
        // full.
        if self.attempt.is_replaying() {
            return Ok(true);
        }
        let asked = Duration::from_millis(ms);
        let allowed = asked.min(self.attempt.remaining());
        tokio::select! {
            () = self.attempt.stopped() => Ok(false),
            () = tokio::time::sleep(allowed) => Ok(allowed == asked),
        }
    }

    async fn progress(
        &mut self,
        _context: Resource<Context>,
        done: u64,
        total: Option<u64>,
        note: String,
    ) -> wasmtime::Result<()> {
        let now = Instant::now();
        let due = self.progress_told.is_none_or(|told| now.duration_since(told) >= PROGRESS_EVERY);
        if due || !Layer::Log.on() {
            let note = self.note(&note);
            self.progress_told = Some(now);
            self.progress_held = None;
            self.attempt.recorder().progress(done, total, note);
        } else {
            // Cleaned when it is told, which most are not.
            self.progress_held = Some((done, total, note));
        }
        Ok(())
    }

    async fn set_output(
        &mut self,
        _context: Resource<Context>,
        name: String,
        value: String,
    ) -> wasmtime::Result<Result<(), String>> {
        Ok(self.publish(name, &value))
    }

    async fn drop(&mut self, context: Resource<Context>) -> wasmtime::Result<()> {
        self.table.delete(context)?;
        Ok(())
    }
}

impl StepState {
    /// The note of a progress as it is shown.
    pub(crate) fn note(&self, note: &str) -> String {
        let clean = self.redact_window(note);
        let cut: String = clean.chars().take(NOTE_CHARACTERS_MAX).collect();
        escape_controls(&cut)
    }

    fn publish(&mut self, name: String, text: &str) -> Result<(), String> {
        check_output_name(&name)?;
        let bounded = Layer::Outputs.on();
        let bytes_max = if bounded { OUTPUTS_BYTES_MAX } else { usize::MAX };
        let value = json::parse(text, bytes_max).map_err(|error| error.to_string())?;
        if bounded && self.outputs.len() >= OUTPUTS_MAX && !self.outputs.contains_key(&name) {
            return Err(format!("a step has at most {OUTPUTS_MAX} outputs"));
        }
        // The quotes of the name, a colon, a comma.
        let bytes = name.len() + 4 + value.to_string().len();
        let before = self.output_bytes.get(&name).copied().unwrap_or(0);
        let sum = self.output_bytes.values().sum::<usize>() - before + bytes;
        if bounded && sum > OUTPUTS_BYTES_MAX {
            return Err(format!(
                "the outputs would have {sum} bytes together, and {OUTPUTS_BYTES_MAX} are allowed"
            ));
        }
        self.output_bytes.insert(name.clone(), bytes);
        self.outputs.insert(name, value);
        Ok(())
    }
}

/// 1 to 64 letters, digits, `_` and `-`.
pub(crate) fn check_output_name(name: &str) -> Result<(), String> {
    let good = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if good {
        return Ok(());
    }
    let shown: String = name.chars().take(64).collect();
    Err(format!(
        "`{}` can't name an output: 1 to 64 letters, digits, `_` and `-`",
        shown.escape_debug()
    ))
}
