//! Carries out what the state decides, and writes down what happens.
//!
//! Starting and resuming are one path: replay, then go on. Nothing is done before it is
//! written. No rule about what comes next belongs here.

use crate::state::{Decision, Next, PlanError, RunState};
use crate::{StepInvocation, StepOutcome, StepRunner};
use journal::{
    Claim, Disposition, Event, Failure, Journal, JournalError, Owner, Request, RunId, RunStatus,
    StepRecorder,
};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::Instrument;
use workflow::{Plan, StepName};

/// How often the journal is asked for requests of other processes while steps run. A person
/// does not feel it, and it costs one small read.
const REQUESTS_EVERY: Duration = Duration::from_millis(250);

/// How long steps may take to stop once they were asked: a call in flight gets its answer, and
/// a person who pressed Ctrl-C still waits for the end.
const STOP_MAX: Duration = Duration::from_secs(20);

/// How long tasks may take to end once they were aborted. One that computes without a pause
/// can't be, and is left behind.
const ABORT_MAX: Duration = Duration::from_secs(1);

/// The most events that are read at once while a run is replayed.
const PAGE_EVENTS: usize = 1000;

/// Who asked, when the process itself was told to stop.
const BY_SIGNAL: &str = "an interrupt";

/// A run could not be driven on. What was written stays, and driving it again goes on there.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The journal failed, or another process has taken the run over.
    #[error("run {run} can't go on without its journal")]
    Journal {
        /// Which run.
        run: RunId,
        /// Why not.
        source: JournalError,
    },
    /// The plan or the record make no sense.
    #[error("run {run} can't be driven")]
    Plan {
        /// Which run.
        run: RunId,
        /// Why not.
        source: PlanError,
    },
}

/// Writes the start of a run, and runs nothing. `by` is the name of who asked for it; with
/// `drill`, the outside is simulated.
///
/// # Errors
///
/// [`DriveError::Plan`] if the plan contradicts itself, [`DriveError::Journal`] if the run is
/// there already or the journal fails. Nothing is written then.
pub async fn start(
    run: &RunId,
    plan: Plan,
    by: &str,
    drill: bool,
    journal: &dyn Journal,
    owner: &Owner,
) -> Result<Claim, DriveError> {
    RunState::new(run.clone(), &plan)
        .map_err(|source| DriveError::Plan { run: run.clone(), source })?;
    let by = by.to_owned();
    let first = Event::RunStarted { run: run.clone(), plan: Box::new(plan), by, drill };
    let created = journal.create(run, owner, first).await;
    created.map_err(|source| DriveError::Journal { run: run.clone(), source })
}

/// Drives a claimed run until it ends or waits for a person, and gives it up then.
///
/// Cancelling `stop` cancels the run: its steps are asked to stop and waited for. Dropping the
/// returned future instead stops the steps where they are; the journal is then as after a
/// crash. A run that is over already is left as it is.
///
/// # Errors
///
/// [`DriveError`] if the journal fails: going on would be lying. Running steps are stopped,
/// and the run can be driven again.
pub async fn drive(
    claim: Claim,
    journal: Arc<dyn Journal>,
    runner: Arc<dyn StepRunner>,
    stop: CancellationToken,
) -> Result<RunStatus, DriveError> {
    let run = claim.run.clone();
    let failed = |source| DriveError::Journal { run: run.clone(), source };
    let state = replay(&run, journal.as_ref()).await?;
    let mut driver = Driver::new(claim, Arc::clone(&journal), runner, state);
    let status = driver.go(&stop).await.map_err(failed)?;
    journal.release(&driver.claim).await.map_err(failed)?;
    Ok(status)
}

async fn replay(run: &RunId, journal: &dyn Journal) -> Result<RunState, DriveError> {
    let broken = |source| DriveError::Plan { run: run.clone(), source };
    let read = async |from, most| {
        let events = journal.events(run, from, most).await;
        events.map_err(|source| DriveError::Journal { run: run.clone(), source })
    };
    let mut events = read(0, PAGE_EVENTS).await?;
    let mut state = RunState::replay(&events).map_err(broken)?;
    let mut from = 0;
    while events.len() == PAGE_EVENTS {
        from += PAGE_EVENTS as u64;
        events = read(from, PAGE_EVENTS).await?;
        for recorded in &events {
            state.go_on(recorded).map_err(broken)?;
        }
    }
    Ok(state)
}

