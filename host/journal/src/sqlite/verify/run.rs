//! One run in the check: what the list says, what its events say, and what is wrong with them.
//!
//! Works inside a transaction that the caller has begun, and knows no other run.

use crate::audit::Defect;
use crate::chain::{Breach, Examination, Examined, Hash, Sealed};
use crate::sqlite::marks::Mark;
use crate::sqlite::schema::{CHAINED, REPLIES};
use crate::sqlite::{read, unsigned};
use crate::{Event, Reply, RunStatus};
use rusqlite::{Connection, OptionalExtension};

/// A run as the list has it.
pub(super) struct Listed {
    id: i64,
    pub(super) name: String,
    workflow: String,
    status: String,
    started_at: i64,
    finished_at: Option<i64>,
    events: u64,
    chain: Option<Hash>,
    chained_from: u64,
}

/// What the events of a run say, as far as they are sound.
pub(super) struct Told {
    pub(super) examined: Examined,
    /// Of the event that the mark speaks of.
    hash_at_mark: Option<Hash>,
    /// The first sound event that is none of ours.
    strange: Option<(u64, String)>,
    /// Why the reading ended early.
    broken: Option<String>,
    start: Option<(String, i64)>,
    status: Option<(RunStatus, i64)>,
}

/// None if there is no run of that number.
pub(super) fn listed(
    connection: &Connection,
    version: i64,
    id: i64,
) -> rusqlite::Result<Option<Listed>> {
    let chained_from = if version >= CHAINED { "chained_from" } else { "events" };
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, name, workflow, status, started_at, finished_at, events, chain, {chained_from}
         FROM run WHERE id = ?1"
    ))?;
    let listed = select.query_row([id], |row| {
        Ok(Listed {
            id: row.get(0)?,
            name: row.get(1)?,
            workflow: row.get(2)?,
            status: row.get(3)?,
            started_at: row.get(4)?,
            finished_at: row.get(5)?,
            events: unsigned(row.get(6)?),
            chain: row.get::<_, Option<Vec<u8>>>(7)?.and_then(|bytes| Hash::from_bytes(&bytes)),
            chained_from: unsigned(row.get(8)?),
        })
    });
    listed.optional()
}

/// The first thing that is wrong with a run.
pub(super) fn wrong(
    listed: &Listed,
    told: &Told,
    mark: Option<&Mark>,
) -> Option<(Option<u64>, Defect)> {
    let examined = &told.examined;
    if let Some(breach) = examined.breach {
        let (position, defect) = named_breach(breach);
        return Some((Some(position), defect));
    }
    let count = examined.records;
    if let Some(cause) = &told.broken {
        return Some((Some(count), Defect::Unreadable { cause: cause.clone() }));
    }
    if count < listed.events.max(1) {
        return Some((Some(count), Defect::TailLost { count: listed.events.max(1) - count }));
    }
    if count > listed.events {
        return Some((Some(listed.events), Defect::Added { count: count - listed.events }));
    }
    if let Some(mark) = mark {
        if mark.position >= count {
            let lost = mark.position.saturating_add(1) - count;
            return Some((Some(count), Defect::TailLost { count: lost }));
        }
        if told.hash_at_mark != Some(mark.hash) {
            return Some((Some(mark.position), Defect::Rewritten));
        }
    }
    let head = (examined.sound > examined.unchained).then_some(examined.head);
    if head != listed.chain {
        let vouched = mark.is_some_and(|mark| mark.position + 1 == count);
        return Some(if vouched {
            (None, Defect::Listing { column: "chain" })
        } else {
            (Some(count - 1), Defect::Changed)
        });
    }
    if let Some((position, cause)) = &told.strange {
        return Some((Some(*position), Defect::Unreadable { cause: cause.clone() }));
    }
    let column = wrong_column(listed, told)?;
    Some((None, Defect::Listing { column }))
}

/// The first column of the list that does not say what the events say.
fn wrong_column(listed: &Listed, told: &Told) -> Option<&'static str> {
    let start = told.start.as_ref();
    let (status, at) = told.status?;
    let columns = [
        ("workflow", start.is_some_and(|(workflow, _)| *workflow == listed.workflow)),
        ("started_at", start.is_some_and(|(_, at)| *at == listed.started_at)),
        ("status", status.as_str() == listed.status),
        ("finished_at", status.is_final().then_some(at) == listed.finished_at),
    ];
    columns.into_iter().find_map(|(name, right)| (!right).then_some(name))
}

fn named_breach(breach: Breach) -> (u64, Defect) {
    match breach {
        Breach::Changed { position } => (position, Defect::Changed),
        Breach::HashChanged { position } => (position, Defect::HashChanged),
        Breach::Removed { position, count } => (position, Defect::Removed { count }),
        Breach::Moved { position, now } => (position, Defect::Moved { now }),
        Breach::Added { position, count } => (position, Defect::Added { count }),
    }
}

/// Whether an answer that is kept for the run of that number is not the one that its steps were
/// told: what they would do with it, they did not do before.
pub(super) fn has_damaged_reply(
    connection: &Connection,
    version: i64,
    id: i64,
) -> rusqlite::Result<bool> {
    if version < REPLIES {
        return Ok(false);
    }
    let mut select = connection.prepare_cached("SELECT digest, body FROM reply WHERE run = ?1")?;
    let mut rows = select.query([id])?;
    while let Some(row) = rows.next()? {
        if !(Reply { digest: row.get(0)?, bytes: row.get(1)? }).is_whole() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Reads the events of a run, one after the other.
pub(super) fn told(
    connection: &Connection,
    listed: &Listed,
    mark: Option<&Mark>,
) -> rusqlite::Result<Told> {
    let mut examination = Examination::new(&listed.name, listed.chained_from);
    let mut told = Told {
        examined: Examination::new("", 0).finish(),
        hash_at_mark: None,
        strange: None,
        broken: None,
        start: None,
        status: None,
    };
    let mut select = connection.prepare_cached(
        "SELECT position, at, body, hash FROM event WHERE run = ?1 ORDER BY position",
    )?;
    let mut rows = select.query([listed.id])?;
    loop {
        let record = match rows.next().and_then(|row| row.map(read::record).transpose()) {
            Ok(Some(record)) => record,
            Ok(None) => break,
            Err(cause) => {
                told.broken = Some(cause.to_string());
                break;
            }
        };
        if examination.take(&record) {
            if mark.is_some_and(|mark| mark.position == record.position) {
                told.hash_at_mark = record.hash;
            }
            told.hear(&listed.name, &record);
        }
    }
    told.examined = examination.finish();
    Ok(told)
}

impl Told {
    fn hear(&mut self, run: &str, record: &Sealed) {
        let event: Event = match serde_json::from_slice(&record.body) {
            Ok(event) => event,
            Err(cause) => {
                self.strange.get_or_insert((record.position, cause.to_string()));
                return;
            }
        };
        if let Some(status) = event.run_status() {
            self.status = Some((status, record.at));
        }
        match event {
            Event::RunStarted { run: own, plan, .. }
                if record.position == 0 && own.as_str() == run =>
            {
                self.start = Some((plan.workflow, record.at));
            }
            _ if record.position == 0 => {
                let cause = "it is not the start of this run".to_owned();
                self.strange.get_or_insert((0, cause));
            }
            _ => {}
        }
    }
}
