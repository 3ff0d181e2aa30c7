//! What is known of one step of a run.

use super::{EffectView, SettledView};
use journal::{Disposition, Effect, Event, Failure, Level, Question, Shown, Verdict};
use serde_json::{Map, Value};
use workflow::{StepKind, StepName};

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    /// Unique in the run.
    pub name: StepName,
    /// A plugin or a person.
    pub kind: StepKind,
    /// How it stands.
    pub status: StepStatus,
    /// The number of the newest attempt; 0 if there was none.
    pub attempts: u32,
    /// When the newest attempt began, or was last taken up, in milliseconds since 1970, UTC.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since 1970, UTC.
    pub ended_at: Option<i64>,
    /// By name; empty unless it succeeded.
    pub outputs: Map<String, Value>,
    /// Why it failed or was stopped.
    pub failure: Option<Failure>,
    /// Why it was skipped.
    pub skipped_because: Option<String>,
    /// The tries that failed and were followed by another, or are going to be.
    pub tries: Vec<TryView>,
    /// When the next try comes, in milliseconds since 1970, UTC. None unless it waits for one.
    pub retry_at: Option<i64>,
    /// How often an attempt that did not come to its end was run again from its start.
    pub resumed: u32,
    /// What a person is asked now.
    pub open: Option<OpenView>,
    /// The approvals that are over, oldest first.
    pub approvals: Vec<ApprovalView>,
    /// The newest line that it wrote.
    pub newest_line: Option<LineView>,
    /// How far it is.
    pub progress: Option<ProgressView>,
    /// Its calls to the outside, in the order in which they were first mentioned.
    pub effects: Vec<EffectView>,
    /// The writes that a plan has shown and not made.
    pub planned: Vec<PlannedView>,
    /// How many of `tries` came before it was last reopened.
    tries_before: usize,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepStatus {
    /// Nothing has happened to it.
    NotStarted,
    /// A person must say something.
    Waiting,
    /// An attempt goes on, or will after a wait.
    Running,
    /// The host ended in the middle of an attempt, and no other has begun.
    Interrupted,
    /// It did its work.
    Success,
    /// It did not do its work.
    Failure,
    /// It was not needed, or could not be.
    Skipped,
    /// It was stopped, because the run was to stop.
    Cancelled,
}

/// A try that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct TryView {
    /// When it had failed, in milliseconds since 1970, UTC.
    pub at: i64,
    /// Of which attempt.
    pub attempt: u32,
    /// Why.
    pub failure: Failure,
    /// Milliseconds until the next try.
    pub delay_ms: u64,
}

/// What a person is asked about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenView {
    /// Whether the run goes on behind it.
    Approval {
        /// Since when, in milliseconds since 1970, UTC.
        at: i64,
        /// What is asked, and of whom.
        question: Question,
        /// What was said so far.
        answers: Vec<AnswerView>,
    },
    /// Whether a write took effect.
    Outcome {
        /// Since when, in milliseconds since 1970, UTC.
        at: i64,
        /// Of which attempt.
        attempt: u32,
        /// Which call.
        number: u32,
        /// What may have happened: escape it before it is shown.
        message: String,
        /// What is asked.
        question: Question,
    },
}

/// What one person said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerView {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What.
    pub verdict: Verdict,
    /// In that person's words.
    pub reason: Option<String>,
}

/// An approval that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalView {
    /// When it was over, in milliseconds since 1970, UTC.
    pub at: i64,
    /// How it ended.
    pub verdict: Verdict,
    /// Those whose answers decided it.
    pub by: Vec<String>,
    /// What was asked; None where nobody was, as in a plan.
    pub question: Option<Question>,
    /// What everybody said.
    pub answers: Vec<AnswerView>,
}

/// A line that a step wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineView {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// How grave.
    pub level: Level,
    /// As the step wrote it: escape it before it is shown.
    pub message: String,
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgressView {
    /// Units done.
    pub done: u64,
    /// Units in all, when known.
    pub total: Option<u64>,
    /// As the step wrote it: escape it before it is shown.
    pub note: String,
}

/// A write that a plan shows and does not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedView {
    /// Of which attempt.
    pub attempt: u32,
    /// Counts the calls of the attempt.
    pub number: u32,
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// What would be done.
    pub effect: Effect,
    /// What that would change, as far as it can be told.
    pub shown: Shown,
}

