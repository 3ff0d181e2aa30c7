//! Tamperings with a real file: each is found at the right record, and what can't be found is said.

use super::*;
use crate::chain::{Hash, Sealed, seal};
use crate::conformance::{owner, start};
use crate::{Claim, Journal, Level, RunStatus, SqliteJournal};
use proptest::prelude::*;
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
    let claim = journal.create(&run, &owner(1), first).await.expect("create");
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

/// Moves the events of run 2 from a position on, up or down.
fn shift(from: u64, by: i64) -> String {
    format!(
        "UPDATE event SET position = -position - 1000 WHERE run = 2 AND position >= {from};
         UPDATE event SET position = -position - 1000 + {by} WHERE run = 2 AND position < 0;"
    )
}

/// Gives a run another number.
fn renumber(run: u8, now: i64) -> String {
    format!(
        "PRAGMA foreign_keys = OFF; UPDATE run SET id = {now} WHERE id = {run};
         UPDATE event SET run = {now} WHERE run = {run};"
    )
}

fn before_the_first(position: i64) -> Defect {
    let cause = format!(
        "Conversion error from type Integer at index: 0, an event stands at position {position}, \
         before the first"
    );
    Defect::Unreadable { cause }
}

#[tokio::test]
async fn two_runs_whose_numbers_were_exchanged_are_both_found() {
    let store = Store::new().await;
    store.sql(&format!("{}{}", renumber(2, 70), renumber(3, 2)));
    store.sql(&renumber(70, 3));

    let (done, findings) = store.check();

    let found = |run: usize, now| Finding {
        run: Some(store.runs[run].to_string()),
        position: None,
        defect: Defect::Renumbered { now },
    };
    assert_eq!(findings, [found(1, 3), found(2, 2)]);
    assert_eq!((done.runs, done.sound_runs, done.marked_runs), (3, 1, 1));
    for (run, now) in [(1, 3), (2, 2)] {
        let (done, findings) = check(&store.path(), &Which::Named(store.runs[run].clone()));
        assert_eq!(findings, [found(run, now)], "alone");
        assert_eq!((done.runs, done.sound_runs), (1, 0), "alone");
    }
    let (_, sound) = check(&store.path(), &Which::Named(store.runs[0].clone()));
    assert_eq!(sound, []);
}

#[tokio::test]
async fn what_acts_or_stands_for_the_tables_is_found() {
    let whole = Store::new().await;
    let cases = [
        (
            "CREATE TRIGGER quiet AFTER INSERT ON event BEGIN DELETE FROM event WHERE run = 1; END",
            "there is a trigger `quiet` in it, which no journal has",
        ),
        (
            "ALTER TABLE event RENAME TO kept;
             CREATE VIEW event AS SELECT run, position, at, body, hash FROM kept",
            "there is a view `event` in it, which no journal has",
        ),
    ];
    for (tampering, cause) in cases {
        let store = whole.copy();
        store.sql(tampering);
        let defect = Defect::Unreadable { cause: cause.to_owned() };
        assert_eq!(store.findings(), [(None, None, defect)], "{tampering}");
    }
}

#[tokio::test]
async fn a_version_that_no_journal_has_is_no_journal_and_its_runs_are_lost() {
    let whole = Store::new().await;
    // The last: the tables are there, and the list would be read as one from before the chain.
    for version in [i64::from(i32::MIN), -5, -1, 0, 1] {
        let store = whole.copy();
        store.sql(&format!(
            "PRAGMA user_version = {version}; UPDATE event SET at = at + 1 WHERE run = 2"
        ));

        let findings = store.findings();

        let cause = "it is not a journal any more, or its version was changed".to_owned();
        let mut expected = vec![(None, None, Defect::Unreadable { cause })];
        let lost = |run| (Some(run), None, Defect::RunLost { count: EVENTS });
        expected.extend((1..=3).map(lost));
        assert_eq!(findings, expected, "{version}");
        let (_, one) = check(&store.path(), &Which::Named(store.runs[1].clone()));
        assert_eq!(one.len(), 2, "{version}: {one:?}");

        fs::remove_file(store.marks()).expect("remove");
        let unmarked = verify(&store.path(), &Which::All, &mut |_| {});
        assert!(matches!(unmarked, Err(JournalError::Foreign { .. })), "{version}: {unmarked:?}");
        let opened = SqliteJournal::open(&store.path()).map(|_| ());
        assert!(matches!(opened, Err(JournalError::Foreign { .. })), "{version}: {opened:?}");
    }
}

