//! Carries out what the state decides, and writes down what happens.
//!
//! Starting and resuming are one path: replay, then go on. Nothing is done before it is
//! written. No rule about what comes next belongs here.

use crate::clock::RunClock;
use crate::state::{Decision, Next, PlanError, RunState};
use crate::{Anyone, Approvals, Asking, StepInvocation, StepOutcome, StepRunner};
use journal::{
    Batch, Claim, Created, Decision as Said, Disposition, Event, Failure, Journal, JournalError,
    Owner, Recorded, Request, RunContext, RunId, RunStatus, StepRecord, StepRecorder, Verdict,
};
use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::pending;
use std::hash::{BuildHasher as _, Hasher as _};
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

/// How a run is driven.
#[derive(Clone)]
pub struct DriveOptions {
    /// Whose answer to an approval counts.
    pub approvals: Arc<dyn Approvals>,
    /// Who drives a run on that another process has begun, for people; None for a run of this
    /// process.
    pub resumed_by: Option<String>,
    /// Whether what was recorded of unfinished attempts is still of use. It is not when the far
    /// side that they spoke with is gone, as after a drill.
    pub replays: bool,
    /// Nothing is tried twice and nobody is asked: a plan is made, and no run.
    pub plan_only: bool,
}

impl Default for DriveOptions {
    fn default() -> Self {
        Self { approvals: Arc::new(Anyone), resumed_by: None, replays: true, plan_only: false }
    }
}

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

/// A run that is claimed, and what is known of it: ready to be driven.
pub struct Ready {
    claim: Claim,
    state: RunState,
    started: Started,
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("claim", &self.claim).finish_non_exhaustive()
    }
}

/// Writes the start of a run, and runs nothing. `by` is the name of who asked for it; with
/// `drill`, the outside is simulated. `context` is what another process needs to drive it on.
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
    context: RunContext,
    journal: &dyn Journal,
    owner: &Owner,
) -> Result<Ready, DriveError> {
    let broken = |source| DriveError::Plan { run: run.clone(), source };
    RunState::new(run.clone(), &plan).map_err(broken)?;
    let (by, plan, context) = (by.to_owned(), Box::new(plan), Box::new(context));
    let event = Event::RunStarted { run: run.clone(), plan, by, drill, context };
    let created = journal.create(run, owner, event.clone()).await;
    let Created { claim, at } =
        created.map_err(|source| DriveError::Journal { run: run.clone(), source })?;
    // Nobody else has written to it, so nothing has to be read back.
    let first = Recorded { position: 0, at, event };
    let state = RunState::begin(&first).map_err(broken)?;
    Ok(Ready { claim, state, started: Started::of(first).map_err(broken)? })
}

/// Reads what is known of a run that was begun before, by whomever.
///
/// # Errors
///
/// [`DriveError`] if the journal can't be read, or what it holds is no run.
pub async fn take_up(claim: Claim, journal: &dyn Journal) -> Result<Ready, DriveError> {
    let (state, first) = read(&claim.run, journal).await?;
    let broken = |source| DriveError::Plan { run: claim.run.clone(), source };
    let started = Started::of(first).map_err(broken)?;
    Ok(Ready { claim, state, started })
}

/// Drives a run until it ends or waits for a person, and gives it up then.
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
    ready: Ready,
    journal: Arc<dyn Journal>,
    runner: Arc<dyn StepRunner>,
    stop: CancellationToken,
    options: DriveOptions,
) -> Result<RunStatus, DriveError> {
    let Ready { claim, mut state, started } = ready;
    let run = claim.run.clone();
    let failed = |source| DriveError::Journal { run: run.clone(), source };
    if !options.replays {
        state.forget_records();
    }
    if options.plan_only {
        state.plan_only();
    }
    let mut driver = Driver::new(claim, Arc::clone(&journal), runner, state, started, options);
    let status = driver.go(&stop).await.map_err(failed)?;
    if !driver.released {
        journal.release(&driver.claim).await.map_err(failed)?;
    }
    Ok(status)
}

/// Who started a run, and with which plan.
struct Started {
    plan: Box<Plan>,
    by: String,
}

