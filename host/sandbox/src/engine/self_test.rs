//! Proves, before any step runs, that a guest that never ends is stopped: a mistake in the
//! engine's settings would otherwise be found by the first endless loop in production.

use super::Clockwork;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use wasmtime::{Instance, Module, Store, Trap};

/// `(module (func (export "spin") (loop (br 0))))`, in bytes: this room has no parser of text.
const SPINNER: &[u8] = &[
    0, b'a', b's', b'm', 1, 0, 0, 0, // the header
    1, 4, 1, 0x60, 0, 0, // a type: nothing to nothing
    3, 2, 1, 0, // a function of that type
    7, 8, 1, 4, b's', b'p', b'i', b'n', 0, 0, // exported
    10, 9, 1, 7, 0, 0x03, 0x40, 0x0c, 0, 0x0b, 0x0b, // loop, branch to it, end, end
];

/// How long a spinner gets: it should end after a tick or two, and a machine that is very busy
/// may need longer than that.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets a loop without end run until the clock stops it, and gives the time that this took.
///
/// # Errors
///
/// It was not stopped, or not by the clock. It still spins then, in a thread of its own, so the
/// process should end.
pub(crate) fn spinner_is_stopped(clockwork: &Clockwork) -> Result<Duration, String> {
    let _ticking = clockwork.tick();
    spin(clockwork, PATIENCE)
}

fn spin(clockwork: &Clockwork, patience: Duration) -> Result<Duration, String> {
    let engine = clockwork.engine.clone();
    let (tell, told) = sync_channel(1);
    let started = Instant::now();
    std::thread::spawn(move || {
        let _ = tell.send(run(&engine));
    });
    let ended = told.recv_timeout(patience).map_err(|_| {
        format!("a loop without end was not stopped within {patience:?}, so no step can be")
    })?;
    ended.map(|()| started.elapsed())
}

fn run(engine: &wasmtime::Engine) -> Result<(), String> {
    let text = |error: wasmtime::Error| format!("the self-test can't run: {error:#}");
    let module = Module::from_binary(engine, SPINNER).map_err(text)?;
    let mut store = Store::new(engine, ());
    store.set_epoch_deadline(1);
    let instance = Instance::new(&mut store, &module, &[]).map_err(text)?;
    let spin = instance.get_typed_func::<(), ()>(&mut store, "spin").map_err(text)?;
    match spin.call(&mut store, ()) {
        Err(error) if error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) => Ok(()),
        Err(error) => Err(text(error)),
        Ok(()) => Err("a loop without end came to an end by itself".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::TICK;
    use super::*;

    /// The most that a busy machine should need.
    const HEALTHY: Duration = Duration::from_millis(500);

    #[test]
    fn a_clock_that_ticks_stops_a_spinner_and_one_that_stands_does_not() {
        let clockwork = Clockwork::start().unwrap();
        let took = spinner_is_stopped(&clockwork).unwrap();
        assert!(took < HEALTHY, "{took:?}, and a tick is {TICK:?}");

        // Nobody has set this one going.
        let clockwork = Clockwork::start().unwrap();
        let error = spin(&clockwork, TICK * 10).unwrap_err();

        assert!(error.contains("not stopped"), "{error}");
        // Ends the spinner that is left.
        clockwork.engine.increment_epoch();
        clockwork.engine.increment_epoch();
    }
}
