//! The numbered cases that show only in the whole program, and where credentials go.

use super::replay::{Exchange, Replay, Reply};
use super::specification::Specification;
use crate::support::server::{Answer, Authority, Received, Server};
use crate::support::{Done, Place};
use serde_json::{Value, json};
use std::time::Duration;

const API_KEY: &str = "CANARY-api-key-0123456789abcdef012345678";
const APPLICATION_KEY: &str = "CANARY-application-key-0123456789abcdef0";
const INCIDENT: &str = "1cf8bf7f-3005-47f8-94e5-81af029f9abe";

/// A place with this workflow, and with every connection of these kinds leading to `url`.
fn place(authority: &Authority, url: &str, workflow: &str) -> Place {
    let mut place = Place::new();
    place.write("ca.pem", &authority.pem).write("workflow.yaml", workflow);
    let connection = |kind: &str, credentials: &str| {
        format!(
            "  {kind}:\n    '*': {{baseUrl: '{url}', certificateAuthority: {{file: ca.pem}}, {credentials}}}\n"
        )
    };
    let settings = [
        "connections:\n".to_owned(),
        connection("datadog", "apiKey: {env: KEY}, applicationKey: {env: APP}"),
        connection("pagerduty", "routingKey: {env: KEY}"),
        connection("slack", "apiToken: {env: KEY}"),
        connection("http", "token: {env: KEY}"),
    ];
    place.write("bowline.yaml", settings.concat());
    place.set("KEY", API_KEY).set("APP", APPLICATION_KEY);
    place
}

fn run(place: &Place, arguments: &[&str]) -> Done {
    let arguments = [&["run", "workflow.yaml", "--json"], arguments].concat();
    tokio::task::block_in_place(|| place.run(&arguments))
}

/// The failure of a step.
fn failure(done: &Done, step: &str) -> Value {
    let events = done.json();
    let failed = events.iter().rev().find(|it| it["event"] == "step-failed" && it["step"] == step);
    failed.unwrap_or_else(|| panic!("{step} did not fail: {}", done.stdout))["failure"].clone()
}

fn step(name: &str, image: &str, rest: &str) -> String {
    format!(
        "  - name: {name}\n    image: {image}\n    spec:\n      connection: !Connection {{ type: datadog, name: dd }}\n{rest}"
    )
}

fn find() -> String {
    format!("steps:\n{}", step("find", "datadog-incident-extract-id", "      public_id: 5\n"))
}

fn tell(text: &str) -> String {
    let rest = format!("      incident_id: {INCIDENT}\n      timeline_cell_content: {text}\n");
    format!("steps:\n{}", step("tell", "datadog-incident-timeline-update", &rest))
}

fn timeline(method: &'static str, reply: Reply) -> Exchange {
    Exchange { method, path: format!("/api/v2/incidents/{INCIDENT}/timeline"), reply }
}

