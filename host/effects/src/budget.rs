//! How much one attempt may do through its handles.
//!
//! The numbers are far above what an honest step needs and far below what would hurt the host
//! or the far side.

use crate::{CallError, Layer, Reason};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The limits of one attempt, over all its handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Calls. A step that polls once a second for three minutes stays below.
    pub calls_max: u32,
    /// Calls at the same time.
    pub calls_in_flight_max: u32,
    /// Of one request's body.
    pub request_bytes_max: u64,
    /// Of one answer's decoded body.
    pub response_bytes_max: u64,
    /// Of all answers' decoded bodies together.
    pub responses_bytes_max: u64,
}

impl Default for BudgetLimits {
    fn default() -> Self {
        Self {
            calls_max: 200,
            calls_in_flight_max: 8,
            request_bytes_max: 1 << 20,
            response_bytes_max: 8 << 20,
            responses_bytes_max: 16 << 20,
        }
    }
}

/// What is left of the limits.
#[derive(Debug)]
pub struct Budget {
    limits: BudgetLimits,
    calls: AtomicU32,
    received: AtomicU64,
    /// Whether it was written down that a limit was reached.
    told: AtomicBool,
    in_flight: Semaphore,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(limits: BudgetLimits) -> Self {
        let in_flight = Semaphore::new(limits.calls_in_flight_max as usize);
        let told = AtomicBool::new(false);
        Self { limits, calls: AtomicU32::new(0), received: AtomicU64::new(0), told, in_flight }
    }

    /// Whether it was said before that a limit was reached; from now on it was.
    pub(crate) fn told_once(&self) -> bool {
        self.told.swap(true, Ordering::Relaxed)
    }

    /// The limits it began with.
    #[must_use]
    pub fn limits(&self) -> &BudgetLimits {
        &self.limits
    }

    /// Takes one call of `request_bytes` out. Counted before anything is looked at, so that a step
    /// that asks for what it may not have runs out, too.
    pub(crate) fn count(&self, request_bytes: u64) -> Result<(), CallError> {
        if !Layer::Budget.on() {
            return Ok(());
        }
        let limits = &self.limits;
        if request_bytes > limits.request_bytes_max {
            return Err(exhausted("request-bytes", request_bytes, limits.request_bytes_max));
        }
        let used = self.calls.fetch_add(1, Ordering::Relaxed);
        if used >= limits.calls_max {
            self.calls.fetch_sub(1, Ordering::Relaxed);
            return Err(exhausted("calls", u64::from(used) + 1, u64::from(limits.calls_max)));
        }
        self.check_received(0)
    }

    /// Waits until fewer calls than the limit are in flight. What it answers must be held until
    /// the call is over.
    pub(crate) async fn take_turn(&self) -> Result<SemaphorePermit<'_>, CallError> {
        self.in_flight.acquire().await.map_err(|_closed| {
            CallError::new(
                Reason::Revoked,
                "handle.revoked",
                "the step is over, its handles with it",
            )
        })
    }

    /// Of one answer's decoded body.
    pub(crate) fn response_bytes_max(&self) -> u64 {
        if Layer::Bound.on() { self.limits.response_bytes_max } else { u64::MAX }
    }

    /// Takes `bytes` of an answer out.
    pub(crate) fn receive(&self, bytes: u64) -> Result<(), CallError> {
        if !Layer::Bound.on() {
            return Ok(());
        }
        if bytes > self.limits.response_bytes_max {
            return Err(exhausted("response-bytes", bytes, self.limits.response_bytes_max));
        }
        self.check_received(bytes)
    }

    fn check_received(&self, bytes: u64) -> Result<(), CallError> {
        let sum = self.received.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if sum > self.limits.responses_bytes_max {
            return Err(exhausted("responses-bytes", sum, self.limits.responses_bytes_max));
        }
        Ok(())
    }
}

/// The error for the limit `name`: what was used, and what is allowed.
fn exhausted(name: &str, used: u64, max: u64) -> CallError {
    CallError::new(
        Reason::Exhausted,
        format!("limit.{name}"),
        format!("the limit `{name}` of an attempt is {max}, this would be {used}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Budget {
        Budget::new(BudgetLimits {
            calls_max: 2,
            calls_in_flight_max: 1,
            request_bytes_max: 10,
            response_bytes_max: 10,
            responses_bytes_max: 15,
        })
    }

    #[test]
    fn calls_are_counted_and_the_one_too_many_is_refused() {
        let budget = small();

        budget.count(10).unwrap();
        budget.count(0).unwrap();

        assert_eq!(budget.count(0).unwrap_err().code, "limit.calls");
    }

    #[test]
    fn bytes_are_bounded_both_ways_and_in_all() {
        let budget = small();

        assert_eq!(budget.count(11).unwrap_err().code, "limit.request-bytes");
        assert_eq!(budget.receive(11).unwrap_err().code, "limit.response-bytes");
        budget.receive(10).unwrap();
        assert_eq!(budget.receive(6).unwrap_err().code, "limit.responses-bytes");
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_in_flight() {
        let budget = small();
        let held = budget.take_turn().await.unwrap();

        let second = tokio::time::timeout(std::time::Duration::from_millis(20), budget.take_turn());

        assert!(second.await.is_err(), "the second call must wait");
        drop(held);
    }
}
