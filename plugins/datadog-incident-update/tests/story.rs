//! Changing an incident at a pretended Datadog that loses answers and refuses.

use bowline_sdk::testing::{Answer, Host, SentRequest, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition};
use datadog_incident_update::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

const INCIDENT: &str = "6248184c-3ce0-54e7-a9f3-8db44efede9d";
const USER: &str = "0a671397-1bda-468b-9087-8aa191057af8";

/// What happens to one update.
#[derive(Clone, Copy)]
enum Fate {
    DoneAndLost,
    /// As the host tells it of a change before a crash; once as an error, once as an answer.
    DoneBefore,
    DoneBeforeAsAnswer,
    DoneAnd(u16, &'static str),
    Lost,
    Refused(u16, &'static str),
    Unsent,
}

struct Datadog {
    shown: Value,
    bodies: Vec<Value>,
    reads: usize,
    fates: VecDeque<Fate>,
    /// The status of reads after the first.
    blind: Option<u16>,
}

impl Datadog {
    fn answer(&mut self, request: &SentRequest) -> Result<Answer, ConnectError> {
        assert_eq!(request.path, format!("/api/v2/incidents/{INCIDENT}"));
        if request.method == "GET" {
            self.reads += 1;
            return Ok(match self.blind.filter(|_| self.reads > 1) {
                Some(status) => Answer::new(status, ""),
                None => Answer::json(200, &json!({"data": self.shown})),
            });
        }
        assert_eq!(request.method, "PATCH");
        let body: Value =
            serde_json::from_slice(request.body.as_deref().expect("a body")).expect("JSON");
        self.bodies.push(body.clone());
        let fate = self.fates.pop_front();
        match fate {
            Some(Fate::Lost) => return Err(lost("http")),
            Some(Fate::Unsent) => return Err(unreachable("http")),
            Some(Fate::Refused(status, body)) => return Ok(Answer::new(status, body)),
            _ => (),
        }
        self.merge(&body);
        match fate {
            Some(Fate::DoneAndLost) => Err(lost("http")),
            Some(Fate::DoneBefore) => Err(done()),
            Some(Fate::DoneBeforeAsAnswer) => Ok(Answer::done()),
            Some(Fate::DoneAnd(status, body)) => Ok(Answer::new(status, body)),
            _ => Ok(Answer::json(200, &json!({"data": self.shown}))),
        }
    }

    /// As the service does: what is not named stays.
    fn merge(&mut self, body: &Value) {
        assert_eq!(
            (&body["data"]["type"], &body["data"]["id"]),
            (&json!("incidents"), &json!(INCIDENT))
        );
        for (name, value) in body["data"]["attributes"].as_object().into_iter().flatten() {
            if name != "fields" {
                self.shown["attributes"][name] = value.clone();
                continue;
            }
            for (field, value) in value.as_object().expect("fields") {
                self.shown["attributes"]["fields"][field] = value.clone();
                if matches!(field.as_str(), "state" | "severity") {
                    self.shown["attributes"][field] = value["value"].clone();
                }
            }
        }
        if let Some(user) = body["data"]["relationships"].get("commander_user") {
            // As recorded: the attribute tells, the relationship stays null.
            self.shown["attributes"]["commander"] =
                if user["data"].is_null() { Value::Null } else { user.clone() };
        }
    }
}

fn with(fates: Vec<Fate>) -> (Host, Rc<RefCell<Datadog>>) {
    let shown = json!({"id": INCIDENT, "type": "incidents", "attributes": {
        "public_id": 5, "title": "checkout is down", "state": "active", "severity": "SEV-3",
        "customer_impacted": false, "customer_impact_scope": null, "commander": null,
        "fields": {"state": {"type": "dropdown", "value": "active"},
            "severity": {"type": "dropdown", "value": "SEV-3"},
            "teams": {"type": "autocomplete", "value": ["b", "a"]},
            "zone": {"type": "multiselect", "value": null},
            "slug": {"type": "textbox", "value": "IR-5"}}},
        "relationships": {"commander_user": {"data": null}}});
    let datadog = Datadog { shown, bodies: Vec::new(), reads: 0, fates: fates.into(), blind: None };
    let datadog = Rc::new(RefCell::new(datadog));
    let inner = Rc::clone(&datadog);
    (Host::new().http("datadog", move |request| inner.borrow_mut().answer(request)), datadog)
}

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "datadog", "name": "my-keys"}},
        "incident_id": INCIDENT,
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

