//! Whether a journal in a file is still what was written: the question and the answer.
//!
//! The journal is the audit: each event is chained to the one before it ([`crate::chain`]), and
//! marks beside the file tell how far each run had come. The check looks and never repairs.

use crate::{JournalError, RunId};
use std::path::Path;

/// Which runs are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// All, the marks of runs that are gone, and the database itself.
    All,
    /// The newest.
    Latest,
    /// The one of that name, or the only one whose name begins like that.
    Named(RunId),
}

/// The first thing that is wrong with a run, or with the journal as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The run's name as it stands in the file, which may be anything: escape it before it is
    /// shown. None when it is about the whole journal.
    pub run: Option<String>,
    /// Of the first event that it is about, if it is about one.
    pub position: Option<u64>,
    /// What is wrong.
    pub defect: Defect,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The event or its time is not what was written.
    Changed,
    /// The event is what was written, its hash is not.
    HashChanged,
    /// Events are gone from the middle.
    Removed {
        /// How many.
        count: u64,
    },
    /// The event stands in another place.
    Moved {
        /// Where it is now.
        now: u64,
    },
    /// Events were put in.
    Added {
        /// How many, as far as it can be told.
        count: u64,
    },
    /// The newest events are gone.
    TailLost {
        /// How many, as far as it can be told.
        count: u64,
    },
    /// The run is gone.
    RunLost {
        /// How many events it had at least.
        count: u64,
    },
    /// The run stands under another number than the one it was given, or under one that no run is
    /// ever given.
    Renumbered {
        /// The number that it has now.
        now: i64,
    },
    /// The chain is sound in itself, but it is not the one that was marked: events up to this
    /// position were replaced and chained anew.
    Rewritten,
    /// What the list of runs says of the run is not what its events say.
    Listing {
        /// Which column.
        column: &'static str,
    },
    /// It can't be read.
    Unreadable {
        /// Why not.
        cause: String,
    },
}

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// The run that was asked for, if it was one.
    pub run: Option<String>,
    /// All that were looked at.
    pub runs: u64,
    /// Those without a finding.
    pub sound_runs: u64,
    /// All events that were looked at.
    pub records: u64,
    /// Those before the first thing that is wrong with their run.
    pub sound_records: u64,
    /// Of the sound ones, those that are older than the chain.
    pub unchained: u64,
    /// Runs that have a mark.
    pub marked_runs: u64,
    /// Of the sound events, those up to the mark of their run: their loss would be noticed.
    pub marked_records: u64,
    /// How the marks are.
    pub marks: Marks,
    /// Runs that were forgotten on purpose, as their marks say.
    pub forgotten_runs: u64,
    /// Marks that can't be read, for example after a power cut.
    pub damaged_marks: u64,
    /// How many findings there were.
    pub findings: u64,
}

/// How the file of marks is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// There is none: a loss of the newest events would not be noticed.
    #[default]
    Missing,
    /// It was read.
    Read,
    /// It can't be read, or is something else.
    Unreadable {
        /// Why.
        cause: String,
    },
}

/// Checks the journal at `path` and tells each finding, one per run. Changes nothing, and keeps a
/// few events in memory however long the journal is. Blocks.
///
/// Works while others write, and for a file that may not be written to.
///
/// # Errors
///
/// When there is nothing to check: [`JournalError::Absent`], [`JournalError::Foreign`],
/// [`JournalError::Newer`], [`JournalError::Storage`] if the file can't be opened,
/// [`JournalError::Unknown`], [`JournalError::Ambiguous`] and [`JournalError::NoRuns`] for the run
/// that was asked for. What is damaged is a finding and no error.
pub fn verify(
    path: &Path,
    which: &Which,
    found: &mut dyn FnMut(Finding),
) -> Result<Audited, JournalError> {
    crate::sqlite::verify::verify(path, which, found)
}
