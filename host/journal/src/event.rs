//! What can happen to a run. Facts only.

use crate::{JournalError, RunId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;
use workflow::{Plan, StepName};

/// Something that happened, with its place in the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Counts up from 0 without gaps.
    pub position: u64,
    /// Milliseconds since 1970, UTC, by the host's clock.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// Something that happened to a run. New kinds are added at the end; none is ever changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Event {
    /// Always the first one.
    RunStarted {
        /// Which run.
        run: RunId,
        /// What it is going to do.
        plan: Box<Plan>,
        /// Who asked for it, for people: a user name.
        by: String,
        /// Whether the outside is simulated.
        drill: bool,
    },
    /// Written before the attempt begins, so after a crash we know that it may have run.
    StepStarted {
        /// Which step.
        step: StepName,
        /// 1 for the first.
        attempt: u32,
    },
    /// A line that the step wrote.
    StepLogged {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// How grave.
        level: Level,
        /// Redacted, free of control characters.
        message: String,
        /// Redacted, in the order given.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<(String, String)>,
    },
    /// How far the step is.
    StepProgressed {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Units done.
        done: u64,
        /// Units in all, when known.
        total: Option<u64>,
        /// For people.
        note: String,
    },
    /// A call was admitted and is about to leave the host.
    EffectIntended {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Counts the calls of the attempt, from 1.
        number: u32,
        /// What is about to be done.
        effect: Effect,
    },
    /// How a call ended.
    EffectSettled {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// The number of its intent, or a new one for a call that was never admitted.
        number: u32,
        /// How it ended.
        outcome: EffectOutcome,
    },
    /// The step did its work.
    StepSucceeded {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// By name.
        outputs: Map<String, Value>,
    },
    /// The step did not do its work.
    StepFailed {
        /// Which step.
        step: StepName,
        /// Which attempt; 0 when it never started.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// The step was not needed, or could not be.
    StepSkipped {
        /// Which step.
        step: StepName,
        /// Why, for people.
        reason: String,
    },
    /// The host ended in the middle of this attempt, and nobody knows how far it came.
    StepInterrupted {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
    },
    /// Someone asked the run to stop.
    CancelRequested {
        /// Who, for people.
        by: String,
    },
    /// Always the last one.
    RunFinished {
        /// How it ended.
        status: RunStatus,
    },
    /// The attempt may use a connection, within these rules and no others.
    ConnectionGranted {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// The plugin's name for the connection.
        slot: String,
        /// `type/name`.
        connection: String,
        /// In the form of a manifest; counted from 1 by [`Effect::rule`].
        rules: Value,
    },
}

/// A call of a connection in its semantic form. Never holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// `type/name`.
    pub connection: String,
    /// For people: `patch apps/deployments default/nginx-deployment`.
    pub operation: String,
    /// Whether it changes anything.
    pub writes: bool,
    /// What must hold for a write to take effect, for example `resourceVersion 4711`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precondition: Option<String>,
    /// `blake3:` of what is sent, credentials left out.
    pub digest: String,
    /// The plugin's name for the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
    /// Which of the granted rules allowed it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// Of the request's body.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub request_bytes: u64,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum EffectOutcome {
    /// The far side answered.
    Answered {
        /// HTTP status.
        status: u16,
        /// Of the decoded body.
        bytes: u64,
        /// Credentials that were taken out of it.
        #[serde(default, skip_serializing_if = "is_zero")]
        redacted: u64,
    },
    /// The host did not let it out, or the far side could not be reached. Nothing changed.
    NotMade {
        /// For example `http.denied`.
        code: String,
        /// For people; redacted.
        message: String,
        /// Of a call outside of what was granted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        denial: Option<Denial>,
    },
    /// It left the host, and nothing proves whether it took effect.
    InDoubt {
        /// For people; redacted.
        message: String,
    },
}

/// What would have allowed a call that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Who did not allow it: `manifest`, `accepted`, `workflow`, `policy`, `policy-for-all`,
    /// `connection`, `restriction`.
    pub by: String,
    /// The plugin's name for the connection.
    pub slot: String,
    /// `type/name`.
    pub connection: String,
    /// The rule, in the form of a manifest. Holds what the step asked for, without credentials.
    pub rule: Value,
}

/// How grave a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For the plugin's author.
    Trace,
    /// For the plugin's author.
    Debug,
    /// What an ordinary run tells.
    Info,
    /// Worth a look.
    Warn,
    /// Went wrong.
    Error,
}

/// Why a step did not do its work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What to do with it.
    pub disposition: Disposition,
    /// Stable, dotted, for programs: `kubernetes.not-found`, `limit.cpu`.
    pub code: String,
    /// For people: what happened and what to do. Redacted.
    pub message: String,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Further facts, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

/// What to do with a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disposition {
    /// Will fail again.
    Permanent,
    /// Worth another attempt.
    Retryable,
    /// Stopped because the host asked for it.
    Cancelled,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Not ended yet.
    Running,
    /// Waits for a person.
    Waiting,
    /// No step failed.
    Success,
    /// A step failed.
    Failure,
    /// A person said no.
    Rejected,
    /// Stopped on request.
    Cancelled,
}

impl Event {
    /// How the run stands once this has happened; None if it stands as before.
    #[must_use]
    pub fn run_status(&self) -> Option<RunStatus> {
        match self {
            Self::RunStarted { .. }
            | Self::StepStarted { .. }
            | Self::StepInterrupted { .. }
            | Self::CancelRequested { .. } => Some(RunStatus::Running),
            Self::RunFinished { status } => Some(*status),
            Self::StepLogged { .. }
            | Self::StepProgressed { .. }
            | Self::EffectIntended { .. }
            | Self::EffectSettled { .. }
            | Self::StepSucceeded { .. }
            | Self::StepFailed { .. }
            | Self::StepSkipped { .. }
            | Self::ConnectionGranted { .. } => None,
        }
    }

    /// The workflow's name, if this is what begins `run`.
    pub(crate) fn workflow_of_start(&self, run: &RunId) -> Result<&str, JournalError> {
        match self {
            Self::RunStarted { run: own, plan, .. } if own == run => Ok(&plan.workflow),
            _ => Err(JournalError::NotAStart { run: run.clone() }),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Failure {
    /// A failure that will not go away by itself.
    pub fn permanent(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            disposition: Disposition::Permanent,
            code: code.into(),
            message: message.into(),
            retry_after_ms: None,
            details: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl RunStatus {
    /// Whether nothing can happen to the run any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Running | Self::Waiting => false,
            Self::Success | Self::Failure | Self::Rejected | Self::Cancelled => true,
        }
    }

    /// The status of that word in [`as_str`](Self::as_str).
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let all = [
            Self::Running,
            Self::Waiting,
            Self::Success,
            Self::Failure,
            Self::Rejected,
            Self::Cancelled,
        ];
        all.into_iter().find(|status| status.as_str() == word)
    }

    /// The word in the command line contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}