fn cell(message: &str) -> Value {
    json!({"id": "cell-1", "type": "incident_timeline_cells",
        "attributes": {"cell_type": "markdown", "content": {"message": message}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t01_a_connection_that_is_cut_after_the_post_is_followed_by_looks_only() {
    let authority = Authority::new();
    let cut = Reply { cut: true, ..Reply::default() };
    let empty = || Reply::json(200, &json!({"data": []}));
    let posted = Reply::json(201, &json!({"data": cell("x")}));
    let slow = Reply { slow: Duration::from_millis(300), ..posted.clone() };
    let script = vec![
        timeline("POST", cut),
        timeline("GET", empty()),
        timeline("GET", empty()),
        timeline("POST", slow),
    ];
    let server = Replay::in_order(&authority, Specification::read(), script).await;
    let place = place(&authority, &server.url, &tell("Rolled back"));

    let done = run(&place, &[]);

    let outputs = &done.ends(0).finished()["steps"]["tell"]["outputs"];
    assert_eq!(*outputs, json!({"cell_id": "cell-1", "posted": true}));
    server.is_done();
    let posts: Vec<String> =
        server.received().into_iter().filter(|it| it.method == "POST").map(|it| it.body).collect();
    assert_eq!(posts[0], posts[1], "the same text again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d16_a_429_with_a_reset_that_fits_is_waited_for() {
    let authority = Authority::new();
    let headers = vec![("x-ratelimit-reset".to_owned(), "1".to_owned())];
    let busy = Reply { status: 429, headers, ..Reply::default() };
    let page =
        json!({"data": [{"id": INCIDENT, "type": "incidents", "attributes": {"public_id": 5}}]});
    let list = |reply| Exchange { method: "GET", path: "/api/v2/incidents".to_owned(), reply };
    let script = vec![list(busy), list(Reply::json(200, &page))];
    let server = Replay::in_order(&authority, Specification::read(), script).await;
    let place = place(&authority, &server.url, &find());

    let done = run(&place, &[]);

    assert_eq!(done.ends(0).finished()["steps"]["find"]["outputs"]["incident_id"], INCIDENT);
    server.is_done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d23_a_redirect_is_not_followed_with_the_keys() {
    let authority = Authority::new();
    let other = Server::start(&authority, |_| (200, "application/json", "{}".to_owned())).await;
    let headers = vec![("location".to_owned(), format!("{}/api/v2/incidents", other.url))];
    for status in [301, 302, 307, 308] {
        let reply = Reply { status, headers: headers.clone(), ..Reply::default() };
        let list = Exchange { method: "GET", path: "/api/v2/incidents".to_owned(), reply };
        let server = Replay::in_order(&authority, Specification::read(), vec![list]).await;
        let place = place(&authority, &server.url, &find());

        let done = run(&place, &[]);

        assert_eq!(failure(done.ends(1), "find")["code"], "datadog.redirected", "{status}");
        server.is_done();
    }
    assert!(other.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d12_d14_keys_that_cannot_be_used_are_told_before_any_request() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| (200, "application/json", "{}".to_owned())).await;
    let cases = [
        ("apiKey: {value: abcdef}", "should hold the applicationKey of the connection"),
        (
            "apiKey: {value: abcdef}, applicationKey: {file: inner.key}",
            "characters that no header can carry",
        ),
    ];
    for (keys, expected) in cases {
        let place = place(&authority, &server.url, &find());
        place.write("inner.key", "CANARY-in\nside").write(
            "bowline.yaml",
            format!("connections: {{datadog: {{dd: {{baseUrl: '{}', certificateAuthority: {{file: ca.pem}}, {keys}}}}}}}\n", server.url),
        );
        let mut place = place;
        // Where the default would be taken from there is nothing.
        place.set("DD_APP_KEY", "");
        let done = run(&place, &[]);
        assert_ne!(done.code, 0);
        assert!(done.stderr.contains(expected), "{expected}: {}", done.stderr);
        assert!(!done.stderr.contains("CANARY"), "the value is not shown: {}", done.stderr);
    }
    assert!(server.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d14_blanks_around_a_key_are_trimmed() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| {
        (
            200,
            "application/json",
            json!({"data": [{"id": INCIDENT, "attributes": {"public_id": 5}}]}).to_string(),
        )
    })
    .await;
    let mut place = place(&authority, &server.url, &find());
    place.set("KEY", &format!(" {API_KEY}\n"));

    run(&place, &[]).ends(0);

    assert!(server.received().iter().all(|it| it.headers["dd-api-key"] == API_KEY));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t15_a_credential_that_a_service_echoes_is_masked_before_it_is_posted() {
    let authority = Authority::new();
    let echo = |request: &Received| -> Answer {
        let key = &request.headers["dd-api-key"];
        let answer = match request.method.as_str() {
            "GET" => {
                json!({"data": [{"id": INCIDENT, "attributes": {"public_id": 5, "title": format!("bad key {key}")}}]})
            }
            _ => json!({"data": {"id": "cell-1"}}),
        };
        (if request.method == "GET" { 200 } else { 201 }, "application/json", answer.to_string())
    };
    let server = Server::start(&authority, echo).await;
    let text = "      incident_id: !Output { from: find, name: incident_id }\n      timeline_cell_content: !Output { from: find, name: title }\n";
    let workflow = format!("{}{}", find(), step("tell", "datadog-incident-timeline-update", text));
    let place = place(&authority, &server.url, &workflow);

    run(&place, &[]).ends(0);

    let posts: Vec<Received> =
        server.received().into_iter().filter(|it| it.method == "POST").collect();
    assert_eq!(posts.len(), 1);
    assert!(
        posts[0].body.contains("bad key ***") && !posts[0].body.contains("CANARY"),
        "{}",
        posts[0].body
    );
}

#[test]
fn t20_a_rollback_that_failed_is_told_in_the_timeline() {
    let place = Place::new();
    place.write(
        "workflow.yaml",
        rollback(
            "undo deployment/not-there",
            "    dependsOn: rollback\n    when: ${steps.rollback.failed}\n",
            "\"The rollback failed\"",
        ),
    );
    let done = place.run(&["run", "workflow.yaml", "--drill"]);
    done.ends(1);
    assert!(done.stdout.contains("+1 timeline cell: \"The rollback failed"), "{}", done.stdout);
}

#[test]
fn t21_a_rollback_that_had_nothing_to_do_is_told_as_such() {
    let place = Place::new();
    place.write(
        "workflow.yaml",
        rollback(
            "undo --to-revision=2 deployment/nginx-deployment",
            "",
            "!Output { from: rollback, name: message }",
        ),
    );
    let done = place.run(&["run", "workflow.yaml", "--drill"]);
    done.ends(0);
    let cell = done.stdout.lines().find(|line| line.contains("+1 timeline cell")).expect("a cell");
    assert!(cell.contains("skipped rollback") && !cell.contains("rolled back"), "{cell}");
}

fn rollback(arguments: &str, then: &str, text: &str) -> String {
    format!(
        "steps:\n  - name: rollback\n    image: kubernetes-kubectl\n    spec:\n      cluster: {{ name: c, connection: !Connection {{ type: kubernetes, name: c }} }}\n      command: rollout\n      args: {arguments}\n{}  - name: tell\n    image: datadog-incident-timeline-update\n{then}    spec:\n      connection: !Connection {{ type: datadog, name: dd }}\n      incident_id: !Output {{ from: find, name: incident_id }}\n      timeline_cell_content: {text}\n",
        step("find", "datadog-incident-extract-id", "      public_id: 5\n")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_routing_key_goes_into_the_body_of_the_request_and_nowhere_else() {
    let authority = Authority::new();
    let server = Server::start(&authority, |request| {
        // It echoes what it got.
        (
            202,
            "application/json",
            json!({"status": "success", "dedup_key": request.body}).to_string(),
        )
    })
    .await;
    let workflow = "steps:\n  - name: page\n    image: pagerduty-event\n    spec:\n      connection: !Connection { type: pagerduty, name: p }\n      event_action: trigger\n      summary: down\n      source: web\n      severity: critical\n";
    let place = place(&authority, &server.url, workflow);

    let done = run(&place, &["-v"]);

    done.ends(0);
    let received = server.received();
    assert_eq!(received.len(), 1);
    let body: Value = serde_json::from_str(&received[0].body).expect("JSON");
    assert_eq!((&body["routing_key"], &body["event_action"]), (&json!(API_KEY), &json!("trigger")));
    assert!(received[0].headers.values().all(|value| !value.contains("CANARY")));
    let mut searched = vec![done.stdout.into_bytes(), done.stderr.into_bytes()];
    searched.extend(place.files().into_iter().map(|(_, bytes)| bytes));
    assert!(searched.len() >= 5, "the journal must be among what was searched");
    for bytes in searched {
        assert!(!String::from_utf8_lossy(&bytes).contains("CANARY"), "the key is kept somewhere");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generic_request_reaches_what_the_workflow_writes_and_carries_the_token() {
    let authority = Authority::new();
    let server = Server::start(&authority, |request| {
        (200, "application/json", json!({"got": request.body, "n": 7}).to_string())
    })
    .await;
    let workflow = "parameters:\n  id: {}\nsteps:\n  - name: ask\n    image: http-request\n    spec:\n      connection: !Connection { type: http, name: api }\n      method: PUT\n      path: !Fn.concat [/v1/things/, !Parameter id]\n      query: { dry run: true }\n      json: { a: 1 }\n      extract: { n: /n }\n";
    let place = place(&authority, &server.url, workflow);

    let outputs =
        run(&place, &["-p", "id=a%20b"]).ends(0).finished()["steps"]["ask"]["outputs"].clone();

    assert_eq!((&outputs["values"], &outputs["status"]), (&json!({"n": 7}), &json!(200)));
    let received = server.received();
    let asked = format!("{} {}?{}", received[0].method, received[0].path, received[0].query);
    assert_eq!(asked, "PUT /v1/things/a%20b?dry%20run=true");
    assert_eq!(received[0].headers["authorization"], format!("Bearer {API_KEY}"));
    assert_eq!(received[0].body, r#"{"a":1}"#);

    for id in ["../admin", "..", "a//b", "a%2Fb", "a%2e%2e", "{x}", "ä"] {
        let done = run(&place, &["-p", &format!("id={id}")]);
        // Before the run where the rules already say so, by the step's own call otherwise.
        assert!(matches!(done.code, 1 | 2), "{id}: {} {}", done.stdout, done.stderr);
    }
    assert_eq!(server.received().len(), 1, "nothing else has left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_scenario_is_played_in_order_by_steps_that_follow_each_other() {
    let name = "datadog/recordings/scenarios/v2-incidents-update-an-existing-incident-returns-ok-response.json";
    let Some(path) = crate::support::shared(name) else { return };
    let scenario: Value =
        serde_json::from_str(&std::fs::read_to_string(path).expect("read it")).expect("JSON");
    let reply = |status: u16, place: usize| {
        let response = &scenario["interactions"][place]["response"];
        Reply::json(status, &response["body"])
    };
    let created = &scenario["interactions"][0];
    let changed = &scenario["interactions"][1];
    let id = created["response"]["body"]["data"]["id"].as_str().expect("an id");
    let one = format!("/api/v2/incidents/{id}");
    let script = vec![
        Exchange { method: "POST", path: "/api/v2/incidents".to_owned(), reply: reply(201, 0) },
        Exchange { method: "GET", path: one.clone(), reply: reply(200, 0) },
        Exchange { method: "PATCH", path: one, reply: reply(200, 1) },
    ];
    let authority = Authority::new();
    let server = Replay::in_order(&authority, Specification::read(), script).await;
    let workflow = format!(
        "parameters:\n  title: {{}}\n  new_title: {{}}\n  state: {{}}\nsteps:\n{}{}",
        step("declare", "datadog-incident-create", "      title: !Parameter title\n"),
        step(
            "change",
            "datadog-incident-update",
            "      incident_id: !Output { from: declare, name: incident_id }\n      title: !Parameter new_title\n      state: !Parameter state\n"
        ),
    );
    let place = place(&authority, &server.url, &workflow);
    let wished = &changed["request"]["body"]["data"]["attributes"];
    let parameters = json!({
        "title": created["request"]["body"]["data"]["attributes"]["title"],
        "new_title": wished["title"],
        "state": wished["fields"]["state"]["value"],
    });
    place.write("parameters.yaml", parameters.to_string());

    let done = run(&place, &["--params-file", "parameters.yaml"]);

    let outputs = &done.ends(0).finished()["steps"]["change"]["outputs"];
    assert_eq!((&outputs["changed"], &outputs["title"]), (&json!(true), &wished["title"]));
    server.is_done();
}
