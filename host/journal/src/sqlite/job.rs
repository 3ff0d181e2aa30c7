//! What one write means.
//!
//! Works inside a transaction that the writer has begun, and knows no threads and no commits.

use super::signed;
use crate::{Claim, Event, JournalError, RunId, RunStatus};
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

/// A write, and who waits for it. Nobody waits for what was queued.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: Option<oneshot::Sender<Result<i64, JournalError>>>,
}

/// What is to be written. Each comes to one number, named below.
pub(super) enum Work {
    /// The epoch.
    Create { run: RunId, workflow: String, owner: String, entries: Vec<Entry> },
    /// The new epoch, or 0 if the epoch is not the one `seen` any more.
    Claim { run: RunId, owner: String, seen: i64 },
    /// The time of the events.
    Append { claim: Claim, entries: Vec<Entry> },
    /// 0.
    Release { claim: Claim },
    /// The request's number.
    Ask { run: RunId, body: String },
}

/// An event, ready to be written.
pub(super) struct Entry {
    body: String,
    status: Option<RunStatus>,
}

/// Why a job was not done.
pub(super) enum Stopped {
    /// The journal's rules forbid it; nothing was written for it.
    Refused(JournalError),
    /// The database failed; the transaction is worth nothing any more.
    Broken(rusqlite::Error),
}

impl From<rusqlite::Error> for Stopped {
    fn from(error: rusqlite::Error) -> Self {
        Self::Broken(error)
    }
}

/// What a write needs to know of a run.
struct Row {
    id: i64,
    epoch: i64,
    events: i64,
    requests: i64,
    last_at: i64,
}

impl Entry {
    pub(super) fn new(event: &Event) -> serde_json::Result<Self> {
        Ok(Self { body: serde_json::to_string(event)?, status: event.run_status() })
    }
}

impl Work {
    /// Does it at the time `now`, in milliseconds since 1970.
    pub(super) fn perform(&self, connection: &Connection, now: i64) -> Result<i64, Stopped> {
        match self {
            Self::Create { run, workflow, owner, entries } => {
                create(connection, run, workflow, owner, now)?;
                append(connection, &known(connection, run)?, entries, now)?;
                Ok(1)
            }
            Self::Claim { run, owner, seen } => {
                let row = known(connection, run)?;
                if row.epoch != *seen {
                    return Ok(0);
                }
                let epoch = row.epoch + 1;
                connection
                    .prepare_cached("UPDATE run SET epoch = ?2, owner = ?3 WHERE id = ?1")?
                    .execute(params![row.id, epoch, owner])?;
                Ok(epoch)
            }
            Self::Append { claim, entries } => {
                append(connection, &claimed(connection, claim)?, entries, now)
            }
            Self::Release { claim } => {
                let row = claimed(connection, claim)?;
                connection
                    .prepare_cached("UPDATE run SET epoch = epoch + 1, owner = NULL WHERE id = ?1")?
                    .execute([row.id])?;
                Ok(0)
            }
            Self::Ask { run, body } => ask(connection, &known(connection, run)?, body, now),
        }
    }
}

fn create(
    connection: &Connection,
    run: &RunId,
    workflow: &str,
    owner: &str,
    now: i64,
) -> Result<(), Stopped> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO run
            (name, workflow, status, started_at, epoch, owner, events, requests, last_at)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, 0, 0, ?4)
         ON CONFLICT (name) DO NOTHING",
    )?;
    let status = RunStatus::Running.as_str();
    match insert.execute(params![run.as_str(), workflow, status, now, owner])? {
        0 => Err(Stopped::Refused(JournalError::Exists { run: run.clone() })),
        _ => Ok(()),
    }
}

fn append(connection: &Connection, row: &Row, entries: &[Entry], now: i64) -> Result<i64, Stopped> {
    let at = now.max(row.last_at);
    let mut insert = connection
        .prepare_cached("INSERT INTO event (run, position, at, body) VALUES (?1, ?2, ?3, ?4)")?;
    let mut next = row.events;
    for entry in entries {
        insert.execute(params![row.id, next, at, entry.body])?;
        next += 1;
    }
    match entries.iter().rev().find_map(|entry| entry.status) {
        None => connection
            .prepare_cached("UPDATE run SET events = ?2, last_at = ?3 WHERE id = ?1")?
            .execute(params![row.id, next, at])?,
        Some(status) => connection
            .prepare_cached(
                "UPDATE run SET events = ?2, last_at = ?3, status = ?4, finished_at = ?5
                 WHERE id = ?1",
            )?
            .execute(params![row.id, next, at, status.as_str(), status.is_final().then_some(at)])?,
    };
    Ok(at)
}

fn ask(connection: &Connection, row: &Row, body: &str, now: i64) -> Result<i64, Stopped> {
    let number = row.requests + 1;
    connection
        .prepare_cached("INSERT INTO request (run, number, at, body) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.id, number, now, body])?;
    connection
        .prepare_cached("UPDATE run SET requests = ?2 WHERE id = ?1")?
        .execute([row.id, number])?;
    Ok(number)
}

fn claimed(connection: &Connection, claim: &Claim) -> Result<Row, Stopped> {
    let row = known(connection, &claim.run)?;
    if row.epoch == signed(claim.epoch) {
        Ok(row)
    } else {
        Err(Stopped::Refused(JournalError::Outdated { run: claim.run.clone() }))
    }
}

fn known(connection: &Connection, run: &RunId) -> Result<Row, Stopped> {
    let mut select = connection
        .prepare_cached("SELECT id, epoch, events, requests, last_at FROM run WHERE name = ?1")?;
    let row = select.query_row([run.as_str()], |row| {
        Ok(Row {
            id: row.get(0)?,
            epoch: row.get(1)?,
            events: row.get(2)?,
            requests: row.get(3)?,
            last_at: row.get(4)?,
        })
    });
    let row = row.optional()?;
    row.ok_or_else(|| Stopped::Refused(JournalError::Unknown { run: run.clone() }))
}
