//! How many compilations may go on at the same time: what the machine has cores and memory for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::available_parallelism;

/// Bytes that one compilation is counted with. The largest interpreters need 350 MiB.
const BYTES_EACH: u64 = 512 << 20;

/// Counts compilations, and lets those wait for which there is no room.
#[derive(Default)]
pub(super) struct Admission {
    running: Mutex<usize>,
    ended: Condvar,
}

/// One compilation that may go on.
pub(super) struct Admitted<'a>(&'a Admission);

impl Admission {
    /// Waits until there is room. The first is always let in, so that a small machine is slow and
    /// not stuck.
    pub(super) fn enter(&self) -> Admitted<'_> {
        self.enter_below(room())
    }

    fn enter_below(&self, room: usize) -> Admitted<'_> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut running = self
            .ended
            .wait_while(running, |running| *running > 0 && *running >= room)
            .unwrap_or_else(PoisonError::into_inner);
        *running += 1;
        Admitted(self)
    }
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_one();
    }
}

fn room() -> usize {
    let cores = available_parallelism().map_or(1, usize::from);
    let memory = available_bytes().map_or(u64::MAX, |bytes| bytes / BYTES_EACH);
    cores.min(usize::try_from(memory).unwrap_or(usize::MAX)).max(1)
}

/// Memory that could be had without swapping, where the system tells it.
fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn twenty_at_once_go_in_as_many_as_there_is_room_for() {
        for room in [0, 1, 2] {
            let admission = Admission::default();
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| {
                        let _admitted = admission.enter_below(room);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::sleep(Duration::from_millis(3));
                        now.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
            assert_eq!(most.load(Ordering::SeqCst), room.max(1), "room for {room}");
        }
    }

    #[test]
    fn this_machine_has_room_for_one_at_least() {
        assert!(room() >= 1);
    }
}
