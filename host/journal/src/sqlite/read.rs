//! What is read, and on which connection.
//!
//! Readers never wait for the writer, and see what is committed.

use super::{USE_A_BACKUP, database, schema, signed, unsigned};
use crate::chain::{Hash, Sealed};
use crate::question::Asked;
use crate::{Claim, JournalError, Owner, Recorded, Reply, Request, RunId, RunStatus, RunSummary};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The most connections that are kept for the next question. A program asks a few questions
/// at a time; each connection keeps about 100 KiB and a file handle.
const IDLE_MAX: usize = 4;

/// Connections for questions.
pub(super) struct Readers {
    path: PathBuf,
    shown: Arc<str>,
    idle: Mutex<Vec<Connection>>,
}

/// Why there is no answer.
pub(super) enum Fault {
    Known(JournalError),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Who drives a run.
pub(super) struct Holder {
    pub(super) epoch: i64,
    pub(super) owner: Option<Owner>,
}

impl Readers {
    pub(super) fn new(path: PathBuf, shown: Arc<str>) -> Self {
        Self { path, shown, idle: Mutex::new(Vec::new()) }
    }

    /// Blocks until there is an answer.
    pub(super) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, JournalError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let connection = match kept {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)
                .map_err(|cause| database("open", &self.shown, cause))?,
        };
        let answer = question(&connection);
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        drop(idle);
        answer.map_err(|fault| match fault {
            Fault::Known(error) => error,
            Fault::Sql(cause) => database("read", &self.shown, cause),
        })
    }
}

pub(super) fn holder(connection: &Connection, run: &RunId) -> Result<Option<Holder>, Fault> {
    let mut select = connection.prepare_cached("SELECT epoch, owner FROM run WHERE name = ?1")?;
    let holder = select.query_row([run.as_str()], |row| {
        let owner: Option<String> = row.get(1)?;
        let owner = owner.map(|json| decode(1, &json)).transpose()?;
        Ok(Holder { epoch: row.get(0)?, owner })
    });
    Ok(holder.optional()?)
}

/// The requests above `after` for whoever holds `claim`; None if it is outdated.
pub(super) fn heartbeat(
    connection: &Connection,
    claim: &Claim,
    after: u64,
) -> Result<Option<Vec<(u64, Request)>>, Fault> {
    let mut select =
        connection.prepare_cached("SELECT epoch, requests FROM run WHERE name = ?1")?;
    let row: Option<(i64, i64)> =
        select.query_row([claim.run.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match row {
        None => Err(Fault::Known(JournalError::Unknown { run: claim.run.clone() })),
        Some((epoch, _)) if epoch != signed(claim.epoch) => Ok(None),
        Some((_, newest)) if unsigned(newest) <= after => Ok(Some(Vec::new())),
        Some(_) => requests(connection, &claim.run, after).map(Some),
    }
}

/// The runs that have not ended and are not merely waiting, each with its owner.
pub(super) fn open_runs(
    connection: &Connection,
    now: i64,
) -> Result<Vec<(RunSummary, Option<Owner>)>, Fault> {
    let mut select = connection.prepare_cached(&format!(
        "{SUMMARY_AND_OWNER} WHERE status IN ('running', 'waiting') ORDER BY id"
    ))?;
    let open = select.query_map([], |row| {
        let owner: Option<String> = row.get(5)?;
        let owner = owner.map(|json| decode(5, &json)).transpose()?;
        Ok((row.get(6)?, summary(row)?, owner))
    })?;
    let open: Vec<(i64, RunSummary, Option<Owner>)> = open.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for (id, summary, owner) in open {
        if summary.status == RunStatus::Running || has_answer(connection, id, now)? {
            found.push((summary, owner));
        }
    }
    Ok(found)
}

/// Whether a question of the run has an answer, or can't get one any more.
fn has_answer(connection: &Connection, run: i64, now: i64) -> Result<bool, Fault> {
    let mut select = connection.prepare_cached("SELECT body FROM question WHERE run = ?1")?;
    let mut rows = select.query([run])?;
    while let Some(row) = rows.next()? {
        let body: String = row.get(0)?;
        if decode::<Asked>(0, &body)?.has_news(now) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What a call came to. What is not what was kept is not kept any more.
pub(super) fn reply(
    connection: &Connection,
    run: &RunId,
    digest: &str,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT body FROM reply
         WHERE run = (SELECT id FROM run WHERE name = ?1) AND digest = ?2",
    )?;
    let bytes = select.query_row([run.as_str(), digest], |row| row.get(0)).optional()?;
    let reply = bytes.map(|bytes| Reply { digest: digest.to_owned(), bytes });
    Ok(reply.filter(Reply::is_whole).map(|reply| reply.bytes))
}

pub(super) fn events(
    connection: &Connection,
    run: &RunId,
    from: u64,
    most: usize,
) -> Result<Vec<Recorded>, Fault> {
    // Counted first: the writer may add to them meanwhile, and never takes any away.
    let written = connection
        .prepare_cached("SELECT events FROM run WHERE name = ?1")?
        .query_row([run.as_str()], |row| row.get(0))
        .optional()?
        .map_or(0, unsigned);
    let mut select = connection.prepare_cached(
        "SELECT position, at, body FROM event
         WHERE run = (SELECT id FROM run WHERE name = ?1) AND position >= ?2
         ORDER BY position LIMIT ?3",
    )?;
    let mut rows = select.query(params![run.as_str(), signed(from), limit(most)])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let position = from + events.len() as u64;
        if unsigned(row.get(0)?) != position {
            return Err(Fault::Known(JournalError::Missing { run: run.clone(), position }));
        }
        let body = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let event = serde_json::from_str(body).map_err(|source: serde_json::Error| {
            let cause = format!("{source}; if no newer version wrote it, {USE_A_BACKUP}");
            let source = serde::de::Error::custom(cause);
            Fault::Known(JournalError::Unreadable { run: run.clone(), position, source })
        })?;
        events.push(Recorded { position, at: row.get(1)?, event });
    }
    let next = from.saturating_add(events.len() as u64);
    if events.len() < most && next < written {
        return Err(Fault::Known(JournalError::Missing { run: run.clone(), position: next }));
    }
    Ok(events)
}

pub(super) fn sealed(
    connection: &Connection,
    run: &RunId,
    from: u64,
    most: usize,
) -> Result<Vec<Sealed>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT position, at, body, hash FROM event
         WHERE run = (SELECT id FROM run WHERE name = ?1) AND position >= ?2
         ORDER BY position LIMIT ?3",
    )?;
    let found = select.query_map(params![run.as_str(), signed(from), limit(most)], record)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// From a row of position, time, body and hash.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Sealed> {
    Ok(Sealed {
        position: position(row.get(0)?)?,
        at: row.get(1)?,
        body: row.get_ref(2)?.as_bytes()?.to_vec(),
        hash: row.get_ref(3)?.as_bytes_or_null()?.and_then(Hash::from_bytes),
    })
}

