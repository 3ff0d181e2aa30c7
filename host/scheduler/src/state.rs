//! What is known of a run, and what follows from it.
//!
//! Pure: computed from events alone, without clock, task or lock, so every rule about which
//! step comes next can be told as a story. It must not know how a step is run.

use crate::judge::{Facts, Judge, Verdict};
use crate::retry::{Patience, is_worth_it};
use crate::{StepInvocation, StepOutcome};
use journal::{
    Disposition, Event, Failure, PlannedWrite, Question, Recorded, RunContext, RunId, RunStatus,
    StepRecord, Verdict as Answer,
};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use workflow::{Plan, PlannedStep, PluginPin, StepExtras, StepKind, StepName};

/// The code of a failure that only a person can settle: nobody knows whether a write took effect.
pub const UNKNOWN: &str = "effect.unknown";

/// The code of a step that did something else than before its process ended.
pub const DIVERGED: &str = "replay.diverged";

/// The code of a step that a plan can't follow any further: its next call depends on a write that
/// was not made.
pub const WITHHELD: &str = "plan.withheld";

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

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// At least one decision.
    Do(Vec<Decision>),
    /// Nothing, until a step that runs has ended.
    Wait,
    /// Nothing more, until a person acts if the status is waiting, else for ever.
    End(RunStatus),
}

/// What is to be done about one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Run it.
    Start(StepInvocation),
    /// Run an attempt again that was begun: calls up to number `keep` count.
    Resume(StepInvocation, u32),
    /// Ask people.
    Ask {
        /// About which step.
        step: StepName,
        /// How long they have, if the workflow says so.
        within: Option<Duration>,
    },
    /// An approval is over.
    Settle {
        /// Which.
        step: StepName,
        /// How.
        verdict: Answer,
        /// By whom.
        by: Vec<String>,
    },
    /// A step that people do is done.
    Pass {
        /// Which.
        step: StepName,
    },
    /// Leave it out.
    Skip {
        /// Which.
        step: StepName,
        /// For people.
        reason: String,
    },
    /// Let it fail without running.
    Fail {
        /// Which.
        step: StepName,
        /// The number of the attempts before.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
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

struct Step {
    name: StepName,
    kind: StepKind,
    plugin: Option<PluginPin>,
    extras: Arc<StepExtras>,
    after: Vec<usize>,
    judge: Judge,
    standing: Standing,
    attempts: u32,
    /// When what comes after this may count as known, in milliseconds since 1970.
    moment: i64,
    patience: Patience,
    /// How long all its tries may take together.
    time_max: Option<Duration>,
    /// When its first attempt began, in milliseconds since 1970.
    began_at: Option<i64>,
    /// Tries that failed.
    failed: u32,
    /// What is written of its newest attempt; kept until the step has succeeded.
    record: StepRecord,
    /// How its newest attempt is run again: calls up to this number count. None: a new attempt.
    keep: Option<u32>,
    /// How long it waits for its next try, and since when.
    wait: Option<Wait>,
    /// What people are asked about it.
    asked: Option<Asked>,
}

/// A wait between two tries.
#[derive(Clone, Copy, Debug)]
struct Wait {
    delay_ms: u64,
    /// Milliseconds since 1970; None until its event is written.
    since: Option<i64>,
}

/// A question, and what was said to it.
#[derive(Clone, Debug, Default)]
struct Asked {
    question: Question,
    yes: Vec<String>,
    /// The answer that decides it.
    verdict: Option<(Answer, Vec<String>)>,
    /// In the words of whoever said no.
    reason: Option<String>,
    /// The call that it is about.
    number: u32,
}

/// Where a step stands. It is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Pending,
    Running,
    /// The host ended in the middle of an attempt.
    Interrupted,
    /// An attempt has failed, and another follows.
    Waiting,
    /// Nobody knows whether a write took effect.
    Unknown,
    Succeeded,
    Failed,
    Skipped,
}

