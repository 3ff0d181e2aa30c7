//! How Datadog says no: several shapes of the same thing, as recorded from the real service.
//!
//! A client must find one readable text in each of them.

use super::Window;
use crate::exchange::Answer;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const JSON_API: &str = "application/vnd.api+json";
const TEXT: &str = "text/plain; charset=utf-8";

/// A request that is refused.
#[derive(Debug, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    media_type: &'static str,
    body: Value,
}

impl Refusal {
    fn texts(status: u16, media_type: &'static str, text: &str) -> Self {
        Self { status, media_type, body: json!({"errors": [text]}) }
    }

    fn generic(status: u16, detail: &str) -> Self {
        let body = json!({"errors": [{"title": "Generic Error", "detail": detail}]});
        Self { status, media_type: JSON_API, body }
    }

    /// 400 with a JSON:API error.
    pub(super) fn invalid(detail: &str) -> Self {
        let error = json!({"status": "400", "title": "Bad Request", "detail": detail});
        Self { status: 400, media_type: JSON, body: json!({"errors": [error]}) }
    }

    /// 400 as the first version of the events API says it.
    pub(super) fn invalid_event(text: &str) -> Self {
        Self::texts(400, TEXT, text)
    }

    /// 401: a bearer token that is none.
    pub(super) fn unauthorized() -> Self {
        Self::texts(401, JSON, "Unauthorized")
    }

    /// 403: keys that are missing or wrong.
    pub(super) fn forbidden(text: &str) -> Self {
        Self::texts(403, JSON, text)
    }

    /// 404: no such path.
    pub(super) fn no_such_path() -> Self {
        Self::texts(404, JSON, "Not found")
    }

    /// 404: no such incident, asked for by itself.
    pub(super) fn no_incident(id: &str) -> Self {
        Self::texts(404, JSON, &format!("incident {id} not found"))
    }

    /// 404: no such incident, asked for by something that belongs to it.
    pub(super) fn no_incident_here() -> Self {
        Self::generic(404, "incident not found")
    }

    /// 404: what should be the id of an incident is none.
    pub(super) fn malformed_id() -> Self {
        Self::generic(404, "malformed incident ID")
    }

    /// 404: no such timeline cell.
    pub(super) fn no_cell() -> Self {
        Self::generic(404, "timeline cell not found")
    }

    /// 404: no such event, or not yet.
    pub(super) fn no_event() -> Self {
        Self::texts(404, JSON, "No event matches that event_id.")
    }

    /// 400: something is full.
    pub(super) fn full(what: &str) -> Self {
        Self::invalid(&format!("a practice Datadog takes no more {what}; reset it"))
    }

    /// 429.
    pub(super) fn too_many(window: &Window) -> Self {
        let text = format!(
            "Rate limit of {} requests in {} seconds reached. Please try again later.",
            window.limit, window.period
        );
        Self::texts(429, JSON, &text)
    }

    /// The answer that carries it.
    pub(super) fn into_answer(self) -> Answer {
        let mut answer = Answer::json(self.status, &self.body);
        answer.headers = vec![(CONTENT_TYPE, HeaderValue::from_static(self.media_type))];
        answer
    }
}

/// What the gateway in front of the service says.
pub(super) fn gateway(status: u16) -> Answer {
    let text = match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Payload Too Large",
        429 => "Too many requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Error",
    };
    let body = json!({
        "status": "error",
        "code": status,
        "errors": [text],
        "statuspage": "http://status.datadog.invalid",
        "twitter": "none",
        "email": "none",
    });
    Answer::json(status, &body)
}
