//! What a torn log or a deleted row has lost is told by the marks.

use super::*;

/// Appends without closing, so that the newest events are only in the write-ahead log, and calls
/// `after` with what it wrote.
async fn with_a_log(store: &Store, after: impl AsyncFnOnce(&Store, &RunId)) {
    let journal = SqliteJournal::open(&store.path()).expect("open");
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
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
