//! Fault 24: the program is replaced by a newer or an older one while runs are open.
//!
//! `tests/journals` holds what earlier versions have written. Each is read, checked and replayed;
//! the runs in them go on under the new program; and a journal of a version that is not known yet
//! is refused by every command, and left as it is.

use crate::ground::{Ground, RUN};
use crate::support::root;
use journal::chain::{Hash, seal};
use journal::{Event, Journal as _, MemoryJournal, Owner, Recorded, RunId, SqliteJournal};
use rusqlite::{Connection, params};
use scheduler::{Decision, Next, RunState};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The journals of earlier versions.
fn journals() -> Vec<PathBuf> {
    let folder = root().join("tests/journals");
    let entries = fs::read_dir(&folder).expect("list the journals");
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "db"))
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

/// A journal, and all that is in it, by run.
async fn read(path: &Path) -> Vec<(RunId, Vec<Recorded>)> {
    let journal = SqliteJournal::open(path).expect("open it, and bring it up to date");
    let mut all = Vec::new();
    for run in journal.runs(None, 1000).await.expect("list the runs") {
        let events = journal.events(&run.run, 0, 100_000).await.expect("read the events");
        all.push((run.run, events));
    }
    all
}

/// A copy of a journal that may be changed.
fn copied(from: &Path) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    fs::copy(from, &path).expect("copy the journal");
    (folder, path)
}

#[tokio::test]
async fn f24_old_journals_stay_readable() {
    for path in journals() {
        let (_folder, copy) = copied(&path);
        let written: i64 = Connection::open(&copy)
            .and_then(|old| old.query_row("SELECT count(*) FROM event", [], |row| row.get(0)))
            .expect("count the events");

        let runs = read(&copy).await;

        let events: usize = runs.iter().map(|(_, events)| events.len()).sum();
        let written = usize::try_from(written).expect("a count");
        assert!(written > 0 && events == written, "{events} of {written} in {}", path.display());
    }
}

/// What the scheduler decides at each point of a run must be what was decided then.
#[tokio::test]
async fn f24_replaying_a_recorded_journal_gives_the_same_decisions() {
    let owner = Owner { boot: "test".to_owned(), pid: 1, started: 1 };
    for path in journals() {
        let (_folder, copy) = copied(&path);
        for (run, events) in read(&copy).await {
            let memory = MemoryJournal::default();
            let first = events[0].event.clone();
            let claim = memory.create(&run, &owner, first).await.expect("begin the run").claim;
            for (count, recorded) in events.iter().enumerate().skip(1) {
                let case = format!("{}: run {run}, event {count}", path.display());
                scheduler::replay(&run, &memory).await.unwrap_or_else(|error| {
                    panic!("{case}: {error}: {:?}", std::error::Error::source(&error))
                });
                decides_the_same(&events[..count], recorded, &case);
                memory.append(&claim, vec![recorded.event.clone()]).await.expect("go on");
            }
            let whole = scheduler::replay(&run, &memory).await.expect("replay all of it");
            let last = events.iter().rev().find_map(|recorded| recorded.event.run_status());
            assert_eq!(Some(whole.status()), last, "{}: run {run}", path.display());
        }
    }
}

/// Whether the next event is what is decided after those before it.
fn decides_the_same(before: &[Recorded], next: &Recorded, case: &str) {
    let mut state = RunState::replay(before).expect("replay");
    // Waits are counted by the driver's own clock, which is a little ahead of what is written.
    state.tell_time(next.at + 1_000);
    let is_wanted: Box<dyn Fn(&Decision) -> bool> = match &next.event {
        Event::StepStarted { step, .. } => {
            Box::new(move |decision| matches!(decision, Decision::Start(it) if it.step == *step))
        }
        Event::StepResumed { step, attempt, keep } => Box::new(move |decision| {
            matches!(decision, Decision::Resume(it, kept)
                if it.step == *step && it.attempt == *attempt && kept == keep)
        }),
        Event::ApprovalAsked { step, .. } => Box::new(
            move |decision| matches!(decision, Decision::Ask { step: it, .. } if it == step),
        ),
        Event::ApprovalSettled { step, verdict, by } => Box::new(move |decision| {
            matches!(decision, Decision::Settle { step: it, verdict: said, by: who }
                if it == step && said == verdict && who == by)
        }),
        Event::StepSkipped { step, .. } => Box::new(
            move |decision| matches!(decision, Decision::Skip { step: it, .. } if it == step),
        ),
        Event::RunFinished { status } if status.is_final() => {
            let decided = state.what_next();
            assert_eq!(decided, Next::End(*status), "{case}");
            return;
        }
        _ => return,
    };
    let decided = state.what_next();
    let Next::Do(decisions) = &decided else { panic!("{case}: {decided:?}") };
    assert!(decisions.iter().any(is_wanted), "{case}: {decided:?}");
}