struct Driver {
    claim: Claim,
    journal: Arc<dyn Journal>,
    runner: Arc<dyn StepRunner>,
    state: RunState,
    attempts: JoinSet<StepOutcome>,
    step_of: HashMap<Id, (StepName, u32)>,
    /// What has ended and is in the state, but not in the journal. Never survives a turn.
    ended: Vec<Event>,
    /// Tells steps to stop. Theirs, not the caller's, so that first the request is written.
    asked: CancellationToken,
    /// The number of the newest request that was read.
    requests: u64,
    /// When steps that were asked to stop are aborted.
    patience_ends: Option<Instant>,
    /// However the drive ends, no step goes on without it.
    _asks_at_the_end: DropGuard,
}

type Joined = Result<(Id, StepOutcome), JoinError>;

impl Driver {
    fn new(
        claim: Claim,
        journal: Arc<dyn Journal>,
        runner: Arc<dyn StepRunner>,
        state: RunState,
    ) -> Self {
        let asked = CancellationToken::new();
        Self {
            claim,
            journal,
            runner,
            state,
            attempts: JoinSet::new(),
            step_of: HashMap::new(),
            ended: Vec::new(),
            _asks_at_the_end: asked.clone().drop_guard(),
            asked,
            requests: 0,
            patience_ends: None,
        }
    }

    async fn go(&mut self, stop: &CancellationToken) -> Result<RunStatus, JournalError> {
        if self.state.status().is_final() {
            return Ok(self.state.status());
        }
        self.note_interrupted().await?;
        self.heed_requests().await?;
        if stop.is_cancelled() {
            self.cancel(BY_SIGNAL).await?;
        }
        let mut tick = interval_at(Instant::now() + REQUESTS_EVERY, REQUESTS_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if let Some(status) = self.turn().await? {
                return Ok(status);
            }
            let stopping = self.state.is_stopping();
            let patience_ends = self.patience_ends;
            // What loses this race has taken nothing out of a queue, and the winner's arm runs
            // to its end, so no outcome and no write is lost between the two.
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => self.cancel(BY_SIGNAL).await?,
                _ = tick.tick(), if !stopping => self.heed_requests().await?,
                Some(joined) = self.attempts.join_next_with_id() => self.settle(joined),
                () = until(patience_ends) => self.abandon().await,
            }
        }
    }

    /// Started before a crash, and nobody knows how it ended.
    async fn note_interrupted(&mut self) -> Result<(), JournalError> {
        let running = self.state.running();
        let interrupted =
            running.into_iter().map(|(step, attempt)| Event::StepInterrupted { step, attempt });
        self.record(interrupted.collect()).await
    }

    /// Asks the state until it has nothing more to say, writes all of that down, then does it.
    async fn turn(&mut self) -> Result<Option<RunStatus>, JournalError> {
        let mut events = std::mem::take(&mut self.ended);
        if !events.is_empty() && !self.state.is_over() {
            // Written by itself, since what follows may depend on the time of the end.
            let at = self.journal.append(&self.claim, std::mem::take(&mut events)).await?;
            self.state.written(at);
        }
        let mut starts = Vec::new();
        let end = loop {
            match self.state.what_next() {
                Next::Wait => break None,
                Next::End(status) => break Some(status),
                Next::Do(decisions) => {
                    for decision in decisions {
                        let (event, start) = event_of(decision);
                        self.know(&event);
                        events.push(event);
                        starts.extend(start);
                    }
                }
            }
        };
        // A run that waited before and still does has nothing new to tell.
        if let Some(status) = end.filter(|status| *status != self.state.status()) {
            let event = Event::RunFinished { status };
            self.know(&event);
            events.push(event);
        }
        if !events.is_empty() {
            let at = self.journal.append(&self.claim, events).await?;
            self.state.written(at);
        }
        for start in starts {
            self.begin(start);
        }
        Ok(end)
    }

    /// First the journal, then the memory of it.
    async fn record(&mut self, events: Vec<Event>) -> Result<(), JournalError> {
        if events.is_empty() {
            return Ok(());
        }
        let at = self.journal.append(&self.claim, events.clone()).await?;
        for event in &events {
            self.know(event);
        }
        self.state.written(at);
        Ok(())
    }

    fn know(&mut self, event: &Event) {
        if let Err(error) = self.state.apply(event) {
            // Can't be: each event here comes from a decision of that state.
            tracing::error!(run = %self.claim.run, %error, "an event did not fit");
        }
    }

    fn begin(&mut self, invocation: StepInvocation) {
        let (step, attempt) = (invocation.step.clone(), invocation.attempt);
        let span = tracing::info_span!("step", run = %self.claim.run, %step, attempt);
        let recorder =
            StepRecorder::new(Arc::clone(&self.journal), self.claim.clone(), step.clone(), attempt);
        let (runner, stop) = (Arc::clone(&self.runner), self.asked.child_token());
        let task = async move {
            tracing::info!("started");
            let outcome = runner.run_step(invocation, recorder, stop).await;
            match &outcome {
                Ok(_) => tracing::info!("succeeded"),
                Err(failure) => tracing::warn!(code = %failure.code, "failed"),
            }
            outcome
        };
        let id = self.attempts.spawn(task.instrument(span)).id();
        self.step_of.insert(id, (step, attempt));
    }

    /// Takes in how a step ended, and all others that have ended meanwhile.
    fn settle(&mut self, joined: Joined) {
        let mut next = Some(joined);
        while let Some(joined) = next {
            let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
            if let Some((step, attempt)) = self.step_of.remove(&id) {
                let event = what_happened(joined.map(|(_, outcome)| outcome), step, attempt);
                self.know(&event);
                self.ended.push(event);
            }
            next = self.attempts.try_join_next_with_id();
        }
    }

    async fn cancel(&mut self, by: &str) -> Result<(), JournalError> {
        if self.state.is_stopping() {
            return Ok(());
        }
        tracing::info!(run = %self.claim.run, by, "cancelled");
        self.record(vec![Event::CancelRequested { by: by.to_owned() }]).await?;
        self.asked.cancel();
        self.patience_ends = Some(Instant::now() + STOP_MAX);
        Ok(())
    }

    /// A read that fails is not the end: the next one, or the next write, will tell.
    async fn heed_requests(&mut self) -> Result<(), JournalError> {
        let requests = match self.journal.requests(&self.claim.run, self.requests).await {
            Ok(requests) => requests,
            Err(error) => {
                tracing::warn!(run = %self.claim.run, %error, "can't read requests");
                return Ok(());
            }
        };
        for (number, request) in requests {
            self.requests = number;
            match request {
                Request::Cancel { by } => self.cancel(&by).await?,
            }
        }
        Ok(())
    }

    /// Ends the steps that did not stop when they were asked.
    async fn abandon(&mut self) {
        self.patience_ends = None;
        self.attempts.abort_all();
        let collected = timeout(ABORT_MAX, async {
            while let Some(joined) = self.attempts.join_next_with_id().await {
                self.settle(joined);
            }
        });
        if collected.await.is_err() {
            tracing::error!(run = %self.claim.run, "steps that can't be aborted are left behind");
        }
        for (step, attempt) in std::mem::take(&mut self.step_of).into_values() {
            let event = Event::StepFailed { step, attempt, failure: abandoned() };
            self.know(&event);
            self.ended.push(event);
        }
        // What is left in it is aborted, and ends when it next pauses.
        self.attempts = JoinSet::new();
    }
}

