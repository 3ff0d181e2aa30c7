//! The check of a whole journal: chains, the list of runs, marks, and the database itself.
//!
//! Reads only, each run in one transaction, so that it can go on beside those who write. A mark
//! is read before the events that it is compared with: what is written meanwhile is never missed.

use super::marks::{Mark, MarksReader, Slot};
use super::schema::{self, CHAINED, Untouched};
use super::{read, storage, unsigned};
use crate::audit::{Audited, Defect, Finding, Marks, Which};
use crate::chain::{Breach, Examination, Examined, Hash, Sealed};
use crate::{Event, JournalError, RunId, RunStatus};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::path::Path;

/// Numbers of lost runs whose events are still there that are told.
const ORPHANS_MAX: i64 = 100;

/// See [`crate::audit::verify`].
pub(crate) fn verify(
    path: &Path,
    which: &Which,
    found: &mut dyn FnMut(Finding),
) -> Result<Audited, JournalError> {
    let shown = path.display().to_string();
    let absolute = std::path::absolute(path).map_err(|cause| storage("open", &shown, cause))?;
    let (marks, state) = match MarksReader::beside(&absolute) {
        Ok(None) => (None, Marks::Missing),
        Ok(Some(marks)) => (Some(marks), Marks::Read),
        Err(cause) => (None, Marks::Unreadable { cause: cause.to_string() }),
    };
    let mut check = Check { marks, found, done: Audited { marks: state, ..Audited::default() } };
    let was_ours = check.marks.is_some();
    if !absolute.exists() {
        if !was_ours {
            return Err(JournalError::Absent { path: shown });
        }
        check.lost_with_the_file(which);
        return Ok(check.done);
    }
    match schema::open_untouched(&absolute) {
        Ok((connection, version)) => check.journal(&connection, version, which, &shown)?,
        Err(Untouched::Newer { found, known }) => {
            return Err(JournalError::Newer { path: shown, found, known });
        }
        Err(Untouched::Foreign) if was_ours => {
            check.whole(Defect::Unreadable { cause: "it is not a journal any more".to_owned() });
        }
        Err(Untouched::Foreign) => return Err(JournalError::Foreign { path: shown }),
        Err(Untouched::Sql(cause)) if is_damage(&cause) => check.whole(unreadable(&cause)),
        Err(Untouched::Sql(cause)) => return Err(storage("open", &shown, cause)),
    }
    Ok(check.done)
}

/// One check, from its beginning to its end.
struct Check<'a> {
    marks: Option<MarksReader>,
    found: &'a mut dyn FnMut(Finding),
    done: Audited,
}

/// A run as the list has it.
struct Listed {
    id: i64,
    name: String,
    workflow: String,
    status: String,
    started_at: i64,
    finished_at: Option<i64>,
    events: u64,
    chain: Option<Hash>,
    chained_from: u64,
}

/// What the events of a run say, as far as they are sound.
struct Told {
    examined: Examined,
    /// Of the event that the mark speaks of.
    hash_at_mark: Option<Hash>,
    /// The first sound event that is none of ours.
    strange: Option<(u64, String)>,
    /// Why the reading ended early.
    broken: Option<String>,
    start: Option<(String, i64)>,
    status: Option<(RunStatus, i64)>,
}

