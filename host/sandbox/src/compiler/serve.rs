//! The child's side of compiling: takes one order from its input, bounds itself, and writes one
//! answer to its output. Opens nothing, and keeps nothing.

use super::frame::{NO_TIME, Order, Subject};
use super::{engine_hash, work};
use crate::artifact::{ArtifactError, FILE_BYTES_MAX};
use crate::engine;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wasmtime::Engine;

/// How often the computing time is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Compiles what comes in, and answers. The first thing it does is to limit itself.
///
/// # Errors
///
/// The order is none, or the pipes are gone: there is nobody to answer to.
pub fn serve(mut input: impl Read, output: impl Write + Send + 'static) -> io::Result<()> {
    let order = Order::read(&mut input)?;
    limit_this_process(&order)?;
    if order.length > FILE_BYTES_MAX {
        return Err(io::Error::other("the component is too large"));
    }
    let mut component = Vec::new();
    input.take(order.length).read_to_end(&mut component)?;
    if component.len() as u64 != order.length {
        return Err(io::Error::other("the component was cut off"));
    }
    let engine = Engine::new(&engine::config()).map_err(io::Error::other)?;
    let component = Arc::new(component);
    let voice = Arc::new(Mutex::new(Some(output)));
    watch(&order, engine_hash(&engine), &component, &voice);
    let answer = work(order.task, &engine, &component);
    let subject =
        Subject { key: &order.key, engine_hash: engine_hash(&engine), component: &component };
    match voice.lock().unwrap_or_else(PoisonError::into_inner).take() {
        Some(mut output) => subject.write(&answer, &mut output),
        None => Ok(()),
    }
}

/// Answers that the time is used up when it is, and ends the process: the compiler can't be
/// interrupted.
fn watch<W: Write + Send + 'static>(
    order: &Order,
    engine_hash: u64,
    component: &Arc<Vec<u8>>,
    voice: &Arc<Mutex<Option<W>>>,
) {
    let (order, component, voice) = (*order, Arc::clone(component), Arc::clone(voice));
    std::thread::spawn(move || {
        while computed() < order.cpu_time_max {
            std::thread::sleep(LOOK);
        }
        let taken = voice.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Taken already: the answer is being written.
        let Some(mut output) = taken else { return };
        let answer = Err(ArtifactError::new(NO_TIME, ""));
        let subject = Subject { key: &order.key, engine_hash, component: &component };
        let _ = subject.write(&answer, &mut output);
        end();
    });
}

#[expect(clippy::disallowed_methods, reason = "nothing is left to be dropped in this process")]
fn end() {
    std::process::exit(0);
}

/// Computing time of this process so far, all threads together.
#[cfg(unix)]
fn computed() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap_or_default(),
        u32::try_from(time.tv_nsec).unwrap_or_default(),
    )
}

#[cfg(not(unix))]
fn computed() -> Duration {
    Duration::ZERO
}

/// From the system: no more memory than ordered, no core file with a stranger's bytes, no file
/// written, and an end even if the watching thread does not come to it.
#[cfg(unix)]
fn limit_this_process(order: &Order) -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let cpu_seconds = order.cpu_time_max.as_secs() + 2;
    let limits = [
        (Resource::As, order.memory_bytes_max, 0),
        // First the signal that tells why, then the one that nobody can ignore.
        (Resource::Cpu, cpu_seconds, 1),
        (Resource::Core, 0, 0),
        (Resource::Fsize, 0, 0),
        (Resource::Nofile, 64, 0),
    ];
    for (resource, soft, more) in limits {
        // A limit that the operator has set lower stays.
        let hard = getrlimit(resource).maximum;
        let lower = |value: u64| Some(hard.map_or(value, |hard| hard.min(value)));
        setrlimit(resource, Rlimit { current: lower(soft), maximum: lower(soft + more) })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process(_order: &Order) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_order_gets_no_answer() {
        for input in [&b""[..], b"hello", &[0; 200]] {
            assert!(serve(input, Vec::new()).is_err());
        }
    }
}
