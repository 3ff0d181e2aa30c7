//! What time it is for a run that is being driven.
//!
//! Read from the machine once, and counted from there: a clock that is set while a run goes on
//! moves none of its waits. Never before what the journal has seen.

use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// A clock that only goes forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunClock {
    began: Instant,
    began_at: i64,
}

impl RunClock {
    /// Starts now, and not before `seen` (milliseconds since 1970, UTC).
    pub(crate) fn from(seen: i64) -> Self {
        let began_at = Timestamp::now().as_millisecond().max(seen);
        Self { began: Instant::now(), began_at }
    }

    /// Milliseconds since 1970, UTC.
    pub(crate) fn now(&self) -> i64 {
        let passed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.began_at.saturating_add(passed)
    }

    /// When it will be that time.
    pub(crate) fn instant(&self, at: i64) -> Instant {
        let wait = u64::try_from(at.saturating_sub(self.now())).unwrap_or(0);
        Instant::now() + Duration::from_millis(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_goes_forward_from_what_was_seen() {
        let future = Timestamp::now().as_millisecond() + 3_600_000;
        let clock = RunClock::from(future);
        assert_eq!(clock.now(), future);

        tokio::time::advance(Duration::from_millis(1500)).await;

        assert_eq!(clock.now(), future + 1500);
        assert_eq!(clock.instant(future + 2000) - Instant::now(), Duration::from_millis(500));
        assert_eq!(clock.instant(0), Instant::now(), "what is over is now");
    }
}
