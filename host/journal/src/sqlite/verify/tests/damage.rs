//! Bytes that a disk has changed are found, or do no harm.

use super::*;
use proptest::prelude::*;

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