#[tokio::test]
async fn each_tampering_is_found_at_its_record() {
    let whole = Store::new().await;
    let cut = "DELETE FROM event WHERE run = 2 AND position >= 6;";
    let list_follows = "UPDATE run SET events = (SELECT count(*) FROM event WHERE run = 2),
        chain = (SELECT hash FROM event WHERE run = 2 ORDER BY position DESC LIMIT 1)
        WHERE id = 2;";
    let exchange = "UPDATE event SET position = -1 WHERE run = 2 AND position = 3;
        UPDATE event SET position = 3 WHERE run = 2 AND position = 7;
        UPDATE event SET position = 7 WHERE run = 2 AND position = -1;";
    let put_in = "INSERT INTO event (run, position, at, body, hash)
        SELECT 2, 4, at, body, hash FROM event WHERE run = 2 AND position = 3;";
    let cases: &[(&str, String, Option<u64>, Defect)] = &[
        (
            "a body was changed",
            "UPDATE event SET body = replace(body, 'line 3', 'line 8')
             WHERE run = 2 AND position = 4"
                .into(),
            Some(4),
            Defect::Changed,
        ),
        (
            "a time was changed",
            "UPDATE event SET at = at + 1 WHERE run = 2 AND position = 4".into(),
            Some(4),
            Defect::Changed,
        ),
        (
            "the last was changed",
            "UPDATE event SET at = at + 1 WHERE run = 2 AND position = 9".into(),
            Some(9),
            Defect::Changed,
        ),
        ("two were exchanged", exchange.into(), Some(3), Defect::Moved { now: 7 }),
        (
            "one was removed",
            "DELETE FROM event WHERE run = 2 AND position = 5".into(),
            Some(5),
            Defect::Removed { count: 1 },
        ),
        (
            "one was removed and the others closed up",
            format!("DELETE FROM event WHERE run = 2 AND position = 5; {}", shift(6, -1)),
            Some(5),
            Defect::Removed { count: 1 },
        ),
        ("the tail was removed", cut.into(), Some(6), Defect::TailLost { count: 4 }),
        (
            "the tail was removed and the list says so too",
            format!("{cut} {list_follows}"),
            Some(6),
            Defect::TailLost { count: 4 },
        ),
        (
            "all events were removed",
            "DELETE FROM event WHERE run = 2".into(),
            Some(0),
            Defect::TailLost { count: EVENTS },
        ),
        (
            "the run was removed",
            "DELETE FROM event WHERE run = 2; DELETE FROM run WHERE id = 2".into(),
            None,
            Defect::RunLost { count: EVENTS },
        ),
        (
            "the run was taken off the list",
            "PRAGMA foreign_keys = OFF; DELETE FROM run WHERE id = 2".into(),
            None,
            Defect::RunLost { count: EVENTS },
        ),
        (
            "one was put in",
            format!("{} {put_in}", shift(4, 1)),
            Some(4),
            Defect::Added { count: 1 },
        ),
        (
            "one was added behind the last",
            "INSERT INTO event SELECT 2, 10, at, body, hash FROM event
             WHERE run = 2 AND position = 9"
                .into(),
            Some(10),
            Defect::Added { count: 1 },
        ),
        (
            "a hash was changed",
            "UPDATE event SET hash = zeroblob(32) WHERE run = 2 AND position = 4".into(),
            Some(4),
            Defect::HashChanged,
        ),
        (
            "a hash was taken away",
            "UPDATE event SET hash = NULL WHERE run = 2 AND position = 4".into(),
            Some(4),
            Defect::HashChanged,
        ),
        (
            "the whole chain was taken away",
            "UPDATE event SET hash = NULL WHERE run = 2;
             UPDATE run SET chain = NULL, chained_from = events WHERE id = 2"
                .into(),
            Some(9),
            Defect::Rewritten,
        ),
        (
            "the list tells another end",
            "UPDATE run SET status = 'failure' WHERE id = 2".into(),
            None,
            Defect::Listing { column: "status" },
        ),
        (
            "the list tells another workflow",
            "UPDATE run SET workflow = 'harmless' WHERE id = 2".into(),
            None,
            Defect::Listing { column: "workflow" },
        ),
        (
            "the list tells another time",
            "UPDATE run SET finished_at = 1 WHERE id = 2".into(),
            None,
            Defect::Listing { column: "finished_at" },
        ),
        (
            "the run was given a number before all others",
            renumber(2, i64::MIN),
            None,
            Defect::Renumbered { now: i64::MIN },
        ),
        ("the run was given number 0", renumber(2, 0), None, Defect::Renumbered { now: 0 }),
        (
            "the run was given the last number of all",
            renumber(2, i64::MAX),
            None,
            Defect::Renumbered { now: i64::MAX },
        ),
        (
            "the run was given a number that was never used, and its end was replaced",
            format!(
                "UPDATE event SET body = replace(body, 'line 3', 'line 8')
                 WHERE run = 2 AND position = 4; {}",
                renumber(2, 70)
            ),
            Some(4),
            Defect::Changed,
        ),
        (
            "the first stands before the first",
            "UPDATE event SET position = -1 WHERE run = 2 AND position = 0".into(),
            Some(0),
            before_the_first(-1),
        ),
        (
            "one was put before the first",
            "INSERT INTO event SELECT 2, -7, at, body, hash FROM event
             WHERE run = 2 AND position = 0"
                .into(),
            Some(0),
            before_the_first(-7),
        ),
        (
            "the list has another chain",
            "UPDATE run SET chain = zeroblob(32) WHERE id = 2".into(),
            None,
            Defect::Listing { column: "chain" },
        ),
    ];
    for (name, tampering, position, defect) in cases {
        let store = whole.copy();
        store.sql(tampering);

        assert_eq!(store.findings(), [(Some(2), *position, defect.clone())], "{name}");

        let one = Which::Named(store.runs[1].clone());
        let (done, findings) = check(&store.path(), &one);
        assert_eq!(findings.len(), 1, "{name}: alone");
        assert_eq!(done.run.as_deref(), Some(store.runs[1].as_str()), "{name}: alone");
        let (_, sound) = check(&store.path(), &Which::Named(store.runs[0].clone()));
        assert_eq!(sound, [], "{name}: its neighbour");
    }
}

