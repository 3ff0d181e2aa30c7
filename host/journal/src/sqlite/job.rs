//! What one write means.
//!
//! Works inside a transaction that the writer has begun, and knows no threads and no commits.

use super::marks::Head;
use super::{signed, unsigned};
use crate::chain::{Hash, seal};
use crate::question::Asked;
use crate::{
    Batch, Claim, Decided, Decision, Event, JournalError, Pruned, Question, Reply, Request, RunId,
    RunStatus, Verdict,
};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashMap;
use tokio::sync::oneshot;

/// A write, and who waits for it. Nobody waits for what was queued.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: Option<oneshot::Sender<Result<Done, JournalError>>>,
}

/// What a write comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// A number; which, stands at each [`Work`].
    Number(i64),
    /// Of [`Work::Decide`].
    Decided(Decided),
    /// Of [`Work::Prune`].
    Pruned(Pruned),
}

/// What is to be written. Most come to one number, named below.
pub(super) enum Work {
    /// The epoch.
    Create { run: RunId, workflow: String, owner: String, entries: Vec<Entry> },
    /// The new epoch, or 0 if the epoch is not the one `seen` any more.
    Claim { run: RunId, owner: String, seen: i64 },
    /// The time of the events.
    Append { claim: Claim, pages: Pages },
    /// 0.
    Release { claim: Claim },
    /// The request's number.
    Ask { run: RunId, body: String },
    /// What became of it.
    Decide { run: RunId, decision: Decision },
    /// What was, or would be, forgotten.
    Prune { before: i64, try_only: bool },
}

/// A batch, ready to be written.
pub(super) struct Pages {
    entries: Vec<Entry>,
    replies: Vec<Reply>,
    last: bool,
}

/// An event, ready to be written.
pub(super) struct Entry {
    body: String,
    status: Option<RunStatus>,
    /// What becomes of the question of a step; most events touch none.
    question: Option<Box<(String, Touch)>>,
}

/// What an event does to a question.
enum Touch {
    Open(Question),
    Close(Verdict, String),
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
    /// The numbers of the runs that were forgotten.
    pub(super) forgotten: Vec<i64>,
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
    finished: bool,
}

impl Turn {
    /// At the time `now`; marks may stand in places up to `last_slot`.
    pub(super) fn new(now: i64, last_slot: i64) -> Self {
        Self { now, last_slot, heads: HashMap::new(), forgotten: Vec::new() }
    }
}

impl Pages {
    pub(super) fn new(batch: Batch) -> serde_json::Result<Self> {
        let entries = batch.events.iter().map(Entry::new).collect::<Result<_, _>>()?;
        Ok(Self { entries, replies: batch.replies, last: batch.last })
    }

    fn of(entries: Vec<Entry>) -> Self {
        Self { entries, replies: Vec::new(), last: false }
    }
}

impl From<Vec<Entry>> for Pages {
    fn from(entries: Vec<Entry>) -> Self {
        Self::of(entries)
    }
}

impl Entry {
    pub(super) fn new(event: &Event) -> serde_json::Result<Self> {
        let open = |(step, question): (&workflow::StepName, &Question)| {
            Box::new((step.to_string(), Touch::Open(question.clone())))
        };
        let close = |(step, verdict, by): (&workflow::StepName, Verdict, String)| {
            Box::new((step.to_string(), Touch::Close(verdict, by)))
        };
        let question = event.asks().map(open).or_else(|| event.answers().map(close));
        Ok(Self { body: serde_json::to_string(event)?, status: event.run_status(), question })
    }
}

impl Work {
    /// Does it as a part of `turn`.
    pub(super) fn perform(
        &self,
        connection: &Connection,
        turn: &mut Turn,
    ) -> Result<Done, Stopped> {
        match self {
            Self::Decide { run, decision } => {
                decide(connection, run, decision, turn.now).map(Done::Decided)
            }
            Self::Prune { before, try_only } => {
                prune(connection, *before, *try_only, turn).map(Done::Pruned)
            }
            others => others.number(connection, turn).map(Done::Number),
        }
    }

