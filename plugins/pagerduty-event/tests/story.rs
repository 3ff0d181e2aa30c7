//! Sending events to a pretended PagerDuty.

use bowline_sdk::testing::{Answer, Host, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition};
use pagerduty_event::{Inputs, Outputs, run};
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

const KEY: &str = "bowline-00112233445566778899aabbccddeeff";

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "pagerduty", "name": "checkout"}},
        "summary": "checkout\nis down",
        "source": "web-1",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

fn trigger(extra: Value) -> Value {
    let mut trigger = inputs(json!({"event_action": "trigger", "severity": "error"}));
    for (name, value) in extra.as_object().expect("an object") {
        trigger[name] = value.clone();
    }
    trigger
}

type Sent = Rc<RefCell<Vec<(String, Value)>>>;

fn with(answers: Vec<Result<Answer, ConnectError>>) -> (Host, Sent) {
    let sent: Sent = Rc::default();
    let (record, mut answers) = (Rc::clone(&sent), answers.into_iter());
    let host = Host::new().http("pagerduty", move |request| {
        let body: Value =
            serde_json::from_slice(request.body.as_deref().expect("a body")).expect("JSON");
        assert_eq!(body.get("routing_key"), None, "the host puts it in");
        record.borrow_mut().push((request.path.clone(), body));
        answers.next().expect("no more posts than answers")
    });
    (host, sent)
}

