//! What happened to each run, in order, for good.
//!
//! The journal is the only truth that survives a crash. Everything else (which steps are
//! ready, what the screen shows) is computed from it, so this room holds facts and no
//! opinions: it never decides, retries or forgets.

pub mod audit;
pub mod chain;
pub mod conformance;
mod context;
pub mod event;
pub mod kill_points;
mod memory;
mod owner;
mod question;
mod readings;
mod recorder;
mod reply;
mod run_id;
mod sqlite;
mod step_record;

use async_trait::async_trait;
pub use context::{PlannedWrite, RunContext, Seed};
pub use event::{
    Change, Denial, Disposition, Effect, EffectOutcome, Event, Failure, Level, Recorded,
    Repeatable, RunStatus, Shown,
};
pub use memory::MemoryJournal;
pub use question::{Decided, Decision, Question, Verdict};
pub use readings::Readings;
pub use recorder::StepRecorder;
pub use reply::Reply;
pub use run_id::{RunId, RunIdError};
use serde::{Deserialize, Serialize};
pub use sqlite::SqliteJournal;
pub use step_record::{CallRecord, StepRecord};

/// Remembers events. See `conformance` for what an implementation promises.
///
/// The verbs are those of a store that many hosts share: who drives a run holds a [`Claim`],
/// and what an outdated claim writes is refused. Nothing here reads the clock of another host.
/// The times of one run never go backwards, even when the host's clock does.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Begins a run: its first event is written, and the caller drives it.
    ///
    /// # Errors
    ///
    /// [`JournalError::Exists`] if the run is there already, [`JournalError::NotAStart`] if
    /// `first` is not its [`Event::RunStarted`]; nothing is written then.
    async fn create(
        &self,
        run: &RunId,
        owner: &Owner,
        first: Event,
    ) -> Result<Created, JournalError>;

    /// Takes over a run whose driver is gone. The claim before it becomes outdated.
    ///
    /// The owner that holds the run may claim it again, for example after a drive that was
    /// dropped in the middle.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`] if the run is known to have lost its newest events: going on
    /// would do again what was done.
    /// [`JournalError::Unknown`]; [`JournalError::Held`] while another owner holds it, unless
    /// `gone` says that this owner does not live any more.
    async fn claim(
        &self,
        run: &RunId,
        owner: &Owner,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
    ) -> Result<Claim, JournalError>;

    /// Writes a batch, all or nothing: intents, outcomes, ends of steps. When it returns, the
    /// batch survives a crash.
    ///
    /// Returns the [`Recorded::at`] of its events: one append happens at one time. With
    /// [`Batch::last`], the run is given up in the same instant, as by [`release`](Self::release).
    ///
    /// # Errors
    ///
    /// [`JournalError::Outdated`] if another owner has claimed the run since.
    async fn append_batch(&self, claim: &Claim, batch: Batch) -> Result<i64, JournalError>;

    /// Queues a batch behind everything that this claim has written or queued before, and
    /// returns at once. It is durable no later than the next append. For what may be lost with
    /// the process: log lines, progress, what was read. What an outdated claim queues is dropped.
    fn queue_batch(&self, claim: &Claim, batch: Batch);

    /// Writes `events` in this order, all or none, as [`append_batch`](Self::append_batch).
    ///
    /// # Errors
    ///
    /// [`JournalError::Outdated`] if another owner has claimed the run since.
    async fn append(&self, claim: &Claim, events: Vec<Event>) -> Result<i64, JournalError> {
        self.append_batch(claim, events.into()).await
    }

    /// Queues `events`, as [`queue_batch`](Self::queue_batch).
    fn queue(&self, claim: &Claim, events: Vec<Event>) {
        self.queue_batch(claim, events.into());
    }

    /// Whoever drives a run says that it still does, and hears what was asked of it: the requests
    /// with a number above `after`, oldest first.
    ///
    /// # Errors
    ///
    /// [`JournalError::Outdated`] if another owner has claimed the run since: nothing more may be
    /// done for it.
    async fn heartbeat(
        &self,
        claim: &Claim,
        after: u64,
    ) -> Result<Vec<(u64, Request)>, JournalError>;

    /// Up to `most` runs that could go on and that nobody drives, oldest first: those whose owner
    /// is `gone`, and those that waited for a person who has answered since.
    async fn reap(
        &self,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError>;

    /// What a call of `run` came to, by its digest. None when it is not kept any more: replies are
    /// kept until their run succeeds.
    async fn reply(&self, run: &RunId, digest: &str) -> Result<Option<Vec<u8>>, JournalError>;

    /// Takes in what a person says to the open question of a step. Of several at the same moment
    /// one is first. What counts comes to whoever drives the run as [`Request::Decide`]. Needs no
    /// claim.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unknown`] if there is no such run.
    async fn decide(&self, run: &RunId, decision: Decision) -> Result<Decided, JournalError>;

    /// Forgets runs that ended before `before` (milliseconds since 1970, UTC), and gives their
    /// space back to the machine. With `try_only`, only tells what that would be.
    async fn prune(&self, before: i64, try_only: bool) -> Result<Pruned, JournalError>;

    /// Gives the run up; nobody drives it until the next claim. What was queued is written,
    /// and the claim is outdated then.
    ///
    /// # Errors
    ///
    /// [`JournalError::Outdated`] if another owner has claimed the run since.
    async fn release(&self, claim: &Claim) -> Result<(), JournalError>;

    /// Up to `most` events of `run` from position `from` on, oldest first. None for a run that
    /// nobody knows.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unreadable`] and [`JournalError::Missing`] if the journal is damaged.
    async fn events(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<Recorded>, JournalError>;

    /// Up to `most` events of `run` from position `from` on as they are kept, each with its hash
    /// ([`chain::seal`]); what is damaged comes as it is. None for a run that nobody knows.
    ///
    /// # Errors
    ///
    /// [`JournalError::Storage`].
    async fn sealed(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<chain::Sealed>, JournalError>;

    /// Up to `most` runs, newest first, that began before the run `before`.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unknown`] if there is no run `before`.
    async fn runs(
        &self,
        before: Option<&RunId>,
        most: usize,
    ) -> Result<Vec<RunSummary>, JournalError>;

    /// Who drives a run. None for a run that was given up, or that nobody knows.
    async fn owner(&self, run: &RunId) -> Result<Option<Owner>, JournalError>;

    /// One run of the list.
    async fn run(&self, run: &RunId) -> Result<Option<RunSummary>, JournalError>;

    /// Leaves word for whoever drives `run`. Returns the request's number, counted per run
    /// from 1. Needs no claim.
    ///
    /// # Errors
    ///
    /// [`JournalError::Unknown`] if there is no such run.
    async fn ask(&self, run: &RunId, request: Request) -> Result<u64, JournalError>;

    /// The requests of `run` with a number above `after`, oldest first. None for a run that
    /// nobody knows.
    async fn requests(&self, run: &RunId, after: u64) -> Result<Vec<(u64, Request)>, JournalError>;
}

/// What is written at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// In this order.
    pub events: Vec<Event>,
    /// What calls came to; their digests stand in the events.
    pub replies: Vec<Reply>,
    /// Whether the run is given up with it.
    pub last: bool,
}

impl From<Vec<Event>> for Batch {
    fn from(events: Vec<Event>) -> Self {
        Self { events, ..Self::default() }
    }
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs.
    pub runs: u64,
    /// Their events.
    pub events: u64,
    /// Bytes on the disk that were given back.
    pub bytes: u64,
}

/// A process that drives runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Names the start of the machine, so that a process number of before a reboot is no one.
    pub boot: String,
    /// Process number.
    pub pid: u32,
    /// When the process began, as the system tells it; tells two uses of one number apart.
    pub started: u64,
}