#[tokio::test]
async fn what_was_chained_anew_is_found_by_its_mark_alone() {
    let store = Store::new().await;
    store.sql("UPDATE event SET body = replace(body, 'line 3', 'line 8') WHERE run = 2");
    store.chain_again(4);

    assert_eq!(store.findings(), [(Some(2), Some(9), Defect::Rewritten)]);

    // Without the marks nothing tells it from an honest journal, and the check says what it lacks.
    fs::remove_file(store.marks()).expect("remove");
    let (done, findings) = store.check();
    assert_eq!(findings, []);
    assert_eq!((done.marks, done.marked_runs, done.marked_records), (Marks::Missing, 0, 0));
}

#[tokio::test]
async fn what_was_added_in_the_right_form_is_beyond_the_marks() {
    let store = Store::new().await;
    store.sql(
        "INSERT INTO event SELECT 2, 10, at, body, hash FROM event WHERE run = 2 AND position = 9",
    );
    store.chain_again(10);
    assert_eq!(store.findings(), [(Some(2), Some(10), Defect::Added { count: 1 })], "as listed");
    store.sql("UPDATE run SET events = 11 WHERE id = 2");

    // A crash between the commit and the mark looks the same.
    let (done, findings) = store.check();
    assert_eq!(findings, []);
    assert_eq!((done.sound_records, done.marked_records), (31, 30));
}

#[tokio::test]
async fn a_run_under_another_name_is_no_run() {
    let store = Store::new().await;
    store.sql("UPDATE run SET name = 'another' WHERE id = 2");

    let found = store.findings();

    let changed = (Some(99), Some(0), Defect::Changed);
    assert_eq!(found, [changed, (Some(2), None, Defect::RunLost { count: EVENTS })]);
}

