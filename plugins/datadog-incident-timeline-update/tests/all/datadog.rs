//! A pretended Datadog that loses answers, refuses keys and forgets texts.

use bowline_sdk::testing::{Answer, Host, SentRequest, done, lost, unreachable};
use bowline_sdk::{ConnectError, Failure};
use datadog_incident_timeline_update::run;
use serde_json::{Value, json};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

pub(crate) const INCIDENT: &str = "6248184c-3ce0-54e7-a9f3-8db44efede9d";
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff";

/// What happens to one post.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// It takes effect, and its answer is lost.
    DoneAndLost,
    /// It took effect before a crash, as the host tells it: once as an error, once as an answer.
    DoneBefore,
    DoneBeforeAsAnswer,
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
pub(crate) struct Datadog {
    pub(crate) cells: Vec<Value>,
    pub(crate) posts: usize,
    pub(crate) patches: usize,
    pub(crate) fates: VecDeque<Fate>,
    /// The only key that is taken; both when none.
    pub(crate) takes: Option<&'static str>,
    /// A wrong key makes a cell without a text instead of a 400.
    pub(crate) forgets: bool,
    /// The status of every list.
    pub(crate) list: Option<u16>,
    pub(crate) incident: Option<u16>,
    /// Looks before a new cell shows up.
    pub(crate) lag: usize,
}

pub(crate) type Shared = Rc<RefCell<Datadog>>;

impl Datadog {
    pub(crate) fn answer(&mut self, request: &SentRequest) -> Result<Answer, ConnectError> {
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
            Some(Fate::DoneBefore) => Err(done()),
            Some(Fate::DoneBeforeAsAnswer) => Ok(Answer::done()),
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

pub(crate) fn with(datadog: Datadog) -> (Host, Shared) {
    let datadog = Rc::new(RefCell::new(datadog));
    let inner = Rc::clone(&datadog);
    let host = Host::new()
        .step("update-timeline")
        .http("datadog", move |request| inner.borrow_mut().answer(request));
    (host, datadog)
}

pub(crate) fn inputs(extra: Value) -> Value {
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

pub(crate) fn post(host: &Host) -> Result<Value, Failure> {
    host.run(&inputs(json!({})), run)
}
