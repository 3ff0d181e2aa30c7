//! A far side that takes a request and never answers: the step ends at its limit, and nothing else
//! is held up.

use crate::far::{Far, Way};
use crate::guests;
use crate::ongoing::{between, events_of, on_record};
use crate::support::Place;
use crate::support::services::Services;
use crate::workflows::{ask, plain, tell, workflow};
use serde_json::json;
use std::time::{Duration, Instant};

/// Far more than a machine under load adds to a limit of a few seconds, and far less than the
/// program would wait without one.
const MARGIN_MS: i64 = 20_000;

const ONE_TRY: &str = "x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 1}}\n";

#[test]
fn f10_a_step_ends_at_its_limit_lets_go_of_the_connection_and_holds_nobody_up() {
    let far = Far::start(|request, _| match request.path.as_str() {
        "/never" => Way::Hang,
        // Answered only when the other connection is closed, so it must be closed in the middle of
        // the run.
        "/after" => Way::AfterHang(200, "{}".to_owned()),
        _ => Way::json(200, "{}"),
    });
    let steps = [
        ask("stuck", "/never", ONE_TRY),
        ask("beside", "/fine", ""),
        ask("behind-beside", "/after", "dependsOn: beside\n"),
        ask("behind-stuck", "/more", "dependsOn: stuck\n"),
    ];
    let place = far.place(&steps);

    let done = place.run(&["run", "w.yaml", "--json"]);

    let finished = done.ends(1).finished();
    let status = |step: &str| finished["steps"][step]["status"].clone();
    assert_eq!(status("stuck"), "failure", "{finished:#}");
    assert_eq!(status("beside"), "success", "{finished:#}");
    assert_eq!(status("behind-beside"), "success", "{finished:#}");
    assert_eq!(status("behind-stuck"), "skipped", "{finished:#}");
    assert_eq!(finished["steps"]["stuck"]["attempts"], 1);
    let events = done.json();
    let of = |kind: &str, step: &str| {
        let mut found = events_of(&events, kind).into_iter().filter(|event| event["step"] == step);
        found.next().unwrap_or_else(|| panic!("no {kind} of {step}:\n{}", done.stdout)).clone()
    };
    let took = between(&of("step-started", "stuck"), &of("step-failed", "stuck"));
    assert!((900..2_000 + MARGIN_MS).contains(&took), "{took} ms");
    let code = of("step-failed", "stuck")["failure"]["code"].clone();
    assert!(code == "limit.time" || code == "connection.timeout", "{code}");
    assert_eq!(far.count("GET /never"), 1);
    assert_eq!(far.count("GET /more"), 0);
}

#[test]
fn f10_a_hung_read_is_tried_again_and_the_run_goes_on() {
    let place = Place::new();
    place.runbook();
    let text = std::fs::read_to_string(place.path("runbook.yaml")).expect("read it");
    let spec = "  - name: convert-incident-id\n";
    let extras =
        "    x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 3, delaySeconds: 1}}\n";
    place.write("runbook.yaml", text.replace(spec, &format!("{spec}{extras}")));
    let services = Services::start(&place);
    services.fault(&json!({
        "service": "datadog", "method": "GET", "path_prefix": "/api/v2/incidents",
        "then": {"hang": {"seconds": 300}},
    }));

    let done = place.run(&[
        "run",
        "runbook.yaml",
        "--config",
        "drill.yaml",
        "-p",
        "public_id=117",
        "--json",
    ]);

    let finished = done.ends(0).finished();
    assert_eq!(finished["status"], "success");
    let failed = events_of(&done.json(), "attempt-failed").len();
    assert_eq!(failed, 1, "{}", done.stdout);
    assert_eq!(finished["steps"]["kubectl-deployment-rollback"]["attempts"], 1);
    assert_eq!(services.effects().len(), 2, "{:?}", services.effects());
}

#[test]
fn f10_a_hung_write_is_not_made_again_and_a_person_is_asked() {
    let far = Far::start(|_, _| Way::Hang);
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras =
        "x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 5, delaySeconds: 1}}\n";
    place.write("w.yaml", workflow("", &[tell("stuck", "/never", extras)]));

    let done = place.run(&["run", "w.yaml", "--json"]);

    assert_eq!(done.ends(3).finished()["status"], "waiting");
    assert_eq!(far.lines(), ["POST /never"]);
    let shown = place.run(&["runs", "show", "@latest"]);
    assert!(shown.ends(0).stdout.contains("nobody knows"), "{}", shown.stdout);
}

#[test]
fn f10_the_time_of_a_step_covers_all_its_tries() {
    let far = Far::start(|_, _| Way::Hang);
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras = "x-bowline: {limits: {attemptSeconds: 2}, timeoutSeconds: 5, retry: {attempts: 20, delaySeconds: 1, maxDelaySeconds: 1}}\n";
    place.write("w.yaml", workflow("", &[ask("stuck", "/never", extras)]));

    let done = place.run(&["run", "w.yaml", "--json"]);

    assert_eq!(done.ends(1).finished()["status"], "failure");
    let events = done.json();
    let started = events_of(&events, "step-started")[0];
    let took = between(started, events_of(&events, "step-failed")[0]);
    assert!((2_000..5_000 + MARGIN_MS).contains(&took), "{took} ms");
    let tries = far.count("GET /never");
    assert!((1..=5).contains(&tries), "{tries} tries fit into five seconds");
}

#[test]
fn f10_the_time_of_a_run_is_over_whatever_its_steps_do() {
    let far = Far::start(|_, _| Way::Hang);
    let mut place = Place::new();
    far.settings(&mut place, "");
    guests::sleeper(&place, "sleeper", 600_000);
    let steps = [
        ask("stuck", "/never", ""),
        plain("asleep", "sleeper", ""),
        plain("behind", "sleeper", "dependsOn: asleep\n"),
    ];
    place.write("w.yaml", workflow("x-bowline: {timeoutSeconds: 2}\n", &steps));
    let began = Instant::now();

    let done = place.run(&["run", "w.yaml", "--json"]);

    let finished = done.ends(1).finished();
    assert_eq!(finished["status"], "failure");
    assert_eq!(finished["steps"]["behind"]["attempts"], 0);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    assert_eq!(events_of(&done.json(), "run-timed-out").len(), 1, "{}", done.stdout);
    assert_eq!(on_record(&place, "@latest").last().expect("an event")["status"], "failure");
}
