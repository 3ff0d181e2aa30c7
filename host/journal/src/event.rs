//! What can happen to a run. Facts only.

use crate::{JournalError, Question, Readings, RunContext, RunId, Verdict};
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
        /// What driving it on in another process needs to know.
        #[serde(default, skip_serializing_if = "RunContext::is_empty")]
        context: Box<RunContext>,
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
        /// What the step has read of the world since its last call: clocks.
        #[serde(default, skip_serializing_if = "Readings::is_empty")]
        readings: Readings,
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
        /// The digest of what the step was told ([`crate::Reply`]), if that is kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<String>,
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
        /// Where it leads, without credentials: `https://10.0.0.7:6443`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// An attempt that did not come to its end is run again from its start, and gets recorded
    /// answers as far as they count.
    StepResumed {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Calls up to this number count; what came behind them is asked anew.
        keep: u32,
    },
    /// The attempt did not do the step's work, and the step is tried again.
    AttemptFailed {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Why.
        failure: Failure,
        /// Milliseconds until the next try.
        delay_ms: u64,
    },
    /// A call leaves the host a second time: a crash or a lost answer hid how it had ended.
    EffectAskedAgain {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Which call.
        number: u32,
        /// Why that does no harm, for people.
        why: String,
    },
    /// A piece of a stream that the step has opened.
    StreamHeard {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// The call that opened the stream.
        number: u32,
        /// The digest of what the step was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply: Option<String>,
        /// What the step has read of the world since its last call: clocks.
        #[serde(default, skip_serializing_if = "Readings::is_empty")]
        readings: Readings,
    },
    /// Nobody knows whether a write took effect, and a person must say.
    OutcomeUnknown {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Which call.
        number: u32,
        /// What may have happened, for people. Redacted.
        message: String,
        /// What is asked.
        question: Question,
    },
    /// It is known now whether that write took effect.
    OutcomeSettled {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Which call.
        number: u32,
        /// Whether it did.
        done: bool,
        /// Who says so.
        by: String,
        /// In that person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A person must say yes before the run goes on behind this step.
    ApprovalAsked {
        /// Which step.
        step: StepName,
        /// What is asked, and of whom.
        question: Question,
    },
    /// One person has answered.
    ApprovalGiven {
        /// Which step.
        step: StepName,
        /// Who.
        by: String,
        /// What.
        verdict: Verdict,
        /// In that person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The approval is over: enough have said yes, one has said no, or time is up.
    ApprovalSettled {
        /// Which step.
        step: StepName,
        /// How.
        verdict: Verdict,
        /// Those whose answers decided it.
        by: Vec<String>,
    },
    /// The run's time is up.
    RunTimedOut {
        /// What was allowed.
        seconds: u64,
    },
    /// A run that had ended goes on: a person wants these steps tried again.
    RunReopened {
        /// Who.
        by: String,
        /// What is tried again; all that comes behind them follows.
        steps: Vec<StepName>,
        /// The number of the newest request then: what was asked before, was asked of the run
        /// that had ended.
        #[serde(default)]
        heard: u64,
    },
    /// The run goes on in another process than before.
    RunResumed {
        /// Who, for people.
        by: String,
    },
    /// A write that a plan shows and does not make.
    EffectPlanned {
        /// Which step.
        step: StepName,
        /// Which attempt.
        attempt: u32,
        /// Counts the calls of the attempt, from 1.
        number: u32,
        /// What would be done.
        effect: Effect,
        /// What that would change, as far as it can be told.
        shown: Shown,
    },
}

/// What a write would do, found out without doing it. Never holds a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "shown", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Shown {
    /// The far side has tried it and taken it back.
    Rehearsed {
        /// HTTP status.
        status: u16,
        /// What would be another than it is.
        changes: Vec<Change>,
    },
    /// Only the request can be shown.
    Request {
        /// `POST`.
        method: String,
        /// Absolute, credentials left out.
        url: String,
        /// Names of the headers that the host would add, each with the place of its credential.
        credentials: Vec<String>,
        /// The body as text, cut to a bound.
        body: String,
    },
}

/// A field that a write would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// For people: `spec.template.spec.containers[web].image`.
    pub field: String,
    /// None where there is nothing yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// None where nothing would be left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
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
    /// Why asking twice does no more than asking once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeatable: Option<Repeatable>,
    /// `blake3:` of what a write would change, its precondition left out. None where that is
    /// the same as [`Effect::digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The host has made this call by itself, and the step does not know of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
}

/// Why a write may be asked for again when nobody knows whether it took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeatable {
    /// Its precondition holds only once.
    Conditional,
    /// Twice comes to the same as once.
    Idempotent,
    /// The far side recognises it by a key in it.
    Recognised,
    /// It may not, but the host knows where to look whether it took effect.
    Verifiable,
}

impl EffectOutcome {
    /// Whether the far side answered in a way that does not tell whether a write took effect.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        matches!(self, Self::Answered { status: 408 | 500..=599, .. })
    }
}

impl Repeatable {
    /// For people.
    #[must_use]
    pub fn why(self) -> &'static str {
        match self {
            Self::Conditional => "its precondition holds only once",
            Self::Idempotent => "done twice it comes to the same as done once",
            Self::Recognised => "the far side recognises it by its key",
            Self::Verifiable => "a look shows whether it took effect",
        }
    }
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
            | Self::StepResumed { .. }
            | Self::RunReopened { .. }
            | Self::RunResumed { .. }
            | Self::OutcomeSettled { .. }
            | Self::ApprovalSettled { .. }
            | Self::RunTimedOut { .. }
            | Self::CancelRequested { .. } => Some(RunStatus::Running),
            Self::RunFinished { status } => Some(*status),
            Self::StepLogged { .. }
            | Self::StepProgressed { .. }
            | Self::EffectIntended { .. }
            | Self::EffectSettled { .. }
            | Self::StepSucceeded { .. }
            | Self::StepFailed { .. }
            | Self::StepSkipped { .. }
            | Self::AttemptFailed { .. }
            | Self::EffectAskedAgain { .. }
            | Self::StreamHeard { .. }
            | Self::OutcomeUnknown { .. }
            | Self::ApprovalAsked { .. }
            | Self::ApprovalGiven { .. }
            | Self::EffectPlanned { .. }
            | Self::ConnectionGranted { .. } => None,
        }
    }

    /// The question that is open once this has happened, and of which step.
    pub(crate) fn asks(&self) -> Option<(&StepName, &Question)> {
        match self {
            Self::ApprovalAsked { step, question }
            | Self::OutcomeUnknown { step, question, .. } => Some((step, question)),
            _ => None,
        }
    }

    /// The step whose question is answered once this has happened, how, and by whom.
    pub(crate) fn answers(&self) -> Option<(&StepName, Verdict, String)> {
        match self {
            Self::ApprovalSettled { step, verdict, by } => Some((step, *verdict, by.join(", "))),
            Self::OutcomeSettled { step, done, by, .. } => {
                let verdict = if *done { Verdict::Done } else { Verdict::NotDone };
                Some((step, verdict, by.clone()))
            }
            _ => None,
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
    /// The code of a failure that only a person can settle: nobody knows whether a write took
    /// effect.
    pub const UNKNOWN: &str = "effect.unknown";

    /// The code of a step that did something else than before its process ended.
    pub const DIVERGED: &str = "replay.diverged";

    /// The code of a step that a plan can't follow any further: its next call depends on a write
    /// that was not made.
    pub const WITHHELD: &str = "plan.withheld";

    /// The code of an attempt whose time was over.
    pub const OUT_OF_TIME: &str = "limit.time";

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
