//! Brings the operator's rules for approvals to whoever drives a run.

use connections::approvals::{ApprovalPolicy, Wanted};
use journal::Question;
use scheduler::{Approvals, Asking};

/// The operator's rules.
pub(crate) struct OperatorsApprovals(pub(crate) ApprovalPolicy);

impl Approvals for OperatorsApprovals {
    fn question(&self, asking: &Asking<'_>) -> Question {
        // Whoever says yes says it to this very plan with these parameters.
        let plan = serde_json::to_vec(asking.plan).unwrap_or_default();
        let digest = effects::digest(&[&plan, asking.step.as_str().as_bytes()]);
        let within = asking.within.and_then(|time| i64::try_from(time.as_millis()).ok());
        self.0.question(&Wanted {
            workflow: &asking.plan.workflow,
            step: asking.step.as_str(),
            by: asking.by,
            digest: &digest,
            within_ms: within,
            now: asking.now,
        })
    }
}
