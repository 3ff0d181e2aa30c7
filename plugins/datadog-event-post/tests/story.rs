//! Posting an event to a pretended Datadog.

use bowline_sdk::testing::{Answer, Host, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition};
use datadog_event_post::run;
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

const KEY: &str = "bowline-00112233445566778899aabbccddeeff";

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "datadog", "name": "my-keys"}},
        "event_title": "Rolled back web",
        "event_text": "by the runbook",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

type Bodies = Rc<RefCell<Vec<Value>>>;

/// A Datadog with these answers, one after the other, and what it was sent.
fn with(answers: Vec<Result<Answer, ConnectError>>) -> (Host, Bodies) {
    let bodies: Bodies = Rc::default();
    let (sent, mut answers) = (Rc::clone(&bodies), answers.into_iter());
    let host = Host::new().http("datadog", move |request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v1/events"));
        let body = request.body.as_deref().expect("a body");
        sent.borrow_mut().push(serde_json::from_slice(body).expect("JSON"));
        answers.next().expect("no more posts than answers")
    });
    (host, bodies)
}

fn taken() -> Result<Answer, ConnectError> {
    let event = json!({"id": 6_327_818_702_635_911_000_u64, "id_str": "6327818702635911562",
        "url": "https://app.datadoghq.com/event/event?id=6327818702635911562"});
    Ok(Answer::json(202, &json!({"status": "ok", "event": event})))
}

/// The body that these inputs lead to.
fn sent(extra: Value) -> Value {
    let (host, bodies) = with(vec![taken()]);
    host.run(&inputs(extra), run).expect("outputs");
    bodies.borrow()[0].clone()
}

#[test]
fn relay_s_spec_posts_an_event() {
    let body = sent(json!({"event_type": "success"}));
    assert_eq!(
        body,
        json!({"title": "Rolled back web", "text": "by the runbook", "alert_type": "success",
            "aggregation_key": KEY, "source_type_name": "bowline"})
    );
}

#[test]
fn everything_that_can_be_said_is_sent() {
    let body = sent(json!({"priority": "low", "tags": ["Env:Prod", "env:prod"], "host": " h1 ",
        "aggregation_key": "deploys", "date_happened": 1_700_000_000, "markdown": true}));
    assert_eq!(body["priority"], "low");
    assert_eq!(body["tags"], json!(["env:prod"]));
    assert_eq!((&body["host"], &body["aggregation_key"]), (&json!("h1"), &json!("deploys")));
    assert_eq!(body["date_happened"], 1_700_000_000);
    assert_eq!(body["text"], "%%% \nby the runbook\n %%%");
}

#[test]
fn e01_a_long_text_is_cut_and_its_markdown_stays_closed() {
    for markdown in [false, true] {
        let body = sent(json!({"event_text": "ä".repeat(10_000), "markdown": markdown}));
        let text = body["text"].as_str().expect("a text");
        assert_eq!(text.chars().count(), 4000);
        assert!(text.contains("… (cut)"));
        assert_eq!(text.ends_with("\n %%%") && text.starts_with("%%% \n"), markdown);
    }
    let exact = sent(json!({"event_text": "x".repeat(4000)}));
    assert_eq!(exact["text"], "x".repeat(4000));
}

#[test]
fn e02_percent_signs_in_the_text_do_not_end_the_markdown() {
    let body = sent(json!({"event_text": "a %%% b %%%% c", "markdown": true}));
    let text = body["text"].as_str().expect("a text");
    assert_eq!(text.matches("%%%").count(), 2, "the beginning and the end: {text}");
}

#[test]
fn e03_the_time_is_left_out_and_a_refused_one_is_told() {
    assert_eq!(sent(json!({})).get("date_happened"), None);
    let body = r#"{"errors":["Event too far in the past"]}"#;
    let refusal = Answer::new(400, body).header("content-type", "text/plain; charset=utf-8");
    let (host, bodies) = with(vec![Ok(refusal)]);
    let failure = host.run(&inputs(json!({"date_happened": 1})), run).expect_err("refused");
    assert_eq!((failure.code(), bodies.borrow().len()), ("datadog.invalid", 1));
    assert!(failure.message().contains("(Event too far in the past)"), "{failure}");
    let failure = Host::new().run(&inputs(json!({"date_happened": -1})), run).expect_err("wrong");
    assert_eq!(failure.code(), "config");
}

#[test]
fn e04_the_id_is_the_text_that_has_all_digits() {
    let id = |event: Value| {
        let answer = json!({"status": "ok", "event": event}).to_string();
        let (host, _) = with(vec![Ok(Answer::new(202, answer))]);
        host.run(&inputs(json!({})), run).expect("outputs").get("event_id").cloned()
    };
    let both = json!({"id": 6_327_818_702_635_911_000_u64, "id_str": "6327818702635911562"});
    assert_eq!(id(both), Some(json!("6327818702635911562")));
    // Older answers have the number only, to the last digit.
    let number = json!({"id": 5_942_973_138_276_091_518_u64});
    assert_eq!(id(number), Some(json!("5942973138276091518")));
    for none in [json!({}), json!(null), json!({"id": "x", "id_str": ""}), json!({"id": 1.5e30})] {
        assert_eq!(id(none.clone()), None, "{none}");
    }
}

