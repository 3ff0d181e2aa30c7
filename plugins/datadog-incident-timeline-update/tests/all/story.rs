//! Posting a cell: what is sent, how often, and what a person is told.

use crate::datadog::{Datadog, Fate, KEY, inputs, post, with};
use bowline_sdk::Disposition;
use bowline_sdk::testing::{Answer, Host, done};
use datadog_incident_timeline_update::{Inputs, Outputs, run};
use serde_json::json;

#[test]
fn a_cell_is_posted_once_with_its_mark() {
    let (host, datadog) = with(Datadog::default());

    assert_eq!(post(&host).expect("outputs"), json!({"cell_id": "cell-1", "posted": true}));

    let text = datadog.borrow().cells[0]["attributes"]["content"]["message"].clone();
    let mark = format!("`bowline run run-1, step update-timeline, {KEY}`");
    assert_eq!(text, format!("Rolled back: web\n\n{mark}"));
}

#[test]
fn whatever_happens_the_cell_is_there_exactly_once() {
    let cases: Vec<(&str, Vec<Fate>, usize, usize)> = vec![
        ("the answer is lost", vec![Fate::DoneAndLost], 0, 1),
        ("a proxy answers 502", vec![Fate::DoneAnd(502)], 0, 1),
        ("a proxy answers 504", vec![Fate::DoneAnd(504)], 0, 1),
        ("the cell shows up late", vec![Fate::DoneAndLost], 1, 1),
        ("the post is lost", vec![Fate::Lost], 0, 2),
        ("500 without effect", vec![Fate::Refused(500)], 0, 2),
        ("429, certainly not posted", vec![Fate::Refused(429)], 0, 2),
        ("no connection", vec![Fate::Unsent], 0, 2),
        ("lost, then the answer is lost", vec![Fate::Lost, Fate::DoneAndLost], 0, 2),
        ("posted before a crash", vec![Fate::DoneBefore], 0, 1),
        ("posted before a crash, told as an answer", vec![Fate::DoneBeforeAsAnswer], 0, 1),
    ];
    for (name, fates, lag, posts) in cases {
        let (host, datadog) = with(Datadog { fates: fates.into(), lag, ..Datadog::default() });
        let outputs = post(&host).unwrap_or_else(|failure| panic!("{name}: {failure}"));
        assert_eq!(outputs["cell_id"], "cell-1", "{name}");
        assert_eq!(datadog.borrow().cells.len(), 1, "{name}");
        assert_eq!(datadog.borrow().posts, posts, "{name}");
    }
}

#[test]
fn t02_another_attempt_looks_before_it_posts() {
    let (host, datadog) = with(Datadog::default());
    post(&host).expect("the first attempt");
    let host = host.attempt(2);

    let outputs = post(&host).expect("the second attempt");

    assert_eq!(outputs, json!({"cell_id": "cell-1", "posted": false}));
    assert_eq!(datadog.borrow().posts, 1);

    let (fresh, datadog) = with(Datadog::default());
    let outputs = post(&fresh.attempt(2)).expect("the first attempt had failed early");
    assert_eq!((outputs["posted"].clone(), datadog.borrow().posts), (json!(true), 1));
}

#[test]
fn t01_where_one_cannot_look_nothing_is_sent_again() {
    for status in [403, 404, 405] {
        let (host, datadog) = with(Datadog {
            fates: vec![Fate::DoneAndLost].into(),
            list: Some(status),
            ..Datadog::default()
        });
        let failure = post(&host).expect_err("nobody knows");
        assert_eq!((failure.code(), failure.disposition()), ("ambiguous", Disposition::Permanent));
        assert_eq!(failure.details()["inDoubt"], true);
        assert!(failure.message().contains(KEY), "{failure}");
        assert_eq!(datadog.borrow().posts, 1, "{status}");
    }
    let (host, datadog) = with(Datadog { list: Some(403), ..Datadog::default() });
    let failure = post(&host.attempt(2)).expect_err("nobody knows");
    assert_eq!((failure.code(), datadog.borrow().posts), ("ambiguous", 0));
}

#[test]
fn a_cell_that_was_posted_before_a_crash_is_there_whatever_a_look_shows() {
    for fate in [Fate::DoneBefore, Fate::DoneBeforeAsAnswer] {
        for (list, lag) in [(Some(403), 0), (None, 1)] {
            let fates = vec![fate].into();
            let (host, datadog) = with(Datadog { fates, list, lag, ..Datadog::default() });
            assert_eq!(post(&host).expect("outputs"), json!({"posted": true}));
            assert_eq!(datadog.borrow().posts, 1);
            let lines = host.lines();
            assert!(lines.iter().any(|line| line.ends_with("its id is lost")), "{lines:?}");
        }
    }
}

#[test]
fn the_host_is_told_where_to_look_for_a_cell() {
    let text = include_str!("../../plugin.toml");
    let manifest = bowline_sdk::manifest::manifest::<Inputs, Outputs>(text).expect("a manifest");
    let path = "/api/v2/incidents/${inputs.incident_id}/timeline";
    let verify = json!([{"method": "POST", "path": path, "look": path, "contains": "${step.key}",
        "recognised": false}]);
    assert_eq!(manifest["connections"]["datadog"]["verify"], verify);

    let (host, datadog) = with(Datadog::default());
    post(&host).expect("outputs");
    assert!(datadog.borrow().cells[0].to_string().contains(KEY), "what it looks for is there");
}

