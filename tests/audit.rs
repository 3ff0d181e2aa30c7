//! The journal as the audit: `audit RUN` tells each decision, `audit verify` finds what was touched.

use crate::support::{Done, Place, root};
use serde_json::Value;
use std::fs;
use std::process::Command;

/// The journal of a place.
const STORE: &str = "home/.local/state/bowline/runs.db";

/// A place where the runbook was run once in the drill.
fn ran() -> Place {
    let place = Place::new();
    place.runbook();
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=5"]).ends(0);
    place
}

/// Does to the journal what someone with a database tool could.
fn tamper(place: &Place, text: &str) {
    let database = rusqlite::Connection::open(place.path(STORE)).expect("open the journal");
    database.execute_batch(text).expect("tamper with it");
}

fn verified(place: &Place) -> Done {
    place.run(&["audit", "verify", "--json"])
}

#[test]
fn each_decision_of_a_run_is_told() {
    let place = ran();

    let page = place.run(&["audit", "@latest"]);

    for part in [
        "as a drill",
        "sound, ",
        "marked to the last",
        "attempt ",
        "kubernetes-kubectl@",
        "sha256:",
        "write ",
        "patch apps/deployments default/nginx-deployment on kubernetes/",
        "resourceVersion",
        "admitted by rule",
        "answered 200",
        "POST /api/v2/incidents/",
        "the run succeeded",
    ] {
        assert!(page.ends(0).stdout.contains(part), "`{part}` is not in:\n{}", page.stdout);
    }

    let records = place.run(&["audit", "@latest", "--json"]);
    let records = records.ends(0).json();
    assert_eq!(records[0]["record"], "run");
    assert_eq!(records[0]["chain"]["sound"], true);
    assert_eq!(records[0]["chain"]["records"], records[0]["chain"]["markedRecords"]);
    let calls: Vec<&Value> = records.iter().filter(|line| line["record"] == "call").collect();
    assert!(calls.len() >= 4, "{calls:#?}");
    for call in calls {
        assert_eq!(call["decision"], "admitted", "{call}");
        assert_eq!(call["outcome"], "answered", "{call}");
        assert!(call["plugin"]["digest"].as_str().is_some_and(|text| text.len() == 71), "{call}");
        assert!(call["status"].is_u64() && call["durationMs"].is_i64(), "{call}");
    }
    let run = records[0]["run"].as_str().expect("a name");
    place.run(&["audit", &run[..20]]).ends(0);
    place.run(&["audit", "0000"]).ends(2).says(&["no run"]);
    place.run(&["audit"]).ends(2);
}

#[test]
fn what_nobody_touched_is_sound() {
    let place = ran();
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=999"]).ends(1);

    let all = verified(&place);

    let lines = all.ends(0).json();
    assert_eq!(lines.len(), 1, "{lines:?}");
    let done = &lines[0];
    assert_eq!((&done["result"], &done["runs"]), (&"sound".into(), &2.into()));
    assert_eq!(done["markedRecords"], done["records"]);
    let text = place.run(&["audit", "verify"]);
    assert!(text.ends(0).stdout.contains("of 2 runs are sound"), "{}", text.stdout);
    let one = place.run(&["audit", "verify", "@latest"]);
    assert!(one.ends(0).stdout.contains("records of 1 run are sound"), "{}", one.stdout);
    // A word behind `verify` is a run, and `verify` itself never is one.
    place.run(&["audit", "verify", "verify"]).ends(2).says(&["no run verify"]);
}

#[test]
fn each_tampering_is_found_and_named() {
    let cases = [
        (
            "UPDATE event SET body = replace(body, '\"writes\":true', '\"writes\":false')
             WHERE position = (SELECT min(position) FROM event WHERE body LIKE '%\"writes\":true%')",
            "changed",
        ),
        ("UPDATE event SET at = at - 1000 WHERE position = 3", "changed"),
        ("DELETE FROM event WHERE position = 3", "removed"),
        (
            "UPDATE event SET position = -1 WHERE position = 3;
             UPDATE event SET position = 3 WHERE position = 5;
             UPDATE event SET position = 5 WHERE position = -1",
            "moved",
        ),
        (
            "DELETE FROM event WHERE position > 5;
             UPDATE run SET events = 6,
                chain = (SELECT hash FROM event WHERE position = 5)",
            "tail-lost",
        ),
        ("DELETE FROM event; DELETE FROM run", "run-lost"),
        ("UPDATE run SET status = 'failure'", "listing"),
        (
            "PRAGMA foreign_keys = OFF; UPDATE event SET run = -9223372036854775808;
             UPDATE run SET id = -9223372036854775808",
            "renumbered",
        ),
    ];
    let whole = ran();
    let kept: Vec<(&str, Vec<u8>)> = [STORE, "home/.local/state/bowline/runs.db.marks"]
        .into_iter()
        .map(|name| (name, fs::read(whole.path(name)).expect("read it")))
        .collect();
    for (tampering, expected) in cases {
        let place = Place::new();
        for (name, bytes) in &kept {
            place.write(name, bytes);
        }
        tamper(&place, tampering);

        let told = verified(&place);

        let lines = told.ends(1).json();
        assert_eq!(lines[0]["finding"], expected, "{tampering}: {lines:?}");
        assert_eq!(lines.len(), 2, "{tampering}: {lines:?}");
        assert_eq!(lines[1]["result"], "broken", "{tampering}");
        let text = place.run(&["audit", "verify"]);
        assert!(text.ends(1).stdout.contains("do: "), "{tampering}: {}", text.stdout);
        if expected != "run-lost" {
            let page = place.run(&["audit", "@latest"]);
            assert!(page.ends(1).stdout.contains("BROKEN: "), "{tampering}: {}", page.stdout);
        }
    }
}