impl Started {
    fn of(first: Recorded) -> Result<Self, PlanError> {
        match first.event {
            Event::RunStarted { plan, by, .. } => Ok(Self { plan, by }),
            _ => Err(PlanError::NoStart),
        }
    }
}

/// What is known of a run.
///
/// # Errors
///
/// [`DriveError`] if the journal can't be read, or what it holds is no run.
pub async fn replay(run: &RunId, journal: &dyn Journal) -> Result<RunState, DriveError> {
    read(run, journal).await.map(|(state, _first)| state)
}

/// The state of a run, and its first event.
async fn read(run: &RunId, journal: &dyn Journal) -> Result<(RunState, Recorded), DriveError> {
    let broken = |source| DriveError::Plan { run: run.clone(), source };
    let page = async |from| {
        let events = journal.events(run, from, PAGE_EVENTS).await;
        events.map_err(|source| DriveError::Journal { run: run.clone(), source })
    };
    let mut events = page(0).await?;
    let mut state = RunState::replay(&events).map_err(broken)?;
    let whole = events.len() < PAGE_EVENTS;
    let first = events.swap_remove(0);
    let mut from = 0;
    let mut more = !whole;
    while more {
        from += PAGE_EVENTS as u64;
        let events = page(from).await?;
        for recorded in &events {
            state.go_on(recorded).map_err(broken)?;
        }
        more = events.len() == PAGE_EVENTS;
    }
    Ok((state, first))
}

