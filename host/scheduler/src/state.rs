//! What is known of a run, and what follows from it.
//!
//! Pure: computed from events alone, without clock, task or lock, so every rule about which
//! step comes next can be told as a story. It must not know how a step is run. What an event
//! changes is in [`take_in`], what follows in [`decide`], what an attempt comes to in [`ended`].

mod decide;
mod ended;
mod step;
mod take_in;

use crate::judge::Facts;
use crate::retry::Patience;
pub use decide::{Decision, Next};
use journal::{Event, Question, Recorded, RunContext, RunId, RunStatus, StepRecord};
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;
pub(crate) use step::Standing;
use step::{Step, millis};
use workflow::{Plan, PlannedStep, StepName};

/// A run, as far as its events tell.
pub struct RunState {
    run: RunId,
    steps: Vec<Step>,
    places: HashMap<StepName, usize>,
    facts: Facts,
    status: RunStatus,
    context: RunContext,
    stopping: bool,
    timed_out: bool,
    rejected: bool,
    /// Whether the workflow's text asks what time it is: then ends are written one by one.
    reads_clock: bool,
    /// A plan makes no write, tries nothing twice, and asks nobody.
    planning: bool,
    /// Whether a plan has shown a write: from then on the far side is not as a run would find it.
    unmade: bool,
    /// How long the whole run may take.
    time_max: Option<Duration>,
    /// Milliseconds since 1970, UTC.
    started_at: i64,
    /// Since when its time counts: its start, or when it was reopened.
    timed_from: i64,
    /// It was reopened, and the time of that is not known yet.
    reopened: bool,
    /// The time, as the driver tells it, in milliseconds since 1970, UTC; before there is one, that
    /// of the newest event.
    now: i64,
    /// Whether there is a driver that tells it.
    driven: bool,
    /// Of the newest event.
    last_at: i64,
    /// The number of the newest request that is of no concern any more.
    heard: u64,
    /// Steps to which something has happened whose time is not known yet.
    unstamped: Vec<usize>,
}

/// Why events or a plan make no run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The first event is missing or another.
    #[error("its record does not begin with `run-started`")]
    NoStart,
    /// Two steps of one name.
    #[error("its plan has two steps called `{step}`")]
    Twice {
        /// The name.
        step: StepName,
    },
    /// A name that leads nowhere.
    #[error("it speaks of a step `{step}` that its plan does not have")]
    NoSuchStep {
        /// The name.
        step: StepName,
    },
}

impl RunState {
    /// The state after `events`, the first of which is the run's start.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if they are not the events of one run.
    pub fn replay(events: &[Recorded]) -> Result<Self, PlanError> {
        let (first, rest) = events.split_first().ok_or(PlanError::NoStart)?;
        let mut state = Self::begin(first)?;
        for recorded in rest {
            state.go_on(recorded)?;
        }
        Ok(state)
    }

    /// The state after the first event of a run.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if that event is no start, or its plan is no plan.
    pub fn begin(first: &Recorded) -> Result<Self, PlanError> {
        let Event::RunStarted { run, plan, context, .. } = &first.event else {
            return Err(PlanError::NoStart);
        };
        let mut state = Self::new(run.clone(), plan)?;
        state.context = (**context).clone();
        state.started_at = first.at;
        state.timed_from = first.at;
        state.last_at = first.at;
        Ok(state)
    }

    /// The state after the event that follows.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if it is not an event of this run.
    pub fn go_on(&mut self, recorded: &Recorded) -> Result<(), PlanError> {
        self.apply(&recorded.event)?;
        self.written(recorded.at);
        Ok(())
    }

    /// The run before anything has happened to its steps.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if two steps have one name, or one waits for a step that is not there.
    pub fn new(run: RunId, plan: &Plan) -> Result<Self, PlanError> {
        let mut places = HashMap::with_capacity(plan.steps.len());
        for (place, step) in plan.steps.iter().enumerate() {
            if places.insert(step.name.clone(), place).is_some() {
                return Err(PlanError::Twice { step: step.name.clone() });
            }
        }
        let steps = plan.steps.iter().map(|step| Step::new(step, plan, &places));
        let steps: Vec<Step> = steps.collect::<Result<_, _>>()?;
        let facts = Facts::new(plan.parameters.clone(), steps.iter().map(|step| &step.judge));
        Ok(Self {
            run,
            steps,
            places,
            facts,
            status: RunStatus::Running,
            context: RunContext::default(),
            stopping: false,
            timed_out: false,
            rejected: false,
            reads_clock: plan.steps.iter().any(may_read_clock),
            planning: false,
            unmade: false,
            time_max: plan.extras.timeout_seconds.map(Duration::from_secs),
            started_at: 0,
            timed_from: 0,
            reopened: false,
            now: 0,
            driven: false,
            last_at: 0,
            heard: 0,
            unstamped: Vec::new(),
        })
    }

    /// From here on it is a plan that is followed, and not a run.
    pub fn plan_only(&mut self) {
        self.planning = true;
        for step in &mut self.steps {
            step.patience = Patience::none();
        }
    }

    /// What was recorded of attempts that did not come to their end is of no use any more: the far
    /// side that they spoke with is gone. They begin anew.
    pub fn forget_records(&mut self) {
        for step in &mut self.steps {
            step.record = StepRecord::default();
            step.keep = None;
            if step.standing == Standing::Unknown {
                step.standing = Standing::Interrupted;
                step.asked = None;
            }
        }
    }