/// A place before the first is none: read as another one it would hide what stands there.
fn position(stored: i64) -> rusqlite::Result<u64> {
    u64::try_from(stored).map_err(|_| {
        let cause = format!("an event stands at position {stored}, before the first");
        rusqlite::Error::FromSqlConversionFailure(0, Type::Integer, cause.into())
    })
}

/// The hash of one event of the run of that number; None if there is no such event, or it has
/// none.
pub(super) fn hash_at(connection: &Connection, run: i64, position: u64) -> Option<Hash> {
    let mut select = connection
        .prepare_cached("SELECT hash FROM event WHERE run = ?1 AND position = ?2")
        .ok()?;
    let hash: Option<Vec<u8>> =
        select.query_row(params![run, signed(position)], |row| row.get(0)).optional().ok()??;
    Hash::from_bytes(&hash?)
}

const SUMMARY_AND_OWNER: &str =
    "SELECT name, workflow, status, started_at, finished_at, owner, id FROM run";

const SUMMARY: &str = "SELECT name, workflow, status, started_at, finished_at FROM run";

pub(super) fn runs(
    connection: &Connection,
    before: Option<&RunId>,
    most: usize,
) -> Result<Vec<RunSummary>, Fault> {
    let end: i64 = match before {
        None => i64::MAX,
        Some(before) => connection
            .prepare_cached("SELECT id FROM run WHERE name = ?1")?
            .query_row([before.as_str()], |row| row.get(0))
            .optional()?
            .ok_or_else(|| Fault::Known(JournalError::Unknown { run: before.clone() }))?,
    };
    let mut select =
        connection.prepare_cached(&format!("{SUMMARY} WHERE id < ?1 ORDER BY id DESC LIMIT ?2"))?;
    let found = select.query_map(params![end, limit(most)], summary)?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn run(connection: &Connection, run: &RunId) -> Result<Option<RunSummary>, Fault> {
    let mut select = connection.prepare_cached(&format!("{SUMMARY} WHERE name = ?1"))?;
    Ok(select.query_row([run.as_str()], summary).optional()?)
}

pub(super) fn requests(
    connection: &Connection,
    run: &RunId,
    after: u64,
) -> Result<Vec<(u64, Request)>, Fault> {
    let mut select = connection.prepare_cached(
        "SELECT number, body FROM request
         WHERE run = (SELECT id FROM run WHERE name = ?1) AND number > ?2
         ORDER BY number",
    )?;
    let found = select.query_map(params![run.as_str(), signed(after)], |row| {
        let body: String = row.get(1)?;
        Ok((unsigned(row.get(0)?), decode(1, &body)?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn summary(row: &Row<'_>) -> rusqlite::Result<RunSummary> {
    let word: String = row.get(2)?;
    let status = RunStatus::named(&word).ok_or_else(|| {
        let cause = format!("`{}` is no status of a run", word.escape_debug());
        rusqlite::Error::FromSqlConversionFailure(2, Type::Text, cause.into())
    })?;
    let name: String = row.get(0)?;
    Ok(RunSummary {
        run: name.parse().map_err(|cause| {
            rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause))
        })?,
        workflow: row.get(1)?,
        status,
        started_at: row.get(3)?,
        finished_at: row.get(4)?,
    })
}

fn decode<T: serde::de::DeserializeOwned>(column: usize, json: &str) -> rusqlite::Result<T> {
    serde_json::from_str(json).map_err(|cause| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(cause))
    })
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
