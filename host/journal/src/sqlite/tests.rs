//! What the journal in a file promises beyond the suite: that it is a file.

use super::*;
use crate::conformance::{owner, start};
use crate::{Level, RunStatus};
use rusqlite::Connection;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use tempfile::TempDir;
use workflow::StepName;

fn fresh() -> (TempDir, SqliteJournal) {
    let folder = tempfile::tempdir().expect("make a folder");
    let journal = SqliteJournal::open(&folder.path().join("runs.db")).expect("open");
    (folder, journal)
}

crate::conforms!(conformance, fresh());

fn line(message: &str) -> Event {
    Event::StepLogged {
        step: "a".parse::<StepName>().expect("a name"),
        attempt: 1,
        level: Level::Info,
        message: message.to_owned(),
        fields: Vec::new(),
    }
}

/// The error and its causes on one line.
fn chain(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[tokio::test]
async fn what_was_appended_is_there_after_opening_again() {
    let (folder, journal) = fresh();
    let path = folder.path().join("runs.db");
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first.clone()).await.expect("create").claim;
    journal.append(&claim, vec![line("appended")]).await.expect("append");
    journal.queue(&claim, vec![line("queued")]);
    drop(journal);
    assert!(!path.with_extension("db-wal").exists(), "closing tidies up");

    let journal = SqliteJournal::open(&path).expect("open again");

    let read = journal.events(&run, 0, 10).await.expect("read");
    let events: Vec<Event> = read.into_iter().map(|recorded| recorded.event).collect();
    assert_eq!(events, [first, line("appended"), line("queued")]);
}

#[test]
fn nobody_else_may_read_the_file() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("deep/er/runs.db");

    let journal = SqliteJournal::open(&path).expect("open");

    let mode = |path: &Path| fs::metadata(path).expect("look").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("db-wal")), 0o600);
    assert_eq!(mode(path.parent().expect("a folder")), 0o700);
    assert_eq!(mode(&folder.path().join("deep")), 0o700);
    drop(journal);
}

#[test]
fn what_is_no_journal_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    let refusal = |make: &dyn Fn()| {
        let _ = fs::remove_file(&path);
        make();
        let before = fs::read(&path).ok();
        let error = SqliteJournal::open(&path).expect_err("refuse");
        assert_eq!(fs::read(&path).ok(), before, "changed nothing");
        chain(&error).replace(&path.display().to_string(), "PATH")
    };
    let sql = |text: &str| {
        Connection::open(&path).and_then(|database| database.execute_batch(text)).expect("write");
    };

    assert_eq!(
        refusal(&|| sql("CREATE TABLE bookmarks (url TEXT)")),
        "the database at PATH is not a journal; choose another file as `store`"
    );
    assert_eq!(
        refusal(&|| fs::write(&path, "a text file\n".repeat(100)).expect("write")),
        "the database at PATH is not a journal; choose another file as `store`"
    );
    assert_eq!(
        refusal(&|| {
            drop(SqliteJournal::open(&path).expect("open"));
            sql("PRAGMA user_version = 7");
        }),
        "the journal at PATH has schema 7, this version knows up to 3; \
         use the newer version of the program, or another `store`"
    );
}

#[test]
fn a_place_where_no_file_can_be_is_named() {
    let folder = tempfile::tempdir().expect("make a folder");
    fs::write(folder.path().join("file"), "").expect("write");
    for path in ["file/runs.db", "."] {
        let path = folder.path().join(path);

        let error = SqliteJournal::open(&path).expect_err("refuse");

        let text = chain(&error);
        assert!(text.contains(&path.display().to_string()), "{text}");
        assert!(error.source().is_some(), "{text}");
    }
}

#[tokio::test]
async fn damage_is_named_and_not_skipped() {
    let (folder, journal) = fresh();
    let path = folder.path().join("runs.db");
    let damage = |text: &str| {
        Connection::open(&path).and_then(|database| database.execute_batch(text)).expect("write");
    };
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
    journal.append(&claim, vec![line("1"), line("2"), line("3")]).await.expect("append");

    damage("UPDATE event SET body = '{\"event\":\"from-the-future\"}' WHERE position = 2");
    let unreadable = journal.events(&run, 0, 10).await;
    damage("DELETE FROM event WHERE position = 2");
    let gap = journal.events(&run, 0, 10).await;
    damage("DELETE FROM event WHERE position = 3");
    let short = journal.events(&run, 0, 10).await;

    assert!(
        matches!(unreadable, Err(JournalError::Unreadable { position: 2, .. })),
        "{unreadable:?}"
    );
    assert!(matches!(gap, Err(JournalError::Missing { position: 2, .. })), "{gap:?}");
    assert!(matches!(short, Err(JournalError::Missing { position: 2, .. })), "{short:?}");
    assert_eq!(journal.events(&run, 0, 2).await.expect("what is whole is read").len(), 2);
}

