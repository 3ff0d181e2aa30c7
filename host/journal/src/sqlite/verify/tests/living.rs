//! A journal that is used, old, or was pruned is sound, and looking changes nothing.

use super::*;

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

#[tokio::test]
async fn what_was_forgotten_on_purpose_is_not_lost() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    let journal = SqliteJournal::open(&path).expect("open");
    let mut runs = Vec::new();
    for _ in 0..3 {
        let (run, first) = crate::conformance::start("w");
        let owner = crate::conformance::owner(1);
        let claim = journal.create(&run, &owner, first).await.expect("create").claim;
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
