//! Sending a message to a pretended Slack.

use bowline_sdk::testing::{Answer, Host, done, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition};
use serde_json::{Value, json};
use slack_message::run;
use std::{cell::RefCell, rc::Rc};

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "slack", "name": "workspace"}},
        "channel": "#incidents",
        "message": "*IR-5* is back",
        "username": "Bowline",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

type Bodies = Rc<RefCell<Vec<Value>>>;

/// A Slack with these answers, one after the other, and what it was sent.
fn with(answers: Vec<Result<Answer, ConnectError>>) -> (Host, Bodies) {
    let bodies: Bodies = Rc::default();
    let (sent, mut answers) = (Rc::clone(&bodies), answers.into_iter());
    let host = Host::new().http("slack", move |request| {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/chat.postMessage"));
        let body = request.body.as_deref().expect("a body");
        sent.borrow_mut().push(serde_json::from_slice(body).expect("JSON"));
        answers.next().expect("no more posts than answers")
    });
    (host, bodies)
}

fn sent_well() -> Result<Answer, ConnectError> {
    Ok(Answer::new(200, r#"{"ok":true,"channel":"C1","ts":"1700000000.000100"}"#))
}

fn no(error: &str) -> Result<Answer, ConnectError> {
    Ok(Answer::json(200, &json!({"ok": false, "error": error})))
}

/// The body that these inputs lead to.
fn sent(extra: Value) -> Value {
    let (host, bodies) = with(vec![sent_well()]);
    host.run(&inputs(extra), run).expect("outputs");
    bodies.borrow()[0].clone()
}

#[test]
fn relay_s_spec_sends_a_message() {
    let (host, bodies) = with(vec![sent_well()]);
    let outputs = host.run(&inputs(json!({})), run).expect("outputs");
    assert_eq!(outputs, json!({"ts": "1700000000.000100", "channel": "C1"}));
    let expected =
        json!({"channel": "#incidents", "text": "*IR-5* is back", "username": "Bowline"});
    assert_eq!(*bodies.borrow(), [expected]);
}

#[test]
fn blocks_come_as_a_list_or_as_the_text_of_one() {
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}]);
    for given in [blocks.clone(), json!(blocks.to_string())] {
        let body =
            sent(json!({"blocks": given, "message": null, "thread_ts": "1700000000.000100"}));
        // Slack is told to make no mention of what is none.
        let quiet = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "hello", "verbatim": true}}]);
        assert_eq!((&body["blocks"], &body["thread_ts"]), (&quiet, &json!("1700000000.000100")));
        assert_eq!(body.get("text"), None);
    }
}

#[test]
fn mentions_are_shown_and_notify_nobody_unless_asked_to() {
    let extra = json!({
        "message": "<!here> ask <@U1> or <!subteam^S1>, see <https://x|this>",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "<!channel> now"}},
            {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
                {"type": "broadcast", "range": "here"}, {"type": "user", "user_id": "U1"}]}]},
        ],
    });
    let quiet = sent(extra.clone());
    assert_eq!(quiet["text"], "&lt;!here> ask &lt;@U1> or &lt;!subteam^S1>, see <https://x|this>");
    assert_eq!(quiet["blocks"][0]["text"]["text"], "&lt;!channel> now");
    let elements = &quiet["blocks"][1]["elements"][0]["elements"];
    assert_eq!(
        *elements,
        json!([{"type": "text", "text": "@here"}, {"type": "text", "text": "@U1"}])
    );
    let mut loud = extra;
    loud["notify"] = json!(true);
    let loud = sent(loud);
    assert!(loud["text"].as_str().is_some_and(|text| text.starts_with("<!here>")));
    assert_eq!(loud["blocks"][1]["elements"][0]["elements"][0]["type"], "broadcast");
}

