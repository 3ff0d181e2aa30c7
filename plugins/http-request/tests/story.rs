//! Sending requests to a pretended HTTP API.

use bowline_sdk::testing::{Answer, Host, SentRequest, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition};
use http_request::run;
use serde_json::{Value, json};
use std::{cell::RefCell, rc::Rc};

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "http", "name": "api"}},
        "path": "/v1/things",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

type Sent = Rc<RefCell<Vec<SentRequest>>>;

fn with(answers: Vec<Result<Answer, ConnectError>>) -> (Host, Sent) {
    let sent: Sent = Rc::default();
    let (record, mut answers) = (Rc::clone(&sent), answers.into_iter());
    let host = Host::new().http("api", move |request| {
        record.borrow_mut().push(request.clone());
        answers.next().expect("no more requests than answers")
    });
    (host, sent)
}

fn good() -> Result<Answer, ConnectError> {
    Ok(Answer::new(200, "{}"))
}

fn sent(extra: Value) -> SentRequest {
    let (host, sent) = with(vec![good()]);
    host.run(&inputs(extra), run).expect("outputs");
    sent.borrow()[0].clone()
}

#[test]
fn a_read_gives_what_was_asked_for() {
    let body = json!({"data": [{"id": "7", "n": 1.5}], "next": null});
    let answer = Answer::json(200, &body).header("ETag", "abc").header("x-other", "no");
    let (host, sent) = with(vec![Ok(answer)]);
    let extra = json!({
        "query": {"page size": 10, "on": true, "q": "a&b"},
        "headers": {"Accept": "application/json"},
        "output_headers": ["etag", "missing"],
        "extract": {"id": "/data/0/id", "next": "/next", "all": ""},
    });
    let outputs = host.run(&inputs(extra), run).expect("outputs");
    assert_eq!(
        outputs,
        json!({"status": 200, "headers": {"etag": "abc"}, "json": body, "truncated": false,
            "values": {"id": "7", "next": null, "all": body}})
    );
    let sent = sent.borrow()[0].clone();
    assert_eq!((sent.method.as_str(), sent.body), ("GET", None));
    let (path, query) = sent.path.split_once('?').expect("a query");
    let mut pairs: Vec<&str> = query.split('&').collect();
    pairs.sort_unstable();
    assert_eq!((path, pairs), ("/v1/things", vec!["on=true", "page%20size=10", "q=a%26b"]));
    assert_eq!(sent.headers, [("Accept".to_owned(), "application/json".to_owned())]);
    assert_eq!(sent.timeout_ms, Some(30_000));
}

#[test]
fn a_body_has_one_of_three_forms() {
    let header = |sent: &SentRequest| {
        let found: Vec<&str> = sent
            .headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].to_owned()
    };
    let cases = [
        (json!({"json": {"a": [1]}}), "application/json", r#"{"a":[1]}"#),
        (
            json!({"json": [1], "headers": {"Content-Type": "application/x+json"}}),
            "application/x+json",
            "[1]",
        ),
        (json!({"text": "hällo"}), "text/plain; charset=utf-8", "hällo"),
        (json!({"text": "a,b", "headers": {"content-type": "text/csv"}}), "text/csv", "a,b"),
        (json!({"form": {"a b": "c&d"}}), "application/x-www-form-urlencoded", "a%20b=c%26d"),
    ];
    for (mut extra, kind, body) in cases {
        extra["method"] = json!("POST");
        let sent = sent(extra.clone());
        assert_eq!(
            (header(&sent).as_str(), sent.body.as_deref()),
            (kind, Some(body.as_bytes())),
            "{extra}"
        );
    }
}

#[test]
fn a_read_is_sent_again_and_a_write_only_when_it_does_no_harm() {
    let key = json!({"idempotency_key_header": "Idempotency-Key"});
    let cases = [
        ("GET", json!({}), true),
        ("HEAD", json!({}), true),
        ("POST", json!({}), false),
        ("PUT", json!({}), false),
        ("DELETE", json!({"idempotent": true}), true),
        ("POST", key, true),
    ];
    for (method, mut extra, again) in cases {
        for doubt in [Err(lost("http")), Ok(Answer::new(503, "")), Ok(Answer::new(408, ""))] {
            extra["method"] = json!(method);
            let (host, sent) = with(vec![doubt, good()]);
            let outcome = host.run(&inputs(extra.clone()), run);
            assert_eq!(
                (outcome.is_ok(), sent.borrow().len()),
                (again, 1 + usize::from(again)),
                "{extra}"
            );
            if let Err(failure) = outcome {
                assert_eq!(
                    (failure.code(), failure.disposition()),
                    ("ambiguous", Disposition::Permanent)
                );
            }
            let keys: Vec<String> = sent
                .borrow()
                .iter()
                .flat_map(|it| it.headers.clone())
                .filter(|(name, _)| name == "Idempotency-Key")
                .map(|(_, key)| key)
                .collect();
            let named = extra.get("idempotency_key_header").is_some();
            assert_eq!(keys.len(), if named { 2 } else { 0 });
            assert!(keys.windows(2).all(|two| two[0] == two[1]), "the same key again");
        }
        // What certainly was not carried out is sent again whatever it is.
        let busy = Ok(Answer::new(429, "").header("retry-after", "2"));
        let (host, sent) = with(vec![busy, Err(unreachable("http")), good()]);
        host.run(&inputs(extra.clone()), run).expect("outputs");
        assert_eq!(sent.borrow().len(), 3, "{extra}");
    }
}