impl Standing {
    pub(crate) fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Running | Self::Interrupted | Self::Waiting | Self::Unknown => {
                false
            }
            Self::Succeeded | Self::Failed | Self::Skipped => true,
        }
    }
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

    /// What follows from what is known. Each decision counts once its event is applied.
    #[must_use]
    pub fn what_next(&mut self) -> Next {
        if self.status.is_final() {
            return Next::End(self.status);
        }
        if !self.stopping {
            let (decisions, persons) = self.decide();
            if !decisions.is_empty() {
                return Next::Do(decisions);
            }
            let waits = self.steps.iter().any(|step| step.standing == Standing::Waiting);
            if !self.runs_any() && !waits && persons {
                return Next::End(RunStatus::Waiting);
            }
            if waits {
                return Next::Wait;
            }
        }
        if self.runs_any() {
            return Next::Wait;
        }
        if self.timed_out {
            return Next::End(RunStatus::Failure);
        }
        if self.stopping {
            return Next::End(RunStatus::Cancelled);
        }
        if self.is_over() {
            return Next::End(self.verdict());
        }
        Next::Do(self.stuck())
    }

    fn verdict(&self) -> RunStatus {
        match self.steps.iter().any(|step| step.standing == Standing::Failed) {
            true => RunStatus::Failure,
            false if self.rejected => RunStatus::Rejected,
            false => RunStatus::Success,
        }
    }

    /// What an attempt that has ended comes to. `dice` is any number: it spreads the waits of those
    /// who fail together. The event must be applied.
    pub fn end_of_attempt(
        &mut self,
        step: &StepName,
        attempt: u32,
        outcome: StepOutcome,
        record: StepRecord,
        dice: u32,
    ) -> Event {
        let Some(&place) = self.places.get(step) else {
            // Can't be: only steps of this plan are started.
            let failure = Failure::permanent("step.unknown", "no such step");
            return Event::StepFailed { step: step.clone(), attempt, failure };
        };
        self.unmade |= record.planned > 0;
        self.steps[place].record = record;
        let step = step.clone();
        let failure = match outcome {
            Ok(outputs) => return Event::StepSucceeded { step, attempt, outputs },
            Err(failure) => failure,
        };
        if self.planning {
            if failure.code == WITHHELD {
                self.facts.unmade(&step);
                return Event::StepSucceeded { step, attempt, outputs: serde_json::Map::new() };
            }
            if self.unmade {
                let reason = format!(
                    "what it needs may come from a write that a plan does not make: {failure}"
                );
                return Event::StepSkipped { step, reason };
            }
        }
        let own = &self.steps[place];
        let doubtful = own.record.in_doubt();
        if self.stopping || failure.code == DIVERGED {
            return Event::StepFailed { step, attempt, failure };
        }
        let repeatable = |call: &journal::CallRecord| {
            call.effect.as_ref().is_some_and(|effect| effect.repeatable.is_some())
        };
        let again = match doubtful {
            Some(call) => failure.code != UNKNOWN && repeatable(call),
            // A 503 to a write proves nothing: whoever sends it again may do it twice.
            None => is_worth_it(&failure) && !own.record.ends_unsure(),
        };
        if again && let Some(delay) = own.next_try(&failure, dice, self.now, self.ends_at()) {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            return Event::AttemptFailed { step, attempt, failure, delay_ms };
        }
        match doubtful {
            Some(call) => {
                let number = call.number;
                let what = call.effect.as_ref().map_or_else(String::new, |effect| {
                    format!("`{}` on {}", effect.operation, effect.connection)
                });
                let digest = format!("attempt {attempt} call {number}");
                let question = Question { digest, quorum: 1, ..Question::default() };
                let message = match failure.code.as_str() {
                    UNKNOWN => failure.message,
                    _ => format!(
                        "{what} left the host, and nobody knows whether it took effect: {failure}"
                    ),
                };
                Event::OutcomeUnknown { step, attempt, number, message, question }
            }
            None => Event::StepFailed { step, attempt, failure },
        }
    }

    /// Takes in what happened.
    ///
    /// # Errors
    ///
    /// [`PlanError`] if it is not an event of this run; nothing is changed then.
    pub fn apply(&mut self, event: &Event) -> Result<(), PlanError> {
        match event {
            Event::RunStarted { .. } => return Err(PlanError::NoStart),
            Event::StepStarted { step, attempt } => {
                let place = self.place(step)?;
                self.note(place, event);
                let step = &mut self.steps[place];
                step.attempts = *attempt;
                (step.keep, step.wait) = (None, None);
                self.unstamped.push(place);
                self.stand(place, Standing::Running);
            }
            Event::StepResumed { step, .. } => {
                let place = self.place(step)?;
                self.note(place, event);
                let step = &mut self.steps[place];
                (step.keep, step.wait, step.asked) = (None, None, None);
                self.stand(place, Standing::Running);
            }
            Event::AttemptFailed { step, delay_ms, .. } => {
                let place = self.place(step)?;
                self.steps[place].fail_once(*delay_ms);
                self.unstamped.push(place);
                self.stand(place, Standing::Waiting);
            }
            Event::OutcomeUnknown { step, number, question, .. } => {
                let place = self.place(step)?;
                let (question, number) = (question.clone(), *number);
                self.steps[place].asked = Some(Asked { question, number, ..Asked::default() });
                self.stand(place, Standing::Unknown);
            }
            Event::OutcomeSettled { step, number, .. } => {
                let place = self.place(step)?;
                self.note(place, event);
                if self.steps[place].standing == Standing::Unknown {
                    self.steps[place].keep = Some(*number);
                    self.stand(place, Standing::Interrupted);
                }
            }
            Event::ApprovalAsked { step, question } => {
                let place = self.place(step)?;
                let question = question.clone();
                self.steps[place].asked = Some(Asked { question, ..Asked::default() });
            }
            Event::ApprovalGiven { step, by, verdict, reason } => {
                let place = self.place(step)?;
                if let Some(asked) = &mut self.steps[place].asked {
                    asked.hear(by, *verdict, reason.as_deref());
                }
            }
            Event::ApprovalSettled { step, verdict, by } => {
                let place = self.place(step)?;
                self.rejected |= *verdict != Answer::Approved;
                let asked = self.steps[place].asked.get_or_insert_default();
                asked.verdict = Some((*verdict, by.clone()));
                self.facts.answer(step, *verdict);
            }
            Event::RunTimedOut { .. } => {
                self.stopping = true;
                self.timed_out = true;
            }
            Event::RunReopened { steps, heard, .. } => {
                self.heard = *heard;
                let places: Vec<usize> =
                    steps.iter().map(|step| self.place(step)).collect::<Result<_, _>>()?;
                places.into_iter().for_each(|place| self.reopen(place));
                (self.stopping, self.timed_out) = (false, false);
                self.rejected = self.steps.iter().any(Step::was_rejected);
                self.timed_from = self.last_at.max(self.started_at);
            }
            Event::StepSucceeded { step, outputs, .. } => {
                let place = self.place(step)?;
                self.facts.outputs(step, outputs);
                let ran = self.steps[place].standing == Standing::Running;
                self.end(place, Standing::Succeeded, ran);
                self.steps[place].record = StepRecord::default();
            }
            Event::StepFailed { step, attempt, .. } => {
                let place = self.place(step)?;
                let ran = self.steps[place].standing == Standing::Running && *attempt > 0;
                self.steps[place].failed += u32::from(ran);
                self.end(place, Standing::Failed, ran);
            }
            Event::StepSkipped { step, .. } => {
                let place = self.place(step)?;
                self.end(place, Standing::Skipped, false);
            }
            Event::StepInterrupted { step, .. } => {
                let place = self.place(step)?;
                self.steps[place].keep = Some(u32::MAX);
                self.stand(place, Standing::Interrupted);
            }
            Event::CancelRequested { .. } => self.stopping = true,
            Event::StepLogged { step, .. }
            | Event::EffectIntended { step, .. }
            | Event::EffectSettled { step, .. }
            | Event::EffectAskedAgain { step, .. }
            | Event::StreamHeard { step, .. }
            | Event::ConnectionGranted { step, .. } => {
                let place = self.place(step)?;
                self.note(place, event);
            }
            Event::StepProgressed { .. }
            | Event::EffectPlanned { .. }
            | Event::RunResumed { .. }
            | Event::RunFinished { .. } => {}
        }
        if let Some(status) = event.run_status() {
            self.status = status;
        }
        Ok(())
    }

    /// The events applied since the last call were recorded at this time, in milliseconds
    /// since 1970.
    pub fn written(&mut self, at: i64) {
        self.last_at = self.last_at.max(at);
        if !self.driven {
            self.now = self.now.max(at);
        }
        // Waits are counted by the driver's clock, which nobody can set while it goes.
        let now = self.now;
        for place in self.unstamped.drain(..) {
            self.steps[place].stamp(at, now);
        }
    }

    /// Adds to the record of a step that runs, or ran when it was interrupted.
    fn note(&mut self, place: usize, event: &Event) {
        let step = &mut self.steps[place];
        let began = matches!(event, Event::StepStarted { .. });
        if began || !step.standing.is_settled() {
            step.record.apply(event);
        }
    }

    /// A step that had ended is tried again. What it has changed outside is not done again.
    fn reopen(&mut self, place: usize) {
        let step = &mut self.steps[place];
        let change = step.record.last_change();
        let succeeded = step.standing == Standing::Succeeded;
        step.keep = (change > 0 && !succeeded).then_some(change);
        (step.failed, step.wait, step.asked) = (0, None, None);
        step.began_at = None;
        let standing = if step.keep.is_some() { Standing::Interrupted } else { Standing::Pending };
        let name = step.name.clone();
        self.facts.forget(&name);
        self.stand(place, standing);
    }

    fn place(&self, step: &StepName) -> Result<usize, PlanError> {
        self.places.get(step).copied().ok_or_else(|| PlanError::NoSuchStep { step: step.clone() })
    }

    fn stand(&mut self, place: usize, standing: Standing) {
        let step = &mut self.steps[place];
        step.standing = standing;
        self.facts.stand(&step.name, standing);
    }

    /// A step that has run ends when the journal says so. One that has not ends at the moment
    /// in which the last of those before it did: it follows from them.
    fn end(&mut self, place: usize, standing: Standing, ran: bool) {
        if ran {
            self.unstamped.push(place);
        } else {
            self.steps[place].moment = self.moment_before(place);
        }
        self.stand(place, standing);
    }

    /// When all that the step waits for was known: what `now()` is in its expressions, so
    /// that each attempt gets the same inputs.
    fn moment_before(&self, place: usize) -> i64 {
        let before = self.steps[place].after.iter().map(|place| self.steps[*place].moment);
        before.fold(self.started_at, i64::max)
    }

    fn runs_any(&self) -> bool {
        self.steps.iter().any(|step| step.standing == Standing::Running)
    }

    /// What is to be done about steps that have begun and do not run.
    fn decide_begun(&self, step: &Step) -> Option<Decision> {
        match step.standing {
            Standing::Waiting if step.wakes_at().is_none_or(|at| at > self.now) => None,
            Standing::Waiting | Standing::Interrupted => Some(match self.inputs_again(step) {
                Ok(inputs) => self.begin_step(step, inputs),
                Err(failure) => step.fail(failure),
            }),
            _ => None,
        }
    }

    /// The inputs of a step that has begun: the same as then.
    fn inputs_again(&self, step: &Step) -> Result<serde_json::Value, Failure> {
        match step.judge.judge(step.kind, &self.facts) {
            Verdict::Ready(inputs) => Ok(inputs),
            Verdict::Fail(failure) => Err(failure),
            Verdict::Person | Verdict::Passed | Verdict::NotYet | Verdict::Skip(_) => {
                let message = "what it was started with can't be found again";
                Err(Failure::permanent("step.inputs", message))
            }
        }
    }

    /// What is to be done about a step that people answer.
    fn decide_person(&self, step: &Step) -> Option<Decision> {
        let name = || step.name.clone();
        let Some(asked) = &step.asked else {
            return Some(Decision::Ask { step: name(), within: step.time_max });
        };
        if self.planning {
            let by = vec!["the plan, which takes every answer for a yes".to_owned()];
            return Some(Decision::Settle { step: name(), verdict: Answer::Approved, by });
        }
        if let Some((verdict, by)) = &asked.verdict {
            return Some(Decision::Settle { step: name(), verdict: *verdict, by: by.clone() });
        }
        let late = asked.question.expires_at.is_some_and(|at| at <= self.now);
        late.then(|| Decision::Settle { step: name(), verdict: Answer::Expired, by: Vec::new() })
    }

    /// What is to be done about the steps that wait for nothing any more, and whether any of
    /// them waits for a person.
    fn decide(&mut self) -> (Vec<Decision>, bool) {
        let mut decisions = Vec::new();
        let mut persons = false;
        for place in 0..self.steps.len() {
            let standing = self.steps[place].standing;
            persons |= standing == Standing::Unknown;
            if matches!(standing, Standing::Waiting | Standing::Interrupted) {
                self.facts.set_now(self.moment_before(place));
                decisions.extend(self.decide_begun(&self.steps[place]));
                continue;
            }
            let step = &self.steps[place];
            let settled = |place: &usize| self.steps[*place].standing.is_settled();
            if standing != Standing::Pending || !step.after.iter().all(settled) {
                continue;
            }
            self.facts.set_now(self.moment_before(place));
            let step = &self.steps[place];
            match step.judge.judge(step.kind, &self.facts) {
                Verdict::Ready(inputs) => decisions.push(self.begin_step(step, inputs)),
                Verdict::Passed => decisions.push(Decision::Pass { step: step.name.clone() }),
                Verdict::Person => {
                    persons = true;
                    decisions.extend(self.decide_person(step));
                }
                Verdict::NotYet => {}
                Verdict::Skip(reason) => {
                    let reason = step.said_no().unwrap_or(reason);
                    decisions.push(Decision::Skip { step: step.name.clone(), reason });
                }
                Verdict::Fail(failure) => decisions.push(step.fail(failure)),
            }
        }
        (decisions, persons)
    }

    fn begin_step(&self, step: &Step, inputs: serde_json::Value) -> Decision {
        let Some(plugin) = step.plugin.clone() else {
            let message = "the plan names no plugin that could do it; plan the workflow anew";
            return step.fail(Failure::permanent("plugin.missing", message));
        };
        let mut invocation = StepInvocation {
            run: self.run.clone(),
            step: step.name.clone(),
            attempt: step.attempts.saturating_add(1),
            plugin,
            inputs,
            connections: step.judge.connections().clone(),
            extras: Arc::clone(&step.extras),
            seed: self.context.seed.clone(),
            time_left: step.time_left(self.now, self.ends_at()),
            bound: self.bound(&step.name),
        };
        match step.keep {
            Some(keep) => {
                invocation.attempt = step.attempts.max(1);
                Decision::Resume(invocation, keep)
            }
            None => Decision::Start(invocation),
        }
    }

    /// The writes of a step that the plan of this run has shown; None when it is bound to no plan.
    fn bound(&self, step: &StepName) -> Option<Vec<PlannedWrite>> {
        let bound = self.context.bound.as_ref()?;
        Some(bound.iter().filter(|write| write.step == *step).cloned().collect())
    }

    /// Steps that wait for each other, which nothing will ever change.
    fn stuck(&self) -> Vec<Decision> {
        let pending = self.steps.iter().filter(|step| step.standing == Standing::Pending);
        let stuck = pending.map(|step| {
            let open = step.after.iter().map(|place| &self.steps[*place]);
            let open: Vec<String> = open
                .filter(|other| !other.standing.is_settled())
                .map(|other| format!("`{}`", other.name))
                .collect();
            let message = if open.is_empty() {
                "it waits for something that can't happen any more".to_owned()
            } else {
                format!("it waits for {}, and that waits for it in turn", open.join(", "))
            };
            step.fail(Failure::permanent("step.stuck", message))
        });
        stuck.collect()
    }
}