impl Check<'_> {
    fn tell(&mut self, run: Option<&str>, position: Option<u64>, defect: Defect) {
        self.done.findings += 1;
        (self.found)(Finding { run: run.map(str::to_owned), position, defect });
    }

    fn whole(&mut self, defect: Defect) {
        self.tell(None, None, defect);
    }

    fn journal(
        &mut self,
        connection: &Connection,
        version: i64,
        which: &Which,
        shown: &str,
    ) -> Result<(), JournalError> {
        let sql = |cause| storage("read", shown, cause);
        let id = match which {
            Which::All => {
                self.all(connection, version);
                return Ok(());
            }
            Which::Latest if version == 0 => None,
            Which::Latest => connection
                .query_row("SELECT id FROM run ORDER BY id DESC LIMIT 1", [], |row| row.get(0))
                .optional()
                .map_err(sql)?,
            Which::Named(_) if version == 0 => None,
            Which::Named(name) => named(connection, name, shown)?,
        };
        match (id, which) {
            (Some(id), _) => {
                self.run(connection, version, id);
                Ok(())
            }
            (None, Which::Named(name)) if self.lost_run(name) => Ok(()),
            (None, Which::Named(name)) => Err(JournalError::Unknown { run: name.clone() }),
            (None, _) => Err(JournalError::NoRuns { path: shown.to_owned() }),
        }
    }

    fn all(&mut self, connection: &Connection, version: i64) {
        if version > 0 {
            let mut after = i64::MIN;
            loop {
                match next_run(connection, after) {
                    Ok(None) => break,
                    Ok(Some(id)) => {
                        self.run(connection, version, id);
                        after = id;
                    }
                    Err(cause) => {
                        self.whole(unreadable(&cause));
                        break;
                    }
                }
            }
        }
        self.marks_without_their_run(connection, version);
        if version > 0 {
            self.events_without_their_run(connection);
            match connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)) {
                Ok(said) if said == "ok" => {}
                Ok(cause) => self.whole(Defect::Unreadable { cause }),
                Err(cause) => self.whole(unreadable(&cause)),
            }
        }
    }

    fn run(&mut self, connection: &Connection, version: i64, id: i64) {
        let slot = self.marks.as_ref().map_or(Slot::Empty, |marks| marks.slot(id));
        if let Err(cause) = self.run_in_a_moment(connection, version, id, slot) {
            self.done.runs += 1;
            let run = format!("number {id}");
            self.tell(Some(&run), None, unreadable(&cause));
        }
    }

    /// `slot` was read before the transaction begins, so nothing in it may be missing here.
    fn run_in_a_moment(
        &mut self,
        connection: &Connection,
        version: i64,
        id: i64,
        slot: Slot,
    ) -> rusqlite::Result<()> {
        let moment = connection.unchecked_transaction()?;
        let Some(listed) = listed(&moment, version, id)? else { return Ok(()) };
        let mark = match slot {
            Slot::Taken(mark) if mark.run == listed.name => Some(mark),
            Slot::Taken(_) | Slot::Empty | Slot::Damaged => None,
        };
        let told = told(&moment, &listed, mark.as_ref())?;
        self.done.runs += 1;
        self.done.records += told.examined.records;
        self.done.sound_records += told.examined.sound;
        self.done.unchained += told.examined.unchained;
        if self.done.run.is_none() {
            self.done.run = Some(listed.name.clone());
        }
        if let Some(mark) = &mark {
            self.done.marked_runs += 1;
            self.done.marked_records += told.examined.sound.min(mark.position.saturating_add(1));
        }
        match wrong(&listed, &told, mark.as_ref()) {
            None => self.done.sound_runs += 1,
            Some((position, defect)) => self.tell(Some(&listed.name), position, defect),
        }
        Ok(())
    }

    /// What the marks know of runs that are not where they were.
    fn marks_without_their_run(&mut self, connection: &Connection, version: i64) {
        let last = self.marks.as_ref().map_or(0, MarksReader::last_slot);
        for number in 1..=last {
            let slot = self.marks.as_ref().map_or(Slot::Empty, |marks| marks.slot(number));
            let mark = match slot {
                Slot::Empty => continue,
                Slot::Damaged => {
                    self.done.damaged_marks += 1;
                    continue;
                }
                Slot::Taken(mark) => mark,
            };
            let id = if version == 0 { Ok(None) } else { id_of(connection, &mark.run) };
            match id {
                Ok(Some(id)) if id == number => {}
                Ok(Some(id)) => self.mark_of_a_run_elsewhere(connection, id, &mark),
                Ok(None) => self.lost(&mark),
                // It was told when the list was read.
                Err(_) => return,
            }
        }
    }

    fn mark_of_a_run_elsewhere(&mut self, connection: &Connection, id: i64, mark: &Mark) {
        self.done.marked_runs += 1;
        if read::hash_at(connection, id, mark.position) == Some(mark.hash) {
            self.done.marked_records += mark.position.saturating_add(1);
        } else {
            self.tell(Some(&mark.run), Some(mark.position), Defect::Rewritten);
        }
    }

    fn lost(&mut self, mark: &Mark) {
        let count = mark.position.saturating_add(1);
        self.tell(Some(&mark.run), None, Defect::RunLost { count });
    }

    /// Whether the marks know a run that begins like that, which the journal does not.
    fn lost_run(&mut self, name: &RunId) -> bool {
        let Some(marks) = &self.marks else { return false };
        let known = (1..=marks.last_slot()).find_map(|number| match marks.slot(number) {
            Slot::Taken(mark) if mark.run.starts_with(name.as_str()) => Some(mark),
            _ => None,
        });
        if let Some(mark) = &known {
            self.done.run = Some(mark.run.clone());
            self.lost(mark);
        }
        known.is_some()
    }

    fn lost_with_the_file(&mut self, which: &Which) {
        self.whole(Defect::Unreadable {
            cause: "the file is gone, its marks are there".to_owned(),
        });
        let last = self.marks.as_ref().map_or(0, MarksReader::last_slot);
        for number in 1..=last {
            let slot = self.marks.as_ref().map(|marks| marks.slot(number));
            let Some(Slot::Taken(mark)) = slot else { continue };
            let wanted = match which {
                Which::All => true,
                Which::Latest => number == last,
                Which::Named(name) => mark.run.starts_with(name.as_str()),
            };
            if wanted {
                self.lost(&mark);
            }
        }
    }

    /// Events whose run was taken off the list.
    fn events_without_their_run(&mut self, connection: &Connection) {
        let orphans = || -> rusqlite::Result<Vec<(i64, u64, Option<String>)>> {
            let mut select = connection.prepare(
                "SELECT run, count(*),
                    (SELECT body FROM event AS first WHERE first.run = event.run AND position = 0)
                 FROM event WHERE run NOT IN (SELECT id FROM run)
                 GROUP BY run ORDER BY run LIMIT ?1",
            )?;
            let found = select.query_map([ORPHANS_MAX], |row| {
                Ok((row.get(0)?, unsigned(row.get(1)?), row.get(2)?))
            })?;
            found.collect()
        };
        let orphans = match orphans() {
            Ok(orphans) => orphans,
            Err(cause) => return self.whole(unreadable(&cause)),
        };
        for (number, count, first) in orphans {
            let slot = self.marks.as_ref().map(|marks| marks.slot(number));
            if matches!(slot, Some(Slot::Taken(_))) {
                // Told already, by its mark.
                continue;
            }
            let name = match first.and_then(|body| serde_json::from_str(&body).ok()) {
                Some(Event::RunStarted { run, .. }) => run.to_string(),
                _ => format!("number {number}"),
            };
            self.tell(Some(&name), None, Defect::RunLost { count });
        }
    }
}