#[tokio::test]
async fn an_older_copy_of_the_journal_is_found_by_newer_marks() {
    let store = Store::new().await;
    let old = store.copy();
    let (run, first) = start("w");
    {
        let journal = SqliteJournal::open(&store.path()).expect("open");
        let claim = journal.create(&run, &owner(1), first).await.expect("create");
        journal.append(&claim, vec![line("x")]).await.expect("append");
    }
    fs::copy(old.path(), store.path()).expect("restore the copy");

    let (_, findings) = store.check();

    let lost = Finding {
        run: Some(run.to_string()),
        position: None,
        defect: Defect::RunLost { count: 2 },
    };
    assert_eq!(findings, std::slice::from_ref(&lost));
    assert_eq!(check(&store.path(), &Which::Named(run)).1, [lost]);
    let (new, _) = start("w");
    let unknown = verify(&store.path(), &Which::Named(new), &mut |_| {});
    assert!(matches!(unknown, Err(JournalError::Unknown { .. })), "{unknown:?}");
}

/// Appends without closing, so that the newest events are only in the write-ahead log, and calls
/// `after` with what it wrote.
async fn with_a_log(store: &Store, after: impl AsyncFnOnce(&Store, &RunId)) {
    let journal = SqliteJournal::open(&store.path()).expect("open");
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create");
    for number in 0..20 {
        journal.append(&claim, vec![line(&format!("{number}"))]).await.expect("append");
    }
    let copy = store.copy();
    after(&copy, &run).await;
    drop(journal);
}