#[test]
fn a_journal_of_a_version_that_never_was_is_not_sound() {
    let place = ran();
    tamper(&place, "PRAGMA user_version = -5; UPDATE event SET at = at + 1");

    let told = verified(&place);

    let lines = told.ends(1).json();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0]["finding"], "unreadable");
    assert_eq!(lines[1]["finding"], "run-lost");
    assert_eq!(lines[2]["result"], "broken");
}

#[test]
fn the_record_of_a_damaged_run_ends_where_the_damage_is() {
    let place = ran();
    tamper(&place, "DELETE FROM event WHERE position = 6");

    let page = place.run(&["audit", "@latest"]);

    page.ends(1).says(&["the record ends here", "event 6", "missing"]);
    assert!(page.stdout.contains("record 6 was removed"), "{}", page.stdout);
    assert!(page.stdout.contains("attempt "), "{}", page.stdout);

    tamper(&place, "DELETE FROM event");
    place.run(&["audit", "@latest"]).ends(2).says(&["nothing of run", "can be read"]);
}

#[test]
fn a_damaged_or_absent_journal_is_told_and_no_panic() {
    let place = ran();
    let whole = fs::read(place.path(STORE)).expect("read it");
    for (from, to) in [(0, 100), (4_096, 8_192), (8_192, whole.len())] {
        let mut bytes = whole.clone();
        bytes[from..to].fill(0xee);
        fs::write(place.path(STORE), bytes).expect("damage it");
        let told = verified(&place);
        assert_eq!(told.ends(1).json()[0]["finding"], "unreadable", "{from}: {}", told.stdout);
    }
    fs::remove_file(place.path(STORE)).expect("remove it");
    verified(&place).ends(1);
    fs::remove_file(place.path(&format!("{STORE}.marks"))).expect("remove it");
    verified(&place).ends(2).says(&["there is no journal at"]);
}

#[test]
fn without_marks_there_is_a_notice_and_no_error() {
    let place = ran();
    fs::remove_file(place.path(&format!("{STORE}.marks"))).expect("remove it");

    let told = place.run(&["audit", "verify"]);

    assert!(told.ends(0).stdout.contains("no marks beside the journal"), "{}", told.stdout);
    let page = place.run(&["audit", "@latest"]);
    assert!(page.ends(0).stdout.contains("not marked"), "{}", page.stdout);
}

#[test]
fn a_journal_that_nobody_may_write_to_is_checked_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = ran();
    let folder = place.path("home/.local/state/bowline");
    let set = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode));
    fs::set_permissions(place.path(STORE), fs::Permissions::from_mode(0o444)).expect("set it");
    set(0o555).expect("set it");
    let before: Vec<_> = place.files().into_iter().map(|(path, _)| path).collect();

    let told = verified(&place);

    let after: Vec<_> = place.files().into_iter().map(|(path, _)| path).collect();
    set(0o755).expect("set it");
    assert_eq!(told.ends(0).json()[0]["result"], "sound");
    // Whoever may write everywhere leaves SQLite's own files behind, and nothing else.
    assert!(after.iter().all(|path| {
        let name = path.to_string_lossy();
        before.contains(path) || name.ends_with("-shm") || name.ends_with("-wal")
    }));
}

#[test]
fn journals_of_before_the_chain_are_checked_as_far_as_that_goes() {
    let mut place = Place::new();
    let old = fs::read(root().join("tests/journals/version-1.db")).expect("read the old journal");
    place.write("runs.db", &old);
    let store = place.path("runs.db").display().to_string();
    place.set("BOWLINE_STORE", &store);

    let untouched = verified(&place);
    let done = untouched.ends(0).json().pop().expect("a line");
    assert_eq!(done["unchainedRecords"], done["records"]);
    assert_eq!(fs::read(place.path("runs.db")).expect("read"), old, "looking changes nothing");

    // Any other command brings it up to date; what is old stays unproven.
    place.run(&["runs", "list"]).ends(0);
    let done = verified(&place).ends(0).json().pop().expect("a line");
    assert_eq!(done["unchainedRecords"], done["records"]);
    let page = place.run(&["audit", "@latest"]);
    assert!(page.ends(0).stdout.contains("older than the chain"), "{}", page.stdout);
}

#[test]
fn a_killed_run_is_sound_as_far_as_it_came() {
    let place = Place::new();
    place.runbook();
    for millis in [20, 40, 60, 80] {
        let mut child = place
            .command(&["run", "runbook.yaml", "--drill", "-p", "public_id=5"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("start the program");
        std::thread::sleep(std::time::Duration::from_millis(millis));
        let pid = child.id().to_string();
        // It may have ended already.
        let _ = Command::new("kill").args(["-9", &pid]).status();
        child.wait().expect("collect it");
    }
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=5"]).ends(0);

    let done = verified(&place).ends(0).json().pop().expect("a line");

    assert_eq!(done["result"], "sound");
}