impl Step {
    fn new(
        planned: &PlannedStep,
        plan: &Plan,
        places: &HashMap<StepName, usize>,
    ) -> Result<Self, PlanError> {
        let after = planned.after.iter().map(|name| {
            let place = places.get(name).copied();
            place.ok_or_else(|| PlanError::NoSuchStep { step: name.clone() })
        });
        Ok(Self {
            name: planned.name.clone(),
            kind: planned.kind,
            plugin: planned.plugin.clone(),
            extras: Arc::new(planned.extras.clone()),
            after: after.collect::<Result<_, _>>()?,
            judge: Judge::new(planned),
            standing: Standing::Pending,
            attempts: 0,
            moment: 0,
            patience: Patience::of(&planned.extras, &plan.extras),
            time_max: planned.extras.timeout_seconds.map(Duration::from_secs),
            began_at: None,
            failed: 0,
            record: StepRecord::default(),
            keep: None,
            wait: None,
            asked: None,
        })
    }

    /// An attempt failed, and after a wait there is another one. Calls that changed something, or
    /// may have, are not made again.
    fn fail_once(&mut self, delay_ms: u64) {
        self.failed += 1;
        self.wait = Some(Wait { delay_ms, since: None });
        self.keep = Some(self.record.last_change()).filter(|keep| *keep > 0);
    }

