//! What a running step may know about itself, and the token with which it opens connections.

use crate::{Failure, wire};
use serde::Serialize;
use std::time::Duration;

/// One attempt of a step.
#[derive(Debug)]
pub struct Context {
    wire: wire::Context,
}

impl Context {
    pub(crate) fn new(wire: wire::Context) -> Self {
        Self { wire }
    }

    pub(crate) fn wire(&self) -> &wire::Context {
        &self.wire
    }

    /// The run's name: 1 to 64 characters of `a-z`, `0-9` and `-`. Safe to log and to show.
    #[must_use]
    pub fn run_id(&self) -> String {
        self.wire.run_id()
    }

    /// The step's name in the workflow: 1 to 256 characters, no control characters.
    #[must_use]
    pub fn step(&self) -> String {
        self.wire.step_name()
    }

    /// 1 for the first try.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.wire.attempt()
    }

    /// The same for all attempts of this step in this run, and for no other: 32 characters of
    /// `0-9` and `a-f`. Put it where the far side can be asked for it later.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        self.wire.idempotency_key()
    }

    /// Time until the host stops this attempt. Zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        Duration::from_millis(self.wire.remaining_ms())
    }

    /// True once the run is being stopped.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.wire.cancelled()
    }

    /// Waits, at most until the deadline. True when the time was slept in full.
    pub fn sleep(&self, time: Duration) -> bool {
        self.wire.sleep(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    /// Replaces the progress shown for this step. `note`: at most 200 characters.
    pub fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        self.wire.progress(done, total, note);
    }

    /// Publishes one output before the end; committed only if the step succeeds.
    ///
    /// `name`: 1 to 64 characters of letters, digits, `_` and `-`.
    ///
    /// # Errors
    ///
    /// `guest.invalid-output` if `value` can't be written as JSON, or if the host refuses it; the
    /// message says which rule was broken, and nothing was published.
    pub fn set_output(&self, name: &str, value: &impl Serialize) -> Result<(), Failure> {
        let invalid = |why: String| {
            let message = format!("output `{name}` can't be set: {why}");
            Failure::permanent("guest.invalid-output", message)
        };
        let json = serde_json::to_string(value).map_err(|error| invalid(error.to_string()))?;
        self.wire.set_output(name, &json).map_err(invalid)
    }
}
