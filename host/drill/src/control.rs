//! The endpoints that no real service has: look at the record, start afresh, ask for trouble.
//!
//! They stand on Datadog's address under `/_drill/`, need no key, and are not recorded.

use crate::exchange::{Answer, Asked};
use crate::faults::Fault;
use crate::front::Front;
use http::Method;
use serde_json::{Value, json};

/// Answers a request under `/_drill/`; `None` stands for one that could not be read.
pub(crate) fn answer(front: &Front, asked: Option<&Asked>) -> Answer {
    let Some(asked) = asked else {
        return error(400, "the request can't be read");
    };
    let what = asked.segments.get(1).map(String::as_str).unwrap_or_default();
    match (&asked.method, what, asked.segments.len()) {
        (&Method::GET, "requests", 2) => shown(&front.recording.all()),
        (&Method::GET, "picture", 2) => shown(&crate::picture::take(front)),
        (&Method::POST, "reset", 2) => {
            front.reset();
            Answer::json(200, &json!({"reset": true}))
        }
        (&Method::POST, "faults", 2) => add_faults(front, &asked.body),
        (&Method::DELETE, "faults", 2) => {
            front.faults.clear();
            Answer::empty(204)
        }
        (_, "requests" | "picture" | "reset" | "faults", 2) => {
            error(405, "method not allowed here")
        }
        _ => error(404, "there are `requests`, `picture`, `reset` and `faults`"),
    }
}

fn shown(what: &impl serde::Serialize) -> Answer {
    match serde_json::to_value(what) {
        Ok(value) => Answer::json(200, &value),
        Err(_) => error(500, "the answer can't be written as JSON"),
    }
}

fn add_faults(front: &Front, body: &[u8]) -> Answer {
    let parsed = serde_json::from_slice::<Value>(body).and_then(|value| match value {
        Value::Array(_) => serde_json::from_value::<Vec<Fault>>(value),
        single => serde_json::from_value::<Fault>(single).map(|fault| vec![fault]),
    });
    match parsed {
        Err(problem) => error(400, &format!("not a fault or a list of faults: {problem}")),
        Ok(faults) => match front.faults.add(faults) {
            Ok(()) => Answer::json(200, &json!({"added": true})),
            Err(problem) => error(400, &problem.to_string()),
        },
    }
}

fn error(status: u16, message: &str) -> Answer {
    Answer::json(status, &json!({"error": message}))
}