    /// What happened to it was written at the time `at`, which is `now` for whoever drives it.
    fn stamp(&mut self, at: i64, now: i64) {
        match self.standing {
            Standing::Running => drop(self.began_at.get_or_insert(now)),
            Standing::Waiting => {
                if let Some(wait) = &mut self.wait {
                    wait.since = Some(now);
                }
            }
            _ => self.moment = at,
        }
    }

    /// When it is tried again, in milliseconds since 1970.
    fn wakes_at(&self) -> Option<i64> {
        let wait = self.wait.filter(|_| self.standing == Standing::Waiting)?;
        let delay = i64::try_from(wait.delay_ms).unwrap_or(i64::MAX);
        Some(wait.since?.saturating_add(delay))
    }

    /// When nobody can answer any more.
    fn expires_at(&self) -> Option<i64> {
        let asked = self.asked.as_ref().filter(|_| self.standing == Standing::Pending)?;
        asked.question.expires_at.filter(|_| asked.verdict.is_none())
    }

    /// How long it may still take, with all its tries.
    fn time_left(&self, now: i64, run_ends_at: Option<i64>) -> Option<Duration> {
        let began = self.began_at.unwrap_or(now);
        let own = self.time_max.map(|max| began.saturating_add(millis(max)));
        let end = own.into_iter().chain(run_ends_at).min()?;
        Some(Duration::from_millis(u64::try_from(end.saturating_sub(now)).unwrap_or(0)))
    }

