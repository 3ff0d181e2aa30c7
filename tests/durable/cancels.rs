//! A cancel, at every place where a run can be: it is acknowledged, nothing new is done behind it,
//! the run ends soon, and what was done stays on record.

use crate::far::{Far, Way};
use crate::guests::{self, Flaky};
use crate::ongoing::{Ongoing, events_of, on_record};
use crate::support::{Done, Place};
use crate::workflows::{approval, ask, plain, tell, workflow};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Within this a cancelled run must be over, on a busy machine: steps get ten seconds to clean up.
const SOON: Duration = Duration::from_secs(35);

fn own_plugins() -> Place {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    place
}

/// Asks the newest run to stop, from another process.
#[track_caller]
fn cancel(place: &Place) {
    place.run(&["runs", "cancel", "@latest"]).ends(0).says(&["was asked to stop"]);
}

/// What must hold of every cancelled run.
#[track_caller]
fn is_cancelled(place: &Place, done: &Done) -> Value {
    let finished = done.ends(130).finished();
    assert_eq!(finished["status"], "cancelled", "{finished:#}");
    let listed = place.run(&["runs", "list", "--json"]).ends(0).json();
    assert_eq!(listed[0]["status"], "cancelled");
    let events = on_record(place, "@latest");
    let asked = events_of(&events, "cancel-requested");
    assert_eq!(asked.len(), 1, "{events:#?}");
    assert_nothing_begins_after(&events, asked[0]);
    // It is over: nothing can be done about it any more.
    place.run(&["runs", "resume", "@latest"]).ends(130);
    let again = place.run(&["runs", "cancel", "@latest"]);
    assert_ne!(again.code, 0);
    again.says(&["has ended already"]);
    finished
}

/// No step and no try begins behind this place of the record, and no write leaves the host: one that
/// was on its way to do so must be on record as not made.
#[track_caller]
fn assert_nothing_begins_after(events: &[Value], asked: &Value) {
    let position = asked["position"].as_u64().expect("a position");
    for event in events {
        if event["position"].as_u64().is_none_or(|own| own <= position) {
            continue;
        }
        let kind = event["event"].as_str().unwrap_or_default();
        let writes = kind == "effect-intended" && event["effect"]["writes"] == true;
        let kept_back = writes && end_of(events, event) == "not-made";
        let begins = ["step-started", "attempt-failed", "effect-asked-again"].contains(&kind);
        assert!((!writes || kept_back) && !begins, "behind {asked}: {event}");
    }
}

/// How a call ended; nothing if that is not on record.
fn end_of<'a>(events: &'a [Value], intended: &Value) -> &'a str {
    let same = |event: &&Value| {
        ["step", "attempt", "number"].iter().all(|name| event[*name] == intended[*name])
    };
    let mut settled = events_of(events, "effect-settled").into_iter().filter(same);
    settled.next().and_then(|event| event["outcome"]["outcome"].as_str()).unwrap_or_default()
}

#[test]
fn f21_a_step_that_sleeps_is_woken() {
    let place = own_plugins();
    guests::sleeper(&place, "sleeper", 600_000);
    let steps = [plain("a", "sleeper", ""), plain("b", "sleeper", "dependsOn: a\n")];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    let asked = Instant::now();

    cancel(&place);

    let finished = is_cancelled(&place, &run.end());
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(finished["steps"]["b"]["attempts"], 0);
}

#[test]
fn f21_a_wait_between_two_tries_is_over_and_there_is_no_other_try() {
    let place = own_plugins();
    let how = Flaky { failures: 99, retry_after_ms: None, retryable: true };
    guests::flaky(&place, "busy", how);
    let extras = "x-bowline: {retry: {attempts: 9, delaySeconds: 600}}\n";
    let steps = [plain("a", "busy", extras), plain("b", "busy", "dependsOn: a\n")];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("attempt-failed", "a");
    let asked = Instant::now();

    cancel(&place);

    let finished = is_cancelled(&place, &run.end());
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(finished["steps"]["a"]["attempts"], 1);
    assert_eq!(finished["steps"]["b"]["attempts"], 0);
}

#[test]
fn f21_a_run_that_waits_for_an_approval_beside_another_step_is_cancelled() {
    let place = own_plugins();
    guests::sleeper(&place, "sleeper", 600_000);
    let steps = [
        approval("confirm", ""),
        plain("asleep", "sleeper", ""),
        plain("behind", "sleeper", "dependsOn: confirm\n"),
    ];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("approval-asked", "confirm");
    run.wait_for_event("step-started", "asleep");

    cancel(&place);

    let finished = is_cancelled(&place, &run.end());
    assert_eq!(finished["steps"]["behind"]["attempts"], 0);
    let late = place.run(&["approve", "@latest", "confirm"]);
    assert_ne!(late.code, 0, "{}", late.stderr);
}

