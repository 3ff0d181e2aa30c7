//! Places at which a test lets this very process die, as a machine dies.
//!
//! A promise about crashes proves nothing unless the program really ends there. With the feature
//! `kill-points`, which only the tests turn on, a process can be told to end itself with SIGKILL
//! when it reaches a place for the n-th time. Without the feature nothing is here.

/// Every place.
pub const POINTS: &[&str] = &["before-commit", "after-commit", "before-send", "after-send"];

/// The process is at the place of that name. Does not come back if it was armed for this time.
#[cfg(not(feature = "kill-points"))]
#[inline]
pub const fn reached(_point: &str) {}

/// Lets the process end at a place; does nothing in a program that was built without places.
#[cfg(not(feature = "kill-points"))]
pub const fn arm(_text: &str) {}

/// Makes each commit take so much longer, as on a slower disk; does nothing in a program that was
/// built without places.
#[cfg(not(feature = "kill-points"))]
pub const fn slow_commits(_by: std::time::Duration) {}

#[cfg(feature = "kill-points")]
pub use armed::slow_commits;
#[cfg(feature = "kill-points")]
pub use armed::{arm, reached};

#[cfg(feature = "kill-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    static ARMED: OnceLock<(String, u64)> = OnceLock::new();
    static SEEN: AtomicU64 = AtomicU64::new(0);
    /// Nanoseconds.
    static SLOWER: AtomicU64 = AtomicU64::new(0);

    /// Makes each commit take so much longer, as on a slower disk. The writer sleeps, as it does
    /// while it waits for a disk, and a little longer than it is told to.
    pub fn slow_commits(by: Duration) {
        SLOWER.store(u64::try_from(by.as_nanos()).unwrap_or(0), Ordering::Relaxed);
    }

    /// Lets the process end when it reaches `point` for the `time`-th time, counted from 1. The
    /// form of the text is `POINT:TIME`; anything else arms nothing.
    pub fn arm(text: &str) {
        if let Some((point, time)) = text.split_once(':')
            && let Ok(time) = time.parse()
        {
            let _ = ARMED.set((point.to_owned(), time));
        }
    }

    /// The process is at the place of that name. Does not come back if it was armed for this time.
    pub fn reached(point: &str) {
        let slower = Duration::from_nanos(SLOWER.load(Ordering::Relaxed));
        if point == "after-commit" && !slower.is_zero() {
            std::thread::sleep(slower);
        }
        let Some((armed, time)) = ARMED.get() else { return };
        if armed == point && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == *time {
            let me = rustix::process::getpid();
            let _ = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            // The signal may take an instant to arrive, and nothing may happen in it.
            loop {
                std::thread::park();
            }
        }
    }
}
