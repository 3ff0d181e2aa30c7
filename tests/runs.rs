//! What the journal knows afterwards: `runs list|show|logs`.

use crate::support::Place;

#[test]
fn a_run_is_listed_shown_and_its_logs_are_kept() {
    let place = Place::new();
    place.runbook();
    assert!(place.run(&["runs", "list"]).ends(0).stderr.contains("no runs yet"));
    let run = place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=5", "--json"]);
    let id = run.ends(0).finished()["run"].as_str().expect("a name").to_owned();
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=999"]).ends(1);

    let listed = place.run(&["runs", "list", "--json"]);

    let runs = listed.ends(0).json();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["status"], &runs[1]["status"]), (&"failure".into(), &"success".into()));
    assert_eq!(runs[1]["run"], id.as_str());
    assert!(runs[1]["startedAt"].is_string() && runs[1]["finishedAt"].is_string());
    let shown = place.run(&["runs", "show", &id]);
    for part in [
        "patch apps/deployments default/nginx-deployment",
        "resourceVersion",
        "POST /api/v2/incidents",
    ] {
        assert!(shown.ends(0).stdout.contains(part), "`{part}` is not in:\n{}", shown.stdout);
    }
    let events = place.run(&["runs", "show", &id[..20], "--json"]);
    assert_eq!(events.ends(0).finished()["run"], id.as_str());
    let logs = place.run(&["runs", "logs", "@latest", "convert-incident-id"]);
    assert!(logs.ends(0).stdout.contains("read"), "{}", logs.stdout);
    place.run(&["runs", "logs", &id, "nope"]).ends(2).says(&["no step `nope`", "update-timeline"]);
    place.run(&["runs", "show", "0000"]).ends(2).says(&["no run"]);
}

#[cfg(unix)]
#[test]
fn the_journal_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.runbook();
    place.run(&["run", "runbook.yaml", "--drill", "-p", "public_id=5"]).ends(0);

    let path = place.path("home/.local/state/bowline/runs.db");

    let mode = std::fs::metadata(path).expect("the journal").permissions().mode();
    assert_eq!(mode & 0o077, 0, "{mode:o}");
}
