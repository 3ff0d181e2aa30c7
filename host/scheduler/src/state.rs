//! What is known of a run, and what follows from it.
//!
//! Pure: computed from events alone, without clock, task or lock, so every rule about which
//! step comes next can be told as a story. It must not know how a step is run.

use crate::StepInvocation;
use crate::judge::{Facts, Judge, Verdict};
use journal::{Event, Failure, Recorded, RunId, RunStatus};
use std::collections::HashMap;
use std::sync::Arc;
use workflow::{Plan, PlannedStep, PluginPin, StepExtras, StepKind, StepName};

/// A run, as far as its events tell.
pub struct RunState {
    run: RunId,
    steps: Vec<Step>,
    places: HashMap<StepName, usize>,
    facts: Facts,
    status: RunStatus,
    stopping: bool,
    /// Milliseconds since 1970, UTC.
    started_at: i64,
    /// Steps whose end has been applied, but not yet its time.
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
}

/// Where a step stands. It is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Pending,
    Running,
    Succeeded,
    Failed,
    Skipped,
}

impl Standing {
    pub(crate) fn is_settled(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
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
        let Event::RunStarted { run, plan, .. } = &first.event else {
            return Err(PlanError::NoStart);
        };
        let mut state = Self::new(run.clone(), plan)?;
        state.started_at = first.at;
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
        let steps: Vec<Step> =
            plan.steps.iter().map(|step| Step::new(step, &places)).collect::<Result<_, _>>()?;
        let facts = Facts::new(plan.parameters.clone(), steps.iter().map(|step| &step.judge));
        let (status, started_at) = (RunStatus::Running, 0);
        let (stopping, unstamped) = (false, Vec::new());
        Ok(Self { run, steps, places, facts, status, stopping, started_at, unstamped })
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
        let none = |standing| self.steps.iter().all(|step| step.standing != standing);
        none(Standing::Running) && (self.stopping || none(Standing::Pending))
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
            if !self.runs_any() && persons {
                return Next::End(RunStatus::Waiting);
            }
        }
        if self.runs_any() {
            return Next::Wait;
        }
        if self.stopping {
            return Next::End(RunStatus::Cancelled);
        }
        if self.is_over() {
            let failed = self.steps.iter().any(|step| step.standing == Standing::Failed);
            return Next::End(if failed { RunStatus::Failure } else { RunStatus::Success });
        }
        Next::Do(self.stuck())
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
                self.steps[place].attempts = *attempt;
                self.stand(place, Standing::Running);
            }
            Event::StepSucceeded { step, outputs, .. } => {
                let place = self.place(step)?;
                self.facts.outputs(step, outputs);
                self.end(place, Standing::Succeeded, true);
            }
            Event::StepFailed { step, attempt, .. } => {
                let place = self.place(step)?;
                let ran = self.steps[place].standing == Standing::Running && *attempt > 0;
                self.end(place, Standing::Failed, ran);
            }
            Event::StepSkipped { step, .. } => {
                let place = self.place(step)?;
                self.end(place, Standing::Skipped, false);
            }
            Event::StepInterrupted { step, .. } => {
                let place = self.place(step)?;
                self.stand(place, Standing::Pending);
            }
            Event::CancelRequested { .. } => self.stopping = true,
            Event::StepLogged { .. }
            | Event::StepProgressed { .. }
            | Event::EffectIntended { .. }
            | Event::EffectSettled { .. }
            | Event::ConnectionGranted { .. }
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
        for place in self.unstamped.drain(..) {
            self.steps[place].moment = at;
        }
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

    /// What is to be done about the steps that wait for nothing any more, and whether any of
    /// them waits for a person.
    fn decide(&mut self) -> (Vec<Decision>, bool) {
        let mut decisions = Vec::new();
        let mut persons = false;
        for place in 0..self.steps.len() {
            let step = &self.steps[place];
            let settled = |place: &usize| self.steps[*place].standing.is_settled();
            if step.standing != Standing::Pending || !step.after.iter().all(settled) {
                continue;
            }
            self.facts.set_now(self.moment_before(place));
            let step = &self.steps[place];
            match step.judge.judge(step.kind, &self.facts) {
                Verdict::Ready(inputs) => decisions.push(self.begin_step(step, inputs)),
                Verdict::Person => persons = true,
                Verdict::NotYet => {}
                Verdict::Skip(reason) => {
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
        Decision::Start(StepInvocation {
            run: self.run.clone(),
            step: step.name.clone(),
            attempt: step.attempts.saturating_add(1),
            plugin,
            inputs,
            connections: step.judge.connections().clone(),
            extras: Arc::clone(&step.extras),
        })
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
    fn new(planned: &PlannedStep, places: &HashMap<StepName, usize>) -> Result<Self, PlanError> {
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
        })
    }

    fn fail(&self, failure: Failure) -> Decision {
        Decision::Fail { step: self.name.clone(), attempt: self.attempts, failure }
    }
}

#[cfg(test)]
mod story;
