//! What each event changes in what is known.

use super::step::{Asked, Standing, Step};
use super::{PlanError, RunState};
use journal::{Event, StepRecord, Verdict as Answer};

impl RunState {
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
                self.unstamped.push(place);
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
                self.steps[place].doubts += 1;
                self.stand(place, Standing::Unknown);
            }
            Event::OutcomeSettled { step, number, .. } => {
                let place = self.place(step)?;
                self.note(place, event);
                if self.steps[place].standing == Standing::Unknown {
                    let keep = self.steps[place].record.last_change().max(*number);
                    self.steps[place].keep = Some(keep);
                    // However long people took to find out, the step has its time.
                    self.steps[place].began_at = None;
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
                self.reopened = true;
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
                // However long nobody drove the run.
                self.steps[place].began_at = None;
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
        if std::mem::take(&mut self.reopened) {
            self.timed_from = self.last_at;
        }
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
}
