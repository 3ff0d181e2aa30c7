//! A journal that also tells what was written, so that a run can be followed as it happens
//! without reading it back.

use async_trait::async_trait;
use jiff::Timestamp;
use journal::chain::Sealed;
use journal::{
    Batch, Claim, Decided, Decision, Event, Journal, JournalError, Owner, Pruned, Recorded,
    Request, RunId, RunSummary,
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A journal with someone listening. Tells only what the journal has taken.
pub(crate) struct Tap {
    journal: Arc<dyn Journal>,
    told: Mutex<Told>,
}

struct Told {
    position: u64,
    listener: UnboundedSender<Recorded>,
}

impl Tap {
    /// Taps the one run that is written through it, from `position` on. The second value hears of
    /// it.
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        position: u64,
    ) -> (Self, UnboundedReceiver<Recorded>) {
        let (listener, heard) = unbounded_channel();
        (Self { journal, told: Mutex::new(Told { position, listener }) }, heard)
    }

    fn tell(&self, at: i64, events: Vec<Event>) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let recorded = Recorded { position: told.position, at, event };
            told.position += 1;
            // Nobody listens any more: the run goes on all the same.
            let _ = told.listener.send(recorded);
        }
    }
}

fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

#[async_trait]
impl Journal for Tap {
    async fn create(
        &self,
        run: &RunId,
        owner: &Owner,
        first: Event,
    ) -> Result<Claim, JournalError> {
        let claim = self.journal.create(run, owner, first.clone()).await?;
        self.tell(now(), vec![first]);
        Ok(claim)
    }

    async fn claim(
        &self,
        run: &RunId,
        owner: &Owner,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
    ) -> Result<Claim, JournalError> {
        self.journal.claim(run, owner, gone).await
    }

    async fn append_batch(&self, claim: &Claim, batch: Batch) -> Result<i64, JournalError> {
        let events = batch.events.clone();
        let at = self.journal.append_batch(claim, batch).await?;
        self.tell(at, events);
        Ok(at)
    }

    fn queue_batch(&self, claim: &Claim, batch: Batch) {
        let events = batch.events.clone();
        self.journal.queue_batch(claim, batch);
        self.tell(now(), events);
    }

    async fn heartbeat(
        &self,
        claim: &Claim,
        after: u64,
    ) -> Result<Vec<(u64, Request)>, JournalError> {
        self.journal.heartbeat(claim, after).await
    }

    async fn reap(
        &self,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        self.journal.reap(gone, most).await
    }

    async fn reply(&self, run: &RunId, digest: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.journal.reply(run, digest).await
    }

    async fn decide(&self, run: &RunId, decision: Decision) -> Result<Decided, JournalError> {
        self.journal.decide(run, decision).await
    }

    async fn prune(&self, before: i64, try_only: bool) -> Result<Pruned, JournalError> {
        self.journal.prune(before, try_only).await
    }

    async fn release(&self, claim: &Claim) -> Result<(), JournalError> {
        self.journal.release(claim).await
    }

    async fn events(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, JournalError> {
        self.journal.events(run, from, most).await
    }

    async fn sealed(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Sealed>, JournalError> {
        self.journal.sealed(run, from, most).await
    }

    async fn runs(
        &self,
        before: Option<&RunId>,
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError> {
        self.journal.runs(before, most).await
    }

    async fn owner(&self, run: &RunId) -> Result<Option<Owner>, JournalError> {
        self.journal.owner(run).await
    }

    async fn run(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError> {
        self.journal.run(run).await
    }

    async fn ask(&self, run: &RunId, request: Request) -> Result<u64, JournalError> {
        self.journal.ask(run, request).await
    }

    async fn requests(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Request)>, JournalError> {
        self.journal.requests(run, after).await
    }
}