fn taken() -> Result<Answer, ConnectError> {
    Ok(Answer::new(202, r#"{"status":"success","message":"Event processed","dedup_key":"theirs"}"#))
}

#[test]
fn a_trigger_opens_an_alert_with_a_key_of_its_own() {
    let (host, sent) = with(vec![taken()]);
    let extra = json!({"component": "db", "group": "prod", "class": "latency",
        "timestamp": "2026-01-01T00:00:00Z", "custom_details": {"p99": "7 s"},
        "links": [{"href": "https://x", "text": "logs"}]});
    let outputs = host.run(&trigger(extra), run).expect("outputs");
    assert_eq!(outputs, json!({"dedup_key": "theirs"}));
    let expected = json!({
        "event_action": "trigger", "dedup_key": KEY, "client": "Bowline",
        "payload": {"summary": "checkout is down", "source": "web-1", "severity": "error",
            "component": "db", "group": "prod", "class": "latency",
            "timestamp": "2026-01-01T00:00:00Z", "custom_details": {"p99": "7 s"}},
        "links": [{"href": "https://x", "text": "logs"}],
    });
    assert_eq!(*sent.borrow(), [("/v2/enqueue".to_owned(), expected)]);
}

#[test]
fn acknowledging_and_resolving_name_the_alert_and_nothing_else() {
    for action in ["acknowledge", "resolve"] {
        let (host, sent) = with(vec![Ok(Answer::new(202, "{}"))]);
        let extra =
            json!({"event_action": action, "dedup_key": "k", "summary": null, "source": null});
        let outputs = host.run(&inputs(extra), run).expect("outputs");
        assert_eq!(outputs, json!({"dedup_key": "k"}));
        let expected = json!({"event_action": action, "dedup_key": "k"});
        assert_eq!(*sent.borrow(), [("/v2/enqueue".to_owned(), expected)]);
    }
}

#[test]
fn relay_s_spec_records_a_change_that_notifies_nobody() {
    let (host, sent) = with(vec![Ok(Answer::new(202, r#"{"status":"success"}"#))]);
    let outputs = host.run(&inputs(json!({})), run).expect("outputs");
    assert_eq!(outputs, json!({}));
    let expected = json!({"payload": {"summary": "checkout is down", "source": "web-1"}});
    assert_eq!(*sent.borrow(), [("/v2/change/enqueue".to_owned(), expected)]);
}

#[test]
fn an_alert_is_sent_again_under_its_key_and_a_change_in_doubt_is_not() {
    let (host, sent) = with(vec![
        Err(lost("http")),
        Ok(Answer::new(503, "")),
        Ok(Answer::new(429, "").header("retry-after", "2")),
        taken(),
    ]);
    host.run(&trigger(json!({})), run).expect("outputs");
    assert!(sent.borrow().len() == 4 && sent.borrow().iter().all(|(_, it)| it["dedup_key"] == KEY));

    for doubt in [Err(lost("http")), Ok(Answer::new(500, ""))] {
        let (host, sent) = with(vec![doubt]);
        let failure = host.run(&inputs(json!({})), run).expect_err("nobody knows");
        assert_eq!((failure.code(), sent.borrow().len()), ("ambiguous", 1));
    }
    let (host, sent) = with(vec![Err(unreachable("http")), taken()]);
    host.run(&inputs(json!({})), run).expect("it never left");
    assert_eq!(sent.borrow().len(), 2);
}

#[test]
fn an_event_that_was_taken_before_a_crash_is_not_sent_again() {
    for (inputs, expected) in [
        (trigger(json!({})), json!({"dedup_key": KEY})),
        (trigger(json!({"dedup_key": "k"})), json!({"dedup_key": "k"})),
        (inputs(json!({"event_action": "resolve", "dedup_key": "k"})), json!({"dedup_key": "k"})),
        (inputs(json!({})), json!({})),
    ] {
        for before in [Err(done()), Ok(Answer::done())] {
            let (host, sent) = with(vec![before]);
            assert_eq!(host.run(&inputs, run).expect("outputs"), expected);
            assert_eq!(sent.borrow().len(), 1, "{inputs}");
        }
    }
}

#[test]
fn the_host_may_send_an_alert_again_and_no_change() {
    let text = include_str!("../plugin.toml");
    let manifest = bowline_sdk::manifest::manifest::<Inputs, Outputs>(text).expect("a manifest");
    let verify = json!([{"method": "POST", "path": "/v2/enqueue", "recognised": true}]);
    assert_eq!(manifest["connections"]["pagerduty"]["verify"], verify);
    for (inputs, keyed) in [
        (trigger(json!({})), true),
        (inputs(json!({"event_action": "acknowledge", "dedup_key": "k"})), true),
        (inputs(json!({})), false),
    ] {
        let (host, sent) = with(vec![taken()]);
        host.run(&inputs, run).expect("outputs");
        let (path, body) = sent.borrow()[0].clone();
        assert_eq!((path == "/v2/enqueue", body["dedup_key"].is_string()), (keyed, keyed));
    }
}

#[test]
fn refusals_are_final_and_told() {
    let body = r#"{"status":"invalid event","message":"Event object is invalid","errors":["'routing_key' is invalid"]}"#;
    let (host, sent) = with(vec![Ok(Answer::new(400, body))]);
    let failure = host.run(&trigger(json!({})), run).expect_err("refused");
    assert_eq!(
        (failure.code(), failure.disposition(), sent.borrow().len()),
        ("pagerduty.invalid", Disposition::Permanent, 1)
    );
    assert!(failure.message().contains("('routing_key' is invalid)"), "{failure}");
    assert!(failure.message().contains("the routing key of connection `checkout`"), "{failure}");
}

#[test]
fn what_is_missing_or_does_not_belong_is_refused_by_name() {
    let cases = [
        (trigger(json!({"summary": " "})), "`summary`"),
        (trigger(json!({"source": null})), "`source`"),
        (trigger(json!({"severity": null})), "`severity`"),
        (trigger(json!({"dedup_key": "x".repeat(256)})), "256 characters"),
        (trigger(json!({"links": [{"href": "javascript:x"}]})), "`links`"),
        (trigger(json!({"custom_details": {"x": "y".repeat(600_000)}})), "bytes"),
        (inputs(json!({"event_action": "resolve"})), "`dedup_key`"),
        (inputs(json!({"severity": "error"})), "`event_action: trigger`"),
        (inputs(json!({"dedup_key": "k"})), "a change has no `dedup_key`"),
        (inputs(json!({"summary": null})), "`change` needs `summary`"),
    ];
    for (inputs, expected) in cases {
        let failure = Host::new().run(&inputs, run).expect_err(expected);
        assert_eq!(failure.code(), "config", "{expected}");
        assert!(failure.message().contains(expected), "{expected}: {failure}");
    }
    let failure = Host::new().run(&trigger(json!({"severity": "bad"})), run).expect_err("bad");
    assert_eq!(failure.code(), "guest.invalid-input");
}