#[tokio::test]
async fn a_torn_or_flipped_log_loses_a_tail_and_the_marks_tell() {
    let store = Store::new().await;
    with_a_log(&store, async |copy, run| {
        let log = copy.folder.path().join("runs.db-wal");
        fs::remove_file(copy.folder.path().join("runs.db-shm")).expect("remove");
        assert_eq!(copy.check().1, [], "the log alone is enough");
        let bytes = fs::read(&log).expect("read the log");
        for (name, at) in [("late", bytes.len() - 6_000), ("early", 40_000), ("first", 100)] {
            for torn in [true, false] {
                let mut damaged = bytes.clone();
                if torn {
                    damaged.truncate(at);
                } else {
                    damaged[at] ^= 4;
                }
                let copy = copy.copy();
                fs::write(copy.folder.path().join("runs.db-wal"), damaged).expect("damage");

                let (_, findings) = copy.check();

                assert_eq!(findings.len(), 1, "{name} {torn}: {findings:?}");
                assert_eq!(findings[0].run.as_deref(), Some(run.as_str()), "{name} {torn}");
                let lost =
                    matches!(findings[0].defect, Defect::TailLost { .. } | Defect::RunLost { .. });
                assert!(lost, "{name} {torn}: {findings:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_that_lost_its_tail_is_not_taken_over() {
    let store = Store::new().await;
    with_a_log(&store, async |copy, run| {
        let log = copy.folder.path().join("runs.db-wal");
        let bytes = fs::read(&log).expect("read the log");
        fs::write(&log, &bytes[..bytes.len() - 6_000]).expect("tear");
        let _ = fs::remove_file(copy.folder.path().join("runs.db-shm"));
        let journal = SqliteJournal::open(&copy.path()).expect("open");

        let taken = journal.claim(run, &owner(2), &|_| true).await;

        let Err(JournalError::Missing { position, .. }) = taken else { panic!("{taken:?}") };
        assert!((1..21).contains(&position), "{position}");
        // Whoever has the run already may go on, but the mark stays as it is.
        let claim = Claim { run: run.clone(), epoch: 1 };
        for _ in 0..30 {
            journal.append(&claim, vec![line("goes on")]).await.expect("append");
        }
        drop(journal);
        let (_, findings) = copy.check();
        let rewritten =
            Finding { run: Some(run.to_string()), position: Some(20), defect: Defect::Rewritten };
        assert_eq!(findings, [rewritten]);
    })
    .await;
}

#[tokio::test]
async fn the_number_of_a_deleted_run_is_never_given_again() {
    let store = Store::new().await;
    store.sql("DELETE FROM event WHERE run = 3; DELETE FROM run WHERE id = 3");
    {
        let journal = SqliteJournal::open(&store.path()).expect("open");
        written(&journal).await;
    }

    let lost = (Some(3), None, Defect::RunLost { count: EVENTS });
    assert_eq!(store.findings(), [lost]);
}

#[tokio::test]
async fn a_damaged_file_is_a_finding_and_no_panic() {
    let whole = Store::new().await;
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let store = whole.copy();
        let mut bytes = fs::read(store.path()).expect("read");
        change(&mut bytes);
        fs::write(store.path(), bytes).expect("damage");
        let (done, findings) = store.check();
        assert!(!findings.is_empty(), "{name}: {done:?}");
        findings
    };
    damage("a page of zeros", &|bytes| bytes[8_192..12_288].fill(0));
    damage("every page but the first", &|bytes| bytes[4_096..].fill(0xa5));
    damage("half of the file", &|bytes| bytes.truncate(bytes.len() / 2));
    let latest = |store: &Store| {
        let mut found = 0;
        verify(&store.path(), &Which::Latest, &mut |_| found += 1).map(|_| found)
    };
    let store = whole.copy();
    let mut bytes = fs::read(store.path()).expect("read");
    bytes[4_096..].fill(0xa5);
    fs::write(store.path(), bytes).expect("damage");
    assert_eq!(latest(&store).expect("no error"), 1, "the newest of a damaged list");
    damage("the header", &|bytes| bytes[..100].fill(0xff));
    let empty = damage("nothing left", &|bytes| bytes.clear());
    assert_eq!(empty.len(), 3, "{empty:?}");
    let other = damage("something else", &|bytes| *bytes = b"a text file\n".repeat(900));
    assert!(matches!(other[0].defect, Defect::Unreadable { .. }), "{other:?}");

    let gone = whole.copy();
    fs::remove_file(gone.path()).expect("remove");
    let (_, findings) = gone.check();
    assert_eq!(findings.len(), 4, "{findings:?}");
}

#[tokio::test]
async fn what_is_no_journal_is_an_error() {
    let store = Store::new().await;
    let folder = tempfile::tempdir().expect("make a folder");
    let refused = |path: &Path, which: &Which| {
        let error = verify(path, which, &mut |_| {}).expect_err("refuse");
        error.to_string().replace(&path.display().to_string(), "PATH")
    };
    let absent = refused(&folder.path().join("runs.db"), &Which::All);
    assert_eq!(absent, "there is no journal at PATH; is the `store` of the settings right?");
    let foreign = folder.path().join("bookmarks.db");
    fs::write(&foreign, "a text file\n".repeat(100)).expect("write");
    assert!(refused(&foreign, &Which::All).contains("is not a journal"));
    let empty = folder.path().join("empty.db");
    drop(SqliteJournal::open(&empty).expect("open"));
    assert!(refused(&empty, &Which::Latest).contains("no runs yet"));
    assert_eq!(check(&empty, &Which::All).0.runs, 0);
    let all_begin_alike = Which::Named("0".parse().expect("a name"));
    assert!(refused(&store.path(), &all_begin_alike).contains("several runs begin with"));
    store.sql("PRAGMA user_version = 99");
    assert!(refused(&store.path(), &Which::All).contains("has schema 99"));
}

#[tokio::test]
async fn marks_that_are_damaged_are_counted_and_others_still_speak() {
    let store = Store::new().await;
    let mut marks = fs::read(store.marks()).expect("read");
    marks[128 + 20] ^= 1;
    fs::write(store.marks(), marks).expect("damage");
    store.sql("DELETE FROM event WHERE run = 2; DELETE FROM run WHERE id = 2");

    let (done, findings) = store.check();

    assert_eq!((done.damaged_marks, findings.len()), (1, 1), "{findings:?}");
    fs::write(store.marks(), "a shopping list, and a long one at that").expect("replace");
    let (done, findings) = store.check();
    assert!(matches!(done.marks, Marks::Unreadable { .. }), "{done:?}");
    assert_eq!(findings, []);
}

#[tokio::test]
async fn a_journal_that_is_being_written_is_sound_at_every_moment() {
    let store = Store::new().await;
    let path = store.path();
    let journal = SqliteJournal::open(&path).expect("open");
    let checker = std::thread::spawn(move || {
        let mut seen = 0;
        for _ in 0..60 {
            let (done, findings) = check(&path, &Which::All);
            assert_eq!(findings, []);
            seen = done.records;
        }
        seen
    });
    let mut written_runs = 0;
    while !checker.is_finished() {
        written(&journal).await;
        written_runs += 1;
    }
    let seen = checker.join().expect("no panic");
    assert!(written_runs > 0 && seen > 3 * EVENTS, "{written_runs} {seen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_that_write_side_by_side_mark_each_run_once() {
    let store = Store::new().await;
    // Each opening has a writer, a connection and marks of its own, as another process would.
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let journal = std::sync::Arc::new(SqliteJournal::open(&store.path()).expect("open"));
        for _ in 0..6 {
            let journal = std::sync::Arc::clone(&journal);
            writers.spawn(async move {
                for _ in 0..4 {
                    written(&journal).await;
                }
            });
        }
    }
    writers.join_all().await;

    let (done, findings) = store.check();

    assert_eq!(findings, []);
    assert_eq!((done.runs, done.marked_runs), (51, 51));
    assert_eq!(done.marked_records, 51 * EVENTS);
    let marks = fs::metadata(store.marks()).expect("look").len();
    assert_eq!(marks, 52 * 128, "a header and a record for each run");
}

#[tokio::test]
async fn nothing_is_changed_by_looking() {
    let store = Store::new().await;
    let before = (fs::read(store.path()).expect("read"), fs::read(store.marks()).expect("read"));
    store.check();
    let after = (fs::read(store.path()).expect("read"), fs::read(store.marks()).expect("read"));
    assert!(before == after);
}

#[test]
fn a_journal_of_before_the_chain_reads_and_its_runs_go_on_chained() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/journals/version-1.db");
    fs::copy(old, &path).expect("copy the old journal");

    let (untouched, findings) = check(&path, &Which::All);
    assert_eq!(findings, []);
    assert!(untouched.records > 0 && untouched.unchained == untouched.records, "{untouched:?}");

    let run: String = Connection::open(&path)
        .and_then(|database| {
            database.query_row("SELECT name FROM run ORDER BY id LIMIT 1", [], |row| row.get(0))
        })
        .expect("a run");
    let run: RunId = run.parse().expect("a name");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let journal = SqliteJournal::open(&path).expect("open, and bring up to date");
        let claim = journal.claim(&run, &owner(1), &|_| true).await.expect("claim");
        journal.append(&claim, vec![line("one"), line("two")]).await.expect("append");
    });

    let (done, findings) = check(&path, &Which::All);
    assert_eq!(findings, []);
    assert_eq!((done.records, done.unchained), (untouched.records + 2, untouched.records));
    assert_eq!(done.marked_runs, 1);
}

/// All that people see of the runs: the list and the events.
fn seen(path: &Path) -> Option<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let journal = SqliteJournal::open(path).ok()?;
        let runs = journal.runs(None, 100).await.ok()?;
        let mut text = format!("{runs:?}");
        for run in runs {
            text.push_str(&format!("{:?}", journal.events(&run.run, 0, 1_000).await.ok()?));
        }
        Some(text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn random_damage_is_found_or_does_no_harm(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u32), 1..4),
    ) {
        use std::sync::OnceLock;
        static WHOLE: OnceLock<(Store, String)> = OnceLock::new();
        let (whole, before) = WHOLE.get_or_init(|| {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let store = runtime.block_on(Store::new());
            let before = seen(&store.copy().path()).expect("read");
            (store, before)
        });
        let store = whole.copy();
        let mut bytes = fs::read(store.path()).expect("read");
        for (at, bit) in &flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        fs::write(store.path(), bytes).expect("damage");

        let mut findings = Vec::new();
        let done = verify(&store.path(), &Which::All, &mut |finding| findings.push(finding));

        // A flip in the file's own version is an error that names it; all others are findings.
        let quiet = done.is_ok() && findings.is_empty();
        if quiet {
            let after = seen(&store.path());
            prop_assert_eq!(after.as_deref(), Some(before.as_str()), "{:?}", flips);
        }
    }
}

#[tokio::test]
async fn what_was_forgotten_on_purpose_is_not_lost() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    let journal = SqliteJournal::open(&path).expect("open");
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (run, first) = crate::conformance::start("w");
        let owner = crate::conformance::owner(1);
        let claim = journal.create(&run, &owner, first).await.expect("create");
        runs.push((run, claim));
    }
    for (_, claim) in &runs[..2] {
        let status = crate::RunStatus::Success;
        let ended = vec![Event::RunFinished { status }];
        journal.append(claim, ended).await.expect("append");
    }
    assert_eq!(journal.prune(i64::MAX, false).await.expect("prune").runs, 2);
    drop(journal);

    let mut findings = Vec::new();
    let done = verify(&path, &Which::All, &mut |finding| findings.push(finding)).expect("check");

    assert_eq!(findings, []);
    assert_eq!((done.runs, done.forgotten_runs), (1, 2));
}
