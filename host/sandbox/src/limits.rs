//! What one attempt may use up inside the sandbox, enforced by default.

use effects::Layer;
use std::time::Duration;
use wasmtime::ResourceLimiter;
use workflow::StepLimits;

/// The limits of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time, waiting for the far side included.
    pub attempt_time_max: Duration,
    /// Time in which guest code really ran.
    pub cpu_time_max: Duration,
    /// All linear memories together. A Rust step needs 1 to 2 MiB, one with a Python
    /// interpreter inside 13.
    pub memory_bytes_max: usize,
    /// Linear memories. Interpreters come with two.
    pub memories_max: usize,
    /// Tables.
    pub tables_max: usize,
    /// Entries of one table. The largest interpreter seen has 8,000.
    pub table_elements_max: usize,
    /// Core instances.
    pub instances_max: usize,
    /// Resource handles that the guest holds at the same time.
    pub handles_max: usize,
    /// Bytes that one call may copy over the boundary.
    pub hostcall_bytes_max: usize,
    /// How long a step that is asked to stop may clean up.
    pub grace: Duration,
    /// What it may do through its handles.
    pub budget: effects::BudgetLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            attempt_time_max: Duration::from_secs(60),
            cpu_time_max: Duration::from_secs(10),
            memory_bytes_max: 64 << 20,
            memories_max: 16,
            tables_max: 64,
            table_elements_max: 20_000,
            instances_max: 128,
            handles_max: 1_000,
            // The largest thing that crosses in one piece is an answer of 8 MiB: an object of
            // Kubernetes as JSON text.
            hostcall_bytes_max: 10 << 20,
            grace: Duration::from_secs(5),
            budget: effects::BudgetLimits::default(),
        }
    }
}

impl Limits {
    /// These, with what somebody set instead.
    #[must_use]
    pub fn set(mut self, set: &StepLimits) -> Self {
        let bytes = |kib: u64| kib.saturating_mul(1 << 10);
        if let Some(seconds) = set.attempt_seconds {
            self.attempt_time_max = Duration::from_secs(seconds);
        }
        if let Some(seconds) = set.cpu_seconds {
            self.cpu_time_max = Duration::from_secs(seconds);
        }
        if let Some(mib) = set.memory_mib {
            self.memory_bytes_max =
                usize::try_from(mib.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
        }
        let budget = &mut self.budget;
        budget.calls_max = set.calls.unwrap_or(budget.calls_max);
        budget.calls_in_flight_max = set.calls_in_flight.unwrap_or(budget.calls_in_flight_max);
        budget.request_bytes_max = set.request_kib.map_or(budget.request_bytes_max, bytes);
        budget.response_bytes_max = set.response_kib.map_or(budget.response_bytes_max, bytes);
        budget.responses_bytes_max = set.responses_kib.map_or(budget.responses_bytes_max, bytes);
        self
    }

    /// Of what can be set, the smaller of each.
    #[must_use]
    pub fn least(mut self, other: &Self) -> Self {
        self.attempt_time_max = self.attempt_time_max.min(other.attempt_time_max);
        self.cpu_time_max = self.cpu_time_max.min(other.cpu_time_max);
        self.memory_bytes_max = self.memory_bytes_max.min(other.memory_bytes_max);
        let (own, budget) = (&mut self.budget, &other.budget);
        own.calls_max = own.calls_max.min(budget.calls_max);
        own.calls_in_flight_max = own.calls_in_flight_max.min(budget.calls_in_flight_max);
        own.request_bytes_max = own.request_bytes_max.min(budget.request_bytes_max);
        own.response_bytes_max = own.response_bytes_max.min(budget.response_bytes_max);
        own.responses_bytes_max = own.responses_bytes_max.min(budget.responses_bytes_max);
        self
    }
}

/// Counts what a store has, over all its memories: the built-in limiter counts each memory for
/// itself, so sixteen of them would get sixteen times the limit.
#[derive(Debug)]
pub(crate) struct StoreLimiter {
    limits: Limits,
    memory_bytes: usize,
    last_grown: usize,
    /// Bytes of all memories together that were asked for and refused last, to tell a trap that
    /// follows from any other.
    pub(crate) memory_refused: Option<usize>,
    /// The same for the entries of one table.
    pub(crate) table_refused: Option<usize>,
}

impl StoreLimiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, memory_bytes: 0, last_grown: 0, memory_refused: None, table_refused: None }
    }
}

impl ResourceLimiter for StoreLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = desired.saturating_sub(current);
        let sum = self.memory_bytes.saturating_add(grown);
        if sum > self.limits.memory_bytes_max && Layer::Memory.on() {
            self.memory_refused = Some(sum);
            return Ok(false);
        }
        self.memory_bytes = sum;
        self.last_grown = grown;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes = self.memory_bytes.saturating_sub(std::mem::take(&mut self.last_grown));
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.limits.table_elements_max && Layer::Memory.on() {
            self.table_refused = Some(desired);
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        unless_away(self.limits.instances_max)
    }

    fn tables(&self) -> usize {
        unless_away(self.limits.tables_max)
    }

    fn memories(&self) -> usize {
        unless_away(self.limits.memories_max)
    }
}

/// The limit, or what wasmtime allows by itself.
fn unless_away(limit: usize) -> usize {
    if Layer::Memory.on() { limit } else { wasmtime::DEFAULT_INSTANCE_LIMIT }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_over_all_memories_of_a_store() {
        let mut limiter = StoreLimiter::new(Limits { memory_bytes_max: 100, ..Limits::default() });

        assert!(limiter.memory_growing(0, 60, None).unwrap());
        assert!(!limiter.memory_growing(0, 60, None).unwrap(), "a second memory shares the limit");
        assert_eq!(limiter.memory_refused, Some(120));
        assert!(limiter.memory_growing(60, 100, None).unwrap());
        limiter.memory_grow_failed(wasmtime::Error::msg("no memory")).unwrap();
        assert!(limiter.memory_growing(0, 40, None).unwrap(), "what failed is given back");
    }
}