#[tokio::test]
async fn two_openings_of_one_file_are_one_journal() {
    let (folder, one) = fresh();
    let two = SqliteJournal::open(&folder.path().join("runs.db")).expect("open");
    let (run, first) = start("w");

    let claim = one.create(&run, &owner(1), first.clone()).await.expect("create").claim;
    let exists = two.create(&run, &owner(2), first).await;
    two.ask(&run, Request::Cancel { by: "eric".into() }).await.expect("ask");
    let taken = two.claim(&run, &owner(2), &|_| true).await.expect("claim");
    let outdated = one.append(&claim, vec![line("late")]).await;
    two.append(&taken, vec![line("2")]).await.expect("append");

    assert!(matches!(exists, Err(JournalError::Exists { .. })), "{exists:?}");
    assert!(matches!(outdated, Err(JournalError::Outdated { .. })), "{outdated:?}");
    assert_eq!(one.events(&run, 1, 10).await.expect("read").len(), 1);
    assert_eq!(one.requests(&run, 0).await.expect("read").len(), 1);
}

#[test]
fn many_may_make_the_same_file_at_once() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    std::thread::scope(|scope| {
        let openers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| SqliteJournal::open(&path).map(drop))).collect();
        for opener in openers {
            opener.join().expect("no panic").expect("open");
        }
    });
}

#[tokio::test]
async fn a_write_that_fails_spoils_no_other() {
    let (folder, journal) = fresh();
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
    Connection::open(folder.path().join("runs.db"))
        .and_then(|database| {
            database.execute_batch(
                "CREATE TRIGGER poison BEFORE INSERT ON event WHEN NEW.body LIKE '%poison%'
                 BEGIN SELECT RAISE(ABORT, 'the disk says no'); END",
            )
        })
        .expect("make a trigger");

    let (good, bad, also_good) = tokio::join!(
        journal.append(&claim, vec![line("1")]),
        journal.append(&claim, vec![line("2"), line("poison")]),
        journal.append(&claim, vec![line("3")]),
    );

    assert!(good.is_ok() && also_good.is_ok(), "{good:?} {also_good:?}");
    let error = bad.expect_err("fail");
    assert!(chain(&error).contains("the disk says no"), "{}", chain(&error));
    let read = journal.events(&run, 1, 10).await.expect("read");
    let events: Vec<Event> = read.into_iter().map(|recorded| recorded.event).collect();
    assert_eq!(events, [line("1"), line("3")], "all or none of an append");
}

