//! The layer that sends within bounds of time: the guest's own, what the attempt has left, and the
//! moment in which the run is stopped. It knows whether what was sent may have taken effect.

use crate::attempt::revoked;
use crate::{Attempt, CallError, Layer, Reason};
use journal::Disposition;
use std::future::Future;
use std::time::Duration;

/// How long a call may take when the guest does not say, in milliseconds.
const CALL_MS_DEFAULT: u64 = 30_000;

/// The far side did not answer.
#[derive(Debug)]
pub struct SendError {
    /// Why, in the words of the contract.
    pub reason: Reason,
    /// Stable, dotted, for programs.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Whether the request may have reached the far side.
    pub sent: bool,
    /// Whether the same request would fail again, as with a certificate that is not trusted.
    pub permanent: bool,
}

impl Attempt {
    /// The time for one call: what the guest allows, within what the attempt has left.
    pub(crate) fn time_for(&self, asked_ms: Option<u64>) -> Duration {
        Duration::from_millis(asked_ms.unwrap_or(CALL_MS_DEFAULT)).min(self.remaining())
    }

    /// What `sending` comes to within `timeout`, while the run is not stopped.
    pub(crate) async fn within<T>(
        &self,
        timeout: Duration,
        writes: bool,
        sending: impl Future<Output = Result<T, SendError>>,
    ) -> Result<T, CallError> {
        let timed = async {
            if !Layer::Deadline.on() {
                return sending.await.map_err(|error| error.into_call_error(writes));
            }
            match tokio::time::timeout(timeout, sending).await {
                Ok(sent) => sent.map_err(|error| error.into_call_error(writes)),
                // The attempt's own time is over, and not only what the call was given.
                Err(_elapsed) if self.remaining() < Duration::from_millis(20) => {
                    let message = "the attempt's time was over while this call was on its way";
                    let mut error =
                        CallError::new(Reason::Timeout, journal::Failure::OUT_OF_TIME, message);
                    error.in_doubt = true;
                    Err(error)
                }
                Err(_elapsed) => Err(too_slow(timeout)),
            }
        };
        let given_up_on = async {
            self.stopped().await;
            if writes && !self.is_revoked() {
                // To know what was done is worth a moment.
                tokio::time::sleep(self.last_word).await;
            }
        };
        let sent = tokio::select! {
            biased;
            () = given_up_on => Err(given_up()),
            sent = timed => sent,
        };
        sent.map_err(|mut error| {
            error.in_doubt &= writes;
            if error.in_doubt {
                // Sending it again is not the engine's to decide.
                error.disposition = Disposition::Permanent;
            }
            error
        })
    }
}

impl SendError {
    fn into_call_error(self, writes: bool) -> CallError {
        let mut error = CallError::new(self.reason, self.code, self.message);
        error.in_doubt = self.sent && writes;
        if self.permanent {
            error.disposition = Disposition::Permanent;
        }
        error
    }
}

/// The run was stopped while the request was on its way.
fn given_up() -> CallError {
    let mut error = revoked("the run was stopped while this call was on its way");
    error.in_doubt = true;
    error
}

fn too_slow(timeout: Duration) -> CallError {
    let message = format!("no answer within {} ms", timeout.as_millis());
    let mut error = CallError::new(Reason::Timeout, "connection.timeout", message);
    error.in_doubt = true;
    error
}
