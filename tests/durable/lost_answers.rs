//! The answer is lost after the effect: whoever can find out does, everybody else asks a person,
//! and nobody does it twice.

use crate::far::{Far, Way};
use crate::ongoing::{at_once, events_of, on_record};
use crate::support::services::Services;
use crate::support::{Place, user};
use crate::workflows::{approval, ask, tell, workflow};
use serde_json::{Value, json};

const RUNBOOK: &[&str] =
    &["run", "runbook.yaml", "--config", "drill.yaml", "-p", "public_id=117", "--json"];

/// Runs the article's runbook while `faults` wait, and gives what took effect.
fn rehearsed(faults: &[Value]) -> (Vec<String>, Value) {
    let place = Place::new();
    place.runbook();
    let services = Services::start(&place);
    for fault in faults {
        services.fault(fault);
    }

    let done = place.run(RUNBOOK);

    assert_eq!(done.ends(0).finished()["status"], "success");
    (services.effects(), services.picture())
}

/// The image that the deployment has in the end, and how many cells the incident.
fn outcome(picture: &Value) -> (Value, usize) {
    let named = |list: &str, name: &str, wanted: Value| {
        let all = picture[list].as_array().expect("a list");
        let found = all.iter().find(|one| one[name] == wanted);
        found.unwrap_or_else(|| panic!("no {wanted} in {picture:#}")).clone()
    };
    let workload = named("workloads", "name", json!("nginx-deployment"));
    let incident = named("incidents", "public_id", json!(117));
    (workload["template_of"].clone(), incident["cells"].as_array().map_or(0, Vec::len))
}

fn writes(effects: &[String]) -> (usize, usize) {
    let count = |method: &str| effects.iter().filter(|line| line.starts_with(method)).count();
    (count("PATCH"), count("POST"))
}

#[test]
fn f12_a_rollback_whose_answer_is_lost_is_found_out_and_made_once() {
    let plain = rehearsed(&[]);
    assert_eq!(writes(&plain.0), (1, 1));
    assert_eq!(outcome(&plain.1).0, 1, "it was rolled back to the first revision");
    for then in [json!("cut"), json!("truncate"), json!({"answer": {"status": 504}})] {
        let lost =
            json!({"service": "kubernetes", "method": "PATCH", "when": "after", "then": then});

        let (effects, picture) = rehearsed(&[lost]);

        assert_eq!(writes(&effects), (1, 1), "{then}: {effects:?}");
        assert_eq!(outcome(&picture), outcome(&plain.1), "{then}");
    }
}

#[test]
fn f12_a_timeline_cell_whose_answer_is_lost_is_found_and_posted_once() {
    let plain = rehearsed(&[]);
    for then in [json!("cut"), json!("truncate"), json!({"answer": {"status": 502}})] {
        let lost = json!({"service": "datadog", "method": "POST", "when": "after", "then": then});

        let (effects, picture) = rehearsed(&[lost]);

        assert_eq!(writes(&effects), (1, 1), "{then}: {effects:?}");
        assert_eq!(outcome(&picture), outcome(&plain.1), "{then}");
    }
}

#[test]
fn f12_answers_lost_before_the_effect_are_made_good() {
    let cut =
        |service: &str, method: &str| json!({"service": service, "method": method, "then": "cut"});

    let (effects, _) = rehearsed(&[cut("kubernetes", "PATCH"), cut("datadog", "POST")]);

    assert_eq!(writes(&effects), (1, 1), "{effects:?}");
}

