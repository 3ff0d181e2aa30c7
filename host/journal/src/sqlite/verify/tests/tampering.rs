//! What somebody has changed by hand is found at its record.

use super::*;

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
        let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
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