#[test]
fn a_refusal_in_an_answer_of_200_is_a_refusal() {
    let cases = [
        ("invalid_auth", "slack.unauthorized", "`workspace` is not accepted"),
        ("channel_not_found", "slack.not-found", "check `channel`"),
        ("not_in_channel", "slack.forbidden", "invite the app"),
        ("is_archived", "slack.conflict", "archived"),
        ("restricted_action_read_only_channel", "slack.forbidden", "does not let"),
        ("something_new", "slack.invalid", "`something_new`"),
    ];
    for (error, code, text) in cases {
        let (host, bodies) = with(vec![no(error)]);
        let failure = host.run(&inputs(json!({})), run).expect_err(error);
        assert_eq!(
            (failure.code(), failure.disposition()),
            (code, Disposition::Permanent),
            "{error}"
        );
        assert!(failure.message().contains(text), "{failure}");
        assert_eq!(bodies.borrow().len(), 1, "{error}");
    }
    let scope = json!({"ok": false, "error": "missing_scope", "needed": "chat:write.public"});
    let (host, _) = with(vec![Ok(Answer::json(200, &scope))]);
    let failure = host.run(&inputs(json!({})), run).expect_err("a scope");
    assert!(failure.message().contains("the scope `chat:write.public`"), "{failure}");
    let hint = json!({"ok": false, "error": "invalid_blocks",
        "response_metadata": {"messages": ["[ERROR] missing field: text"]}});
    let (host, _) = with(vec![Ok(Answer::json(200, &hint))]);
    let failure = host.run(&inputs(json!({})), run).expect_err("blocks");
    assert!(failure.message().contains("missing field: text"), "{failure}");
}

#[test]
fn only_what_was_certainly_not_sent_is_sent_again() {
    let busy = Ok(Answer::new(429, "").header("retry-after", "3"));
    let (host, bodies) = with(vec![busy, no("ratelimited"), Err(unreachable("http")), sent_well()]);
    host.run(&inputs(json!({})), run).expect("outputs");
    assert_eq!(bodies.borrow().len(), 4);
    assert!(host.slept().as_secs() >= 3, "{:?}", host.slept());

    for doubt in [
        Err(lost("http")),
        Ok(Answer::new(503, "")),
        no("fatal_error"),
        Ok(Answer::new(200, "<html>")),
    ] {
        let (host, bodies) = with(vec![doubt]);
        let failure = host.run(&inputs(json!({})), run).expect_err("nobody knows");
        assert_eq!((failure.code(), &failure.details()["inDoubt"]), ("ambiguous", &json!(true)));
        assert_eq!(bodies.borrow().len(), 1);
    }
    let (host, _) = with(vec![Ok(Answer::new(429, "").header("retry-after", "1800"))]);
    let failure = host.run(&inputs(json!({})), run).expect_err("throttled");
    assert_eq!((failure.code(), host.slept().as_secs()), ("slack.throttled", 0));
}

#[test]
fn a_message_that_was_sent_before_a_crash_is_not_sent_again() {
    for before in [Err(done()), Ok(Answer::done())] {
        let (host, bodies) = with(vec![before]);
        assert_eq!(host.run(&inputs(json!({})), run).expect("outputs"), json!({}));
        assert_eq!(bodies.borrow().len(), 1);
        let lines = host.lines();
        assert!(
            lines.iter().any(|line| line.starts_with("warn the message was sent")),
            "{lines:?}"
        );
    }
    // Slack's own empty answer proves nothing.
    let (host, _) = with(vec![Ok(Answer::new(200, "{}"))]);
    host.run(&inputs(json!({})), run).expect_err("no `ok` in it");
}

#[test]
fn a_long_message_is_cut_and_wrong_inputs_are_refused() {
    let text = sent(json!({"message": "ä".repeat(50_000)}))["text"].clone();
    let text = text.as_str().expect("a text");
    assert!(text.chars().count() == 40_000 && text.ends_with("… (cut)"));
    for extra in [
        json!({"channel": ""}),
        json!({"channel": "a b"}),
        json!({"message": " "}),
        json!({"message": null, "blocks": "[]"}),
        json!({"blocks": "{"}),
        json!({"blocks": [{"text": "x"}]}),
        json!({"blocks": {"type": "section"}}),
        json!({"blocks": vec![json!({"type": "divider"}); 51]}),
        json!({"thread_ts": "yesterday"}),
    ] {
        let failure = Host::new().run(&inputs(extra.clone()), run).expect_err("wrong");
        assert_eq!(failure.code(), "config", "{extra}");
    }
}
