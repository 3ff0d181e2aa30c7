//! wasmtime, set up for steps: what a plugin does not need is off.

mod self_test;

pub(crate) use self_test::spinner_is_stopped;

use crate::turns::Turns;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use wasmtime::{Config, Engine, EngineWeak, OptLevel};

/// How often running guests are looked at. Each look may let another step run.
pub(crate) const TICK: Duration = Duration::from_millis(5);

/// Bytes of the stack of guest code.
pub(crate) const STACK_BYTES_MAX: usize = 512 << 10;

/// An engine and the clock that interrupts its guests.
pub(crate) struct Clockwork {
    pub(crate) engine: Engine,
    pub(crate) turns: Arc<Turns>,
    busy: Arc<Busy>,
}

/// How many attempts are running. The clock stands still while there is none.
struct Busy {
    attempts: Mutex<Option<usize>>,
    changed: Condvar,
}

/// Keeps the clock ticking.
pub(crate) struct Ticking(Arc<Busy>);

impl Clockwork {
    pub(crate) fn start() -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let busy = Arc::new(Busy { attempts: Mutex::new(Some(0)), changed: Condvar::new() });
        let turns = Arc::new(Turns::default());
        let (weak, watched, turning) = (engine.weak(), Arc::clone(&busy), Arc::clone(&turns));
        thread::Builder::new()
            .name("epoch".to_owned())
            .spawn(move || tick(&weak, &watched, &turning))?;
        Ok(Self { engine, turns, busy })
    }

    /// The clock ticks until what this returns is dropped.
    pub(crate) fn tick(&self) -> Ticking {
        if let Some(attempts) = self.busy.lock().as_mut() {
            *attempts += 1;
            if *attempts == 1 {
                self.busy.changed.notify_one();
            }
        }
        Ticking(Arc::clone(&self.busy))
    }
}

impl Drop for Clockwork {
    fn drop(&mut self) {
        *self.busy.lock() = None;
        self.busy.changed.notify_one();
    }
}

impl Drop for Ticking {
    fn drop(&mut self) {
        if let Some(attempts) = self.0.lock().as_mut() {
            *attempts -= 1;
        }
    }
}

impl Busy {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<usize>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tick(engine: &EngineWeak, busy: &Busy, turns: &Turns) {
    loop {
        let guard = busy
            .changed
            .wait_while(busy.lock(), |attempts| *attempts == Some(0))
            .unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            return;
        }
        drop(guard);
        thread::sleep(TICK);
        match engine.upgrade() {
            Some(engine) => {
                engine.increment_epoch();
                turns.tick();
            }
            None => return,
        }
    }
}

/// The settings, each with its reason.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    // Stops endless loops, and lets honest steps run beside them.
    config.epoch_interruption(true);
    config.cranelift_opt_level(OptLevel::Speed);
    config.max_wasm_stack(STACK_BYTES_MAX);
    // Should stacks ever be used again, one step finds nothing of another on them.
    config.async_stack_zeroing(true);
    // The contract is synchronous; a guest that wants the async model is refused while parsing
    // and not somewhere in the middle.
    config.concurrency_support(false);
    // Wider than a step needs, and where advisories come from. Threads, GC and exceptions are
    // not even compiled in.
    config.wasm_memory64(false);
    config.wasm_relaxed_simd(false);
    // An author needs the first frames; nobody reads a thousand.
    config.wasm_backtrace_max_frames(std::num::NonZeroUsize::new(16));
    // A step has a few megabytes. Reserving 4 GiB of addresses for each memory, the default,
    // makes no difference to a step and a large one to a small machine's limits.
    config.memory_reservation(128 << 20);
    config.memory_guard_size(32 << 20);
    config
}
