//! What a running step tells the journal.
//!
//! Facts only: the recorder decides nothing, redacts nothing and reads nothing back. Its
//! users are the floors above the scheduler, which must not hold a claim of their own.

use crate::{
    Batch, Claim, Effect, EffectOutcome, Event, Journal, JournalError, Level, Readings, Reply,
    RunId, Shown, StepRecord,
};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// What an earlier process has written of this very attempt.
    before: Option<Arc<StepRecord>>,
    /// Lines that were written by that process, and must not be written again.
    told: AtomicU32,
    /// All that is written of the attempt, so that nobody has to read it back.
    record: Mutex<StepRecord>,
}

impl StepRecorder {
    /// For attempt number `attempt` (1 is the first) of `step`, in the run of `claim`.
    #[must_use]
    pub fn new(journal: Arc<dyn Journal>, claim: Claim, step: StepName, attempt: u32) -> Self {
        Self::going_on(journal, claim, step, attempt, None)
    }

    /// For an attempt that is run again; `before` is what was written of it.
    #[must_use]
    pub fn going_on(
        journal: Arc<dyn Journal>,
        claim: Claim,
        step: StepName,
        attempt: u32,
        before: Option<Arc<StepRecord>>,
    ) -> Self {
        let record = before.as_deref();
        let effects = AtomicU32::new(record.map_or(0, |record| record.last_number));
        let told = AtomicU32::new(record.map_or(0, |record| record.lines));
        let record = Mutex::new(record.cloned().unwrap_or_default());
        let attempt =
            Attempt { journal, claim, step, number: attempt, effects, before, told, record };
        Self { attempt: Arc::new(attempt) }
    }

