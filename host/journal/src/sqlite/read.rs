//! What is read, and on which connection.
//!
//! Readers never wait for the writer, and see what is committed.

use super::{schema, signed, storage, unsigned};
use crate::chain::{Hash, Sealed};
use crate::{JournalError, Owner, Recorded, Request, RunId, RunStatus, RunSummary};
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
    /// The run's number.
    pub(super) id: i64,
    /// How many events it has.
    pub(super) events: u64,
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
                .map_err(|cause| storage("open", &self.shown, cause))?,
        };
        let answer = question(&connection);
        let mut idle = idle();
        if idle.len() < IDLE_MAX {
            idle.push(connection);
        }
        drop(idle);
        answer.map_err(|fault| match fault {
            Fault::Known(error) => error,
            Fault::Sql(cause) => storage("read", &self.shown, cause),
        })
    }
}

pub(super) fn holder(connection: &Connection, run: &RunId) -> Result<Option<Holder>, Fault> {
    let mut select =
        connection.prepare_cached("SELECT epoch, owner, id, events FROM run WHERE name = ?1")?;
    let holder = select.query_row([run.as_str()], |row| {
        let owner: Option<String> = row.get(1)?;
        let owner = owner.map(|json| decode(1, &json)).transpose()?;
        let events = unsigned(row.get(3)?);
        Ok(Holder { id: row.get(2)?, events, epoch: row.get(0)?, owner })
    });
    Ok(holder.optional()?)
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
        let event = serde_json::from_str(body).map_err(|source| {
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
