//! Declaring an incident at a pretended Datadog that loses answers and refuses.

use bowline_sdk::testing::{Answer, Host, SentRequest, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition, Failure};
use datadog_incident_create::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

const KEY: &str = "00112233445566778899aabbccddeeff";

/// What happens to one post.
#[derive(Clone, Copy)]
enum Fate {
    DoneAndLost,
    /// As the host tells it of a declaration before a crash; once as an error, once as an answer.
    DoneBefore,
    DoneBeforeAsAnswer,
    DoneAnd(u16, &'static str),
    Lost,
    Refused(u16, &'static str),
    Unsent,
}

#[derive(Default)]
struct Datadog {
    /// Titles, and the text of the first cell.
    incidents: Vec<(String, String)>,
    bodies: Vec<Value>,
    fates: VecDeque<Fate>,
    /// The status of every list of incidents, and of every timeline.
    list: Option<u16>,
    timeline: Option<u16>,
    /// The most incidents in a page, whatever is asked for.
    page: usize,
    asked: usize,
}

impl Datadog {
    fn answer(&mut self, request: &SentRequest) -> Result<Answer, ConnectError> {
        self.asked += 1;
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let segments: Vec<&str> = path.split('/').collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["", "api", "v2", "incidents"]) => {
                let body = request.body.as_deref().expect("a body");
                self.post(serde_json::from_slice(body).expect("JSON"))
            }
            ("GET", ["", "api", "v2", "incidents"]) => Ok(self.page(query)),
            ("GET", ["", "api", "v2", "incidents", id, "timeline"]) => {
                if let Some(status) = self.timeline {
                    return Ok(Answer::new(status, r#"{"errors":["Forbidden"]}"#));
                }
                let number: usize =
                    id.rsplit('-').next().and_then(|n| n.parse().ok()).expect("an id");
                let cell =
                    json!({"attributes": {"content": {"content": self.incidents[number - 1].1}}});
                Ok(Answer::json(200, &json!({"data": [{"attributes": null}, cell]})))
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn page(&self, query: &str) -> Answer {
        if let Some(status) = self.list {
            return Answer::new(status, r#"{"errors":["Forbidden"]}"#);
        }
        let number = |name: &str| -> usize {
            let pair = query.split('&').find_map(|pair| pair.strip_prefix(name));
            pair.and_then(|n| n.parse().ok()).expect("a number")
        };
        let size = number("page[size]=").min(self.page);
        let all = (1..=self.incidents.len()).map(|number| self.shown(number));
        let page: Vec<Value> = all.skip(number("page[offset]=")).take(size).collect();
        Answer::json(200, &json!({"data": page}))
    }

    fn shown(&self, number: usize) -> Value {
        json!({"id": format!("00000000-0000-4000-8000-{number:012}"), "type": "incidents",
            "attributes": {"public_id": number, "title": self.incidents[number - 1].0,
                "state": "active", "fields": {"slug": {"value": format!("IR-{number}")}}}})
    }

    fn post(&mut self, body: Value) -> Result<Answer, ConnectError> {
        let fate = self.fates.pop_front();
        self.bodies.push(body.clone());
        match fate {
            Some(Fate::Lost) => return Err(lost("http")),
            Some(Fate::Unsent) => return Err(unreachable("http")),
            Some(Fate::Refused(status, body)) => {
                return Ok(Answer::new(status, body).header("x-ratelimit-reset", "2"));
            }
            _ => (),
        }
        let attributes = &body["data"]["attributes"];
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let cell = text(&attributes["initial_cells"][0]["content"]["content"]);
        self.incidents.push((text(&attributes["title"]), cell));
        match fate {
            Some(Fate::DoneAndLost) => Err(lost("http")),
            Some(Fate::DoneBefore) => Err(done()),
            Some(Fate::DoneBeforeAsAnswer) => Ok(Answer::done()),
            Some(Fate::DoneAnd(status, body)) => Ok(Answer::new(status, body)),
            _ => Ok(Answer::json(201, &json!({"data": self.shown(self.incidents.len())}))),
        }
    }
}

/// A Datadog with as many incidents of the same title, none of which carries a mark.
fn with(incidents: usize, fates: Vec<Fate>) -> (Host, Rc<RefCell<Datadog>>) {
    let incidents = vec![("checkout is down".to_owned(), "somebody's".to_owned()); incidents];
    let datadog = Datadog { incidents, fates: fates.into(), page: 100, ..Datadog::default() };
    let datadog = Rc::new(RefCell::new(datadog));
    let inner = Rc::clone(&datadog);
    let host = Host::new().step("declare").remaining(std::time::Duration::from_secs(120));
    (host.http("datadog", move |request| inner.borrow_mut().answer(request)), datadog)
}

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "datadog", "name": "my-keys"}},
        "title": "checkout is down",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

fn declare(host: &Host) -> Result<Value, Failure> {
    host.run(&inputs(json!({})), run)
}

#[test]
fn relay_s_spec_declares_an_incident_with_its_mark() {
    let (host, datadog) = with(4, vec![]);

    let outputs = declare(&host).expect("outputs");

    assert_eq!(
        outputs,
        json!({"incident_id": "00000000-0000-4000-8000-000000000005", "public_id": 5,
            "created": true, "slug": "IR-5", "title": "checkout is down", "state": "active"})
    );
    let mark = format!("`bowline run run-1, step declare, {KEY}`");
    let cell = json!({"cell_type": "markdown", "content": {"content": mark}});
    assert_eq!(
        datadog.borrow().bodies,
        [json!({"data": {"type": "incidents", "attributes": {"title": "checkout is down",
            "customer_impacted": false, "initial_cells": [cell]}}})]
    );
    assert_eq!(datadog.borrow().asked, 1, "the first attempt looks for nothing");
}

#[test]
fn everything_that_can_be_said_is_sent() {
    let (host, datadog) = with(0, vec![]);
    let user = "6248184c-3ce0-54e7-a9f3-8db44efede9d";
    let extra = json!({
        "customer_impacted": true, "customer_impact_scope": " all of them ", "severity": "SEV-2",
        "state": "active", "commander": user, "incident_type": user, "is_test": true,
        "fields": {"teams": ["core"], "zone": {"type": "textbox", "value": "eu"}},
        "notification_handles": [{"handle": "@jane@example.com", "display_name": "Jane"}],
        "timeline_cell_content": "Opened for @oncall",
    });

    host.run(&inputs(extra), run).expect("outputs");

    let body = datadog.borrow().bodies[0].clone();
    let attributes = &body["data"]["attributes"];
    assert_eq!(attributes["customer_impact_scope"], "all of them");
    assert_eq!(attributes["fields"]["severity"], json!({"type": "dropdown", "value": "SEV-2"}));
    assert_eq!(attributes["fields"]["teams"], json!({"type": "autocomplete", "value": ["core"]}));
    assert_eq!(attributes["fields"]["zone"], json!({"type": "textbox", "value": "eu"}));
    assert_eq!(
        (&attributes["is_test"], &attributes["incident_type_uuid"]),
        (&json!(true), &json!(user))
    );
    assert_eq!(attributes["notification_handles"][0]["display_name"], "Jane");
    let commander = json!({"commander_user": {"data": {"type": "users", "id": user}}});
    assert_eq!(body["data"]["relationships"], commander);
    let cell = attributes["initial_cells"][0]["content"]["content"].as_str().expect("a text");
    assert!(cell.starts_with("Opened for @\u{200d}oncall\n\n`bowline run"), "{cell}");
}

#[test]
fn d21_impact_without_a_word_about_it_is_refused_before_any_request() {
    for extra in [
        json!({"customer_impacted": true}),
        json!({"customer_impacted": true, "customer_impact_scope": " "}),
        json!({"customer_impact_scope": "all of them"}),
    ] {
        let (host, datadog) = with(0, vec![]);
        let failure = host.run(&inputs(extra.clone()), run).expect_err("refused");
        assert_eq!((failure.code(), datadog.borrow().asked), ("config", 0), "{extra}");
        assert!(failure.message().contains("customer_impact_scope"), "{failure}");
    }
}

#[test]
fn d22_whatever_happens_there_is_one_incident_of_ours() {
    let cases: Vec<(&str, Vec<Fate>, usize)> = vec![
        ("the answer is lost", vec![Fate::DoneAndLost], 1),
        ("a proxy answers 502", vec![Fate::DoneAnd(502, "<html>")], 1),
        ("the post is lost", vec![Fate::Lost], 2),
        ("500 without effect", vec![Fate::Refused(500, "")], 2),
        ("429", vec![Fate::Refused(429, "null")], 2),
        ("no connection", vec![Fate::Unsent], 2),
        ("lost, then the answer is lost", vec![Fate::Lost, Fate::DoneAndLost], 2),
        ("201 without an id", vec![Fate::DoneAnd(201, "{}")], 1),
        ("201 that is no JSON", vec![Fate::DoneAnd(201, "<html>")], 1),
        ("done before a crash", vec![Fate::DoneBefore], 1),
        ("done before a crash, as an answer", vec![Fate::DoneBeforeAsAnswer], 1),
    ];
    for (name, fates, posts) in cases {
        // More than fit on a page, of the same title, and by others; with pages of two sizes.
        for (before, page) in [(0, 100), (7, 3), (99, 100), (100, 100), (250, 25), (612, 100)] {
            let (host, datadog) = with(before, fates.clone());
            datadog.borrow_mut().page = page;
            let outputs = declare(&host).unwrap_or_else(|failure| panic!("{name}: {failure}"));
            assert_eq!(outputs["public_id"], before + 1, "{name}, {before} before");
            let datadog = datadog.borrow();
            assert_eq!(datadog.incidents.len(), before + 1, "{name}, {before} before");
            assert_eq!(datadog.bodies.len(), posts, "{name}, {before} before");
            assert!(datadog.bodies.windows(2).all(|two| two[0] == two[1]), "the same text again");
        }
    }
}

#[test]
fn d22_where_one_cannot_look_nothing_is_declared_again() {
    for (list, timeline) in
        [(Some(403), None), (Some(404), None), (None, Some(403)), (None, Some(404))]
    {
        let (host, datadog) = with(3, vec![Fate::DoneAndLost]);
        (datadog.borrow_mut().list, datadog.borrow_mut().timeline) = (list, timeline);
        let failure = declare(&host).expect_err("nobody knows");
        assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
        assert_eq!(failure.details()["inDoubt"], true);
        assert!(failure.message().contains(KEY), "{failure}");
        assert_eq!(datadog.borrow().bodies.len(), 1, "{list:?} {timeline:?}");
    }
    let (host, datadog) = with(3, vec![]);
    datadog.borrow_mut().list = Some(403);
    let failure = declare(&host.attempt(2)).expect_err("nobody knows");
    assert_eq!((failure.code(), datadog.borrow().bodies.len()), ("ambiguous", 0));
}

#[test]
fn a_declaration_that_is_known_and_not_found_is_not_made_again() {
    for fate in [Fate::DoneBefore, Fate::DoneBeforeAsAnswer] {
        let (host, datadog) = with(3, vec![fate]);
        datadog.borrow_mut().timeline = Some(403);
        let failure = declare(&host).expect_err("which one is it?");
        assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
        assert_eq!(failure.details().get("inDoubt"), None, "that it was declared is known");
        assert!(failure.message().contains("which incident it is"), "{failure}");
        assert!(failure.message().contains(KEY), "{failure}");
        assert_eq!(datadog.borrow().bodies.len(), 1);
    }
}

#[test]
fn another_attempt_looks_before_it_declares() {
    let (host, datadog) = with(120, vec![]);
    let first = declare(&host).expect("the first attempt");
    let second = declare(&host.attempt(2)).expect("the second attempt");
    assert_eq!(
        (&second["incident_id"], &second["created"]),
        (&first["incident_id"], &json!(false))
    );
    assert_eq!(datadog.borrow().bodies.len(), 1);
}

#[test]
fn d24_a_title_is_one_line_of_bounded_length() {
    let long = "x".repeat(10_000);
    let cut = format!("{}…", "x".repeat(999));
    let cases = [
        ("a \"quoted\" title", "a \"quoted\" title"),
        ("two\nlines\r\n and  blanks", "two lines and blanks"),
        ("fire 🔥 in 👩‍👩‍👧", "fire 🔥 in 👩‍👩‍👧"),
        (long.as_str(), cut.as_str()),
    ];
    for (title, expected) in cases {
        let (host, datadog) = with(0, vec![]);
        host.run(&inputs(json!({"title": title})), run).expect("outputs");
        assert_eq!(datadog.borrow().bodies[0]["data"]["attributes"]["title"], expected);
        let warned = host.lines().iter().any(|line| line.starts_with("warn `title` is cut"));
        assert_eq!(warned, title.len() > 1000);
    }
    let failure = Host::new().run(&inputs(json!({"title": " \n"})), run).expect_err("empty");
    assert_eq!(failure.code(), "config");
}

#[test]
fn d25_a_field_that_is_unknown_to_the_organisation_is_named() {
    let body = r#"{"errors":[{"status":"400","title":"Bad Request","detail":"unknown field",
        "source":{"pointer":"/data/attributes/fields/zone"}}]}"#;
    let (host, datadog) = with(0, vec![Fate::Refused(400, body)]);
    let extra = json!({"fields": {"zone": {"type": "dropdown", "value": "eu"}}});
    let failure = host.run(&inputs(extra), run).expect_err("refused");
    assert_eq!(failure.code(), "datadog.invalid");
    assert!(
        failure.message().contains("unknown field at `/data/attributes/fields/zone`"),
        "{failure}"
    );
    assert_eq!(datadog.borrow().bodies.len(), 1, "not again without the field");
}

#[test]
fn refusals_are_final_and_a_long_limit_is_not_waited_for() {
    for (status, code) in [
        (403, "datadog.forbidden"),
        (401, "datadog.unauthorized"),
        (422, "datadog.invalid"),
        (302, "datadog.redirected"),
    ] {
        let (host, datadog) = with(0, vec![Fate::Refused(status, r#"{"errors":["no"]}"#)]);
        let failure = declare(&host).expect_err("refused");
        assert_eq!((failure.code(), datadog.borrow().asked), (code, 1), "{status}");
    }
    let host = Host::new()
        .http("datadog", |_| Ok(Answer::new(429, "null").header("x-ratelimit-reset", "1800")));
    let failure = declare(&host).expect_err("throttled");
    assert_eq!((failure.code(), host.slept().as_secs()), ("datadog.throttled", 0));
    assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), Some(1800));
}

#[test]
fn wrong_inputs_are_refused_before_any_request() {
    for extra in [
        json!({"commander": "jane"}),
        json!({"incident_type": "outage"}),
        json!({"severity": "SEV-1", "fields": {"severity": "SEV-2"}}),
        json!({"fields": {"zone": "eu"}}),
        json!({"notification_handles": [{"handle": " "}]}),
    ] {
        let failure = Host::new().run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!(failure.code(), "config", "{extra}");
    }
}