#[test]
fn a_write_that_took_effect_before_a_crash_is_a_success_without_a_status() {
    for (before, expect) in [
        (Err(done()), json!(["2xx"])),
        (Ok(Answer::done()), json!(["2xx"])),
        (Ok(Answer::done()), json!([201])),
    ] {
        let (host, sent) = with(vec![before]);
        let extra = json!({"method": "POST", "expect": expect, "output_headers": ["location"]});
        let outputs = host.run(&inputs(extra), run).expect("outputs");
        assert_eq!(outputs, json!({"headers": {}, "truncated": false, "values": {}}));
        assert_eq!(sent.borrow().len(), 1);
        assert!(host.lines().iter().any(|line| line.starts_with("warn ")), "{:?}", host.lines());
    }
}

#[test]
fn what_only_the_lost_answer_had_is_not_made_up() {
    for before in [Err(done()), Ok(Answer::done())] {
        let extra = json!({"method": "POST", "extract": {"id": "/id"}});
        let (host, sent) = with(vec![before.clone()]);
        let failure = host.run(&inputs(extra.clone()), run).expect_err("no id");
        assert_eq!(
            (failure.code(), failure.disposition(), sent.borrow().len()),
            ("http.answer-lost", Disposition::Permanent, 1)
        );
        assert!(failure.message().contains("took effect"), "{failure}");

        // Where sending it again does no harm, it is sent again for its answer.
        let mut again = extra;
        again["idempotency_key_header"] = json!("Idempotency-Key");
        let (host, sent) = with(vec![before, Ok(Answer::new(201, r#"{"id":"7"}"#))]);
        let outputs = host.run(&inputs(again), run).expect("outputs");
        assert_eq!(
            (&outputs["status"], &outputs["values"]["id"], sent.borrow().len()),
            (&json!(201), &json!("7"), 2)
        );
    }
}

#[test]
fn a_status_that_was_not_expected_is_a_failure_with_its_class() {
    let cases = [
        (404, json!({}), Some("http.not-found")),
        (404, json!({"expect": ["2xx", 404]}), None),
        (200, json!({"expect": [201]}), Some("http.unexpected")),
        (302, json!({}), Some("http.redirected")),
        (401, json!({}), Some("http.unauthorized")),
        (503, json!({"expect": ["5xx"]}), None),
    ];
    for (status, extra, code) in cases {
        let (host, sent) = with(vec![Ok(Answer::new(status, r#"{"error":"why"}"#))]);
        let outcome = host.run(&inputs(extra.clone()), run);
        match code {
            None => assert_eq!(outcome.expect("outputs")["status"], status, "{extra}"),
            Some(code) => {
                let failure = outcome.expect_err(code);
                assert_eq!((failure.code(), sent.borrow().len()), (code, 1), "{extra}");
                assert!(failure.message().contains("(why)"), "{failure}");
            }
        }
    }
    let (host, _) = with(vec![Ok(Answer::new(429, "").header("retry-after", "1800"))]);
    assert_eq!(host.run(&inputs(json!({})), run).expect_err("throttled").code(), "http.throttled");
    assert!(host.slept().is_zero());
}

#[test]
fn a_large_answer_is_bounded_and_parts_of_it_are_still_given() {
    let large = json!({"id": 7, "rest": "x".repeat(200_000)});
    let (host, _) = with(vec![Ok(Answer::json(200, &large))]);
    let outputs = host.run(&inputs(json!({"extract": {"id": "/id"}})), run).expect("outputs");
    assert_eq!((&outputs["truncated"], &outputs["values"]), (&json!(true), &json!({"id": 7})));
    assert_eq!(outputs.get("json"), None);

    let text = format!("a{}", "ä".repeat(100_000));
    let (host, _) = with(vec![Ok(Answer::new(200, text))]);
    let outputs = host.run(&inputs(json!({})), run).expect("outputs");
    let kept = outputs["text"].as_str().expect("a text");
    assert!(kept.len() <= 65_536 && kept.ends_with('ä') && outputs["truncated"] == true);

    for (body, extract) in [("{}", "/id"), ("plain", "/id")] {
        let (host, sent) = with(vec![Ok(Answer::new(200, body))]);
        let failure = host.run(&inputs(json!({"extract": {"id": extract}})), run).expect_err(body);
        assert_eq!((failure.code(), sent.borrow().len()), ("http.invalid-answer", 1), "{body}");
    }
}

#[test]
fn wrong_inputs_are_refused_before_anything_is_sent() {
    for extra in [
        json!({"method": "get"}),
        json!({"method": "CONNECT"}),
        json!({"path": "v1"}),
        json!({"path": "https://evil.example/"}),
        json!({"path": "/a?b=c"}),
        json!({"path": "/a#b"}),
        json!({"query": {"a": [1]}}),
        json!({"headers": {"a": null}}),
        json!({"json": {}, "text": "x"}),
        json!({"form": {}, "headers": {"content-type": "x"}}),
        json!({"expect": []}),
        json!({"expect": ["ok"]}),
        json!({"timeout_seconds": 0}),
        json!({"timeout_seconds": 121}),
        json!({"extract": {"a": "id"}}),
        json!({"output_headers": vec!["x"; 33]}),
    ] {
        let failure = Host::new().run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!(failure.code(), "config", "{extra}");
    }
}
