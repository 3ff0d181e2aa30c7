//! What one attempt holds of a connection: the client, and a count of refused credentials.
//!
//! A step that makes a server refuse the connection's credentials again and again guesses at
//! something or locks an account. After a few refusals in a row nothing more is sent for it. The
//! count belongs to the attempt, so one step can't take a connection away from another.

use crate::http::Recovery;
use effects::{CallError, Grant, Layer, Reason};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Refusals in a row after which the handles of a slot end.
pub(crate) const REFUSALS_MAX: u32 = 5;

/// A connection as one attempt was granted it. All handles of the slot share it.
pub(crate) struct Held<S> {
    pub(crate) service: Arc<S>,
    pub(crate) breaker: Breaker,
    /// How it can be found out whether a write took effect.
    pub(crate) recovery: Recovery,
}

/// Counts answers that refuse the credentials.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// The statuses by which the far side refuses them.
    refusals: &'static [u16],
    in_a_row: AtomicU32,
}

impl<S> Held<S> {
    /// A fresh grant of `service`, which refuses credentials with the statuses `refusals`.
    pub(crate) fn new(service: Arc<S>, refusals: &'static [u16], recovery: Recovery) -> Arc<Self> {
        let breaker = Breaker { refusals, in_a_row: AtomicU32::new(0) };
        Arc::new(Self { service, breaker, recovery })
    }

    /// Refuses `asked` when the credentials were refused too often, and puts that on record.
    pub(crate) async fn admit(&self, grant: &Grant, asked: &str) -> Result<(), CallError> {
        // What is on record is not sent.
        if grant.is_replaying() {
            return Ok(());
        }
        match self.breaker.check() {
            Ok(()) => Ok(()),
            Err(why) => Err(grant.refused(asked, why).await),
        }
    }
}

impl Breaker {
    /// Refuses when the credentials were refused too often.
    fn check(&self) -> Result<(), CallError> {
        if !Layer::Breaker.on() || self.in_a_row.load(Ordering::Relaxed) < REFUSALS_MAX {
            return Ok(());
        }
        let message = format!(
            "the far side refused this connection's credentials {REFUSALS_MAX} times in a row; \
             nothing more is sent with them in this attempt"
        );
        Err(CallError::new(Reason::Revoked, "connection.auth-failures", message))
    }

    /// Takes note of an answer.
    pub(crate) fn heard(&self, status: u16) {
        if self.refusals.contains(&status) {
            self.in_a_row.fetch_add(1, Ordering::Relaxed);
        } else {
            self.in_a_row.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e20_five_refusals_in_a_row_end_the_handles_and_any_other_answer_starts_again() {
        let granted = Held::new(Arc::new(()), &[401, 403], Recovery::default());
        let breaker = &granted.breaker;
        for status in [401, 403, 401, 403, 404, 401, 401, 401, 401] {
            breaker.heard(status);
            assert!(breaker.check().is_ok(), "after {status}");
        }

        breaker.heard(403);

        let error = breaker.check().unwrap_err();
        assert_eq!(
            (error.reason, error.code.as_str()),
            (Reason::Revoked, "connection.auth-failures")
        );
    }
}