/// A far side that does what a POST asks for and cuts the first answer.
fn forgetful() -> Far {
    Far::start(|request, before| match (request.method.as_str(), before) {
        ("POST", 0) => Way::Cut,
        ("POST", _) => {
            Way::json(200, r#"{"ok": true, "ts": "1700000000.000100", "channel": "C1"}"#)
        }
        _ => Way::json(200, "{}"),
    })
}

const SLACK: &str = "- name: tell\n  image: slack-message\n  spec:\n    connection: !Connection {type: slack, name: workspace}\n    channel: '#incidents'\n    message: it is down\n  x-bowline: {retry: {attempts: 5, delaySeconds: 1}}\n";

/// A workflow whose step `tell` writes something that nobody can look for, what it sends, and over
/// which connection.
fn unverifiable() -> [(String, &'static str, &'static str); 2] {
    let tries = "x-bowline: {retry: {attempts: 5, delaySeconds: 1}}\n";
    let behind = ask("behind", "/after", "dependsOn: tell\n");
    [
        (
            workflow("", &[tell("tell", "/v1/things", tries), behind.clone()]),
            "POST /v1/things",
            "http/api",
        ),
        (workflow("", &[SLACK.to_owned(), behind]), "POST /chat.postMessage", "slack/workspace"),
    ]
}

#[test]
fn f12_a_write_that_nobody_can_look_for_waits_for_a_person_and_is_never_made_again_by_itself() {
    for (text, operation, connection) in unverifiable() {
        let far = forgetful();
        let mut place = Place::new();
        far.settings(&mut place, "");
        place.write("w.yaml", text);

        let done = place.run(&["run", "w.yaml", "--json"]);

        let finished = done.ends(3).finished();
        assert_eq!(finished["status"], "waiting", "{finished:#}");
        assert_eq!(finished["steps"]["behind"]["attempts"], 0);
        let run = finished["run"].as_str().expect("a name").to_owned();
        assert_eq!(far.lines(), [operation]);
        // Whatever is tried next: it waits, and nothing is sent.
        for again in [
            &["runs", "resume", &run, "--json"][..],
            &["runs", "resume", "@latest"],
            &["runs", "retry", &run],
            &["approve", &run, "tell"],
            &["deny", &run, "tell"],
            &["runs", "resolve", &run, "behind", "--outcome", "done"],
        ] {
            let done = place.run(again);
            assert_ne!(done.code, 0, "{again:?}: {}{}", done.stdout, done.stderr);
            assert_eq!(far.lines(), [operation], "{again:?}");
        }
        // A later run leaves it alone.
        place.write("other.yaml", workflow("", &[ask("other", "/other", "")]));
        place.run(&["run", "other.yaml"]).ends(0);
        assert_eq!(far.lines(), [operation, "GET /other"]);

        let listed = place.run(&["runs", "list", "--json"]).ends(0).json();
        assert!(listed.iter().any(|line| line["run"] == *run && line["status"] == "waiting"));
        let shown = place.run(&["runs", "show", &run]);
        let resolve = format!("bowline runs resolve {run} tell --outcome done|not-done");
        for part in ["nobody knows whether this took effect", operation, connection, &resolve] {
            assert!(shown.ends(0).stdout.contains(part), "`{part}` is not in:\n{}", shown.stdout);
        }
    }
}

#[test]
fn f12_what_a_person_says_was_done_is_not_done_again() {
    for (text, operation, _) in unverifiable() {
        let far = forgetful();
        let mut place = Place::new();
        far.settings(&mut place, "");
        place.write("w.yaml", text);
        place.run(&["run", "w.yaml", "--json"]).ends(3);

        place
            .run(&[
                "runs",
                "resolve",
                "@latest",
                "tell",
                "--outcome",
                "done",
                "--reason",
                "I see it",
            ])
            .ends(0)
            .says(&["runs resume"]);
        let second = place.run(&["runs", "resolve", "@latest", "tell", "--outcome", "not-done"]);
        assert_ne!(second.code, 0);
        second.says(&[&user(), "done"]);
        let done = place.run(&["runs", "resume", "@latest", "--json"]);

        assert_eq!(done.ends(0).finished()["status"], "success");
        assert_eq!(far.lines(), [operation, "GET /after"]);
        let shown = place.run(&["runs", "show", "@latest"]);
        assert!(shown.ends(0).stdout.contains("I see it"), "{}", shown.stdout);
        let events = on_record(&place, "@latest");
        let settled = events_of(&events, "outcome-settled");
        assert_eq!(settled.len(), 1);
        assert_eq!((&settled[0]["by"], &settled[0]["done"]), (&user().into(), &true.into()));
        assert_eq!(settled[0]["reason"], "I see it");
    }
}

#[test]
fn f12_what_a_person_says_was_not_done_is_done_once_more() {
    for (text, operation, _) in unverifiable() {
        let far = forgetful();
        let mut place = Place::new();
        far.settings(&mut place, "");
        place.write("w.yaml", text);
        place.run(&["run", "w.yaml", "--json"]).ends(3);

        place.run(&["runs", "resolve", "@latest", "tell", "--outcome", "not-done"]).ends(0);
        assert_eq!(far.count(operation), 1, "saying so sends nothing");
        let done = place.run(&["runs", "resume", "@latest", "--json"]);

        assert_eq!(done.ends(0).finished()["status"], "success");
        assert_eq!(far.lines(), [operation, operation, "GET /after"]);
        let bodies: Vec<String> =
            far.seen().into_iter().take(2).map(|seen| seen.request.body).collect();
        assert_eq!(bodies[0], bodies[1], "the same again");
    }
}

#[test]
fn f12_a_second_answer_that_is_lost_is_asked_about_again() {
    let far = Far::start(|_, before| match before {
        0 | 1 => Way::Cut,
        _ => Way::json(200, "{}"),
    });
    let mut place = Place::new();
    far.settings(&mut place, "");
    // With an approval before it: that one was answered, and is no news any more.
    let steps = [approval("sure", ""), tell("tell", "/v1/things", "dependsOn: sure\n")];
    place.write("w.yaml", workflow("", &steps));
    place.write("other/w.yaml", "steps: []\n");
    place.run(&["run", "w.yaml", "--json"]).ends(3);
    place.run(&["approve", "@latest", "sure"]).ends(0);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(3);
    let waits = place.run(&["runs", "list", "--json"]).json()[0]["run"].clone();
    let waits = waits.as_str().expect("a name");

    for sent in [2, 3] {
        place.run(&["runs", "resolve", waits, "tell", "--outcome", "not-done"]).ends(0);
        let code = if sent == 3 { 0 } else { 3 };
        place.run(&["runs", "resume", waits, "--json"]).ends(code);
        // What was said of the first time says nothing of the second, whoever drives the run.
        place.run(&["runs", "resume", waits, "--json"]).ends(code);
        place.run(&["run", "other/w.yaml", "--config", "bowline.yaml"]).ends(0);
        assert_eq!(far.count("POST /v1/things"), sent);
    }
}

#[test]
fn f12_of_those_who_settle_it_at_once_one_counts_and_the_others_are_told() {
    let far = forgetful();
    let place = far.place(&[tell("tell", "/v1/things", "")]);
    place.run(&["run", "w.yaml", "--json"]).ends(3);

    let said = ["done", "not-done", "done", "not-done", "done", "not-done"];
    let commands = said
        .iter()
        .map(|said| place.command(&["runs", "resolve", "@latest", "tell", "--outcome", said]))
        .collect();
    let ended = at_once(commands);

    let won: Vec<usize> = (0..said.len()).filter(|index| ended[*index].code == 0).collect();
    assert_eq!(won.len(), 1, "{:?}", ended.iter().map(|done| &done.stderr).collect::<Vec<_>>());
    let counts = said[won[0]];
    for done in ended.iter().filter(|done| done.code != 0) {
        done.says(&[&format!("{} has said so before", user()), counts]);
    }
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    let sent = if counts == "done" { 1 } else { 2 };
    assert_eq!(far.count("POST /v1/things"), sent);
}

#[test]
fn f12_a_service_that_knows_a_key_is_asked_again_with_the_same_one() {
    let far = forgetful();
    let mut place = Place::new();
    far.settings(&mut place, "");
    let step = tell("tell", "/v1/things", "")
        .replace("    json:", "    idempotency_key_header: Idempotency-Key\n    json:");
    place.write("w.yaml", workflow("", &[step]));

    let done = place.run(&["run", "w.yaml", "--json"]);

    assert_eq!(done.ends(0).finished()["status"], "success");
    let keys: Vec<String> = far
        .seen()
        .into_iter()
        .map(|seen| seen.request.headers["idempotency-key"].clone())
        .collect();
    assert_eq!(keys.len(), 2);
    assert!(keys[0] == keys[1] && keys[0].len() >= 16, "{keys:?}");
}

#[test]
fn f12_in_the_drill_a_message_can_be_sent_and_its_answer_lost_too() {
    let place = Place::new();
    place.write("w.yaml", workflow("", &[SLACK.to_owned()]));
    let services = Services::start(&place);
    services.fault(&json!({
        "service": "datadog", "path_prefix": "/_practice/slack", "when": "after", "then": "cut",
    }));
    let messages = || services.picture()["messages"].as_array().map_or(0, Vec::len);

    place.run(&["run", "w.yaml", "--config", "drill.yaml", "--json"]).ends(3);

    assert_eq!(messages(), 1, "it was sent");
    place.run(&["runs", "resolve", "@latest", "tell", "--outcome", "done"]).ends(0);
    place.run(&["runs", "resume", "@latest", "--json"]).ends(0);
    assert_eq!((messages(), services.effects().len()), (1, 1));
}
