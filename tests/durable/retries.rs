//! A far side that is busy: how often it is asked, after which waits, and when no more.

use crate::far::{Far, Way};
use crate::guests::{self, Flaky};
use crate::ongoing::{Ongoing, between, events_of, on_record};
use crate::support::{Done, Place};
use crate::workflows::{ask, plain, tell, workflow};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The waits between the attempts of `step`, in milliseconds.
fn waits(done: &Done, step: &str) -> Vec<u64> {
    let events = done.json();
    let of_step = events_of(&events, "attempt-failed").into_iter().filter(|e| e["step"] == step);
    of_step.map(|event| event["delayMs"].as_u64().expect("a wait")).collect()
}

fn failure(done: &Done, step: &str) -> Value {
    let events = done.json();
    let mut failed = events_of(&events, "step-failed").into_iter().filter(|e| e["step"] == step);
    failed.next().unwrap_or_else(|| panic!("{step} did not fail:\n{}", done.stdout))["failure"]
        .clone()
}

#[test]
fn f11_a_busy_service_is_asked_as_often_as_declared_and_not_before_it_wants_to_be() {
    for status in [429, 503] {
        let far = Far::start(move |_, _| Way::later(status, 2));
        let mut place = Place::new();
        far.settings(&mut place, "");
        // With so little time the plugin does not wait by itself: each attempt is one request.
        let extras = "x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 4, delaySeconds: 1, maxDelaySeconds: 3}}\n";
        place.write("w.yaml", workflow("", &[ask("busy", "/v1/things", extras)]));

        let done = place.run(&["run", "w.yaml", "--json"]);

        let finished = done.ends(1).finished();
        assert_eq!(finished["steps"]["busy"]["attempts"], 4, "{finished:#}");
        let waits = waits(&done, "busy");
        assert_eq!(waits.len(), 3, "{status}: {waits:?}");
        assert!(waits.iter().all(|wait| (2_000..=3_000).contains(wait)), "{status}: {waits:?}");
        let seen = far.seen();
        assert_eq!(seen.len(), 4, "{status}: {:?}", far.lines());
        for (pair, wait) in seen.windows(2).zip(&waits) {
            let apart = pair[1].at.duration_since(pair[0].at);
            // The clock of the record has whole milliseconds.
            assert!(apart + Duration::from_millis(5) >= Duration::from_millis(*wait), "{apart:?}");
        }
        assert_eq!(failure(&done, "busy")["disposition"], "retryable");
    }
}