#[test]
fn only_what_is_different_is_sent() {
    let dropdown = |value: &str| json!({"type": "dropdown", "value": value});
    let cases = [
        (
            json!({"state": "stable", "severity": "SEV-3"}),
            vec!["state"],
            json!({"attributes": {"fields": {"state": dropdown("stable")}}}),
        ),
        (
            json!({"title": "checkout\nis back", "severity": "SEV-4"}),
            vec!["title", "severity"],
            json!({"attributes": {"title": "checkout is back", "fields": {"severity": dropdown("SEV-4")}}}),
        ),
        (
            json!({"commander": USER}),
            vec!["commander"],
            json!({"relationships": {"commander_user": {"data": {"type": "users", "id": USER}}}}),
        ),
        (
            json!({"fields": {"zone": "eu", "teams": ["a", "b"]}}),
            vec!["zone"],
            json!({"attributes": {"fields": {"zone": {"type": "multiselect", "value": ["eu"]}}}}),
        ),
        (
            json!({"fields": {"teams": null}}),
            vec!["teams"],
            json!({"attributes": {"fields": {"teams": {"type": "autocomplete", "value": null}}}}),
        ),
        (
            json!({"customer_impacted": true, "customer_impact_scope": "all"}),
            vec!["customer_impact_scope", "customer_impacted"],
            json!({"attributes": {"customer_impacted": true, "customer_impact_scope": "all"}}),
        ),
    ];
    for (extra, mut names, expected) in cases {
        let (host, datadog) = with(vec![]);
        let outputs = host.run(&inputs(extra.clone()), run).expect("outputs");
        let mut expected = expected;
        expected["type"] = json!("incidents");
        expected["id"] = json!(INCIDENT);
        assert_eq!(datadog.borrow().bodies, [json!({"data": expected})], "{extra}");
        let mut changes: Vec<&str> = outputs["changes"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        names.sort_unstable();
        changes.sort_unstable();
        assert_eq!((changes, &outputs["changed"]), (names, &json!(true)), "{extra}");
        // What is so already is not sent again.
        let again = host.run(&inputs(extra.clone()), run).expect("outputs");
        assert_eq!((&again["changed"], &again["changes"]), (&json!(false), &json!([])), "{extra}");
        assert_eq!(datadog.borrow().bodies.len(), 1, "{extra}");
    }
}

#[test]
fn a_commander_is_set_taken_away_and_told() {
    let (host, datadog) = with(vec![]);
    let led = host.run(&inputs(json!({"commander": USER})), run).expect("outputs");
    assert_eq!(led["commander"], USER);
    let nobody = host.run(&inputs(json!({"commander": "none"})), run).expect("outputs");
    assert_eq!(nobody.get("commander"), None);
    let body = datadog.borrow().bodies[1].clone();
    assert_eq!(body["data"]["relationships"], json!({"commander_user": {"data": null}}));
}

#[test]
fn whatever_happens_the_incident_ends_as_wished() {
    let cases: Vec<(&str, Vec<Fate>, usize)> = vec![
        ("the answer is lost", vec![Fate::DoneAndLost], 1),
        ("a proxy answers 502", vec![Fate::DoneAnd(502, "<html>")], 1),
        ("the update is lost", vec![Fate::Lost], 2),
        ("500 without effect", vec![Fate::Refused(500, "")], 2),
        ("429", vec![Fate::Refused(429, "")], 2),
        ("no connection", vec![Fate::Unsent], 2),
        ("200 that is no JSON", vec![Fate::DoneAnd(200, "<html>")], 1),
        ("200 without the incident", vec![Fate::DoneAnd(200, "{}")], 1),
        ("done before a crash", vec![Fate::DoneBefore], 1),
        ("done before a crash, as an answer", vec![Fate::DoneBeforeAsAnswer], 1),
    ];
    for (name, fates, patches) in cases {
        let (host, datadog) = with(fates);
        let outputs = host.run(&inputs(json!({"state": "stable"})), run);
        let outputs = outputs.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(outputs["changed"], true, "{name}");
        assert_eq!(outputs["state"], "stable", "{name}: what it shows now");
        assert_eq!(datadog.borrow().shown["attributes"]["state"], "stable", "{name}");
        assert_eq!(datadog.borrow().bodies.len(), patches, "{name}");
    }
}

#[test]
fn where_one_cannot_look_nothing_is_sent_again() {
    let (host, datadog) = with(vec![Fate::DoneAndLost]);
    datadog.borrow_mut().blind = Some(403);
    let failure = host.run(&inputs(json!({"state": "stable"})), run).expect_err("nobody knows");
    assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
    assert_eq!(datadog.borrow().bodies.len(), 1);
}

#[test]
fn a_change_before_a_crash_succeeds_even_where_one_cannot_look() {
    for fate in [Fate::DoneBefore, Fate::DoneBeforeAsAnswer] {
        let (host, datadog) = with(vec![fate]);
        datadog.borrow_mut().blind = Some(403);
        let outputs = host.run(&inputs(json!({"state": "stable"})), run).expect("outputs");
        assert_eq!(
            outputs,
            json!({"incident_id": INCIDENT, "changed": true, "changes": ["state"]}),
            "what it showed before is left out"
        );
        assert_eq!(datadog.borrow().bodies.len(), 1);
    }
}

#[test]
fn d15_an_id_that_the_service_calls_malformed_is_not_found() {
    for id in ["IR-5", "6248184c-3ce0-54e7-a9f3-8db44efede9", "../x"] {
        let failure = Host::new().run(&inputs(json!({"incident_id": id, "state": "x"})), run);
        let failure = failure.expect_err(id);
        assert_eq!(failure.code(), "config", "our own check comes first: {id}");
    }
    let body = r#"{"errors":[{"title":"Generic Error","detail":"malformed incident ID"}]}"#;
    let host = Host::new().http("datadog", move |_| Ok(Answer::new(404, body)));
    let failure = host.run(&inputs(json!({"state": "stable"})), run).expect_err("not found");
    assert_eq!(failure.code(), "datadog.not-found");
    assert!(failure.message().contains("malformed incident ID"), "{failure}");
}

#[test]
fn d25_a_value_that_is_unknown_to_the_organisation_is_told_and_final() {
    let body = r#"{"errors":["value must be one of: [\"SEV-1\"] at fields.severity"]}"#;
    let (host, datadog) = with(vec![Fate::Refused(400, body)]);
    let failure = host.run(&inputs(json!({"severity": "SEV-9"})), run).expect_err("refused");
    assert_eq!((failure.code(), datadog.borrow().bodies.len()), ("datadog.invalid", 1));
    assert!(failure.message().contains("fields.severity"), "{failure}");
}

#[test]
fn refusals_are_final_and_say_what_is_missing() {
    for (status, code, text) in [
        (403, "datadog.forbidden", "`incident_write`"),
        (404, "datadog.not-found", "is deleted, private"),
        (409, "datadog.conflict", "no"),
    ] {
        let (host, datadog) = with(vec![Fate::Refused(status, r#"{"errors":["no"]}"#)]);
        let failure = host.run(&inputs(json!({"state": "stable"})), run).expect_err("refused");
        assert_eq!((failure.code(), datadog.borrow().bodies.len()), (code, 1), "{status}");
        assert!(failure.message().contains(text), "{failure}");
    }
}

#[test]
fn wrong_inputs_are_refused_before_anything_is_sent() {
    for extra in [
        json!({}),
        json!({"title": " "}),
        json!({"state": ""}),
        json!({"state": "stable", "fields": {"state": "active"}}),
        json!({"commander": "jane"}),
        json!({"customer_impacted": true}),
        json!({"fields": {"zone": 7}}),
        json!({"fields": {"unheard": "x"}}),
    ] {
        let (host, datadog) = with(vec![]);
        let failure = host.run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!((failure.code(), datadog.borrow().bodies.len()), ("config", 0), "{extra}");
    }
}
