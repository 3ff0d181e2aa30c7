//! What is known of a run, folded from its events.
//!
//! Holds no opinions: what a status means for the next step is the scheduler's business.

use journal::Disposition;
use journal::{Effect, EffectOutcome, Event, Failure, Level, Recorded, RunId, RunStatus};
use serde_json::{Map, Value};
use std::collections::HashMap;
use workflow::{Plan, StepKind, StepName};

/// A run, as far as its events have been read.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// Which run.
    pub run: RunId,
    /// What it is about.
    pub plan: Plan,
    /// Who asked for it.
    pub by: String,
    /// Whether the outside is simulated.
    pub drill: bool,
    /// How it stands.
    pub status: RunStatus,
    /// Milliseconds since 1970, UTC.
    pub started_at: i64,
    /// Milliseconds since 1970, UTC. None while it runs or waits.
    pub finished_at: Option<i64>,
    /// The time of the newest event, in milliseconds since 1970, UTC.
    pub seen_at: i64,
    /// Who asked it to stop.
    pub cancelled_by: Option<String>,
    /// In the order of the plan.
    pub steps: Vec<StepView>,
    places: HashMap<StepName, usize>,
}

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
    /// When the newest attempt began, in milliseconds since 1970, UTC.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since 1970, UTC.
    pub ended_at: Option<i64>,
    /// By name; empty unless it succeeded.
    pub outputs: Map<String, Value>,
    /// Why it failed or was stopped.
    pub failure: Option<Failure>,
    /// Why it was skipped.
    pub skipped_because: Option<String>,
    /// The newest line that it wrote.
    pub newest_line: Option<LineView>,
    /// How far it is.
    pub progress: Option<ProgressView>,
    /// Its calls to the outside, in the order in which they were first mentioned.
    pub effects: Vec<EffectView>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepStatus {
    /// Nothing has happened to it.
    NotStarted,
    /// A person must say yes or no.
    Waiting,
    /// An attempt goes on.
    Running,
    /// The host ended in the middle of an attempt, and no other has begun.
    Interrupted,
    /// It did its work.
    Success,
    /// It did not do its work.
    Failure,
    /// It was not needed, or could not be.
    Skipped,
    /// It was stopped, because the run was asked to stop.
    Cancelled,
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

/// A call to the outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectView {
    /// Of the attempt that made it.
    pub attempt: u32,
    /// Counts the calls of the attempt.
    pub number: u32,
    /// When it was first mentioned, in milliseconds since 1970, UTC.
    pub at: i64,
    /// None for a call that was never admitted.
    pub effect: Option<Effect>,
    /// None while nobody knows.
    pub outcome: Option<EffectOutcome>,
}

impl RunView {
    /// What these events, from the first on, tell. None if they do not begin with the start
    /// of a run.
    #[must_use]
    pub fn from_events(events: &[Recorded]) -> Option<Self> {
        let (first, rest) = events.split_first()?;
        let mut view = Self::begin(first)?;
        for recorded in rest {
            view.apply(recorded);
        }
        Some(view)
    }

    fn begin(first: &Recorded) -> Option<Self> {
        let Event::RunStarted { run, plan, by, drill } = &first.event else { return None };
        let steps: Vec<StepView> =
            plan.steps.iter().map(|step| StepView::new(step.name.clone(), step.kind)).collect();
        let places = steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect();
        Some(Self {
            run: run.clone(),
            plan: (**plan).clone(),
            by: by.clone(),
            drill: *drill,
            status: RunStatus::Running,
            started_at: first.at,
            finished_at: None,
            seen_at: first.at,
            cancelled_by: None,
            steps,
            places,
        })
    }