#[test]
fn f21_a_run_that_waits_for_an_approval_and_that_nobody_drives_is_ended_by_the_cancel() {
    let place = own_plugins();
    guests::sleeper(&place, "sleeper", 10);
    let steps = [approval("confirm", ""), plain("behind", "sleeper", "dependsOn: confirm\n")];
    place.write("w.yaml", workflow("", &steps));
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    place.run(&["runs", "cancel", "@latest"]).ends(0);
    let listed = place.run(&["runs", "list", "--json"]).ends(0).json();
    assert_eq!(listed[0]["status"], "cancelled");
    let late = place.run(&["approve", "@latest", "confirm"]);
    assert_ne!(late.code, 0, "{}", late.stderr);

    let done = place.run(&["runs", "resume", "@latest", "--json"]);
    let finished = is_cancelled(&place, &done);
    assert_eq!(finished["steps"]["behind"]["attempts"], 0);
}

#[test]
fn f21_a_read_in_flight_is_given_up() {
    let far = Far::start(|_, _| Way::Hang);
    let steps = [ask("a", "/never", ""), ask("b", "/b", "dependsOn: a\n")];
    let place = far.place(&steps);
    let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    far.wait_for("GET /never", 1);
    let asked = Instant::now();

    cancel(&place);

    is_cancelled(&place, &run.end());
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    assert_eq!(far.lines(), ["GET /never"]);
}

#[test]
fn f21_a_write_in_flight_stays_in_doubt_and_is_said_to_be() {
    let far = Far::start(|_, _| Way::Hang);
    let place = far.place(&[tell("a", "/never", ""), tell("b", "/b", "")]);
    let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    far.wait_for("POST /never", 1);
    far.wait_for("POST /b", 1);

    cancel(&place);

    is_cancelled(&place, &run.end());
    assert_eq!(far.lines().len(), 2, "{:?}", far.lines());
    let shown = place.run(&["runs", "show", "@latest"]);
    assert!(shown.ends(0).stdout.contains("in doubt"), "{}", shown.stdout);
    let report = place.run(&["runs", "report", "@latest"]);
    assert!(report.ends(0).stdout.contains("in doubt"), "{}", report.stdout);
}

#[test]
fn f21_a_write_that_is_answered_a_moment_later_is_known_to_be_done() {
    let far = Far::start(|_, _| Way::Slow(Duration::from_millis(800), 200, "{}".to_owned()));
    let mut place = Place::new();
    far.settings(&mut place, "");
    place.write(
        "w.yaml",
        workflow("", &[tell("a", "/slow", ""), tell("b", "/b", "dependsOn: a\n")]),
    );
    let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    far.wait_for("POST /slow", 1);

    run.signal("INT");

    is_cancelled(&place, &run.end());
    assert_eq!(far.lines(), ["POST /slow"]);
    let events = on_record(&place, "@latest");
    let settled = events_of(&events, "effect-settled");
    assert_eq!(settled.len(), 1, "{events:#?}");
    assert_eq!(settled[0]["outcome"]["outcome"], "answered", "{:#}", settled[0]);
}

#[test]
fn f21_a_run_that_has_ended_stays_as_it_is() {
    let place = own_plugins();
    guests::sleeper(&place, "sleeper", 10);
    place.write("w.yaml", workflow("", &[plain("a", "sleeper", "")]));
    place.run(&["run", "w.yaml", "--json"]).ends(0);
    let before = on_record(&place, "@latest");

    let late = place.run(&["runs", "cancel", "@latest"]);

    assert_ne!(late.code, 0);
    late.says(&["has ended already", "success"]);
    assert_eq!(on_record(&place, "@latest"), before);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
}

