//! Decides which step runs next, and keeps deciding until the run is over.
//!
//! [`RunState`] decides and touches nothing; [`drive()`] acts and decides nothing. What a step
//! is, this room does not know: it hands inputs to a [`StepRunner`] and gets outputs back.

mod approvals;
mod clock;
mod drive;
mod judge;
mod retry;
mod runner;
mod state;

pub use approvals::{Anyone, Approvals, Asking};
pub use drive::{DriveError, DriveOptions, Ready, drive, replay, start, take_up};
pub use runner::{StepInvocation, StepOutcome, StepRunner};
pub use state::{Decision, Next, PlanError, RunState};
