//! Tamperings with a real file: each is found at the right record, and what can't be found is said.

mod damage;
mod living;
mod log;
mod tampering;

use super::*;
use crate::chain::{Hash, Sealed, seal};
use crate::conformance::{owner, start};
use crate::{Claim, Journal, Level, RunStatus, SqliteJournal};
use rusqlite::params;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// Events of each run in the fixture: its start, eight lines, its end.
const EVENTS: u64 = 10;

/// A folder with a journal of three runs that have ended, and nobody who has it open.
struct Store {
    folder: TempDir,
    runs: Vec<RunId>,
}

fn line(message: &str) -> Event {
    Event::StepLogged {
        step: "a".parse().expect("a name"),
        attempt: 1,
        level: Level::Info,
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

async fn written(journal: &SqliteJournal) -> RunId {
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
    for number in 0..EVENTS - 2 {
        journal.append(&claim, vec![line(&format!("line {number}"))]).await.expect("append");
    }
    let end = Event::RunFinished { status: RunStatus::Success };
    journal.append(&claim, vec![end]).await.expect("append");
    run
}

impl Store {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("make a folder");
        let journal = SqliteJournal::open(&folder.path().join("runs.db")).expect("open");
        let mut runs = Vec::new();
        for _ in 0..3 {
            runs.push(written(&journal).await);
        }
        Self { folder, runs }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("runs.db")
    }

    fn marks(&self) -> PathBuf {
        self.folder.path().join("runs.db.marks")
    }

    /// The files in a folder of their own.
    fn copy(&self) -> Self {
        let folder = tempfile::tempdir().expect("make a folder");
        for entry in fs::read_dir(self.folder.path()).expect("list") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copy");
        }
        Self { folder, runs: self.runs.clone() }
    }

    fn sql(&self, text: &str) {
        let database = Connection::open(self.path()).expect("open");
        database.execute_batch(text).expect("tamper");
    }

    fn check(&self) -> (Audited, Vec<Finding>) {
        check(&self.path(), &Which::All)
    }

    /// The findings, with the number of the run in the fixture.
    fn findings(&self) -> Vec<(Option<usize>, Option<u64>, Defect)> {
        let number = |run: String| {
            self.runs.iter().position(|known| known.as_str() == run).map_or(99, |at| at + 1)
        };
        let found = self.check().1.into_iter();
        found.map(|found| (found.run.map(number), found.position, found.defect)).collect()
    }

    /// Chains run number 2 anew from a position on, as someone who knows how would.
    fn chain_again(&self, from: u64) {
        let database = Connection::open(self.path()).expect("open");
        let mut select = database
            .prepare("SELECT position, at, body, hash FROM event WHERE run = 2 ORDER BY position")
            .expect("ask");
        let records: Vec<Sealed> = select
            .query_map([], read::record)
            .expect("ask")
            .collect::<Result<_, _>>()
            .expect("read");
        let mut previous = Hash::ORIGIN;
        for record in records {
            if record.position >= from {
                let run = self.runs[1].as_str();
                let hash = seal(run, previous, record.position, record.at, &record.body);
                let row = params![record.position as i64, hash.as_bytes()];
                database
                    .execute("UPDATE event SET hash = ?2 WHERE run = 2 AND position = ?1", row)
                    .expect("tamper");
                previous = hash;
            } else {
                previous = record.hash.expect("a hash");
            }
        }
        let row = params![previous.as_bytes()];
        database.execute("UPDATE run SET chain = ?1 WHERE id = 2", row).expect("tamper");
    }
}

fn check(path: &Path, which: &Which) -> (Audited, Vec<Finding>) {
    let mut findings = Vec::new();
    let done = verify(path, which, &mut |finding| findings.push(finding)).expect("check");
    assert_eq!(done.findings, findings.len() as u64);
    (done, findings)
}

#[tokio::test]
async fn what_nobody_touched_is_sound_and_marked_to_its_end() {
    let store = Store::new().await;

    let (done, findings) = store.check();

    assert_eq!(findings, []);
    let records = 3 * EVENTS;
    let expected = Audited {
        run: Some(store.runs[0].to_string()),
        runs: 3,
        sound_runs: 3,
        records,
        sound_records: records,
        unchained: 0,
        marked_runs: 3,
        marked_records: records,
        marks: Marks::Read,
        damaged_marks: 0,
        forgotten_runs: 0,
        findings: 0,
    };
    assert_eq!(done, expected);
}