/// A ground whose journal is a copy of one that an earlier version wrote.
fn upgraded(name: &str) -> Ground {
    let mut ground = Ground::new();
    ground.begin_in("store");
    let old = root().join("tests/journals").join(name);
    fs::copy(old, ground.store()).expect("copy the journal");
    ground
}

/// The run of that workflow and status.
fn run_of(ground: &Ground, workflow: &str, status: &str) -> String {
    let runs = ground.runs();
    let run = runs.iter().find(|run| run["workflow"] == workflow && run["status"] == status);
    run.unwrap_or_else(|| panic!("{runs:#?}"))["run"].as_str().expect("a name").to_owned()
}

#[test]
fn f24_runs_of_an_earlier_version_are_listed_shown_and_checked() {
    for path in journals() {
        let name = path.file_name().expect("a name").to_str().expect("a text");
        let ground = upgraded(name);
        ground.run(&["audit", "verify"]).ends(0);
        let runs = ground.runs();
        assert!(!runs.is_empty(), "{name}");
        for run in runs {
            let run = run["run"].as_str().expect("a name");
            assert!(!ground.events(run).is_empty(), "{name}");
            for arguments in [["runs", "show"], ["runs", "logs"], ["runs", "report"]] {
                ground.run(&[arguments[0], arguments[1], run]).ends(0);
            }
            ground.run(&["audit", run]).ends(0);
        }
        ground.run(&["audit", "verify"]).ends(0);
    }
}

#[test]
fn f24_a_run_whose_plugin_is_gone_is_refused_by_name_and_nothing_is_done() {
    let ground = upgraded("version-2.db");
    let run = run_of(&ground, "rollback", "running");
    let before = ground.events(&run);

    let refused = ground.run(&["runs", "resume", &run, "--config", "drill.yaml"]);

    refused.ends(2).says(&[
        "the plugin `datadog-incident-timeline-update`",
        "is not here any more",
        "put that very file back",
    ]);
    assert_eq!(ground.events(&run), before);
    assert_eq!(ground.writes(), (0, 0));
    ground.run(&["audit", "verify"]).ends(0);
}

/// Pins the plans of an old journal to the plugins that are here today, as though their components
/// had not changed since, and seals the events anew.
fn pinned_to_todays_plugins(ground: &Ground) {
    let listed = ground.run(&["plugin", "list", "--json"]).ends(0).json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let today: BTreeMap<String, String> =
        listed.iter().map(|plugin| (text(&plugin["name"]), text(&plugin["digest"]))).collect();
    let old = Connection::open(ground.store()).expect("open");
    let mut select = old
        .prepare(
            "SELECT event.rowid, run, name, position, at, body FROM event
             JOIN run ON run.id = event.run ORDER BY run, position",
        )
        .expect("ask for the events");
    type Row = (i64, i64, String, u64, i64, String);
    let rows: Vec<Row> = select
        .query_map([], |row| {
            let position: i64 = row.get(3)?;
            let position = u64::try_from(position).expect("a position");
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, position, row.get(4)?, row.get(5)?))
        })
        .expect("ask for the events")
        .collect::<Result<_, _>>()
        .expect("read the events");
    let mut hash = Hash::ORIGIN;
    for (rowid, run, name, position, at, mut body) in rows {
        if position == 0 {
            hash = Hash::ORIGIN;
            let start: Value = serde_json::from_str(&body).expect("JSON");
            for step in start["plan"]["steps"].as_array().expect("steps") {
                if let Some(plugin) = step["plugin"]["name"].as_str() {
                    let digest = step["plugin"]["digest"].as_str().expect("a digest");
                    body = body.replace(digest, &today[plugin]);
                }
            }
        }
        hash = seal(&name, hash, position, at, body.as_bytes());
        old.execute(
            "UPDATE event SET body = ?2, hash = ?3 WHERE rowid = ?1",
            params![rowid, body, hash.as_bytes()],
        )
        .expect("write the event");
        old.execute("UPDATE run SET chain = ?2 WHERE id = ?1", params![run, hash.as_bytes()])
            .expect("write its hash");
    }
}

#[test]
fn f24_a_run_that_was_interrupted_before_the_upgrade_is_brought_to_its_end() {
    let ground = upgraded("version-2.db");
    pinned_to_todays_plugins(&ground);
    ground.run(&["audit", "verify"]).ends(0);
    let run = run_of(&ground, "rollback", "running");

    ground.run(&["runs", "resume", &run, "--config", "drill.yaml", "--json"]).ends(0);

    assert_eq!(ground.writes(), (1, 1), "{:#?}", ground.services.effects());
    assert_eq!(ground.events(&run).last().expect("an end")["status"], "success");
    ground.run(&["audit", "verify"]).ends(0);
}

