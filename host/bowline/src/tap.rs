//! A journal that also tells what was written, so that a run can be followed as it happens
//! without reading it back.

use async_trait::async_trait;
use jiff::Timestamp;
use journal::chain::Sealed;
use journal::{
    Batch, Claim, Created, Decided, Decision, Event, Journal, JournalError, Owner, Pruned,
    Recorded, Request, RunId, RunSummary,
};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A journal with someone listening. Tells only what the journal has taken.
pub(crate) struct Tap {
    journal: Arc<dyn Journal>,
    told: Mutex<Told>,
}

struct Told {
    /// The position of what is handed to the journal next.
    position: u64,
    /// The position of what is told next.
    next: u64,
    /// What was taken already and comes behind something that was not; nothing where it never will
    /// be.
    early: BTreeMap<u64, Option<Recorded>>,
    listener: UnboundedSender<Recorded>,
}

impl Told {
    /// The positions of so many events that are handed to the journal now.
    fn reserve(&mut self, count: usize) -> u64 {
        let first = self.position;
        self.position += count as u64;
        first
    }

    /// What was handed over at `first` was taken at the time `at`, or, without one, never will be.
    fn tell(&mut self, first: u64, at: Option<i64>, events: Vec<Event>) {
        for (position, event) in (first..).zip(events) {
            self.early.insert(position, at.map(|at| Recorded { position, at, event }));
        }
        while let Some(recorded) = self.early.remove(&self.next) {
            self.next += 1;
            if let Some(recorded) = recorded {
                // Nobody listens any more: the run goes on all the same.
                let _ = self.listener.send(recorded);
            }
        }
    }
}

impl Tap {
    /// Taps the one run that is written through it, from `position` on. The second value hears of
    /// it.
    pub(crate) fn new(
        journal: Arc<dyn Journal>,
        position: u64,
    ) -> (Self, UnboundedReceiver<Recorded>) {
        let (listener, heard) = unbounded_channel();
        let told = Told { position, next: position, early: BTreeMap::new(), listener };
        (Self { journal, told: Mutex::new(told) }, heard)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
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
    ) -> Result<Created, JournalError> {
        let created = self.journal.create(run, owner, first.clone()).await?;
        let mut told = self.told();
        let position = told.reserve(1);
        told.tell(position, Some(created.at), vec![first]);
        Ok(created)
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
        let mut writing = self.journal.append_batch(claim, batch);
        // Handed over while nobody else can: what is handed over first is written first.
        let (first, polled) = poll_fn(|context| {
            let mut told = self.told();
            Poll::Ready((told.reserve(events.len()), writing.as_mut().poll(context)))
        })
        .await;
        let written = match polled {
            Poll::Ready(written) => written,
            Poll::Pending => writing.await,
        };
        self.told().tell(first, written.as_ref().ok().copied(), events);
        written
    }

    fn queue_batch(&self, claim: &Claim, batch: Batch) {
        let events = batch.events.clone();
        let mut told = self.told();
        let first = told.reserve(events.len());
        self.journal.queue_batch(claim, batch);
        told.tell(first, Some(now()), events);
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
