//! The seam to whatever does the work of a step.
//!
//! A runner promises: it tells the recorder of each effect before the effect is made; it ends
//! soon after `stop` is cancelled; and it returns a failure instead of panicking. If it panics
//! all the same, that is the step's failure and nobody else's. An attempt that an earlier process
//! had begun ([`StepRecorder::before`]) gets the recorded answers first.

use async_trait::async_trait;
use journal::{Failure, PlannedWrite, RunId, Seed, StepRecorder};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use workflow::{PluginPin, StepExtras, StepName};

/// Does the work of steps, many at a time.
#[async_trait]
pub trait StepRunner: Send + Sync {
    /// Runs one attempt of one step to its end.
    async fn run_step(
        &self,
        invocation: StepInvocation,
        recorder: StepRecorder,
        stop: CancellationToken,
    ) -> StepOutcome;
}

/// One attempt that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct StepInvocation {
    /// Which run.
    pub run: RunId,
    /// Which step.
    pub step: StepName,
    /// 1 for the first.
    pub attempt: u32,
    /// What does the work.
    pub plugin: PluginPin,
    /// The evaluated spec: an object. A connection in it is an object
    /// `{"connection": {"type": T, "name": N}}`. All of it is data: nothing in it may be
    /// evaluated again. The same for each attempt of the step.
    pub inputs: Value,
    /// The connections that the step's own text refers to, by type and name. Only these may be
    /// granted: an object in `inputs` that names another one looks like a connection, but came
    /// out of a parameter or an output.
    pub connections: BTreeSet<(String, String)>,
    /// What the workflow grants of what the plugin asks for.
    pub extras: Arc<StepExtras>,
    /// Where the run's random numbers come from; None for a run that began without.
    pub seed: Option<Seed>,
    /// What is left of the time for all tries of the step, and for the run. None: no bound.
    pub time_left: Option<Duration>,
    /// The writes that it may make and no others, for a run that is bound to a plan.
    pub bound: Option<Vec<PlannedWrite>>,
}

/// The step's outputs by name, or why there are none.
pub type StepOutcome = Result<Map<String, Value>, Failure>;
