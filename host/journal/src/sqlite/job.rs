//! What one write means.
//!
//! Works inside a transaction that the writer has begun, and knows no threads and no commits.

use super::marks::Head;
use super::{signed, unsigned};
use crate::chain::{Hash, seal};
use crate::{Claim, Event, JournalError, RunId, RunStatus};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
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

/// One transaction: what its writes need to know, and what they leave to be known.
pub(super) struct Turn {
    /// Milliseconds since 1970, UTC.
    pub(super) now: i64,
    /// A new run gets a greater number than this.
    pub(super) last_slot: i64,
    /// The newest event of each run that was written to, by the run's number.
    pub(super) heads: HashMap<i64, Head>,
}

/// What a write needs to know of a run.
struct Row {
    id: i64,
    epoch: i64,
    events: i64,
    requests: i64,
    last_at: i64,
    /// The hash of its newest event; nothing if that one is older than the chain.
    chain: Option<Hash>,
}

impl Turn {
    /// At the time `now`; marks may stand in places up to `last_slot`.
    pub(super) fn new(now: i64, last_slot: i64) -> Self {
        Self { now, last_slot, heads: HashMap::new() }
    }
}

impl Entry {
    pub(super) fn new(event: &Event) -> serde_json::Result<Self> {
        Ok(Self { body: serde_json::to_string(event)?, status: event.run_status() })
    }
}

impl Work {
    /// Does it as a part of `turn`.
    pub(super) fn perform(&self, connection: &Connection, turn: &mut Turn) -> Result<i64, Stopped> {
        match self {
            Self::Create { run, workflow, owner, entries } => {
                create(connection, run, workflow, owner, turn)?;
                append(connection, run, &known(connection, run)?, entries, turn)?;
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
                append(connection, &claim.run, &claimed(connection, claim)?, entries, turn)
            }
            Self::Release { claim } => {
                let row = claimed(connection, claim)?;
                connection
                    .prepare_cached("UPDATE run SET epoch = epoch + 1, owner = NULL WHERE id = ?1")?
                    .execute([row.id])?;
                Ok(0)
            }
            Self::Ask { run, body } => ask(connection, &known(connection, run)?, body, turn.now),
        }
    }
}

fn create(
    connection: &Connection,
    run: &RunId,
    workflow: &str,
    owner: &str,
    turn: &Turn,
) -> Result<(), Stopped> {
    // Its number is its place among the marks, so no number that was ever given is given again.
    let mut insert = connection.prepare_cached(
        "INSERT INTO run
            (id, name, workflow, status, started_at, epoch, owner, events, requests, last_at,
             chained_from)
         VALUES (max(coalesce((SELECT max(id) FROM run), 0), ?6) + 1,
                 ?1, ?2, ?3, ?4, 1, ?5, 0, 0, ?4, 0)
         ON CONFLICT (name) DO NOTHING",
    )?;
    let status = RunStatus::Running.as_str();
    let row = params![run.as_str(), workflow, status, turn.now, owner, turn.last_slot];
    match insert.execute(row)? {
        0 => Err(Stopped::Refused(JournalError::Exists { run: run.clone() })),
        _ => Ok(()),
    }
}

fn append(
    connection: &Connection,
    run: &RunId,
    row: &Row,
    entries: &[Entry],
    turn: &mut Turn,
) -> Result<i64, Stopped> {
    let at = turn.now.max(row.last_at);
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (run, position, at, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let mut next = row.events;
    let mut chain = row.chain;
    for entry in entries {
        let previous = chain.unwrap_or(Hash::ORIGIN);
        let hash = seal(run.as_str(), previous, unsigned(next), at, entry.body.as_bytes());
        insert.execute(params![row.id, next, at, entry.body, hash.as_bytes()])?;
        chain = Some(hash);
        next += 1;
    }
    let status = entries.iter().rev().find_map(|entry| entry.status);
    match status {
        None => connection
            .prepare_cached("UPDATE run SET events = ?2, last_at = ?3, chain = ?4 WHERE id = ?1")?
            .execute(params![row.id, next, at, chain.as_ref().map(Hash::as_bytes)])?,
        Some(status) => connection
            .prepare_cached(
                "UPDATE run SET events = ?2, last_at = ?3, chain = ?4, status = ?5,
                    finished_at = ?6
                 WHERE id = ?1",
            )?
            .execute(params![
                row.id,
                next,
                at,
                chain.as_ref().map(Hash::as_bytes),
                status.as_str(),
                status.is_final().then_some(at)
            ])?,
    };
    if let Some(hash) = chain.filter(|_| !entries.is_empty()) {
        let first = turn.heads.get(&row.id).map_or(unsigned(row.events), |head| head.first);
        let ended = status.is_some_and(RunStatus::is_final);
        let (run, position) = (run.as_str().to_owned(), unsigned(next - 1));
        turn.heads.insert(row.id, Head { run, first, position, hash, ended });
    }
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
    let mut select = connection.prepare_cached(
        "SELECT id, epoch, events, requests, last_at, chain FROM run WHERE name = ?1",
    )?;
    let row = select.query_row([run.as_str()], |row| {
        Ok(Row {
            id: row.get(0)?,
            epoch: row.get(1)?,
            events: row.get(2)?,
            requests: row.get(3)?,
            last_at: row.get(4)?,
            chain: row.get::<_, Option<Vec<u8>>>(5)?.and_then(|bytes| Hash::from_bytes(&bytes)),
        })
    });
    let row = row.optional()?;
    row.ok_or_else(|| Stopped::Refused(JournalError::Unknown { run: run.clone() }))
}