impl StepView {
    pub(super) fn new(name: StepName, kind: StepKind) -> Self {
        Self {
            name,
            kind,
            status: StepStatus::NotStarted,
            attempts: 0,
            started_at: None,
            ended_at: None,
            outputs: Map::new(),
            failure: None,
            skipped_because: None,
            tries: Vec::new(),
            retry_at: None,
            resumed: 0,
            open: None,
            approvals: Vec::new(),
            newest_line: None,
            progress: None,
            effects: Vec::new(),
            planned: Vec::new(),
            tries_before: 0,
        }
    }

    /// How long the newest attempt took, or has taken at the time `now` (both in
    /// milliseconds). None if there was none.
    #[must_use]
    pub fn took(&self, now: i64) -> Option<i64> {
        Some(self.ended_at.unwrap_or(now).saturating_sub(self.started_at?).max(0))
    }

    /// The number of the try that goes on or comes next; 1 for the first.
    #[must_use]
    pub fn try_number(&self) -> usize {
        self.tries.len() - self.tries_before + 1
    }

    /// The question that a person may answer now.
    #[must_use]
    pub fn question(&self) -> Option<&Question> {
        match self.open.as_ref()? {
            OpenView::Approval { question, .. } | OpenView::Outcome { question, .. } => {
                Some(question)
            }
        }
    }

    /// Whether nobody knows what it gives: its end depends on a write that a plan can only show.
    #[must_use]
    pub fn is_withheld(&self) -> bool {
        let unsent = |write: &PlannedView| matches!(write.shown, Shown::Request { .. });
        self.status == StepStatus::Success
            && self.outputs.is_empty()
            && self.planned.iter().any(unsent)
    }

    /// The call of that number in that attempt.
    #[must_use]
    pub fn effect(&self, attempt: u32, number: u32) -> Option<&EffectView> {
        let same = |known: &&EffectView| known.attempt == attempt && known.number == number;
        self.effects.iter().rfind(same)
    }

    pub(super) fn apply(&mut self, at: i64, event: &Event, stopping: bool) {
        match event {
            Event::StepStarted { attempt, .. } => self.begin(at, *attempt),
            Event::StepResumed { attempt, keep, .. } => self.resume(at, *attempt, *keep),
            Event::StepInterrupted { .. } => self.end(at, StepStatus::Interrupted),
            Event::AttemptFailed { attempt, failure, delay_ms, .. } => {
                self.fail_once(at, *attempt, failure, *delay_ms);
            }
            Event::StepSucceeded { outputs, .. } => {
                self.outputs = outputs.clone();
                self.end(at, StepStatus::Success);
            }
            Event::StepFailed { failure, .. } => {
                let cancelled = stopping && failure.disposition == Disposition::Cancelled;
                self.failure = Some(failure.clone());
                self.end(at, if cancelled { StepStatus::Cancelled } else { StepStatus::Failure });
            }
            Event::StepSkipped { reason, .. } => {
                self.skipped_because = Some(reason.clone());
                self.end(at, StepStatus::Skipped);
            }
            Event::StepLogged { level: Level::Trace | Level::Debug, .. } => {}
            Event::StepLogged { level, message, .. } => {
                let (level, message) = (*level, message.clone());
                self.newest_line = Some(LineView { at, level, message });
            }
            Event::StepProgressed { done, total, note, .. } => {
                let (done, total, note) = (*done, *total, note.clone());
                self.progress = Some(ProgressView { done, total, note });
            }
            Event::EffectIntended { attempt, number, effect, .. } => {
                self.mention(at, *attempt, *number).effect = Some(effect.clone());
            }
            Event::EffectSettled { attempt, number, outcome, .. } => {
                self.mention(at, *attempt, *number).outcome = Some(outcome.clone());
            }
            Event::EffectAskedAgain { attempt, number, why, .. } => {
                self.mention(at, *attempt, *number).ask_again(at, why);
            }
            Event::EffectPlanned { attempt, number, effect, shown, .. } => {
                let (attempt, number) = (*attempt, *number);
                let (effect, shown) = (effect.clone(), shown.clone());
                self.planned.push(PlannedView { attempt, number, at, effect, shown });
            }
            Event::OutcomeUnknown { attempt, number, message, question, .. } => {
                let (attempt, number) = (*attempt, *number);
                let (message, question) = (message.clone(), question.clone());
                self.end(at, StepStatus::Waiting);
                self.open = Some(OpenView::Outcome { at, attempt, number, message, question });
            }
            Event::OutcomeSettled { attempt, number, done, by, reason, .. } => {
                let (done, by, reason) = (*done, by.clone(), reason.clone());
                let settled = SettledView { at, done, by, reason };
                self.mention(at, *attempt, *number).settled = Some(settled);
                self.close_outcome();
            }
            Event::ApprovalAsked { question, .. } => {
                self.status = StepStatus::Waiting;
                let (question, answers) = (question.clone(), Vec::new());
                self.open = Some(OpenView::Approval { at, question, answers });
            }
            Event::ApprovalGiven { by, verdict, reason, .. } => {
                let (by, verdict, reason) = (by.clone(), *verdict, reason.clone());
                self.answer(AnswerView { at, by, verdict, reason });
            }
            Event::ApprovalSettled { verdict, by, .. } => self.settle(at, *verdict, by),
            Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::CancelRequested { .. }
            | Event::RunTimedOut { .. }
            | Event::RunReopened { .. }
            | Event::RunResumed { .. }
            | Event::StreamHeard { .. }
            | Event::ConnectionGranted { .. } => {}
        }
    }