    fn number(&self, connection: &Connection, turn: &mut Turn) -> Result<i64, Stopped> {
        match self {
            Self::Create { run, workflow, owner, entries } => {
                create(connection, run, workflow, owner, turn)?;
                append(connection, run, &known(connection, run)?, entries, turn)
            }
            Self::Decide { .. } | Self::Prune { .. } => Ok(0),
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
            Self::Append { claim, pages } => {
                let row = claimed(connection, claim)?;
                keep(connection, &row, &pages.replies)?;
                let at = append(connection, &claim.run, &row, &pages.entries, turn)?;
                if pages.last {
                    release(connection, &row)?;
                }
                Ok(at)
            }
            Self::Release { claim } => release(connection, &claimed(connection, claim)?),
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
    if status == Some(RunStatus::Success) {
        forget_replies(connection, row.id)?;
    }
    for (step, touch) in entries.iter().filter_map(|entry| entry.question.as_deref()) {
        match touch {
            Touch::Open(question) => {
                write_question(connection, row.id, step, &Asked::new(question.clone()))?;
            }
            Touch::Close(verdict, by) => {
                if let Some(mut asked) = question(connection, row.id, step)? {
                    asked.take_in(*verdict, by.clone());
                    write_question(connection, row.id, step, &asked)?;
                }
            }
        }
    }
    if let Some(hash) = chain.filter(|_| !entries.is_empty()) {
        let first = turn.heads.get(&row.id).map_or(unsigned(row.events), |head| head.first);
        let ended = status.is_some_and(RunStatus::is_final);
        let (run, position) = (run.as_str().to_owned(), unsigned(next - 1));
        turn.heads.insert(row.id, Head { run, first, position, hash, ended });
    }
    Ok(at)
}

/// Nobody drives the run from here on.
fn release(connection: &Connection, row: &Row) -> Result<i64, Stopped> {
    connection
        .prepare_cached("UPDATE run SET epoch = epoch + 1, owner = NULL WHERE id = ?1")?
        .execute([row.id])?;
    Ok(0)
}

/// Keeps what calls came to. The same answer twice takes the space of one.
fn keep(connection: &Connection, row: &Row, replies: &[Reply]) -> Result<(), Stopped> {
    if replies.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO reply (run, digest, body) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for reply in replies {
        insert.execute(params![row.id, reply.digest, reply.bytes])?;
    }
    Ok(())
}

fn forget_replies(connection: &Connection, run: i64) -> Result<usize, Stopped> {
    Ok(connection.prepare_cached("DELETE FROM reply WHERE run = ?1")?.execute([run])?)
}

fn question(connection: &Connection, run: i64, step: &str) -> Result<Option<Asked>, Stopped> {
    let mut select =
        connection.prepare_cached("SELECT body FROM question WHERE run = ?1 AND step = ?2")?;
    let body: Option<String> = select.query_row(params![run, step], |row| row.get(0)).optional()?;
    let read = |body: String| serde_json::from_str(&body).map_err(not_json);
    Ok(body.map(read).transpose()?)
}

fn write_question(
    connection: &Connection,
    run: i64,
    step: &str,
    asked: &Asked,
) -> Result<(), Stopped> {
    connection
        .prepare_cached(
            "INSERT INTO question (run, step, body) VALUES (?1, ?2, ?3)
             ON CONFLICT (run, step) DO UPDATE SET body = ?3",
        )?
        .execute(params![run, step, serde_json::to_string(asked).map_err(not_json)?])?;
    Ok(())
}

fn not_json(cause: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(cause))
}

fn decide(
    connection: &Connection,
    run: &RunId,
    decision: &Decision,
    now: i64,
) -> Result<Decided, Stopped> {
    let row = known(connection, run)?;
    let Some(mut asked) = question(connection, row.id, decision.step.as_str())? else {
        return Ok(Decided::NotAsked);
    };
    if row.finished {
        return Ok(Decided::NotAsked);
    }
    let decided = asked.decide(decision, now);
    if matches!(decided, Decided::Counted { .. }) {
        write_question(connection, row.id, decision.step.as_str(), &asked)?;
        let request = Request::Decide { decision: decision.clone() };
        ask(connection, &row, &serde_json::to_string(&request).map_err(not_json)?, now)?;
    }
    Ok(decided)
}

fn prune(
    connection: &Connection,
    before: i64,
    try_only: bool,
    turn: &mut Turn,
) -> Result<Pruned, Stopped> {
    let mut select = connection
        .prepare_cached("SELECT id, events FROM run WHERE finished_at < ?1 ORDER BY id")?;
    let old: Vec<(i64, i64)> = select
        .query_map([before], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let events = old.iter().map(|(_, events)| unsigned(*events)).sum();
    if !try_only {
        for (run, _) in &old {
            for table in ["event", "request", "reply", "question"] {
                let sql = format!("DELETE FROM {table} WHERE run = ?1");
                connection.prepare_cached(&sql)?.execute([run])?;
            }
            connection.prepare_cached("DELETE FROM run WHERE id = ?1")?.execute([run])?;
            turn.forgotten.push(*run);
        }
    }
    Ok(Pruned { runs: old.len() as u64, events, bytes: 0 })
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
        "SELECT id, epoch, events, requests, last_at, chain, finished_at IS NOT NULL
         FROM run WHERE name = ?1",
    )?;
    let row = select.query_row([run.as_str()], |row| {
        Ok(Row {
            id: row.get(0)?,
            epoch: row.get(1)?,
            events: row.get(2)?,
            requests: row.get(3)?,
            last_at: row.get(4)?,
            chain: row.get::<_, Option<Vec<u8>>>(5)?.and_then(|bytes| Hash::from_bytes(&bytes)),
            finished: row.get(6)?,
        })
    });
    let row = row.optional()?;
    row.ok_or_else(|| Stopped::Refused(JournalError::Unknown { run: run.clone() }))
}
