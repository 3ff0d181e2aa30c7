//! What is known of a run, folded from its events.
//!
//! Holds no opinions: what a status means for the next step is the scheduler's business.

mod effect;
mod step;

pub use effect::{EffectView, SettledView};
pub use step::{
    AnswerView, ApprovalView, LineView, OpenView, PlannedView, ProgressView, StepStatus, StepView,
    TryView,
};

use journal::{Event, Recorded, RunId, RunStatus};
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
    /// Whether it makes no other writes than those that a plan has shown.
    pub bound: bool,
    /// How it stands.
    pub status: RunStatus,
    /// Milliseconds since 1970, UTC.
    pub started_at: i64,
    /// Milliseconds since 1970, UTC. None while it runs or waits.
    pub finished_at: Option<i64>,
    /// The time of the newest event, in milliseconds since 1970, UTC.
    pub seen_at: i64,
    /// Who asked it to stop. None again once it was reopened.
    pub cancelled_by: Option<String>,
    /// The seconds that it was allowed, if its time was up. None again once it was reopened.
    pub timed_out: Option<u64>,
    /// Each time that another process took it up.
    pub resumed: Vec<ResumedView>,
    /// Each time that it was made to go on after it had ended.
    pub reopened: Vec<ReopenedView>,
    /// In the order of the plan.
    pub steps: Vec<StepView>,
    places: HashMap<StepName, usize>,
}

/// Another process took the run up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumedView {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// Who, for people.
    pub by: String,
}

/// A run that had ended goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReopenedView {
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// Who.
    pub by: String,
    /// What is tried again.
    pub steps: Vec<StepName>,
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
        // Of the context only this: whoever reads the seed can foretell what the steps draw.
        let Event::RunStarted { run, plan, by, drill, context } = &first.event else {
            return None;
        };
        let steps: Vec<StepView> =
            plan.steps.iter().map(|step| StepView::new(step.name.clone(), step.kind)).collect();
        let places = steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect();
        Some(Self {
            run: run.clone(),
            plan: (**plan).clone(),
            by: by.clone(),
            drill: *drill,
            bound: context.bound.is_some(),
            status: RunStatus::Running,
            started_at: first.at,
            finished_at: None,
            seen_at: first.at,
            cancelled_by: None,
            timed_out: None,
            resumed: Vec::new(),
            reopened: Vec::new(),
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
        self.before(step).filter(|step| !step.status.is_settled())
    }

    /// The steps that `step` comes after.
    pub(crate) fn before<'a>(&'a self, step: &StepView) -> impl Iterator<Item = &'a StepView> {
        let planned = self.places.get(&step.name).and_then(|at| self.plan.steps.get(*at));
        let after = planned.map_or(&[][..], |planned| &planned.after);
        after.iter().filter_map(|name| self.step(name))
    }

    /// The approvals that are over, each with its step.
    pub fn approvals(&self) -> impl Iterator<Item = (&StepView, &ApprovalView)> {
        self.steps.iter().flat_map(|step| step.approvals.iter().map(move |over| (step, over)))
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
            Event::RunTimedOut { seconds } => self.timed_out = Some(*seconds),
            Event::RunResumed { by } => self.resumed.push(ResumedView { at, by: by.clone() }),
            Event::RunReopened { by, steps, .. } => self.reopen(at, by, steps),
            Event::StepStarted { step, .. }
            | Event::StepResumed { step, .. }
            | Event::AttemptFailed { step, .. }
            | Event::StepLogged { step, .. }
            | Event::StepProgressed { step, .. }
            | Event::EffectIntended { step, .. }
            | Event::EffectSettled { step, .. }
            | Event::EffectAskedAgain { step, .. }
            | Event::EffectPlanned { step, .. }
            | Event::StreamHeard { step, .. }
            | Event::OutcomeUnknown { step, .. }
            | Event::OutcomeSettled { step, .. }
            | Event::ApprovalAsked { step, .. }
            | Event::ApprovalGiven { step, .. }
            | Event::ApprovalSettled { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepInterrupted { step, .. }
            | Event::ConnectionGranted { step, .. } => {
                let stopping = self.cancelled_by.is_some() || self.timed_out.is_some();
                if let Some(step) = self.place(step) {
                    step.apply(at, &recorded.event, stopping);
                }
            }
        }
    }

    fn place(&mut self, step: &StepName) -> Option<&mut StepView> {
        self.places.get(step).and_then(|at| self.steps.get_mut(*at))
    }

    /// What ended it before does not hold any more.
    fn reopen(&mut self, at: i64, by: &str, steps: &[StepName]) {
        self.reopened.push(ReopenedView { at, by: by.to_owned(), steps: steps.to_vec() });
        (self.cancelled_by, self.timed_out) = (None, None);
        for step in steps {
            if let Some(step) = self.place(step) {
                step.reopen();
            }
        }
    }

    fn finish(&mut self, status: RunStatus) {
        self.guess_approvals(status);
        let stopped = status == RunStatus::Cancelled || self.timed_out.is_some();
        if status.is_final() && stopped {
            for step in &mut self.steps {
                step.stop();
            }
        }
    }

    /// In the first journals no event says that a step waits for a person: it follows from how
    /// the run ended.
    fn guess_approvals(&mut self, status: RunStatus) {
        let waits = |step: &StepView| {
            status == RunStatus::Waiting
                && step.kind == StepKind::Approval
                && step.status == StepStatus::NotStarted
                && step.approvals.is_empty()
                && self.awaited(step).next().is_none()
        };
        let waiting: Vec<usize> =
            (0..self.steps.len()).filter(|at| waits(&self.steps[*at])).collect();
        for at in waiting {
            self.steps[at].status = StepStatus::Waiting;
        }
    }
}