    /// How long to wait for the next try; None when there is none, or when it would come too late.
    fn next_try(
        &self,
        failure: &Failure,
        dice: u32,
        now: i64,
        run_ends_at: Option<i64>,
    ) -> Option<Duration> {
        if failure.disposition == Disposition::Cancelled {
            return None;
        }
        let wait = self.patience.wait(self.failed + 1, failure, dice)?;
        let fits = self.time_left(now, run_ends_at).is_none_or(|left| wait < left);
        fits.then_some(wait)
    }

    fn was_rejected(&self) -> bool {
        let verdict = self.asked.as_ref().and_then(|asked| asked.verdict.as_ref());
        verdict.is_some_and(|(verdict, _)| *verdict != Answer::Approved)
    }

    /// Who said no, in words, if it was a person or nobody in time.
    fn said_no(&self) -> Option<String> {
        let asked = self.asked.as_ref()?;
        match asked.verdict.as_ref()? {
            (Answer::Expired, _) => Some("nobody answered in time".to_owned()),
            (Answer::Approved, _) => None,
            (_, by) => {
                let by = by.join(", ");
                let because = asked.reason.as_ref().map(|reason| format!(": {reason}"));
                Some(format!("it was rejected by {by}{}", because.unwrap_or_default()))
            }
        }
    }

    fn fail(&self, failure: Failure) -> Decision {
        Decision::Fail { step: self.name.clone(), attempt: self.attempts, failure }
    }
}

impl Asked {
    fn hear(&mut self, by: &str, verdict: Answer, reason: Option<&str>) {
        if self.verdict.is_some() {
            return;
        }
        if verdict != Answer::Approved {
            self.reason = reason.map(str::to_owned);
            self.verdict = Some((verdict, vec![by.to_owned()]));
            return;
        }
        if !self.yes.iter().any(|yes| yes == by) {
            self.yes.push(by.to_owned());
        }
        if self.yes.len() >= self.question.quorum.max(1) as usize {
            self.verdict = Some((Answer::Approved, self.yes.clone()));
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Whether an expression of the step may ask what time it is; a name that only looks like it costs
/// one more write.
fn may_read_clock(step: &PlannedStep) -> bool {
    let says_now = |value: &serde_json::Value| value.to_string().contains("now");
    says_now(&step.spec) || step.when.iter().any(says_now)
}

#[cfg(test)]
mod story;