#[test]
fn f24_a_run_that_waited_before_the_upgrade_is_asked_for_again_and_approved() {
    let ground = upgraded("version-2.db");
    pinned_to_todays_plugins(&ground);
    let run = run_of(&ground, "gate", "waiting");
    let resume = ["runs", "resume", &run, "--config", "drill.yaml", "--json"];

    // That version wrote no question down, so the run asks once it goes on.
    let asks = format!("bowline runs resume {run}");
    let shown = ground.run(&["runs", "show", &run]);
    assert!(shown.ends(0).stdout.contains(&asks), "{}", shown.stdout);
    let early = ground.run(&["approve", &run, "ask"]);
    assert_ne!(early.code, 0);
    early.says(&["earlier version", &asks]);
    ground.run(&resume).ends(3);
    ground.run(&["approve", &run, "ask"]).ends(0);
    ground.run(&resume).ends(0);

    let last = ground.events(&run).pop().expect("an end");
    assert_eq!(
        (&last["status"], &last["steps"]["find"]["status"]),
        (&"success".into(), &"success".into())
    );
    ground.run(&["audit", "verify"]).ends(0);
}

/// All files of the journal's folder, by name.
fn files(ground: &Ground) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = ground.store().parent().expect("a folder");
    let entries = fs::read_dir(folder).expect("list it");
    let read = |path: PathBuf| (path.clone(), fs::read(&path).expect("read it"));
    entries.map(|entry| read(entry.expect("an entry").path())).collect()
}

/// Each command that opens the journal.
fn commands(run: &str) -> Vec<Vec<&str>> {
    let mut all = vec![
        vec!["runs", "list"],
        vec!["runs", "prune", "--older-than", "1d"],
        vec!["runs", "resolve", run, "find", "--outcome", "done"],
        vec!["approve", run, "ask"],
        vec!["deny", run, "ask"],
        vec!["audit", run],
        vec!["audit", "verify"],
        vec!["audit", "verify", run],
        RUN.to_vec(),
    ];
    for verb in ["show", "logs", "watch", "resume", "retry", "report", "cancel"] {
        all.push(vec!["runs", verb, run]);
    }
    all
}

#[test]
fn f24_a_journal_of_a_newer_version_is_refused_by_every_command_and_left_as_it_is() {
    let ground = upgraded("version-2.db");
    let run = run_of(&ground, "gate", "waiting");
    fs::remove_file(ground.file(".ballast")).expect("as on a machine that makes none");
    let newest: i64 = Connection::open(ground.store())
        .and_then(|now| now.query_row("PRAGMA user_version", [], |row| row.get(0)))
        .expect("read the version");
    let newer = |database: &Connection| {
        database.pragma_update(None, "user_version", newest + 1).expect("set the version");
    };
    newer(&Connection::open(ground.store()).expect("open"));
    let refuses = |before: &BTreeMap<PathBuf, Vec<u8>>| {
        for arguments in commands(&run) {
            let refused = ground.run(&arguments);
            assert_eq!(refused.code, 2, "{arguments:?}: {}", refused.stderr);
            refused.says(&[
                &format!("has schema {}, this version knows up to {newest}", newest + 1),
                "use the newer version of the program",
            ]);
            let after = files(&ground);
            for (path, bytes) in before {
                assert!(after.get(path) == Some(bytes), "{arguments:?} changed {}", path.display());
            }
            // SQLite's own index of the log says nothing and may come and go.
            let is_known = |path: &&PathBuf| {
                before.contains_key(*path) || path.to_string_lossy().ends_with("-shm")
            };
            let empty_log = |path: &&PathBuf| after[*path].is_empty();
            let new: Vec<&PathBuf> =
                after.keys().filter(|path| !is_known(path) && !empty_log(path)).collect();
            assert!(new.is_empty(), "{arguments:?} made {new:?}");
        }
    };

    refuses(&files(&ground));
    assert_eq!(ground.writes(), (0, 0));

    // The newer program died, and its newest events are still in its log.
    let database = Connection::open(ground.store()).expect("open");
    database
        .execute_batch("PRAGMA wal_autocheckpoint = 0; UPDATE run SET last_at = last_at + 1")
        .expect("write something");
    let mut left = files(&ground);
    drop(database);
    left.retain(|path, _| !path.to_string_lossy().ends_with("-shm"));
    assert!(left.keys().any(|path| path.to_string_lossy().ends_with("-wal")), "{:?}", left.keys());
    for (path, bytes) in &left {
        fs::write(path, bytes).expect("lay it as it was");
    }
    refuses(&left);
}