#[test]
fn f11_a_service_that_is_well_again_is_used() {
    let far = Far::start(|_, before| match before {
        0 => Way::later(503, 1),
        _ => Way::json(200, r#"{"well": true}"#),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras = "x-bowline: {limits: {attemptSeconds: 2}, retry: {delaySeconds: 1}}\n";
    place.write("w.yaml", workflow("", &[ask("busy", "/v1/things", extras)]));

    let done = place.run(&["run", "w.yaml", "--json"]);

    let finished = done.ends(0).finished();
    assert_eq!(finished["steps"]["busy"]["outputs"]["json"]["well"], true);
    assert_eq!(far.seen().len(), 2);
}

#[test]
fn f11_who_asks_for_more_than_the_cap_is_not_waited_for() {
    let far = Far::start(|_, _| Way::later(503, 3_600));
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras = "x-bowline: {retry: {attempts: 5, delaySeconds: 1, maxDelaySeconds: 5}}\n";
    place.write("w.yaml", workflow("", &[ask("busy", "/v1/things", extras)]));
    let began = Instant::now();

    let done = place.run(&["run", "w.yaml", "--json"]);

    done.ends(1);
    assert_eq!(far.seen().len(), 1, "{:?}", far.lines());
    assert_eq!(waits(&done, "busy"), Vec::<u64>::new());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

#[test]
fn f11_steps_that_fail_together_do_not_come_back_together() {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    let steps: Vec<String> = (0..8)
        .map(|number| {
            let name = format!("busy-{number}");
            let how = Flaky { failures: 1, retry_after_ms: None, retryable: true };
            guests::flaky(&place, &name, how);
            plain(&name, &name, "x-bowline: {retry: {delaySeconds: 2}}\n")
        })
        .collect();
    place.write("w.yaml", workflow("", &steps));

    let done = place.run(&["run", "w.yaml", "--json"]);

    done.ends(0);
    let waits: Vec<u64> = (0..8).flat_map(|n| waits(&done, &format!("busy-{n}"))).collect();
    assert_eq!(waits.len(), 8);
    assert!(waits.iter().all(|wait| (1_000..=2_000).contains(wait)), "{waits:?}");
    let different: BTreeSet<&u64> = waits.iter().collect();
    assert!(different.len() >= 4, "{waits:?}");
    let starts: BTreeSet<String> = events_of(&done.json(), "step-started")
        .into_iter()
        .filter(|event| event["attempt"] == 2)
        .map(|event| event["at"].to_string())
        .collect();
    assert!(starts.len() >= 4, "{starts:?}");
}

#[test]
fn f11_steps_that_are_sent_away_together_do_not_come_back_together_either() {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    let steps: Vec<String> = (0..8)
        .map(|number| {
            let name = format!("busy-{number}");
            let how = Flaky { failures: 1, retry_after_ms: Some(2_000), retryable: true };
            guests::flaky(&place, &name, how);
            plain(&name, &name, "x-bowline: {retry: {delaySeconds: 1, maxDelaySeconds: 10}}\n")
        })
        .collect();
    place.write("w.yaml", workflow("", &steps));

    let done = place.run(&["run", "w.yaml", "--json"]);

    done.ends(0);
    let waits: Vec<u64> = (0..8).flat_map(|n| waits(&done, &format!("busy-{n}"))).collect();
    assert!(waits.iter().all(|wait| (2_000..=10_000).contains(wait)), "{waits:?}");
    let different: BTreeSet<&u64> = waits.iter().collect();
    assert!(different.len() >= 4, "all come back at the same moment: {waits:?}");
}

#[test]
fn f11_three_tries_where_nobody_says_and_the_step_goes_before_the_workflow() {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    let never = Flaky { failures: 99, retry_after_ms: None, retryable: true };
    guests::flaky(&place, "busy", never);
    guests::flaky(&place, "broken", Flaky { retryable: false, ..never });
    let attempts = |root: &str, image: &str, extra: &str| {
        place.write("w.yaml", workflow(root, &[plain("a", image, extra)]));
        let done = place.run(&["run", "w.yaml", "--json"]);
        let attempts = done.ends(1).finished()["steps"]["a"]["attempts"].clone();
        (attempts, waits(&done, "a"))
    };

    let (by_default, waits) = attempts("", "busy", "");
    assert_eq!(by_default, 3);
    assert!(waits.windows(2).all(|pair| pair[0] <= 1_000 && pair[1] >= 1_000), "{waits:?}");
    assert_eq!(attempts("", "broken", "").0, 1, "what will fail again is not tried again");
    let two = "x-bowline: {retry: {attempts: 2, delaySeconds: 1}}\n";
    assert_eq!(attempts(two, "busy", "").0, 2);
    assert_eq!(attempts(two, "busy", "x-bowline: {retry: {attempts: 1}}\n").0, 1);
    assert_eq!(attempts("", "busy", two).0, 2);
}

#[test]
fn f11_a_write_that_may_have_been_made_is_not_made_again() {
    let far = Far::start(|request, _| match request.path.as_str() {
        "/refused" => Way::later(429, 1),
        _ => Way::json(503, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras =
        "x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 3, delaySeconds: 1}}\n";
    place.write(
        "w.yaml",
        workflow("", &[tell("unclear", "/unclear", extras), tell("refused", "/refused", extras)]),
    );

    place.run(&["run", "w.yaml", "--json"]).ends(3);

    assert_eq!(far.count("POST /unclear"), 1, "a 503 does not say that nothing was done");
    assert_eq!(far.count("POST /refused"), 3, "a 429 does");
}

/// A service that answers 503 to the first request and 200 to the others, and a run that waits since
/// nobody knows what came of the first.
fn unclear() -> (Far, Place) {
    let far = Far::start(|request, before| match (request.path.as_str(), before) {
        ("/unclear", 0) => Way::json(503, "{}"),
        _ => Way::json(200, "{}"),
    });
    let steps = [tell("unclear", "/unclear", ""), tell("next", "/next", "dependsOn: unclear\n")];
    let place = far.place(&steps);
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    (far, place)
}

#[test]
fn f11_what_a_503_leaves_open_is_asked_and_neither_retry_nor_resume_sends_it_again() {
    let (far, place) = unclear();

    let shown = place.run(&["runs", "show", "@latest"]).ends(0).stdout.clone();
    assert!(shown.contains("answered 503") && shown.contains("runs resolve"), "{shown}");
    assert_ne!(place.run(&["runs", "retry", "@latest", "--json"]).code, 0, "it has not ended");
    place.run(&["runs", "resume", "@latest", "--json"]).ends(3);

    assert_eq!(far.lines(), ["POST /unclear"]);
    let report = place.run(&["runs", "report", "@latest"]).ends(0).stdout.clone();
    assert!(report.contains("answered 503"), "{report}");
}

#[test]
fn f11_what_a_person_says_of_a_503_counts() {
    for (outcome, sent) in [("done", 1), ("not-done", 2)] {
        let (far, place) = unclear();
        place.run(&["runs", "resolve", "@latest", "unclear", "--outcome", outcome]).ends(0);

        place.run(&["runs", "resume", "@latest", "--json"]).ends(0);

        assert_eq!((far.count("POST /unclear"), far.count("POST /next")), (sent, 1), "{outcome}");
    }
}

/// The wait and the count belong to the run and not to the process.
#[test]
fn f11_who_goes_on_with_a_run_waits_as_long_and_tries_as_often() {
    let place = Place::new();
    place.write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n");
    guests::flaky(&place, "busy", Flaky { failures: 99, retry_after_ms: None, retryable: true });
    let extras = "x-bowline: {retry: {attempts: 2, delaySeconds: 8}}\n";
    place.write("w.yaml", workflow("", &[plain("a", "busy", extras)]));
    let mut run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
    run.wait_for_event("attempt-failed", "a");
    run.kill();

    place.run(&["runs", "resume", "@latest", "--json"]).ends(1);

    let events = on_record(&place, "@latest");
    let failed = events_of(&events, "attempt-failed");
    assert_eq!(failed.len(), 1, "{events:#?}");
    let starts = events_of(&events, "step-started");
    assert_eq!(starts.len(), 2, "{events:#?}");
    let wait = failed[0]["delayMs"].as_i64().expect("a wait");
    let waited = between(failed[0], starts[1]);
    assert!(waited >= wait, "{waited} of {wait} ms");
}

/// An answer that comes byte by byte must not keep a step for ever.
#[test]
fn f11_an_answer_that_trickles_ends_with_the_attempt() {
    let far = Far::start(|request, _| match request.path.as_str() {
        "/slow" => Way::Trickle,
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let extras =
        "x-bowline: {limits: {attemptSeconds: 2}, retry: {attempts: 2, delaySeconds: 1}}\n";
    place
        .write("w.yaml", workflow("", &[ask("slow", "/slow", extras), ask("beside", "/fine", "")]));

    let done = place.run(&["run", "w.yaml", "--json"]);

    let finished = done.ends(1).finished();
    assert_eq!(finished["steps"]["slow"]["status"], "failure", "{finished:#}");
    assert_eq!(finished["steps"]["beside"]["status"], "success", "{finished:#}");
    assert_eq!(far.count("GET /slow"), 2);
}
