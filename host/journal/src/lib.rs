//! What happened to each run, in order, for good.
//!
//! The journal is the only truth that survives a crash. Everything else (which steps are
//! ready, what the screen shows) is computed from it, so this room holds facts and no
//! opinions: it never decides, retries or forgets.

pub mod audit;
pub mod chain;
pub mod conformance;
pub mod event;
mod memory;
mod owner;
mod recorder;
mod run_id;
mod sqlite;

use async_trait::async_trait;
pub use event::{
    Denial, Disposition, Effect, EffectOutcome, Event, Failure, Level, Recorded, RunStatus,
};
pub use memory::MemoryJournal;
pub use recorder::StepRecorder;
pub use run_id::{RunId, RunIdError};
use serde::{Deserialize, Serialize};
pub use sqlite::SqliteJournal;

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
    async fn create(&self, run: &RunId, owner: &Owner, first: Event)
    -> Result<Claim, JournalError>;

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

    /// Writes `events` in this order, all or none. When it returns, they survive a crash.
    ///
    /// Returns their [`Recorded::at`]: one append happens at one time.
    ///
    /// # Errors
    ///
    /// [`JournalError::Outdated`] if another owner has claimed the run since.
    async fn append(&self, claim: &Claim, events: Vec<Event>) -> Result<i64, JournalError>;

    /// Queues `events` behind everything that this claim has written or queued before, and
    /// returns at once. They are durable no later than the next [`append`](Self::append).
    /// For what may be lost with the process: log lines, progress. What an outdated claim
    /// queues is dropped.
    fn queue(&self, claim: &Claim, events: Vec<Event>);

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
