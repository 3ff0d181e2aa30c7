//! `bowline:plugin/runtime`: what a running step may know about itself.

use crate::bindings::runtime::{Host, HostContext};
use crate::bindings::types;
use crate::json;
use crate::state::{OUTPUTS_BYTES_MAX, OUTPUTS_MAX, StepState};
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
        Ok(u64::try_from(self.attempt.remaining().as_millis()).unwrap_or(u64::MAX))
    }

    async fn cancelled(&mut self, _context: Resource<Context>) -> wasmtime::Result<bool> {
        Ok(self.attempt.cancelled())
    }

    async fn sleep(&mut self, _context: Resource<Context>, ms: u64) -> wasmtime::Result<bool> {
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
        let note: String = self.clean(&note).chars().take(NOTE_CHARACTERS_MAX).collect();
        let now = Instant::now();
        let due = self.progress_told.is_none_or(|told| now.duration_since(told) >= PROGRESS_EVERY);
        if due {
            self.progress_told = Some(now);
            self.progress_held = None;
            self.attempt.recorder().progress(done, total, note);
        } else {
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
    fn publish(&mut self, name: String, text: &str) -> Result<(), String> {
        check_output_name(&name)?;
        let value = json::parse(text, OUTPUTS_BYTES_MAX).map_err(|error| error.to_string())?;
        if self.outputs.len() >= OUTPUTS_MAX && !self.outputs.contains_key(&name) {
            return Err(format!("a step has at most {OUTPUTS_MAX} outputs"));
        }
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
