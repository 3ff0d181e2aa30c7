//! What all handles of one attempt share: whether they still live, what they may use up, what
//! must not get out, and where it is written down.

use crate::replay::Replay;
use crate::{Budget, BudgetLimits, CallError, Layer, Mode, Reason, Redactor};
use journal::StepRecorder;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One try of one step, as its handles see it.
#[derive(Debug)]
pub struct Attempt {
    revoked: AtomicBool,
    stop: CancellationToken,
    deadline: Instant,
    pub(crate) budget: Budget,
    pub(crate) redactor: Redactor,
    pub(crate) recorder: StepRecorder,
    pub(crate) replay: Replay,
    pub(crate) mode: Mode,
    withheld: AtomicBool,
    pub(crate) last_word: Duration,
}

/// What an attempt is made of.
#[derive(Debug)]
pub struct AttemptOptions {
    /// Becomes cancelled when the run is being stopped. The attempt cancels it itself when it
    /// ends, so it must be a token of its own, a child of the run's.
    pub stop: CancellationToken,
    /// When the attempt ends, whatever it is doing.
    pub deadline: Instant,
    /// What its handles may use up.
    pub limits: BudgetLimits,
    /// Knows the credentials of all its connections.
    pub redactor: Redactor,
    /// Writes into the journal, and knows what an earlier process has written of this attempt.
    pub recorder: StepRecorder,
    /// Whether writes are made.
    pub mode: Mode,
    /// How long a write that is on its way may still hear its answer when the run is being
    /// stopped; less than what the attempt itself is given then.
    pub last_word: Duration,
}

impl Attempt {
    /// A live one.
    #[must_use]
    pub fn new(options: AttemptOptions) -> Self {
        let AttemptOptions { stop, deadline, limits, redactor, recorder, mode, last_word } =
            options;
        let (budget, revoked) = (Budget::new(limits), AtomicBool::new(false));
        let replay = Replay::of(recorder.before().map(|record| &**record));
        let withheld = AtomicBool::new(false);
        Self {
            revoked,
            stop,
            deadline,
            budget,
            redactor,
            recorder,
            replay,
            mode,
            withheld,
            last_word,
        }
    }

    /// Ends all handles. What is in flight is given up, later calls answer `revoked`.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
        self.stop.cancel();
    }

    /// Takes credentials out.
    #[must_use]
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Writes into the journal.
    #[must_use]
    pub fn recorder(&self) -> &StepRecorder {
        &self.recorder
    }

    /// What its handles may use up.
    #[must_use]
    pub fn budget_limits(&self) -> &BudgetLimits {
        self.budget.limits()
    }

    /// Of one answer's decoded body, in bytes.
    pub(crate) fn answer_bytes_max(&self) -> u64 {
        self.budget.response_bytes_max()
    }

    /// Time left; zero when it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Whether the run is being stopped.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Whether a plan has kept a write from being made, so that nobody knows what would have come
    /// behind it.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        self.withheld.load(Ordering::Acquire)
    }

    pub(crate) fn withhold(&self) {
        self.withheld.store(true, Ordering::Release);
    }

    /// Whether the attempt itself is over.
    pub(crate) fn is_revoked(&self) -> bool {
        self.revoked.load(Ordering::Acquire)
    }

    /// Comes when the run is being stopped.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// The first layer of a call: refuses when the handle has ended.
    pub(crate) fn live(&self) -> Result<(), CallError> {
        if !Layer::Live.on() {
            return Ok(());
        }
        if self.is_revoked() {
            return Err(revoked("the step is over, its handles with it"));
        }
        if self.stop.is_cancelled() {
            return Err(revoked("the run is being stopped"));
        }
        if self.remaining().is_zero() {
            return Err(CallError::new(
                Reason::Timeout,
                journal::Failure::OUT_OF_TIME,
                "the step's time is over; nothing was sent",
            ));
        }
        Ok(())
    }
}

pub(crate) fn revoked(message: &str) -> CallError {
    CallError::new(Reason::Revoked, "handle.revoked", message)
}