    /// The step of that name.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&StepView> {
        self.steps.get(*self.places.get(name)?)
    }

    /// The steps that `step` waits for and that have not ended yet.
    pub fn awaited<'a>(&'a self, step: &'a StepView) -> impl Iterator<Item = &'a StepView> {
        let planned = self.places.get(&step.name).and_then(|at| self.plan.steps.get(*at));
        let after = planned.map_or(&[][..], |planned| &planned.after);
        after.iter().filter_map(|name| self.step(name)).filter(|step| !step.status.is_settled())
    }

    /// Takes in what happened next. What speaks of a step that the plan does not have is
    /// left out.
    pub fn apply(&mut self, recorded: &Recorded) {
        let at = recorded.at;
        self.seen_at = at;
        if let Some(status) = recorded.event.run_status() {
            self.status = status;
            self.finished_at = status.is_final().then_some(at);
        }
        match &recorded.event {
            Event::RunStarted { .. } => {}
            Event::RunFinished { status } => self.finish(*status),
            Event::CancelRequested { by } => self.cancelled_by = Some(by.clone()),
            Event::StepStarted { step, .. }
            | Event::StepLogged { step, .. }
            | Event::StepProgressed { step, .. }
            | Event::EffectIntended { step, .. }
            | Event::EffectSettled { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepInterrupted { step, .. }
            | Event::ConnectionGranted { step, .. } => {
                let stopping = self.cancelled_by.is_some();
                if let Some(step) = self.places.get(step).and_then(|at| self.steps.get_mut(*at)) {
                    step.apply(at, &recorded.event, stopping);
                }
            }
        }
    }

    /// No event says that a step waits for a person: it follows from how the run ended.
    fn finish(&mut self, status: RunStatus) {
        let waits = |step: &StepView| {
            status == RunStatus::Waiting
                && step.kind == StepKind::Approval
                && step.status == StepStatus::NotStarted
                && self.awaited(step).next().is_none()
        };
        let waiting: Vec<usize> =
            (0..self.steps.len()).filter(|at| waits(&self.steps[*at])).collect();
        for at in waiting {
            self.steps[at].status = StepStatus::Waiting;
        }
        if status == RunStatus::Cancelled {
            for step in &mut self.steps {
                if step.status == StepStatus::Interrupted {
                    step.status = StepStatus::Cancelled;
                }
            }
        }
    }
}

impl StepView {
    fn new(name: StepName, kind: StepKind) -> Self {
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
            newest_line: None,
            progress: None,
            effects: Vec::new(),
        }
    }

    /// How long the newest attempt took, or has taken at the time `now` (both in
    /// milliseconds). None if there was none.
    #[must_use]
    pub fn took(&self, now: i64) -> Option<i64> {
        Some(self.ended_at.unwrap_or(now).saturating_sub(self.started_at?).max(0))
    }

    fn apply(&mut self, at: i64, event: &Event, stopping: bool) {
        match event {
            Event::StepStarted { attempt, .. } => {
                self.status = StepStatus::Running;
                self.attempts = *attempt;
                self.started_at = Some(at);
                self.ended_at = None;
                self.progress = None;
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
                self.effect(at, *attempt, *number).effect = Some(effect.clone());
            }
            Event::EffectSettled { attempt, number, outcome, .. } => {
                self.effect(at, *attempt, *number).outcome = Some(outcome.clone());
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
            Event::StepInterrupted { .. } => self.end(at, StepStatus::Interrupted),
            Event::RunStarted { .. }
            | Event::RunFinished { .. }
            | Event::CancelRequested { .. }
            | Event::ConnectionGranted { .. } => {}
        }
    }

    fn end(&mut self, at: i64, status: StepStatus) {
        self.status = status;
        self.ended_at = Some(at);
        self.progress = None;
    }

    /// The call of that number, new if it was not mentioned before.
    fn effect(&mut self, at: i64, attempt: u32, number: u32) -> &mut EffectView {
        // From the end: what is spoken of is nearly always the newest.
        let same = |known: &EffectView| known.attempt == attempt && known.number == number;
        let place = self.effects.iter().rposition(same).unwrap_or_else(|| {
            self.effects.push(EffectView { attempt, number, at, effect: None, outcome: None });
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

impl EffectView {
    /// Whether nobody knows if this took effect: a write that left the host, or was about to,
    /// without an answer.
    #[must_use]
    pub fn is_in_doubt(&self) -> bool {
        let writes = self.effect.as_ref().is_some_and(|effect| effect.writes);
        let unknown = matches!(&self.outcome, None | Some(EffectOutcome::InDoubt { .. }));
        writes && unknown
    }

    /// Whether this changed something outside, as far as the answer tells.
    #[must_use]
    pub fn changed(&self) -> bool {
        let writes = self.effect.as_ref().is_some_and(|effect| effect.writes);
        writes && matches!(&self.outcome, Some(EffectOutcome::Answered { status: 200..400, .. }))
    }
}