fn event_of(decision: Decision) -> (Event, Option<StepInvocation>) {
    match decision {
        Decision::Start(start) => {
            let event = Event::StepStarted { step: start.step.clone(), attempt: start.attempt };
            (event, Some(start))
        }
        Decision::Skip { step, reason } => (Event::StepSkipped { step, reason }, None),
        Decision::Fail { step, attempt, failure } => {
            (Event::StepFailed { step, attempt, failure }, None)
        }
    }
}

fn what_happened(outcome: Result<StepOutcome, JoinError>, step: StepName, attempt: u32) -> Event {
    let failure = match outcome {
        Ok(Ok(outputs)) => return Event::StepSucceeded { step, attempt, outputs },
        Ok(Err(failure)) => failure,
        Err(error) if error.is_cancelled() => abandoned(),
        // The text of the panic stays in the operator's log: nobody has redacted it.
        Err(_) => Failure::permanent(
            "host.panic",
            "the program itself broke while it ran this step; please report it with its log",
        ),
    };
    Event::StepFailed { step, attempt, failure }
}

fn abandoned() -> Failure {
    let seconds = STOP_MAX.as_secs();
    let message = format!(
        "it did not stop within {seconds} s of being asked, and was ended; \
         look at its calls to see how far it came"
    );
    Failure { disposition: Disposition::Cancelled, ..Failure::permanent("step.abandoned", message) }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests;
