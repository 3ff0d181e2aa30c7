//! Sending the difference: what to do after each kind of answer.
//!
//! An update says what should be, so sending it twice does no more than once. Still nothing is sent
//! blindly: after an answer that proves nothing the incident is read, and only what it lacks is sent.
//! After one that proves the change and does not show it, the incident is read for the outputs.

use crate::Outputs;
use crate::wish::Wish;
use bowline_sdk::http::{Client, Request, Response, refusal};
use bowline_sdk::{ConnectError, Context, Failure, log, retry::Patience};
use datadog_api::{Incident, refused};
use serde_json::Value;

/// The most updates of one attempt.
const PATCHES_MAX: u32 = 4;
/// What the step is doing, for its failures.
const DOING: &str = "can't change the incident";

/// One incident, through one handle.
pub(crate) struct Target<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) client: Client,
    pub(crate) id: &'a str,
    pub(crate) connection: &'a str,
}

/// What an answer to an update means.
enum Verdict {
    /// Done; what the incident shows now, when there is an answer that can be read.
    Changed(Option<Value>),
    /// Certainly not done; the same again after the wait that was asked for.
    NotYet(Failure),
    /// Nobody knows.
    InDoubt(Failure),
    /// Certainly not done, for good.
    Refused(Failure),
}

/// Brings the incident into the state that is wished.
pub(crate) fn update(target: &Target<'_>, wish: &Wish) -> Result<Outputs, Failure> {
    let mut shown = target.read()?;
    let mut names: Vec<String> = Vec::new();
    let mut patches = 0;
    while let Some(difference) = wish.difference(target.id, &shown)? {
        patches += 1;
        for name in &difference.names {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let failure = match target.judge(target.send(&difference.body)) {
            Verdict::Changed(now) => {
                log::info!("changed {}", names.join(", "));
                return Ok(outputs(target.id, &now.unwrap_or_else(|| target.after()), names));
            }
            Verdict::Refused(failure) => return Err(failure),
            Verdict::NotYet(failure) => failure,
            Verdict::InDoubt(failure) => {
                log::warn!("looking whether the incident was changed: {failure}");
                shown = target.read().map_err(|blind| unknown(&failure, &blind))?;
                if wish.difference(target.id, &shown)?.is_none() {
                    break;
                }
                failure
            }
        };
        let patience = Patience { tries: PATCHES_MAX, ..Patience::default() };
        if !patience.wait(target.ctx, patches + 1, failure.retry_after()) {
            return Err(failure);
        }
    }
    if names.is_empty() {
        log::info!("the incident is as it should be already; nothing was sent");
    }
    Ok(outputs(target.id, &shown, names))
}

fn unknown(doubt: &Failure, blind: &Failure) -> Failure {
    let message = format!(
        "nobody can tell whether the incident was changed: {doubt}; and looking failed: {blind}. \
         Look at the incident; running the step again changes only what is still different"
    );
    Failure::permanent("ambiguous", message).with_detail("inDoubt", true)
}

fn outputs(id: &str, shown: &Value, changes: Vec<String>) -> Outputs {
    let incident = Incident::read(shown).unwrap_or_default();
    Outputs {
        incident_id: id.to_owned(),
        changed: !changes.is_empty(),
        changes,
        public_id: Some(incident.number).filter(|number| *number > 0),
        slug: incident.slug,
        title: incident.title,
        state: incident.state,
        severity: incident.severity,
        commander: incident.commander,
    }
}

impl Target<'_> {
    fn path(&self) -> String {
        format!("/api/v2/incidents/{}", self.id)
    }

    /// What the incident shows.
    fn read(&self) -> Result<Value, Failure> {
        let request = Request::get(self.path()).header("accept", "application/json");
        let answer = self.client.read(self.ctx, &request)?;
        if answer.status() != 200 {
            return Err(self.refused(answer, "can't read the incident", "incident_read"));
        }
        match answer.value()?.get_mut("data").map(Value::take) {
            Some(shown @ Value::Object(_)) => Ok(shown),
            _ => Err(Failure::permanent("http.invalid-answer", "the answer holds no incident")),
        }
    }

    /// What the incident shows after a change whose answer did not tell; null when that can't be
    /// read, and never what it showed before.
    fn after(&self) -> Value {
        self.read().unwrap_or_else(|blind| {
            log::warn!("the incident was changed, and can't be read: {blind}");
            Value::Null
        })
    }

    fn send(&self, body: &Value) -> Result<Response, ConnectError> {
        let request = Request::patch(self.path())
            .header("accept", "application/json")
            .json(body)
            .map_err(|error| ConnectError::invalid(error.to_string()))?;
        self.client.send(&request)
    }

    fn judge(&self, outcome: Result<Response, ConnectError>) -> Verdict {
        let answer = match outcome {
            Ok(answer) => answer,
            Err(error) if error.is_done() => {
                log::warn!("the incident was changed before the process ended");
                return Verdict::Changed(None);
            }
            Err(error) if error.in_doubt => return Verdict::InDoubt(error.into()),
            Err(error) if error.worth_repeating() => return Verdict::NotYet(error.into()),
            Err(error) => return Verdict::Refused(error.into()),
        };
        match answer.status() {
            200..=299 => Verdict::Changed(match answer.value() {
                Ok(mut body) => body.get_mut("data").map(Value::take).filter(Value::is_object),
                Err(failure) => {
                    log::warn!("the incident was changed, but the answer can't be read: {failure}");
                    None
                }
            }),
            429 => Verdict::NotYet(refusal(answer, "datadog", DOING, "")),
            408 | 500..=599 => Verdict::InDoubt(refusal(answer, "datadog", DOING, "")),
            _ => Verdict::Refused(self.refused(answer, DOING, "incident_write")),
        }
    }

    fn refused(&self, answer: Response, doing: &str, permission: &str) -> Failure {
        if answer.status() != 404 {
            return refused(answer, doing, self.connection, permission);
        }
        let remedy = format!(
            "incident {} is deleted, private, or on another site or organisation than connection \
             `{}`",
            self.id, self.connection
        );
        refusal(answer, "datadog", doing, &remedy)
    }
}