    fn begin(&mut self, at: i64, attempt: u32) {
        self.status = StepStatus::Running;
        self.attempts = attempt;
        self.started_at = Some(at);
        (self.ended_at, self.retry_at, self.open, self.progress) = (None, None, None, None);
    }

    /// Calls of the attempt up to number `keep` count; the others stay on record.
    fn resume(&mut self, at: i64, attempt: u32, keep: u32) {
        self.begin(at, attempt);
        self.resumed += 1;
        let behind = |effect: &&mut EffectView| effect.attempt == attempt && effect.number > keep;
        for effect in self.effects.iter_mut().filter(behind) {
            effect.dropped = true;
        }
    }

    fn fail_once(&mut self, at: i64, attempt: u32, failure: &Failure, delay_ms: u64) {
        self.end(at, StepStatus::Running);
        self.tries.push(TryView { at, attempt, failure: failure.clone(), delay_ms });
        self.retry_at = Some(at.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX)));
    }

    fn answer(&mut self, said: AnswerView) {
        if let Some(OpenView::Approval { answers, .. }) = &mut self.open {
            answers.push(said);
        }
    }

    /// The question about a write is answered; one that the host has found out by itself, while
    /// the attempt went on, was never asked.
    fn close_outcome(&mut self) {
        if matches!(self.open, Some(OpenView::Outcome { .. })) {
            self.open = None;
            self.status = StepStatus::Interrupted;
        }
    }

    fn settle(&mut self, at: i64, verdict: Verdict, by: &[String]) {
        let (question, answers) = match self.open.take() {
            Some(OpenView::Approval { question, answers, .. }) => (Some(question), answers),
            Some(OpenView::Outcome { .. }) | None => (None, Vec::new()),
        };
        self.approvals.push(ApprovalView { at, verdict, by: by.to_vec(), question, answers });
        self.status = StepStatus::NotStarted;
    }

    fn end(&mut self, at: i64, status: StepStatus) {
        self.status = status;
        self.ended_at = Some(at);
        (self.progress, self.retry_at, self.open) = (None, None, None);
    }

    /// It is tried again. What it did stays on record.
    pub(super) fn reopen(&mut self) {
        self.status = StepStatus::NotStarted;
        (self.started_at, self.ended_at, self.retry_at) = (None, None, None);
        (self.failure, self.skipped_because) = (None, None);
        (self.open, self.progress) = (None, None);
        self.outputs = Map::new();
        self.tries_before = self.tries.len();
    }

    /// The run was stopped for good while the step was not at its end.
    pub(super) fn stop(&mut self) {
        match self.status {
            StepStatus::Interrupted | StepStatus::Waiting | StepStatus::Running => {
                self.status = StepStatus::Cancelled;
                (self.progress, self.retry_at, self.open) = (None, None, None);
            }
            StepStatus::NotStarted
            | StepStatus::Success
            | StepStatus::Failure
            | StepStatus::Skipped
            | StepStatus::Cancelled => {}
        }
    }

    /// The call of that number, new if it was not mentioned before.
    fn mention(&mut self, at: i64, attempt: u32, number: u32) -> &mut EffectView {
        // From the end: what is spoken of is nearly always the newest.
        let same = |known: &EffectView| known.attempt == attempt && known.number == number;
        let place = self.effects.iter().rposition(same).unwrap_or_else(|| {
            self.effects.push(EffectView::new(at, attempt, number));
            self.effects.len() - 1
        });
        &mut self.effects[place]
    }
}

impl StepStatus {
    /// Whether the step has ended for good.
    #[must_use]
    pub fn is_settled(self) -> bool {
        match self {
            Self::NotStarted | Self::Waiting | Self::Running | Self::Interrupted => false,
            Self::Success | Self::Failure | Self::Skipped | Self::Cancelled => true,
        }
    }

    /// The word in the command line contract; `running` and `interrupted` for a run that has
    /// not ended.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not-started",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}
