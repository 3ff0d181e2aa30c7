//! The check of a whole journal: chains, the list of runs, marks, and the database itself.
//!
//! Reads only, each run in one transaction, so that it can go on beside those who write. A mark
//! is read before the events that it is compared with: what is written meanwhile is never missed.

mod run;

use super::marks::{Mark, MarksReader, Slot};
use super::schema::{self, Untouched};
use super::{read, storage, unsigned};
use crate::audit::{Audited, Defect, Finding, Marks, Which};
use crate::{Event, JournalError, RunId};
use run::{has_damaged_reply, listed, told, wrong};
use rusqlite::{Connection, ErrorCode, OptionalExtension};
use std::collections::HashSet;
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
    let done = Audited { marks: state, ..Audited::default() };
    let mut check = Check { marks, found, done, broken: HashSet::new() };
    let was_ours = check.marks.is_some();
    if !absolute.exists() {
        if !was_ours {
            return Err(JournalError::Absent { path: shown });
        }
        check.whole(Defect::Unreadable {
            cause: "the file is gone, its marks are there".to_owned(),
        });
        check.lost_with_the_file(which);
        return Ok(check.done);
    }
    match schema::open_untouched(&absolute) {
        Ok((connection, version)) => check.journal(&connection, version, which, &shown)?,
        Err(Untouched::Newer { found, known }) => {
            return Err(JournalError::Newer { path: shown, found, known });
        }
        Err(Untouched::Foreign) if was_ours => {
            let cause = "it is not a journal any more, or its version was changed".to_owned();
            check.whole(Defect::Unreadable { cause });
            check.lost_with_the_file(which);
        }
        Err(Untouched::Foreign) => return Err(JournalError::Foreign { path: shown }),
        Err(Untouched::Sql(cause)) if is_damage(&cause) => check.whole(unreadable(&cause)),
        Err(Untouched::Sql(cause)) => return Err(storage("open", &shown, cause)),
        Err(Untouched::LogOutOfReach) => {
            let cause = "its newest events are in a log that can only be read where files can be \
                         made; copy the journal with its `-wal` and its `.marks` elsewhere, and \
                         name the copy in BOWLINE_STORE";
            return Err(storage("open", &shown, cause));
        }
    }
    Ok(check.done)
}

/// One check, from its beginning to its end.
struct Check<'a> {
    marks: Option<MarksReader>,
    found: &'a mut dyn FnMut(Finding),
    done: Audited,
    /// The numbers of the runs with a finding, so that each has only its first.
    broken: HashSet<i64>,
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
        let found = match which {
            Which::All => {
                self.all(connection, version);
                return Ok(());
            }
            _ if version == 0 => Ok(Vec::new()),
            Which::Latest => newest(connection),
            Which::Named(name) => named(connection, name),
        };
        match (found.as_deref(), which) {
            (Ok([id]), _) => {
                self.run(connection, version, *id);
                self.number_of_one(connection, *id);
            }
            (Ok([]), Which::Named(name)) if self.lost_run(name) => {}
            (Ok([]), Which::Named(name)) => {
                return Err(JournalError::Unknown { run: name.clone() });
            }
            (Ok([]), _) => return Err(JournalError::NoRuns { path: shown.to_owned() }),
            (Ok(_), Which::Named(name)) => {
                return Err(JournalError::Ambiguous { prefix: name.clone() });
            }
            (Ok(_), _) => {}
            (Err(cause), _) => self.whole(unreadable(cause)),
        }
        Ok(())
    }

    fn all(&mut self, connection: &Connection, version: i64) {
        if version > 0 {
            let mut from = Some(i64::MIN);
            while let Some(first) = from {
                match next_run(connection, first) {
                    Ok(None) => break,
                    Ok(Some(id)) => {
                        self.run(connection, version, id);
                        from = id.checked_add(1);
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
            match strange_part(connection) {
                Ok(None) => {}
                Ok(Some((kind, name))) => {
                    let cause = format!("there is a {kind} `{name}` in it, which no journal has");
                    self.whole(Defect::Unreadable { cause });
                }
                Err(cause) => self.whole(unreadable(&cause)),
            }
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
            self.broken.insert(id);
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
        let misnumbered = (id < 1).then_some((None, Defect::Renumbered { now: id }));
        let found = match wrong(&listed, &told, mark.as_ref()).or(misnumbered) {
            None if has_damaged_reply(&moment, version, id)? => {
                let cause = "an answer that its steps were told is not as it was kept".to_owned();
                Some((None, Defect::Unreadable { cause }))
            }
            found => found,
        };
        match found {
            None => self.done.sound_runs += 1,
            Some((position, defect)) => {
                self.broken.insert(id);
                self.tell(Some(&listed.name), position, defect);
            }
        }
        Ok(())
    }

    /// Whether the only run that is looked at stands where it was marked.
    fn number_of_one(&mut self, connection: &Connection, id: i64) {
        let Some(name) = self.done.run.clone() else { return };
        let Some(marks) = &self.marks else { return };
        if matches!(marks.slot(id), Slot::Taken(mark) if mark.run == name) {
            return;
        }
        let elsewhere = (1..=marks.last_slot()).find_map(|number| match marks.slot(number) {
            Slot::Taken(mark) if mark.run == name && number != id => Some(mark),
            _ => None,
        });
        if let Some(mark) = elsewhere {
            self.mark_of_a_run_elsewhere(connection, id, &mark);
        }
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
                Err(cause) => {
                    // Most often it was told when the list was read.
                    if self.done.findings == 0 {
                        self.whole(unreadable(&cause));
                    }
                    return;
                }
            }
        }
    }

    fn mark_of_a_run_elsewhere(&mut self, connection: &Connection, id: i64, mark: &Mark) {
        if !self.broken.insert(id) {
            return;
        }
        self.done.sound_runs = self.done.sound_runs.saturating_sub(1);
        if read::hash_at(connection, id, mark.position) == Some(mark.hash) {
            self.tell(Some(&mark.run), None, Defect::Renumbered { now: id });
        } else {
            self.tell(Some(&mark.run), Some(mark.position), Defect::Rewritten);
        }
    }

    fn lost(&mut self, mark: &Mark) {
        if mark.forgotten {
            self.done.forgotten_runs += 1;
            return;
        }
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

    /// The runs of a file of which nothing can be read.
    fn lost_with_the_file(&mut self, which: &Which) {
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

/// The kind and the name of the first part that could show or do something else than what the
/// tables hold.
fn strange_part(connection: &Connection) -> rusqlite::Result<Option<(String, String)>> {
    let sql = "SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger') LIMIT 1";
    connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()
}

/// The first run of that number or a greater one.
fn next_run(connection: &Connection, from: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM run WHERE id >= ?1 ORDER BY id LIMIT 1")?
        .query_row([from], |row| row.get(0))
        .optional()
}

fn id_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM run WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()
}

fn newest(connection: &Connection) -> rusqlite::Result<Vec<i64>> {
    let mut select = connection.prepare("SELECT id FROM run ORDER BY id DESC LIMIT 1")?;
    let found = select.query_map([], |row| row.get(0))?;
    found.collect()
}

/// The run of that name, else those whose names begin like that; two are enough.
fn named(connection: &Connection, name: &RunId) -> rusqlite::Result<Vec<i64>> {
    if let Some(id) = id_of(connection, name.as_str())? {
        return Ok(vec![id]);
    }
    let mut select =
        connection.prepare("SELECT id FROM run WHERE substr(name, 1, length(?1)) = ?1 LIMIT 2")?;
    let found = select.query_map([name.as_str()], |row| row.get(0))?;
    found.collect()
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