    /// What time it is, in milliseconds since 1970, UTC.
    pub fn tell_time(&mut self, now: i64) {
        self.driven = true;
        self.now = now;
    }

    /// The time of the newest event, in milliseconds since 1970, UTC.
    #[must_use]
    pub fn last_at(&self) -> i64 {
        self.last_at
    }

    /// The number of the newest request that was asked before the run was opened again.
    #[must_use]
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// Whether ends must be written before it is asked what comes next.
    #[must_use]
    pub fn reads_clock(&self) -> bool {
        self.reads_clock
    }

    /// The next time at which something is to be done although nothing happens, in milliseconds
    /// since 1970, UTC.
    #[must_use]
    pub fn wake_at(&self) -> Option<i64> {
        if self.status.is_final() || self.stopping {
            return None;
        }
        let waits = self.steps.iter().filter_map(Step::wakes_at);
        let questions = self.steps.iter().filter_map(Step::expires_at);
        waits.chain(questions).chain(self.ends_at()).min()
    }

    /// When the run's time is up.
    #[must_use]
    pub fn ends_at(&self) -> Option<i64> {
        self.time_max.map(|max| self.timed_from.saturating_add(millis(max)))
    }

    /// What the run may take in all, if its time is up now.
    #[must_use]
    pub fn is_out_of_time(&self) -> Option<Duration> {
        let over = self.ends_at().is_some_and(|end| end <= self.now);
        self.time_max.filter(|_| over && !self.stopping && !self.status.is_final())
    }

    /// How the run stands by its events.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// Whether someone has asked the run to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The steps that have begun and not ended, each with the number of its attempt. Right
    /// after a replay, these are the ones that a crash has interrupted.
    #[must_use]
    pub fn running(&self) -> Vec<(StepName, u32)> {
        let running = self.steps.iter().filter(|step| step.standing == Standing::Running);
        running.map(|step| (step.name.clone(), step.attempts)).collect()
    }

    /// Whether nothing is left to decide: all steps have ended, or the run is to stop and none
    /// of them runs.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let settled = |step: &Step| step.standing.is_settled();
        !self.runs_any() && (self.stopping || self.steps.iter().all(settled))
    }

    /// The question that is open about a step, and about which of its calls it is: None for an
    /// approval.
    #[must_use]
    pub fn open_question(&self, step: &StepName) -> Option<(&Question, Option<(u32, u32)>)> {
        let step = &self.steps[*self.places.get(step)?];
        let asked = step.asked.as_ref().filter(|_| !step.standing.is_settled())?;
        let about = (step.standing == Standing::Unknown).then_some((step.attempts, asked.number));
        Some((&asked.question, about))
    }

    /// Whether that person's yes to the question that is open about the step has been taken in.
    #[must_use]
    pub fn has_approved(&self, step: &StepName, by: &str) -> bool {
        let asked = self.places.get(step).and_then(|place| self.steps[*place].asked.as_ref());
        asked.is_some_and(|asked| asked.yes.iter().any(|yes| yes == by))
    }

    /// The steps that are tried again when `from` is, or, without it, all that failed and were not
    /// skipped for a reason of their own: those and all that come behind them.
    ///
    /// # Errors
    ///
    /// [`PlanError::NoSuchStep`].
    pub fn behind(&self, from: Option<&StepName>) -> Result<Vec<StepName>, PlanError> {
        let mut wanted = BTreeSet::new();
        match from {
            Some(from) => drop(wanted.insert(self.place(from)?)),
            None => wanted.extend((0..self.steps.len()).filter(|place| {
                !matches!(self.steps[*place].standing, Standing::Succeeded | Standing::Skipped)
            })),
        }
        loop {
            let before = wanted.len();
            for (place, step) in self.steps.iter().enumerate() {
                if step.after.iter().any(|after| wanted.contains(after)) {
                    wanted.insert(place);
                }
            }
            if wanted.len() == before {
                return Ok(wanted.iter().map(|place| self.steps[*place].name.clone()).collect());
            }
        }
    }

    /// The record of a step's newest attempt; empty once it has succeeded.
    #[must_use]
    pub fn record(&self, step: &StepName) -> Option<&StepRecord> {
        Some(&self.steps[*self.places.get(step)?].record)
    }

    fn place(&self, step: &StepName) -> Result<usize, PlanError> {
        self.places.get(step).copied().ok_or_else(|| PlanError::NoSuchStep { step: step.clone() })
    }

    /// When all that the step waits for was known: what `now()` is in its expressions, so
    /// that each attempt gets the same inputs.
    fn moment_before(&self, place: usize) -> i64 {
        let before = self.steps[place].after.iter().map(|place| self.steps[*place].moment);
        before.fold(self.started_at, i64::max)
    }
}

/// Whether an expression of the step may ask what time it is; a name that only looks like it costs
/// one more write.
fn may_read_clock(step: &PlannedStep) -> bool {
    let says_now = |value: &serde_json::Value| value.to_string().contains("now");
    says_now(&step.spec) || step.when.iter().any(says_now)
}

#[cfg(test)]
mod story;
