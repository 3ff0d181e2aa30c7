//! What a running step tells the journal.
//!
//! Facts only: the recorder decides nothing, redacts nothing and reads nothing back. Its
//! users are the floors above the scheduler, which must not hold a claim of their own.

use crate::{Claim, Effect, EffectOutcome, Event, Journal, JournalError, Level, RunId};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use workflow::StepName;

/// Writes what happens in one attempt of one step. Clones share one count of effects.
#[derive(Clone)]
pub struct StepRecorder {
    attempt: Arc<Attempt>,
}

struct Attempt {
    journal: Arc<dyn Journal>,
    claim: Claim,
    step: StepName,
    number: u32,
    effects: AtomicU32,
}

impl StepRecorder {
    /// For attempt number `attempt` (1 is the first) of `step`, in the run of `claim`.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, claim: Claim, step: StepName, attempt: u32) -> Self {
        let effects = AtomicU32::new(0);
        Self { attempt: Arc::new(Attempt { journal, claim, step, number: attempt, effects }) }
    }

    /// Which run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.attempt.claim.run
    }

    /// Which step.
    #[must_use]
    pub fn step(&self) -> &StepName {
        &self.attempt.step
    }

    /// Which attempt, 1 for the first.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt.number
    }

    /// Notes a line. Does not wait; the line may be lost with the process.
    ///
    /// `message` and `fields` must be redacted already.
    pub fn log(&self, level: Level, message: impl Into<String>, fields: Vec<(String, String)>) {
        self.queue(Event::StepLogged {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            level,
            message: message.into(),
            fields,
        });
    }

    /// Notes how far the step is. Does not wait; may be lost with the process.
    pub fn progress(&self, done: u64, total: Option<u64>, note: impl Into<String>) {
        self.queue(Event::StepProgressed {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            done,
            total,
            note: note.into(),
        });
    }

    /// Notes that a call is about to leave the host, and gives its number. Once this has
    /// returned, the intent survives a crash, and the call may be made.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`]. The call must not be made then.
    pub async fn intend(&self, effect: Effect) -> Result<u32, JournalError> {
        let number = self.next_number();
        let event = Event::EffectIntended {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            number,
            effect,
        };
        self.append(event).await?;
        Ok(number)
    }

    /// Notes how the call with that number ended.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`]. The step must end then, since what it does is not known
    /// to anyone any more.
    pub async fn settle(&self, number: u32, outcome: EffectOutcome) -> Result<(), JournalError> {
        let event = Event::EffectSettled {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            number,
            outcome,
        };
        self.append(event).await
    }

    /// Notes that a call which changes nothing is about to be made, and gives its number. Does
    /// not wait: a read that was lost with the process can be asked again.
    #[must_use]
    pub fn intend_read(&self, effect: Effect) -> u32 {
        let number = self.next_number();
        self.queue(Event::EffectIntended {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            number,
            effect,
        });
        number
    }

    /// Notes how a call that changes nothing ended. Does not wait.
    pub fn settle_read(&self, number: u32, outcome: EffectOutcome) {
        self.queue(Event::EffectSettled {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            number,
            outcome,
        });
    }

    /// Notes that the attempt may use a connection within `rules`. Does not wait: whatever is done
    /// with the connection is written behind it.
    pub fn granted(&self, slot: &str, connection: &str, rules: serde_json::Value) {
        self.queue(Event::ConnectionGranted {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            slot: slot.to_owned(),
            connection: connection.to_owned(),
            rules,
        });
    }

    /// Notes a call that was never admitted, and gives the number that it got.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`].
    pub async fn refuse(&self, outcome: EffectOutcome) -> Result<u32, JournalError> {
        let number = self.next_number();
        self.settle(number, outcome).await?;
        Ok(number)
    }

    fn next_number(&self) -> u32 {
        self.attempt.effects.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    fn queue(&self, event: Event) {
        self.attempt.journal.queue(&self.attempt.claim, vec![event]);
    }

    async fn append(&self, event: Event) -> Result<(), JournalError> {
        self.attempt.journal.append(&self.attempt.claim, vec![event]).await.map(|_at| ())
    }
}

impl fmt::Debug for StepRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StepRecorder")
            .field("run", self.run())
            .field("step", self.step())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryJournal;
    use crate::conformance::{owner, start};

    #[tokio::test]
    async fn clones_count_their_effects_together() {
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
        let (run, first) = start("w");
        let claim = journal.create(&run, &owner(1), first).await.expect("create");
        let step: StepName = "a".parse().expect("a name");
        let recorder = StepRecorder::new(Arc::clone(&journal), claim, step, 2);
        let effect = Effect {
            connection: "http/x".into(),
            operation: "GET /".into(),
            writes: false,
            precondition: None,
            digest: "blake3:0".into(),
            slot: None,
            rule: None,
            request_bytes: 0,
        };
        let answered = EffectOutcome::Answered { status: 200, bytes: 0, redacted: 0 };

        let one = recorder.intend(effect.clone()).await.expect("intend");
        recorder.log(Level::Info, "between", Vec::new());
        let two = recorder.clone().intend(effect).await.expect("intend");
        recorder.settle(one, answered.clone()).await.expect("settle");
        let three = recorder.refuse(answered).await.expect("refuse");
        recorder.progress(1, Some(2), "half");

        assert_eq!((one, two, three), (1, 2, 3));
        let events = journal.events(&run, 1, 10).await.expect("read");
        let lines: Vec<String> = events
            .iter()
            .map(|recorded| {
                let value = serde_json::to_value(&recorded.event).expect("serialize");
                format!("{} {} {}", value["event"], value["attempt"], value["number"])
            })
            .collect();
        assert_eq!(
            lines,
            [
                "\"effect-intended\" 2 1",
                "\"step-logged\" 2 null",
                "\"effect-intended\" 2 2",
                "\"effect-settled\" 2 1",
                "\"effect-settled\" 2 3",
                "\"step-progressed\" 2 null",
            ]
        );
    }
}
