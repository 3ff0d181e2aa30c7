//! The seam to whoever says which people may answer a question.

use journal::Question;
use std::time::Duration;
use workflow::{Plan, StepName};

/// An approval that is about to be asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The whole plan, as the run follows it.
    pub plan: &'a Plan,
    /// The step that waits.
    pub step: &'a StepName,
    /// Who started the run.
    pub by: &'a str,
    /// How long people have, if the workflow says so.
    pub within: Option<Duration>,
    /// Milliseconds since 1970, UTC.
    pub now: i64,
}

/// Knows whose answer counts. Decides nothing else.
pub trait Approvals: Send + Sync {
    /// What is asked, of whom, and until when.
    fn question(&self, asking: &Asking<'_>) -> Question;
}

/// One answer is enough, whoever gives it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Anyone;

impl Approvals for Anyone {
    fn question(&self, asking: &Asking<'_>) -> Question {
        let digest = format!("{} {}", asking.plan.source_digest, asking.step);
        let within = asking.within.and_then(|time| i64::try_from(time.as_millis()).ok());
        let expires_at = within.map(|within| asking.now.saturating_add(within));
        Question { digest, quorum: 1, expires_at, ..Question::default() }
    }
}
