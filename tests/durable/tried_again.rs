//! `runs retry`: what failed is tried again, and what is done stays done.

use crate::far::{Far, Way};
use crate::ongoing::{Ongoing, at_once, events_of, on_record};
use crate::support::{Place, user};
use crate::workflows::{ask, tell, workflow};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Three steps behind each other; the second is refused at first, and the third needs what the
/// first gave.
fn three() -> (Far, Place) {
    let far = Far::start(|request, before| match (request.path.as_str(), before) {
        ("/one", _) => Way::json(200, r#"{"id": "made-by-one"}"#),
        ("/two", 0) => Way::json(400, r#"{"error": "not yet"}"#),
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let third = tell("three", "/three", "dependsOn: two\n")
        .replace("json: {n: 1}", "json: {id: !Output {from: one, name: json}}");
    let steps = [tell("one", "/one", ""), tell("two", "/two", "dependsOn: one\n"), third];
    place.write("w.yaml", workflow("", &steps));
    let done = place.run(&["run", "w.yaml", "--json"]);
    assert_eq!(done.ends(1).finished()["steps"]["three"]["status"], "skipped");
    assert_eq!(far.lines(), ["POST /one", "POST /two"]);
    (far, place)
}

#[test]
fn a_run_is_tried_again_from_what_failed_and_reuses_what_is_done() {
    for from in [&[][..], &["--from", "two"]] {
        let (far, place) = three();
        let mut arguments = vec!["runs", "retry", "@latest", "--json"];
        arguments.extend(from);

        let done = place.run(&arguments);

        let finished = done.ends(0).finished();
        assert_eq!(finished["status"], "success", "{finished:#}");
        assert_eq!(finished["steps"]["one"]["attempts"], 1);
        assert_eq!(far.lines(), ["POST /one", "POST /two", "POST /two", "POST /three"]);
        let third = far.seen().pop().expect("the third").request.body;
        assert!(third.contains("made-by-one"), "{third}");
        let listed = place.run(&["runs", "list", "--json"]).ends(0).json();
        assert_eq!((listed.len(), &listed[0]["status"]), (1, &"success".into()));
        let events = on_record(&place, "@latest");
        let reopened = events_of(&events, "run-reopened");
        assert_eq!(reopened.len(), 1);
        assert_eq!(reopened[0]["by"], user());
        assert_eq!(reopened[0]["steps"], serde_json::json!(["two", "three"]));
        // Once more there is nothing to try again.
        let again = place.run(&["runs", "retry", "@latest"]);
        assert_ne!(again.code, 0);
        again.says(&["no step", "failed"]);
        assert_eq!(far.lines().len(), 4);
    }
}

#[test]
fn what_has_succeeded_and_changed_something_is_done_again_only_on_demand() {
    let (far, place) = three();

    let refused = place.run(&["runs", "retry", "@latest", "--from", "one"]);

    assert_ne!(refused.code, 0);
    refused.says(&["`one`", "POST /one", "--repeat"]);
    assert_eq!(far.lines(), ["POST /one", "POST /two"]);
    let events = on_record(&place, "@latest");
    assert!(events_of(&events, "run-reopened").is_empty(), "nothing was started");

    let done = place.run(&["runs", "retry", "@latest", "--from", "one", "--repeat", "--json"]);

    assert_eq!(done.ends(0).finished()["status"], "success");
    assert_eq!(far.count("POST /one"), 2);
    assert_eq!(far.count("POST /two"), 2);
    assert_eq!(far.count("POST /three"), 1);
}

#[test]
fn a_retry_of_what_is_not_there_or_not_over_is_refused() {
    let (far, place) = three();
    let unknown = place.run(&["runs", "retry", "@latest", "--from", "four"]);
    assert_ne!(unknown.code, 0);
    unknown.says(&["no step `four`"]);
    assert_ne!(place.run(&["runs", "retry", "0000"]).code, 0);
    assert_eq!(far.lines().len(), 2);
}

/// A step that failed after its own first write: the write is not made again.
#[test]
fn a_step_that_failed_behind_a_write_of_its_own_does_not_repeat_that_write() {
    let far = Far::start(|request, before| match (request.method.as_str(), before) {
        ("POST", 0) => Way::json(200, r#"{"id": 7}"#),
        _ => Way::json(200, r#"{"id": 7, "wanted": 1}"#),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    let step =
        tell("one", "/one", "").replace("    json:", "    extract: {wanted: /wanted}\n    json:");
    place.write("w.yaml", workflow("", &[step]));
    place.run(&["run", "w.yaml", "--json"]).ends(1);

    place.run(&["runs", "retry", "@latest", "--json"]);

    assert_eq!(far.count("POST /one"), 1, "the request was carried out; its answer was no use");
}

#[test]
fn those_who_try_again_at_once_do_it_once() {
    let (far, place) = three();

    let commands = (0..6).map(|_| place.command(&["runs", "retry", "@latest", "--json"])).collect();
    let ended = at_once(commands);

    let told: Vec<(i32, &String)> = ended.iter().map(|done| (done.code, &done.stderr)).collect();
    assert_eq!(far.lines(), ["POST /one", "POST /two", "POST /two", "POST /three"], "{told:?}");
    assert!(told.iter().any(|(code, _)| *code == 0), "{told:?}");
    let events = on_record(&place, "@latest");
    assert_eq!(events_of(&events, "run-reopened").len(), 1, "{told:?}");
}

#[test]
fn what_a_cancelled_run_had_done_is_not_done_again() {
    for by_request in [false, true] {
        let well = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&well);
        let far = Far::start(move |request, _| match request.path.as_str() {
            "/two" if !asked.load(Ordering::SeqCst) => Way::Hang,
            _ => Way::json(200, "{}"),
        });
        let mut place = Place::new();
        far.settings(&mut place, "");
        let steps = [
            tell("one", "/one", ""),
            ask("two", "/two", "dependsOn: one\n"),
            tell("three", "/three", "dependsOn: two\n"),
        ];
        place.write("w.yaml", workflow("", &steps));
        let run = Ongoing::start(&place, &["run", "w.yaml", "--json"]);
        far.wait_for("GET /two", 1);
        if by_request {
            place.run(&["runs", "cancel", "@latest"]).ends(0);
        } else {
            run.signal("INT");
        }
        run.end().ends(130);
        well.store(true, Ordering::SeqCst);

        let done = place.run(&["runs", "retry", "@latest", "--json"]);

        // What was asked before the run was tried again is over.
        assert_eq!(done.ends(0).finished()["status"], "success", "by request: {by_request}");
        assert_eq!(far.lines(), ["POST /one", "GET /two", "GET /two", "POST /three"]);
    }
}
