//! Patience with a far side that is busy: repeats what is safe to repeat, and nothing else.
//!
//! Every wait fits into the attempt's remaining time; when it would not, the error comes back at
//! once so that the step can say when to try again.

use crate::{ConnectError, Context, log};
use std::time::Duration;

/// How often and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries altogether, the first included.
    pub tries: u32,
    /// The wait after the first try, doubled after each further one.
    pub first: Duration,
    /// The longest wait that nobody asked for.
    pub longest: Duration,
}

impl Default for Patience {
    /// 4 tries, half a second to 8 seconds.
    fn default() -> Self {
        Self { tries: 4, first: Duration::from_millis(500), longest: Duration::from_secs(8) }
    }
}

/// What a step keeps for itself at the end of its time, to report properly.
const RESERVE: Duration = Duration::from_secs(1);

impl Patience {
    /// Waits before try number `next` (2 for the first repetition).
    ///
    /// `asked` is what the far side wants; up to a second of jitter is added to it. False, without
    /// a wait, when no try is left, when the wait does not fit into the remaining time, or when
    /// the run is being stopped.
    pub fn wait(&self, ctx: &Context, next: u32, asked: Option<Duration>) -> bool {
        if next > self.tries || ctx.cancelled() {
            return false;
        }
        let wait = match asked {
            Some(asked) => asked + Duration::from_millis(jitter(ctx, next)),
            None => {
                let doubled = self.first.saturating_mul(1 << next.saturating_sub(2).min(16));
                let half = doubled.min(self.longest) / 2;
                half + half * u32::try_from(jitter(ctx, next)).unwrap_or_default() / 1000
            }
        };
        if wait + RESERVE > ctx.remaining() {
            return false;
        }
        ctx.sleep(wait)
    }
}

/// Makes a call that has no effect of its own, again while the error says that it may succeed.
///
/// # Errors
///
/// The last error, when the tries or the time are used up or the error is permanent.
pub fn read<T>(
    ctx: &Context,
    mut call: impl FnMut() -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    repeat(ctx, Patience::default(), ConnectError::worth_repeating, &mut call)
}

/// Makes a write, again only after answers that prove that it was not carried out: 429, or no
/// connection at all.
///
/// # Errors
///
/// As [`read`]; an error that is in doubt comes back at once.
pub fn write<T>(
    ctx: &Context,
    mut call: impl FnMut() -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let proven = |error: &ConnectError| {
        let refused = error.status == Some(429);
        let unsent = error.status.is_none();
        error.worth_repeating() && (refused || unsent)
    };
    repeat(ctx, Patience::default(), proven, &mut call)
}

fn repeat<T>(
    ctx: &Context,
    patience: Patience,
    repeatable: impl Fn(&ConnectError) -> bool,
    call: &mut dyn FnMut() -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let mut tried = 1;
    loop {
        let error = match call() {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let asked = error.retry_after_ms.map(Duration::from_millis);
        if !repeatable(&error) || !patience.wait(ctx, tried + 1, asked) {
            return Err(error);
        }
        log::debug!("trying again after `{}`: {}", error.code, error.message);
        tried += 1;
    }
}

/// A number from 0 to 999 that differs between runs and tries, and is the same on replay.
fn jitter(ctx: &Context, salt: u32) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let key = ctx.idempotency_key();
    for byte in key.bytes().chain(ctx.attempt().to_le_bytes()).chain(salt.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash >> 32) % 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Reason, connect_error, testing::Host};

    fn busy(status: Option<u16>, retry_after_ms: Option<u64>, in_doubt: bool) -> ConnectError {
        let error = connect_error::retryable(Reason::Remote, "http.remote", "busy");
        ConnectError { status, retry_after_ms, in_doubt, ..error }
    }

    #[test]
    fn only_what_is_safe_is_repeated() {
        let cases = [
            ("a busy read", false, busy(Some(503), None, false), 4),
            (
                "a read that failed for good",
                false,
                connect_error::permanent(Reason::Denied, "d", "d"),
                1,
            ),
            ("a throttled write", true, busy(Some(429), Some(1000), false), 4),
            ("a write that never left", true, busy(None, None, false), 4),
            ("a write that met a 503", true, busy(Some(503), None, false), 1),
            ("a write in doubt", true, busy(None, None, true), 1),
        ];
        for (name, is_write, error, expected) in cases {
            let host = Host::new();
            let mut calls = 0;
            let call = || {
                calls += 1;
                Err::<(), _>(error.clone())
            };

            let result =
                if is_write { write(&host.context(), call) } else { read(&host.context(), call) };

            assert!(result.is_err(), "{name}");
            assert_eq!(calls, expected, "{name}");
        }
    }

    #[test]
    fn a_wait_that_does_not_fit_is_not_begun() {
        let host = Host::new().remaining(Duration::from_secs(30));
        let error = read(&host.context(), || Err::<(), _>(busy(Some(429), Some(1_800_000), false)))
            .expect_err("must fail");

        assert_eq!(error.retry_after_ms, Some(1_800_000));
        assert_eq!(host.slept(), Duration::ZERO);
    }

    #[test]
    fn the_far_side_decides_how_long_to_wait() {
        let host = Host::new();
        let mut first = true;
        let answer = read(&host.context(), || {
            if std::mem::take(&mut first) { Err(busy(Some(429), Some(3000), false)) } else { Ok(7) }
        });

        assert_eq!(answer.ok(), Some(7));
        let slept = host.slept().as_millis();
        assert!((3000..=4000).contains(&slept), "{slept}");
    }
}