#[test]
fn a_cell_that_got_its_text_before_a_crash_is_mended_already() {
    for before in [Err(done()), Ok(Answer::done())] {
        let host = Host::new().http("datadog", move |request| match request.method.as_str() {
            "POST" => Ok(Answer::new(201, r#"{"data":{"id":"c","attributes":{"content":{}}}}"#)),
            _ => before.clone(),
        });
        assert_eq!(post(&host).expect("outputs"), json!({"cell_id": "c", "posted": true}));
        let lines = host.lines();
        assert!(!lines.iter().any(|line| line.starts_with("warn ")), "{lines:?}");
    }
}

#[test]
fn t06_the_other_key_is_tried_once() {
    let (host, datadog) = with(Datadog { takes: Some("content"), ..Datadog::default() });
    post(&host).expect("the other key");
    assert_eq!((datadog.borrow().posts, datadog.borrow().cells.len()), (2, 1));

    let (host, datadog) = with(Datadog { takes: Some("neither"), ..Datadog::default() });
    let failure = post(&host).expect_err("neither key");
    assert_eq!(failure.code(), "datadog.invalid");
    assert!(failure.message().contains("content is invalid"), "{failure}");
    assert_eq!(datadog.borrow().posts, 2);

    for (key, posts) in [("content", 1), ("message", 1)] {
        let (host, datadog) = with(Datadog { takes: Some("content"), ..Datadog::default() });
        let outcome = host.run(&inputs(json!({"timeline_content_key": key})), run);
        assert_eq!(outcome.is_ok(), key == "content", "{key}");
        assert_eq!(datadog.borrow().posts, posts, "{key}");
    }
}

#[test]
fn t06_a_cell_that_lost_its_text_is_mended_and_not_posted_again() {
    let (host, datadog) =
        with(Datadog { takes: Some("content"), forgets: true, ..Datadog::default() });

    assert_eq!(post(&host).expect("outputs"), json!({"cell_id": "cell-1", "posted": true}));

    let datadog = datadog.borrow();
    assert_eq!((datadog.posts, datadog.patches, datadog.cells.len()), (1, 1, 1));
    let text = datadog.cells[0]["attributes"]["content"]["content"].as_str().expect("a text");
    assert!(text.starts_with("Rolled back: web"), "{text}");
}

#[test]
fn t18_an_answer_that_cannot_be_read_is_no_reason_to_doubt_a_201() {
    for body in ["", "<html>", "{}", r#"{"data":null}"#, "[]"] {
        let host = Host::new().http("datadog", move |_| Ok(Answer::new(201, body)));
        let outputs = post(&host).expect(body);
        assert_eq!(outputs, json!({"posted": true}), "{body}");
        assert!(host.lines().iter().any(|line| line.starts_with("warn ")), "{body}");
    }
}

#[test]
fn refusals_are_final_and_say_what_to_do() {
    let cases = [
        (Fate::Refused(403), None, "datadog.forbidden", "`incident_write`"),
        (Fate::Refused(401), None, "datadog.unauthorized", "not accepted"),
        (Fate::Refused(404), Some(200), "datadog.not-found", "timeline endpoint is not available"),
        (
            Fate::Refused(404),
            Some(404),
            "datadog.not-found",
            "is deleted, private, or on another site",
        ),
        (Fate::Refused(405), Some(200), "datadog.unexpected", "timeline endpoint is not available"),
        (Fate::Refused(422), None, "datadog.invalid", "why not"),
        (Fate::Refused(302), None, "datadog.redirected", "redirects are not followed"),
    ];
    for (fate, incident, code, text) in cases {
        let (host, datadog) =
            with(Datadog { fates: vec![fate].into(), incident, ..Datadog::default() });
        let failure = post(&host).expect_err(text);
        assert_eq!(
            (failure.code(), failure.disposition()),
            (code, Disposition::Permanent),
            "{text}"
        );
        assert!(failure.message().contains(text), "{failure}");
        assert_eq!(datadog.borrow().posts, 1, "{text}");
    }
}

#[test]
fn a_long_rate_limit_is_told_and_not_waited_for() {
    let host = Host::new()
        .http("datadog", |_| Ok(Answer::new(429, "null").header("x-ratelimit-reset", "1800")));
    let failure = post(&host).expect_err("throttled");
    assert_eq!(
        (failure.code(), failure.disposition()),
        ("datadog.throttled", Disposition::Retryable)
    );
    assert_eq!(failure.retry_after().map(|wait| wait.as_secs()), Some(1800));
    assert!(host.slept().is_zero());
}

#[test]
fn wrong_inputs_are_refused_before_any_request() {
    let cases = [
        json!({"timeline_cell_content": " \n"}),
        json!({"incident_id": "../config"}),
        json!({"incident_id": ""}),
    ];
    for extra in cases {
        let failure = Host::new().run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!(failure.code(), "config", "{extra}");
    }
    let failure = Host::new().run(&inputs(json!({"timeline_content_key": "both"})), run);
    let failure = failure.expect_err("wrong");
    assert_eq!(failure.code(), "guest.invalid-input");
    assert!(
        failure.message().contains("`timeline_content_key`: unknown variant `both`"),
        "{failure}"
    );
}