    /// All that was written of the attempt, by earlier processes, too.
    #[must_use]
    pub fn record(&self) -> StepRecord {
        self.attempt.record.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What an earlier process has written of this very attempt.
    #[must_use]
    pub fn before(&self) -> Option<&Arc<StepRecord>> {
        self.attempt.before.as_ref()
    }

    /// What a call came to, by its digest.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::reply`].
    pub async fn reply(&self, digest: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.attempt.journal.reply(self.run(), digest).await
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

    /// Notes a line. Does not wait; the line may be lost with the process. One that an earlier
    /// process has written is not written again.
    ///
    /// `message` and `fields` must be redacted already.
    pub fn log(&self, level: Level, message: impl Into<String>, fields: Vec<(String, String)>) {
        let one_less = |told: u32| told.checked_sub(1);
        if self.attempt.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_ok() {
            return;
        }
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
    pub async fn intend(&self, effect: Effect, readings: Readings) -> Result<u32, JournalError> {
        let number = self.next_number();
        let intended = self.append(self.intended(number, effect, readings).into()).await;
        intended.inspect_err(|error| {
            // Whether or not it was written: the call is not made.
            let (code, message) = ("host.journal".to_owned(), error.to_string());
            let outcome = EffectOutcome::NotMade { code, message, denial: None };
            self.note(&self.settled(number, outcome, None));
        })?;
        Ok(number)
    }

    /// Notes how the call with that number ended, and what the step is told of it.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`]. The step must end then, since what it does is not known
    /// to anyone any more.
    pub async fn settle(
        &self,
        number: u32,
        outcome: EffectOutcome,
        reply: Option<Reply>,
    ) -> Result<(), JournalError> {
        self.append(self.settled(number, outcome, reply)).await
    }

    /// Notes that the call with that number leaves the host again. Once this has returned, it may.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`].
    pub async fn ask_again(&self, number: u32, why: &str) -> Result<(), JournalError> {
        let (step, attempt) = (self.attempt.step.clone(), self.attempt.number);
        let event = Event::EffectAskedAgain { step, attempt, number, why: why.to_owned() };
        self.append(vec![event].into()).await
    }

    /// Notes whether the write with that number took effect, which was not known before.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`].
    pub async fn found_out(&self, number: u32, done: bool, by: &str) -> Result<(), JournalError> {
        let (step, attempt, by) = (self.attempt.step.clone(), self.attempt.number, by.to_owned());
        let event = Event::OutcomeSettled { step, attempt, number, done, by, reason: None };
        self.append(vec![event].into()).await
    }

    /// Notes a write that a plan shows and does not make, and gives its number.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`].
    pub async fn planned(&self, effect: Effect, shown: Shown) -> Result<u32, JournalError> {
        let (step, attempt) = (self.attempt.step.clone(), self.attempt.number);
        let number = self.next_number();
        let event = Event::EffectPlanned { step, attempt, number, effect, shown };
        self.append(vec![event].into()).await?;
        Ok(number)
    }

    /// Notes a piece of the stream that the call with that number has opened. Does not wait.
    pub fn heard(&self, number: u32, reply: Option<Reply>, readings: Readings) {
        let (step, attempt) = (self.attempt.step.clone(), self.attempt.number);
        let digest = reply.as_ref().map(|reply| reply.digest.clone());
        let event = Event::StreamHeard { step, attempt, number, reply: digest, readings };
        self.queue_batch(Batch {
            events: vec![event],
            replies: reply.into_iter().collect(),
            last: false,
        });
    }

    fn intended(&self, number: u32, effect: Effect, readings: Readings) -> Vec<Event> {
        let (step, attempt) = (self.attempt.step.clone(), self.attempt.number);
        vec![Event::EffectIntended { step, attempt, number, effect, readings }]
    }

    fn settled(&self, number: u32, outcome: EffectOutcome, reply: Option<Reply>) -> Batch {
        let (step, attempt) = (self.attempt.step.clone(), self.attempt.number);
        let digest = reply.as_ref().map(|reply| reply.digest.clone());
        let event = Event::EffectSettled { step, attempt, number, outcome, reply: digest };
        Batch { events: vec![event], replies: reply.into_iter().collect(), last: false }
    }

    /// Notes that a call which changes nothing is about to be made, and gives its number. Does
    /// not wait: a read that was lost with the process can be asked again.
    #[must_use]
    pub fn intend_read(&self, effect: Effect, readings: Readings) -> u32 {
        let number = self.next_number();
        self.queue_batch(self.intended(number, effect, readings).into());
        number
    }

    /// Notes how a call that changes nothing ended, and what the step is told. Does not wait.
    pub fn settle_read(&self, number: u32, outcome: EffectOutcome, reply: Option<Reply>) {
        self.queue_batch(self.settled(number, outcome, reply));
    }

    /// Notes that the attempt may use a connection within `rules`. Does not wait: whatever is done
    /// with the connection is written behind it.
    pub fn granted(
        &self,
        slot: &str,
        connection: &str,
        rules: serde_json::Value,
        address: Option<String>,
    ) {
        self.queue(Event::ConnectionGranted {
            step: self.attempt.step.clone(),
            attempt: self.attempt.number,
            slot: slot.to_owned(),
            connection: connection.to_owned(),
            rules,
            address,
        });
    }

    /// Notes a call that was never admitted, and gives the number that it got.
    ///
    /// # Errors
    ///
    /// Those of [`Journal::append`].
    pub async fn refuse(
        &self,
        outcome: EffectOutcome,
        reply: Option<Reply>,
    ) -> Result<u32, JournalError> {
        let number = self.next_number();
        self.settle(number, outcome, reply).await?;
        Ok(number)
    }

    fn next_number(&self) -> u32 {
        self.attempt.effects.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    fn queue(&self, event: Event) {
        self.queue_batch(vec![event].into());
    }

    fn note(&self, batch: &Batch) {
        let mut record = self.attempt.record.lock().unwrap_or_else(PoisonError::into_inner);
        batch.events.iter().for_each(|event| record.apply(event));
    }

    fn queue_batch(&self, batch: Batch) {
        self.note(&batch);
        self.attempt.journal.queue_batch(&self.attempt.claim, batch);
    }

    async fn append(&self, batch: Batch) -> Result<(), JournalError> {
        // Before it is written: what may have been written counts as written.
        self.note(&batch);
        self.attempt.journal.append_batch(&self.attempt.claim, batch).await.map(|_at| ())
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
        let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
        let step: StepName = "a".parse().expect("a name");
        let recorder = StepRecorder::new(Arc::clone(&journal), claim, step, 2);
        let effect = crate::conformance::effect();
        let none = Readings::default;
        let answered = EffectOutcome::Answered { status: 200, bytes: 0, redacted: 0 };

        let one = recorder.intend(effect.clone(), none()).await.expect("intend");
        recorder.log(Level::Info, "between", Vec::new());
        let two = recorder.clone().intend(effect, none()).await.expect("intend");
        recorder.settle(one, answered.clone(), None).await.expect("settle");
        let three = recorder.refuse(answered, None).await.expect("refuse");
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