/// The other process of the test below: appends until it is killed, and says what is done.
#[tokio::test]
#[ignore = "started by `nothing_acknowledged_is_lost_when_the_process_is_killed`"]
async fn a_process_that_is_going_to_be_killed() {
    let Some(path) = std::env::var_os("BOWLINE_TEST_JOURNAL") else { return };
    let journal = SqliteJournal::open(Path::new(&path)).expect("open");
    let (run, first) = start("w");
    let me = Owner::this_process().expect("read /proc");
    let claim = journal.create(&run, &me, first).await.expect("create").claim;
    println!("run {run}");
    for number in 0_u64.. {
        journal.append(&claim, vec![line(&number.to_string())]).await.expect("append");
        println!("done {number}");
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let (folder, journal) = fresh();
    let test = "sqlite::tests::a_process_that_is_going_to_be_killed";
    let mut child = Command::new(std::env::current_exe().expect("find this program"))
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env("BOWLINE_TEST_JOURNAL", folder.path().join("runs.db"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("start");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut told = |word: &str| {
        let line = lines.by_ref().map(|line| line.expect("read")).find(|line| line.contains(word));
        let line = line.expect("a line");
        line.rsplit(' ').next().expect("a word").to_owned()
    };
    let run: RunId = told("run 0").parse().expect("a run");
    for _ in 0..20 {
        told("done");
    }
    let held = journal.claim(&run, &owner(1), &|owner| !owner.lives()).await;
    child.kill().expect("kill");
    child.wait().expect("collect");
    let mut last = 19;
    while let Some(Ok(line)) = lines.next() {
        if let Some(number) = line.strip_prefix("done ").and_then(|text| text.parse().ok()) {
            last = number;
        }
    }

    let claim = journal.claim(&run, &owner(1), &|owner| !owner.lives()).await.expect("take over");

    assert!(matches!(held, Err(JournalError::Held { .. })), "while it lived: {held:?}");
    let read = journal.events(&run, 1, usize::MAX).await.expect("read");
    assert!(read.len() > last, "{} events, {last} acknowledged", read.len());
    journal
        .append(&claim, vec![Event::RunFinished { status: RunStatus::Cancelled }])
        .await
        .expect("go on");
}

#[tokio::test]
async fn a_run_whose_events_were_changed_is_not_gone_on_with() {
    let damages = [
        "UPDATE event SET body = replace(body, '\"1\"', '\"7\"') WHERE position = 1",
        "DELETE FROM event WHERE position = 3; UPDATE run SET events = 3",
        "UPDATE run SET status = 'waiting'",
    ];
    for damage in damages {
        let (folder, journal) = fresh();
        let path = folder.path().join("runs.db");
        let (run, first) = start("w");
        let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
        journal.append(&claim, vec![line("1"), line("2"), line("3")]).await.expect("append");
        Connection::open(&path).and_then(|file| file.execute_batch(damage)).expect("damage it");

        let refused = journal.claim(&run, &owner(2), &|_| true).await.expect_err(damage);

        let text = chain(&refused);
        assert!(text.contains(run.as_str()) && text.contains("use a backup"), "{damage}: {text}");
    }
}

#[tokio::test]
async fn a_run_that_was_marked_and_is_gone_is_not_unknown() {
    let (folder, journal) = fresh();
    let (run, first) = start("w");
    let (other, _) = start("w");
    journal.create(&run, &owner(1), first).await.expect("create");
    Connection::open(folder.path().join("runs.db"))
        .and_then(|file| file.execute_batch("DELETE FROM event; DELETE FROM run"))
        .expect("lose it");

    let lost = journal.run(&run).await;

    assert!(matches!(lost, Err(JournalError::Missing { position: 0, .. })), "{lost:?}");
    assert_eq!(journal.run(&other).await.expect("look"), None);
}

#[tokio::test]
async fn a_reply_that_was_damaged_is_told_to_nobody() {
    let (folder, journal) = fresh();
    let (run, first) = start("w");
    let claim = journal.create(&run, &owner(1), first).await.expect("create").claim;
    let reply = crate::Reply::new(b"200 OK".to_vec());
    let replies = vec![reply.clone()];
    let batch = Batch { events: vec![line("1")], replies, last: false };
    journal.append_batch(&claim, batch).await.expect("append");
    assert_eq!(journal.reply(&run, &reply.digest).await.expect("read"), Some(reply.bytes));

    Connection::open(folder.path().join("runs.db"))
        .and_then(|file| file.execute_batch("UPDATE reply SET body = x'00'"))
        .expect("damage it");

    assert_eq!(journal.reply(&run, &reply.digest).await.expect("read"), None);
    let refused = journal.claim(&run, &owner(2), &|_| true).await.expect_err("refuse");
    let text = chain(&refused);
    assert!(text.contains(run.as_str()) && text.contains("use a backup"), "{text}");
}

#[test]
fn the_log_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    drop(SqliteJournal::open(&path).expect("open"));
    let newer = Connection::open(&path).expect("open");
    newer
        .execute_batch("PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 99")
        .expect("write something");
    let files = || ["runs.db", "runs.db-wal"].map(|name| fs::read(folder.path().join(name)).ok());
    let before = files();
    assert!(before[1].as_ref().is_some_and(|log| !log.is_empty()));
    drop(newer);
    for (name, bytes) in ["runs.db", "runs.db-wal"].into_iter().zip(&before) {
        fs::write(folder.path().join(name), bytes.as_ref().expect("bytes")).expect("lay it again");
    }

    let error = SqliteJournal::open(&path).expect_err("refuse");

    assert!(matches!(error, JournalError::Newer { found: 99, .. }), "{error:?}");
    assert!(files() == before);
}