/// What has come of [`Journal::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The right to write to the run.
    pub claim: Claim,
    /// When it began, in milliseconds since 1970, UTC.
    pub at: i64,
}

/// The right to write a run's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which run.
    pub run: RunId,
    /// Grows with each claim of the run; a smaller one is outdated.
    pub epoch: u64,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Which run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// How it stands.
    pub status: RunStatus,
    /// Milliseconds since 1970, UTC.
    pub started_at: i64,
    /// Milliseconds since 1970, UTC. None while it runs or waits.
    pub finished_at: Option<i64>,
}

/// What a person asks of a run in another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Stop.
    Cancel {
        /// Who asks, for people.
        by: String,
    },
    /// Take in what a person has said to a question. Comes from [`Journal::decide`] alone.
    Decide {
        /// What.
        decision: Decision,
    },
}

/// The journal could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// `create` found the run.
    #[error("run {run} exists already")]
    Exists {
        /// Which.
        run: RunId,
    },
    /// A run must begin with its own `run-started`.
    #[error("run {run} can't begin with another event than its own `run-started`")]
    NotAStart {
        /// Which.
        run: RunId,
    },
    /// No such run.
    #[error("there is no run {run}; `bowline runs list` shows those that there are")]
    Unknown {
        /// Which.
        run: RunId,
    },
    /// Another process drives the run.
    #[error("run {run} is driven by process {pid}", pid = .by.pid)]
    Held {
        /// Which.
        run: RunId,
        /// By whom.
        by: Owner,
    },
    /// Another process has taken the run over.
    #[error("run {run} was taken over by another process; this one must stop writing to it")]
    Outdated {
        /// Which.
        run: RunId,
    },
    /// The file or the database failed.
    #[error("can't {action} the journal at {path}")]
    Storage {
        /// What was being done.
        action: &'static str,
        /// Where.
        path: String,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Written by a newer version, or damaged.
    #[error("event {position} of run {run} can't be read by this version")]
    Unreadable {
        /// Which run.
        run: RunId,
        /// Which event.
        position: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An event is gone.
    #[error("event {position} of run {run} is missing; the journal was damaged, use a backup")]
    Missing {
        /// Which run.
        run: RunId,
        /// Which event.
        position: u64,
    },
    /// A text that several runs begin with was given where one is wanted.
    #[error("several runs begin with `{prefix}`; write more of the name")]
    Ambiguous {
        /// The text.
        prefix: RunId,
    },
    /// The newest run of an empty journal was asked for.
    #[error("there are no runs yet in the journal at {path}")]
    NoRuns {
        /// Where.
        path: String,
    },
    /// There is no file.
    #[error("there is no journal at {path}; is the `store` of the settings right?")]
    Absent {
        /// Where.
        path: String,
    },
    /// The journal has a later form than this version knows.
    #[error(
        "the journal at {path} has schema {found}, this version knows up to {known}; \
         use the newer version of the program, or another `store`"
    )]
    Newer {
        /// Where.
        path: String,
        /// The journal's schema.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// A database, but of something else.
    #[error("the database at {path} is not a journal; choose another file as `store`")]
    Foreign {
        /// Where.
        path: String,
    },
}
