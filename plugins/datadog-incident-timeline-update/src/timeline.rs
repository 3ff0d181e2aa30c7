//! The requests of an incident's timeline, and what their answers mean.
//!
//! Each function sends one thing. When to send it, and how often, is decided in `post`.

use crate::ContentKey;
use bowline_sdk::http::{Client, Request, Response, refusal};
use bowline_sdk::{ConnectError, Context, Failure, log};
use datadog_api::{Mark, cells, refused, texts};
use serde_json::{Value, json};

/// The timeline of one incident.
pub(crate) struct Timeline<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) client: Client,
    pub(crate) incident: &'a str,
    pub(crate) connection: &'a str,
}

/// A cell that the service has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) id: Option<String>,
    /// The service gave the content back, and there was no text in it.
    pub(crate) lost_its_text: bool,
}

impl Timeline<'_> {
    /// Sends the cell, once.
    pub(crate) fn create(&self, text: &str, key: ContentKey) -> Result<Response, ConnectError> {
        let path = format!("/api/v2/incidents/{}/timeline", self.incident);
        self.client.send(&with_cell(Request::post(path), text, key)?)
    }

    /// Writes the text into a cell that was made without it.
    pub(crate) fn mend(
        &self,
        id: &str,
        text: &str,
        key: ContentKey,
    ) -> Result<Response, ConnectError> {
        let entry = bowline_sdk::http::segment(id);
        let path = format!("/api/v2/incidents/{}/timeline/{entry}", self.incident);
        self.client.send(&with_cell(Request::patch(path), text, key)?)
    }

    /// Looks for the cell with the mark.
    pub(crate) fn find(&self, mark: &Mark) -> Result<Option<Cell>, Failure> {
        let path = format!("/api/v2/incidents/{}/timeline", self.incident);
        let answer = self.client.read(self.ctx, &read(path))?;
        if answer.status() != 200 {
            return Err(self.refused(answer, "can't read the timeline", "incident_read"));
        }
        let list = answer.value()?;
        let cells = cells(&list)?;
        // Cells of other kinds have other contents; none of them can carry the mark as text.
        let marked = cells.iter().find(|cell| texts(cell).iter().any(|text| mark.is_in(text)));
        Ok(marked.map(|cell| Cell { id: id(cell), lost_its_text: false }))
    }

    /// Whether the incident itself can be seen; nothing when that can't be found out.
    pub(crate) fn incident_exists(&self) -> Option<bool> {
        let path = format!("/api/v2/incidents/{}", self.incident);
        match self.client.read(self.ctx, &read(path)) {
            Ok(answer) if answer.status() == 200 => Some(true),
            Ok(answer) if answer.status() == 404 => Some(false),
            Ok(answer) => {
                log::debug!("can't see the incident: status {}", answer.status());
                None
            }
            Err(error) => {
                log::debug!("can't see the incident: {}", error.message);
                None
            }
        }
    }

    /// The failure that an answer means; `permission` is what the call needs.
    pub(crate) fn refused(&self, answer: Response, doing: &str, permission: &str) -> Failure {
        if !matches!(answer.status(), 404 | 405) {
            return refused(answer, doing, self.connection, permission);
        }
        let remedy = match self.incident_exists() {
            Some(true) => "the incident is there, but the timeline endpoint is not available on \
                           this site"
                .to_owned(),
            Some(false) => format!(
                "incident {} is deleted, private, or on another site or organisation than \
                 connection `{}`",
                self.incident, self.connection
            ),
            None => String::new(),
        };
        refusal(answer, "datadog", doing, &remedy)
    }
}

fn read(path: String) -> Request {
    Request::get(path).header("accept", "application/json")
}

fn with_cell(request: Request, text: &str, key: ContentKey) -> Result<Request, ConnectError> {
    let key = if key == ContentKey::Content { "content" } else { "message" };
    let body = json!({"data": {
        "type": "incident_timeline_cells",
        "attributes": {"cell_type": "markdown", "content": {key: text}},
    }});
    request
        .header("accept", "application/json")
        .json(&body)
        .map_err(|error| ConnectError::invalid(error.to_string()))
}

/// What the service says of the cell that it has just made. An answer that can't be read is no
/// reason to doubt the cell.
pub(crate) fn made(answer: Response) -> Cell {
    let cell = match answer.value() {
        Ok(body) => body["data"].clone(),
        Err(failure) => {
            log::warn!("the cell was posted, but the answer can't be read: {failure}");
            return Cell { id: None, lost_its_text: false };
        }
    };
    let attributes = &cell["attributes"];
    let lost_its_text = attributes.get("content").is_some() && texts(&cell).is_empty();
    if id(&cell).is_none() {
        log::warn!("the cell was posted, but the answer does not say its id");
    }
    Cell { id: id(&cell), lost_its_text }
}

fn id(cell: &Value) -> Option<String> {
    match &cell["id"] {
        Value::String(id) if !id.is_empty() => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