struct Driver {
    claim: Claim,
    journal: Arc<dyn Journal>,
    runner: Arc<dyn StepRunner>,
    state: RunState,
    started: Started,
    options: DriveOptions,
    clock: RunClock,
    attempts: JoinSet<StepOutcome>,
    step_of: HashMap<Id, (StepName, u32, StepRecorder)>,
    /// What has ended and is in the state, but not in the journal. Never survives a turn.
    ended: Vec<Event>,
    /// Tells steps to stop. Theirs, not the caller's, so that first the request is written.
    asked: CancellationToken,
    /// The number of the newest request that was read.
    requests: u64,
    /// When steps that were asked to stop are aborted.
    patience_ends: Option<Instant>,
    /// The last batch has given the run up.
    released: bool,
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
        started: Started,
        options: DriveOptions,
    ) -> Self {
        let asked = CancellationToken::new();
        Self {
            claim,
            journal,
            runner,
            clock: RunClock::from(state.last_at()),
            requests: state.heard(),
            state,
            started,
            options,
            attempts: JoinSet::new(),
            step_of: HashMap::new(),
            ended: Vec::new(),
            _asks_at_the_end: asked.clone().drop_guard(),
            asked,
            patience_ends: None,
            released: false,
        }
    }

    async fn go(&mut self, stop: &CancellationToken) -> Result<RunStatus, JournalError> {
        if self.state.status().is_final() {
            return Ok(self.state.status());
        }
        self.note_interrupted().await?;
        // A run of this process was asked nothing yet.
        if self.claim.epoch > 1 {
            self.heed_requests().await?;
        }
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
            let wakes = self.state.wake_at().map(|at| self.clock.instant(at));
            // What loses this race has taken nothing out of a queue, and the winner's arm runs
            // to its end, so no outcome and no write is lost between the two.
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => self.cancel(BY_SIGNAL).await?,
                _ = tick.tick(), if !stopping => self.heed_requests().await?,
                Some(joined) = self.attempts.join_next_with_id() => self.settle(joined),
                () = until(patience_ends) => self.abandon().await,
                // The next turn finds out what it is time for.
                () = until(wakes) => {}
            }
        }
    }

    /// Started before a crash, and nobody knows how it ended.
    async fn note_interrupted(&mut self) -> Result<(), JournalError> {
        let running = self.state.running();
        let interrupted =
            running.into_iter().map(|(step, attempt)| Event::StepInterrupted { step, attempt });
        let resumed = self.options.resumed_by.clone().map(|by| Event::RunResumed { by });
        self.record(resumed.into_iter().chain(interrupted).collect()).await
    }

    /// Asks the state until it has nothing more to say, writes all of that down, then does it.
    async fn turn(&mut self) -> Result<Option<RunStatus>, JournalError> {
        let mut events = std::mem::take(&mut self.ended);
        if !events.is_empty() && self.state.reads_clock() && !self.state.is_over() {
            // Written by itself, since what follows may depend on the time of the end.
            let at = self.journal.append(&self.claim, std::mem::take(&mut events)).await?;
            self.state.written(at);
        }
        self.state.tell_time(self.clock.now());
        if let Some(max) = self.state.is_out_of_time() {
            let event = Event::RunTimedOut { seconds: max.as_secs() };
            tracing::warn!(run = %self.claim.run, seconds = max.as_secs(), "its time is up");
            self.know(&event);
            events.push(event);
            self.stop_steps();
        }
        let mut starts = Vec::new();
        let end = loop {
            match self.state.what_next() {
                Next::Wait => break None,
                Next::End(status) => break Some(status),
                Next::Do(decisions) => {
                    for decision in decisions {
                        let (event, start) = self.event_of(decision);
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
            let batch = Batch { events, replies: Vec::new(), last: end.is_some() };
            let at = self.journal.append_batch(&self.claim, batch).await?;
            self.released = end.is_some();
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

    fn event_of(&self, decision: Decision) -> (Event, Option<Begin>) {
        match decision {
            Decision::Start(start) => {
                let event = Event::StepStarted { step: start.step.clone(), attempt: start.attempt };
                (event, Some(Begin { invocation: start, again: false }))
            }
            Decision::Resume(start, keep) => {
                let (step, attempt) = (start.step.clone(), start.attempt);
                let event = Event::StepResumed { step, attempt, keep };
                (event, Some(Begin { invocation: start, again: true }))
            }
            Decision::Skip { step, reason } => (Event::StepSkipped { step, reason }, None),
            Decision::Fail { step, attempt, failure } => {
                (Event::StepFailed { step, attempt, failure }, None)
            }
            Decision::Ask { step, within } => {
                let (plan, by, now) = (&*self.started.plan, &*self.started.by, self.clock.now());
                let asking = Asking { plan, step: &step, by, within, now };
                let question = self.options.approvals.question(&asking);
                (Event::ApprovalAsked { step, question }, None)
            }
            Decision::Settle { step, verdict, by } => {
                (Event::ApprovalSettled { step, verdict, by }, None)
            }
            Decision::Pass { step } => {
                let outputs = serde_json::Map::new();
                (Event::StepSucceeded { step, attempt: 0, outputs }, None)
            }
        }
    }

    fn begin(&mut self, Begin { invocation, again }: Begin) {
        let (step, attempt) = (invocation.step.clone(), invocation.attempt);
        let span = tracing::info_span!("step", run = %self.claim.run, %step, attempt);
        let before = again.then(|| self.state.record(&step).cloned().map(Arc::new)).flatten();
        let recorder = StepRecorder::going_on(
            Arc::clone(&self.journal),
            self.claim.clone(),
            step.clone(),
            attempt,
            before,
        );
        let telling = recorder.clone();
        let (runner, stop) = (Arc::clone(&self.runner), self.asked.child_token());
        let task = async move {
            tracing::info!("started");
            let outcome = runner.run_step(invocation, telling, stop).await;
            match &outcome {
                Ok(_) => tracing::info!("succeeded"),
                Err(failure) => tracing::warn!(code = %failure.code, "failed"),
            }
            outcome
        };
        let id = self.attempts.spawn(task.instrument(span)).id();
        self.step_of.insert(id, (step, attempt, recorder));
    }

    /// Takes in how a step ended, and all others that have ended meanwhile.
    fn settle(&mut self, joined: Joined) {
        let mut next = Some(joined);
        while let Some(joined) = next {
            let id = joined.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
            if let Some((step, attempt, recorder)) = self.step_of.remove(&id) {
                let outcome = outcome_of(joined.map(|(_, outcome)| outcome));
                self.end(&step, attempt, outcome, recorder.record());
            }
            next = self.attempts.try_join_next_with_id();
        }
    }

    /// Takes in how an attempt has ended.
    fn end(&mut self, step: &StepName, attempt: u32, outcome: StepOutcome, record: StepRecord) {
        self.state.tell_time(self.clock.now());
        let event = self.state.end_of_attempt(step, attempt, outcome, record, dice());
        match &event {
            Event::AttemptFailed { failure, delay_ms, .. } => {
                tracing::info!(%step, code = %failure.code, delay_ms, "is tried again");
            }
            Event::OutcomeUnknown { number, .. } => {
                tracing::warn!(%step, call = number, "nobody knows what came of a write");
            }
            _ => {}
        }
        self.know(&event);
        self.ended.push(event);
    }

    async fn cancel(&mut self, by: &str) -> Result<(), JournalError> {
        if self.state.is_stopping() {
            return Ok(());
        }
        tracing::info!(run = %self.claim.run, by, "cancelled");
        // Before it is written, so that no call is let through behind it.
        self.stop_steps();
        self.record(vec![Event::CancelRequested { by: by.to_owned() }]).await
    }

    fn stop_steps(&mut self) {
        self.asked.cancel();
        self.patience_ends = Some(Instant::now() + STOP_MAX);
    }

    /// A read that fails is not the end: the next one, or the next write, will tell. That another
    /// process has the run now is: whatever this one did from here on, that one does, too.
    async fn heed_requests(&mut self) -> Result<(), JournalError> {
        let requests = match self.journal.heartbeat(&self.claim, self.requests).await {
            Ok(requests) => requests,
            Err(error @ (JournalError::Outdated { .. } | JournalError::Unknown { .. })) => {
                return Err(error);
            }
            Err(error) => {
                tracing::warn!(run = %self.claim.run, %error, "can't read requests");
                return Ok(());
            }
        };
        for (number, request) in requests {
            self.requests = number;
            match request {
                Request::Cancel { by } => self.cancel(&by).await?,
                Request::Decide { decision } => self.hear(decision).await?,
            }
        }
        Ok(())
    }

    /// A person has said something to a question. What is about another question was said, and
    /// taken in, before.
    async fn hear(&mut self, said: Said) -> Result<(), JournalError> {
        let Some((question, about)) = self.state.open_question(&said.step) else { return Ok(()) };
        if question.digest != said.digest {
            return Ok(());
        }
        let Said { step, verdict, by, reason, .. } = said;
        let event = match (about, verdict) {
            (Some((attempt, number)), Verdict::Done | Verdict::NotDone) => {
                let done = verdict == Verdict::Done;
                Event::OutcomeSettled { step, attempt, number, done, by, reason }
            }
            // A driver before this one has heard it.
            (None, Verdict::Approved) if self.state.has_approved(&step, &by) => return Ok(()),
            (None, Verdict::Approved | Verdict::Rejected) => {
                Event::ApprovalGiven { step, by, verdict, reason }
            }
            _ => return Ok(()),
        };
        tracing::info!(run = %self.claim.run, ?verdict, "a person has answered");
        self.record(vec![event]).await
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
        for (step, attempt, recorder) in std::mem::take(&mut self.step_of).into_values() {
            self.end(&step, attempt, Err(abandoned()), recorder.record());
        }
        // What is left in it is aborted, and ends when it next pauses.
        self.attempts = JoinSet::new();
    }
}

/// An attempt that is to be begun once its event is written.
struct Begin {
    invocation: StepInvocation,
    /// It was begun before, and gets recorded answers first.
    again: bool,
}

fn outcome_of(joined: Result<StepOutcome, JoinError>) -> StepOutcome {
    match joined {
        Ok(outcome) => outcome,
        Err(error) if error.is_cancelled() => Err(abandoned()),
        // The text of the panic stays in the operator's log: nobody has redacted it.
        Err(_) => Err(Failure::permanent(
            "host.panic",
            "the program itself broke while it ran this step; please report it with its log",
        )),
    }
}

/// Any number: it spreads waits and guards nothing.
fn dice() -> u32 {
    let [a, b, c, d, ..] = RandomState::new().build_hasher().finish().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
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