#[test]
fn e05_an_event_that_was_taken_is_not_asked_for() {
    let (host, bodies) = with(vec![taken()]);
    let outputs = host.run(&inputs(json!({})), run).expect("outputs");
    assert_eq!(outputs["aggregation_key"], KEY);
    assert_eq!(bodies.borrow().len(), 1, "one request, whatever a GET would say for some seconds");
    for body in ["", "<html>", "[]", "null"] {
        let (host, _) = with(vec![Ok(Answer::new(202, body))]);
        assert_eq!(host.run(&inputs(json!({})), run).expect(body), json!({"aggregation_key": KEY}));
    }
}

#[test]
fn e06_only_what_was_certainly_not_taken_is_sent_again_under_the_same_key() {
    let busy = || Ok(Answer::new(429, "").header("x-ratelimit-reset", "2"));
    let (host, bodies) = with(vec![busy(), Err(unreachable("http")), taken()]);
    host.run(&inputs(json!({})), run).expect("outputs");
    let bodies = bodies.borrow();
    assert!(bodies.len() == 3 && bodies.iter().all(|body| body["aggregation_key"] == KEY));

    for doubt in [Err(lost("http")), Ok(Answer::new(502, "")), Ok(Answer::new(504, "<html>"))] {
        let (host, bodies) = with(vec![doubt]);
        let failure = host.run(&inputs(json!({})), run).expect_err("nobody knows");
        assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
        assert_eq!((bodies.borrow().len(), &failure.details()["inDoubt"]), (1, &json!(true)));
    }
}

#[test]
fn an_event_that_was_posted_before_a_crash_is_not_posted_again() {
    for before in [Err(done()), Ok(Answer::done())] {
        let (host, bodies) = with(vec![before]);
        let outputs = host.run(&inputs(json!({})), run).expect("outputs");
        assert_eq!(outputs, json!({"aggregation_key": KEY}));
        assert_eq!(bodies.borrow().len(), 1);
        let lines = host.lines();
        assert!(
            lines.iter().any(|line| line.starts_with("warn the event was posted")),
            "{lines:?}"
        );
    }
}

#[test]
fn e07_a_type_that_there_is_not_is_refused_with_the_list_and_none_is_info() {
    assert_eq!(sent(json!({}))["alert_type"], "info");
    for kind in ["red", "", "Error"] {
        let failure = Host::new().run(&inputs(json!({"event_type": kind})), run).expect_err(kind);
        assert_eq!(failure.code(), "config", "{kind}");
        assert!(failure.message().contains("error, warning, info, success"), "{failure}");
    }
}

#[test]
fn e08_nothing_of_version_2_goes_to_this_address() {
    // `with` lets nothing but POST /api/v1/events pass; the manifest allows nothing else either.
    let manifest = include_str!("../plugin.toml");
    assert_eq!(manifest.matches("path = ").count(), 1);
    assert!(manifest.contains("path = \"/api/v1/events\""));
    assert_eq!(sent(json!({}))["title"], "Rolled back web");
}

#[test]
fn e09_tags_are_normalised_and_sent_as_a_list() {
    let long = format!("a:{}", "x".repeat(300));
    let body = sent(json!({"tags": ["Team:On Call", "a,b", long]}));
    let tags = body["tags"].as_array().expect("a list");
    assert_eq!(tags[..2], [json!("team:on_call"), json!("a_b")]);
    assert_eq!(tags[2].as_str().map(str::len), Some(200));
    assert_eq!(sent(json!({"tags": []})).get("tags"), None);
}

#[test]
fn mentions_notify_only_when_asked_to() {
    let body = sent(json!({"event_title": "for @a", "event_text": "ask @oncall"}));
    assert_eq!(
        (&body["title"], &body["text"]),
        (&json!("for @\u{200d}a"), &json!("ask @\u{200d}oncall"))
    );
    assert_eq!(sent(json!({"event_text": "ask @oncall", "notify": true}))["text"], "ask @oncall");
}

#[test]
fn wrong_inputs_and_wrong_keys_are_told() {
    for extra in [
        json!({"event_title": " "}),
        json!({"event_text": "\n"}),
        json!({"priority": "high"}),
        json!({"aggregation_key": ""}),
        json!({"aggregation_key": "x".repeat(101)}),
    ] {
        let failure = Host::new().run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!(failure.code(), "config", "{extra}");
    }
    let (host, _) = with(vec![Ok(Answer::new(403, r#"{"errors":["Forbidden"]}"#))]);
    let failure = host.run(&inputs(json!({})), run).expect_err("forbidden");
    assert_eq!(failure.code(), "datadog.forbidden");
    assert!(failure.message().contains("the API key of connection `my-keys`"), "{failure}");
}