#[test]
fn f21_what_was_done_before_the_cancel_stays_on_record() {
    let far = Far::start(|request, _| match request.path.as_str() {
        "/never" => Way::Hang,
        _ => Way::json(200, r#"{"id": 7}"#),
    });
    let steps = [
        tell("first", "/first", ""),
        ask("second", "/never", "dependsOn: first\n"),
        tell("third", "/third", "dependsOn: second\n"),
    ];
    let place = far.place(&steps);
    let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    far.wait_for("GET /never", 1);

    cancel(&place);

    let finished = is_cancelled(&place, &run.end());
    assert_eq!(finished["steps"]["first"]["status"], "success");
    assert_eq!(finished["steps"]["first"]["outputs"]["json"]["id"], 7);
    assert_eq!(finished["steps"]["third"]["attempts"], 0);
    assert_eq!(far.lines(), ["POST /first", "GET /never"], "nothing is undone, nothing is added");
    for page in ["show", "report"] {
        let page = place.run(&["runs", page, "@latest"]);
        assert!(page.ends(0).stdout.contains("POST /first"), "{}", page.stdout);
    }
}

/// Steps side by side that write without a pause, so that the cancel meets them in the middle of
/// everything.
#[test]
fn f21_no_write_leaves_behind_the_cancel_whatever_runs() {
    let far = Far::start(|_, _| Way::json(200, "{}"));
    let mut place = Place::new();
    far.settings(&mut place, "");
    let mut steps = Vec::new();
    for row in 0..4 {
        for column in 0..60 {
            let after = match column {
                0 => String::new(),
                _ => format!("dependsOn: s{row}-{}\n", column - 1),
            };
            steps.push(tell(&format!("s{row}-{column}"), &format!("/{row}/{column}"), &after));
        }
    }
    place.write("w.yaml", workflow("", &steps));
    for round in 1..=4_usize {
        let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
        let before = far.seen().len();
        let began = Instant::now();
        while far.seen().len() < before + 3 * round {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not write");
            std::thread::sleep(Duration::from_millis(2));
        }

        cancel(&place);
        let acknowledged = Instant::now();

        is_cancelled(&place, &run.end());
        let late = far.seen().into_iter().filter(|seen| seen.at > acknowledged);
        let latest = late.map(|seen| seen.at - acknowledged).max().unwrap_or_default();
        // The run hears of it within a quarter of a second; the machine may be busy.
        assert!(latest < Duration::from_secs(3), "{latest:?} after the answer to the cancel");
        let events = on_record(&place, "@latest");
        let intended = events_of(&events, "effect-intended").into_iter();
        let left = intended.filter(|event| end_of(&events, event) != "not-made").count();
        assert_eq!(far.seen().len() - before, left, "each request is on record");
    }
}

#[test]
fn f21_a_second_interrupt_ends_it_at_once_and_a_resume_ends_the_run() {
    let place = own_plugins();
    guests::stubborn(&place, "stubborn");
    guests::sleeper(&place, "sleeper", 10);
    let steps = [plain("a", "stubborn", ""), plain("b", "sleeper", "dependsOn: a\n")];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");

    run.signal("INT");
    run.wait_for(&["cancel-requested"]);
    run.signal("INT");

    let done = run.end();
    done.says(&["stopped at once", "runs resume"]);
    // Whoever ends at once does not wait for a step that needs seconds to be stopped.
    let events = on_record(&place, "@latest");
    let ended = events_of(&events, "step-failed").len() + events_of(&events, "run-finished").len();
    assert_eq!(ended, 0, "it waited for the step: {}", done.stdout);
    done.ends(130);
    let resumed = place.run(&["runs", "resume", "@latest", "--json"]);
    let finished = is_cancelled(&place, &resumed);
    assert_eq!(finished["steps"]["b"]["attempts"], 0);
}

#[test]
fn f21_a_step_that_does_not_stop_is_stopped() {
    let place = own_plugins();
    guests::stubborn(&place, "stubborn");
    place.write("w.yaml", workflow("", &[plain("a", "stubborn", "")]));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    let asked = Instant::now();

    cancel(&place);

    is_cancelled(&place, &run.end());
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

#[test]
fn f21_a_run_whose_process_died_can_be_cancelled_too() {
    let place = own_plugins();
    guests::sleeper(&place, "sleeper", 600_000);
    let steps = [plain("a", "sleeper", ""), plain("b", "sleeper", "dependsOn: a\n")];
    place.write("w.yaml", workflow("", &steps));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("step-started", "a");
    run.kill();

    place.run(&["runs", "cancel", "@latest"]).ends(0);

    let finished = is_cancelled(&place, &place.run(&["runs", "resume", "@latest", "--json"]));
    assert_eq!(finished["steps"]["b"]["attempts"], 0);
}

#[test]
fn f21_a_run_in_doubt_is_cancelled_and_nothing_is_sent_again() {
    let far = Far::start(|_, _| Way::Cut);
    let mut place = Place::new();
    far.settings(&mut place, "");
    place.write(
        "w.yaml",
        workflow("", &[tell("a", "/lost", ""), tell("b", "/b", "dependsOn: a\n")]),
    );
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    place.run(&["runs", "cancel", "@latest"]).ends(0);

    is_cancelled(&place, &place.run(&["runs", "resume", "@latest", "--json"]));
    assert_eq!(far.lines(), ["POST /lost"]);
    let shown = place.run(&["runs", "show", "@latest"]);
    assert!(shown.ends(0).stdout.contains("in doubt"), "{}", shown.stdout);
}
