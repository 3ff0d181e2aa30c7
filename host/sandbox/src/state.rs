//! What belongs to one attempt: the `T` of `Store<T>`. Made fresh for each, dropped with it.

use crate::Grants;
use crate::imports::log::LogBudget;
use crate::imports::wasi::{self, Printed};
use crate::limits::{Limits, StoreLimiter};
use effects::{Attempt, Layer};
use journal::Seed;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtx;

/// Host resources of one attempt: handles, responses, streams.
const RESOURCES_MAX: usize = 2_000;

/// Names of outputs.
pub(crate) const OUTPUTS_MAX: usize = 64;

/// Bytes of all outputs together, as JSON.
pub(crate) const OUTPUTS_BYTES_MAX: usize = 256 << 10;

/// One attempt, as host functions see it.
pub struct StepState {
    /// The guest's host resources.
    pub table: ResourceTable,
    pub(crate) grants: Grants,
    pub(crate) attempt: Arc<Attempt>,
    pub(crate) facts: Facts,
    pub(crate) outputs: Map<String, Value>,
    /// What each of them takes of the bytes for all.
    pub(crate) output_bytes: BTreeMap<String, usize>,
    pub(crate) log_budget: LogBudget,
    pub(crate) progress_told: Option<Instant>,
    /// The newest progress that came too soon after the one before.
    pub(crate) progress_held: Option<(u64, Option<u64>, String)>,
    pub(crate) limiter: StoreLimiter,
    pub(crate) wasi: WasiCtx,
    pub(crate) printed: Printed,
    /// Ticks of the epoch clock in which guest code was found running.
    pub(crate) cpu_ticks: u64,
}

/// What a step may know about itself.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) run: String,
    pub(crate) step: String,
    pub(crate) attempt: u32,
    pub(crate) seed: Option<Seed>,
}

impl StepState {
    pub(crate) fn new(facts: Facts, grants: Grants, attempt: Arc<Attempt>, limits: Limits) -> Self {
        let mut table = ResourceTable::new();
        if Layer::Handles.on() {
            table.set_max_capacity(RESOURCES_MAX);
        }
        let printed = Printed::default();
        let wasi = wasi::context(&printed, &attempt, facts.random());
        Self {
            table,
            grants,
            attempt,
            facts,
            outputs: Map::new(),
            output_bytes: BTreeMap::new(),
            log_budget: LogBudget::default(),
            progress_told: None,
            progress_held: None,
            limiter: StoreLimiter::new(limits),
            wasi,
            printed,
            cpu_ticks: 0,
        }
    }

    /// The attempt's connections, and the table in which opened ones are kept: all that the
    /// host side of a connection's interface may touch.
    pub fn connections(&mut self) -> (&Grants, &mut ResourceTable) {
        (&self.grants, &mut self.table)
    }
}

impl Facts {
    /// Where this attempt's random numbers begin: the same when it is run again, and nothing that
    /// can be told from names. None for a run that was started without a seed.
    fn random(&self) -> Option<[u8; 32]> {
        let seed = self.seed.as_ref()?;
        let mut hasher = blake3::Hasher::new_derive_key("bowline step random numbers v1");
        for part in [seed.as_bytes(), self.step.as_bytes(), &self.attempt.to_le_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Some(*hasher.finalize().as_bytes())
    }

    /// The same for all attempts of this step in this run.
    pub(crate) fn idempotency_key(&self) -> String {
        idempotency_key(&self.run, &self.step)
    }
}

/// 32 characters that are the same for all attempts of this step in this run, and for no other.
pub(crate) fn idempotency_key(run: &str, step: &str) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("bowline step idempotency key v1");
    hasher.update(run.as_bytes());
    hasher.update(&[0]);
    hasher.update(step.as_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_an_attempts_own_and_come_again_when_it_is_run_again() {
        let facts = |seed: u8, step: &str, attempt| Facts {
            run: "r".to_owned(),
            step: step.to_owned(),
            attempt,
            seed: Some(Seed::new([seed; 32])),
        };
        let random = facts(1, "a", 1).random();

        assert_eq!(random, facts(1, "a", 1).random());
        for other in [facts(2, "a", 1), facts(1, "b", 1), facts(1, "a", 2)] {
            assert_ne!(random, other.random());
        }
    }

    #[test]
    fn the_key_is_stable_over_attempts_and_differs_between_steps_and_runs() {
        let facts = |run: &str, step: &str, attempt| Facts {
            run: run.to_owned(),
            step: step.to_owned(),
            attempt,
            seed: None,
        };
        let key = facts("r1", "a", 1).idempotency_key();

        assert_eq!(key.len(), 32);
        assert_eq!(key, facts("r1", "a", 2).idempotency_key());
        assert_ne!(key, facts("r1", "b", 1).idempotency_key());
        assert_ne!(key, facts("r2", "a", 1).idempotency_key());
    }
}
