//! Posting a cell to a pretended Datadog that loses answers, refuses keys and forgets texts.

use bowline_sdk::testing::{Answer, Host, SentRequest, lost, unreachable};
use bowline_sdk::{ConnectError, Disposition, Failure};
use datadog_incident_timeline_update::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

const INCIDENT: &str = "6248184c-3ce0-54e7-a9f3-8db44efede9d";
const KEY: &str = "00112233445566778899aabbccddeeff";

/// What happens to one post.
#[derive(Clone, Copy)]
enum Fate {
    /// It takes effect, and its answer is lost.
    DoneAndLost,
    /// It takes effect, and a proxy answers.
    DoneAnd(u16),
    /// It is lost, and so is its answer.
    Lost,
    /// It is answered with this status and takes no effect.
    Refused(u16),
    /// No connection.
    Unsent,
}

#[derive(Default)]
struct Datadog {
    cells: Vec<Value>,
    posts: usize,
    patches: usize,
    fates: VecDeque<Fate>,
    /// The only key that is taken; both when none.
    takes: Option<&'static str>,
    /// A wrong key makes a cell without a text instead of a 400.
    forgets: bool,
    /// The status of every list.
    list: Option<u16>,
    incident: Option<u16>,
    /// Looks before a new cell shows up.
    lag: usize,
}

type Shared = Rc<RefCell<Datadog>>;

impl Datadog {
    fn answer(&mut self, request: &SentRequest) -> Result<Answer, ConnectError> {
        let base = format!("/api/v2/incidents/{INCIDENT}");
        let body: Value = request
            .body
            .as_deref()
            .map_or(Value::Null, |body| serde_json::from_slice(body).expect("JSON"));
        match (request.method.as_str(), request.path.strip_prefix(&base)) {
            ("POST", Some("/timeline")) => self.post(&body),
            ("GET", Some("/timeline")) => Ok(self.list()),
            ("GET", Some("")) => Ok(Answer::new(self.incident.unwrap_or(200), "{}")),
            ("PATCH", Some("/timeline/cell-1")) => {
                self.patches += 1;
                self.cells[0]["attributes"]["content"] =
                    body["data"]["attributes"]["content"].clone();
                Ok(Answer::json(200, &json!({"data": self.cells[0]})))
            }
            other => panic!("unexpected {other:?}"),
        }
    }

    fn post(&mut self, body: &Value) -> Result<Answer, ConnectError> {
        self.posts += 1;
        let fate = self.fates.pop_front();
        match fate {
            Some(Fate::Lost) => return Err(lost("http")),
            Some(Fate::Unsent) => return Err(unreachable("http")),
            Some(Fate::Refused(status)) => {
                let body = r#"{"errors":[{"title":"Generic Error","detail":"why not"}]}"#;
                return Ok(Answer::new(status, body).header("x-ratelimit-reset", "2"));
            }
            _ => (),
        }
        assert_eq!(body["data"]["type"], "incident_timeline_cells");
        assert_eq!(body["data"]["attributes"]["cell_type"], "markdown");
        let mut attributes = body["data"]["attributes"].clone();
        let key = attributes["content"]
            .as_object()
            .and_then(|it| it.keys().next().cloned())
            .expect("a key");
        if self.takes.is_some_and(|takes| takes != key) {
            if !self.forgets {
                return Ok(Answer::new(400, r#"{"errors":["content is invalid"]}"#));
            }
            attributes["content"] = json!({});
        }
        let id = format!("cell-{}", self.cells.len() + 1);
        let cell = json!({"id": id, "type": "incident_timeline_cells", "attributes": attributes});
        self.cells.push(cell.clone());
        match fate {
            Some(Fate::DoneAndLost) => Err(lost("http")),
            Some(Fate::DoneAnd(status)) => Ok(Answer::new(status, "<html>Bad Gateway</html>")),
            _ => Ok(Answer::json(201, &json!({"data": cell}))),
        }
    }

    fn list(&mut self) -> Answer {
        if let Some(status) = self.list {
            return Answer::new(status, r#"{"errors":["Forbidden"]}"#);
        }
        let mut cells = vec![
            json!({"id": "x", "attributes": {"cell_type": "incident_status_change", "content": {"before": null}}}),
            json!({"id": "y", "attributes": {"cell_type": "new_kind", "content": [1]}}),
            json!({"id": "z", "attributes": null}),
        ];
        if self.lag == 0 {
            cells.extend(self.cells.iter().cloned());
        }
        self.lag = self.lag.saturating_sub(1);
        Answer::json(200, &json!({"data": cells}))
    }
}

fn with(datadog: Datadog) -> (Host, Shared) {
    let datadog = Rc::new(RefCell::new(datadog));
    let inner = Rc::clone(&datadog);
    let host = Host::new()
        .step("update-timeline")
        .http("datadog", move |request| inner.borrow_mut().answer(request));
    (host, datadog)
}

fn inputs(extra: Value) -> Value {
    let mut inputs = json!({
        "connection": {"connection": {"type": "datadog", "name": "my-keys"}},
        "incident_id": INCIDENT,
        "timeline_cell_content": "Rolled back: web",
    });
    for (name, value) in extra.as_object().expect("an object") {
        inputs[name] = value.clone();
    }
    inputs
}

fn post(host: &Host) -> Result<Value, Failure> {
    host.run(&inputs(json!({})), run)
}

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
fn another_attempt_looks_before_it_posts() {
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
fn where_one_cannot_look_nothing_is_sent_again() {
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
fn the_other_key_is_tried_once() {
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
fn a_cell_that_lost_its_text_is_mended_and_not_posted_again() {
    let (host, datadog) =
        with(Datadog { takes: Some("content"), forgets: true, ..Datadog::default() });

    assert_eq!(post(&host).expect("outputs"), json!({"cell_id": "cell-1", "posted": true}));

    let datadog = datadog.borrow();
    assert_eq!((datadog.posts, datadog.patches, datadog.cells.len()), (1, 1, 1));
    let text = datadog.cells[0]["attributes"]["content"]["content"].as_str().expect("a text");
    assert!(text.starts_with("Rolled back: web"), "{text}");
}

#[test]
fn an_answer_that_cannot_be_read_is_no_reason_to_doubt_a_201() {
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
