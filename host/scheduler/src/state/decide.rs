//! What follows from what is known: the rules by which the next step is found.

use super::RunState;
use super::step::{Standing, Step};
use crate::StepInvocation;
use crate::judge::Verdict;
use journal::{Failure, PlannedWrite, RunStatus, Verdict as Answer};
use std::sync::Arc;
use std::time::Duration;
use workflow::StepName;

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

impl RunState {
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
            // An answer that came at the last moment is heard before nobody counts as answering.
            let listens = self.steps.iter().any(|step| step.is_overdue(self.now));
            if !self.runs_any() && !waits && !listens && persons {
                return Next::End(RunStatus::Waiting);
            }
            if waits || listens {
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
        let late = step.expires_at().is_some_and(|at| at <= self.now);
        late.then(|| Decision::Settle { step: name(), verdict: Answer::Expired, by: Vec::new() })
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

    pub(super) fn runs_any(&self) -> bool {
        self.steps.iter().any(|step| step.standing == Standing::Running)
    }
}