/// The first thing that is wrong with a run.
fn wrong(listed: &Listed, told: &Told, mark: Option<&Mark>) -> Option<(Option<u64>, Defect)> {
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

/// Reads the events of a run, one after the other.
fn told(connection: &Connection, listed: &Listed, mark: Option<&Mark>) -> rusqlite::Result<Told> {
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

fn next_run(connection: &Connection, after: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM run WHERE id > ?1 ORDER BY id LIMIT 1")?
        .query_row([after], |row| row.get(0))
        .optional()
}

fn id_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM run WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

/// The run of that name, or the only one whose name begins like that.
fn named(connection: &Connection, name: &RunId, shown: &str) -> Result<Option<i64>, JournalError> {
    let sql = |cause| storage("read", shown, cause);
    if let Some(id) = id_of(connection, name.as_str()).map_err(sql)? {
        return Ok(Some(id));
    }
    let mut select = connection
        .prepare("SELECT id FROM run WHERE substr(name, 1, length(?1)) = ?1 LIMIT 2")
        .map_err(sql)?;
    let found = select.query_map(params![name.as_str()], |row| row.get(0)).map_err(sql)?;
    let found: Vec<i64> = found.collect::<Result<_, _>>().map_err(sql)?;
    match found[..] {
        [] => Ok(None),
        [id] => Ok(Some(id)),
        _ => Err(JournalError::Ambiguous { prefix: name.clone() }),
    }
}

fn listed(connection: &Connection, version: i64, id: i64) -> rusqlite::Result<Option<Listed>> {
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

fn unreadable(cause: &rusqlite::Error) -> Defect {
    Defect::Unreadable { cause: cause.to_string() }
}

/// Whether the file is damaged, and not merely out of reach.
fn is_damage(cause: &rusqlite::Error) -> bool {
    matches!(
        cause.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
    )
}

#[cfg(test)]
mod tests;
