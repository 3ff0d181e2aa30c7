//! The requests of the step, and how it finds the incident that an earlier post has made.
//!
//! The list is oldest first and does not say how long it is; its end is found by doubling, then by
//! halving. The search of Datadog would be shorter, but is late by seconds to minutes.

use crate::declaration::Declaration;
use bowline_sdk::http::{Client, Request, Response};
use bowline_sdk::{ConnectError, Context, Failure, log};
use datadog_api::{Incident, Mark, cells, refused, texts};
use serde_json::Value;

/// The incidents at the list's end that are looked at.
const NEWEST_MAX: u64 = 100;
/// More incidents than any organisation has; the search for the list's end stops there.
const OFFSET_MAX: u64 = 1 << 40;

/// Datadog, through one handle.
pub(crate) struct Service<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) client: Client,
    pub(crate) connection: &'a str,
}

impl Service<'_> {
    /// Sends the declaration, once.
    pub(crate) fn declare(&self, declaration: &Declaration) -> Result<Response, ConnectError> {
        let request = Request::post("/api/v2/incidents")
            .header("accept", "application/json")
            .json(&declaration.body)
            .map_err(|error| ConnectError::invalid(error.to_string()))?;
        self.client.send(&request)
    }

    /// The newest incident with the title whose timeline carries the mark.
    pub(crate) fn find(&self, title: &str, mark: &Mark) -> Result<Option<Incident>, Failure> {
        let newest = self.newest()?;
        let same = |item: &&Value| item["attributes"]["title"].as_str() == Some(title);
        for item in newest.iter().rev().filter(same) {
            let Some(incident) = Incident::read(item) else { continue };
            if self.carries(&incident, mark)? {
                return Ok(Some(incident));
            }
        }
        log::debug!("none of the {} newest incidents carries the mark", newest.len());
        Ok(None)
    }

    /// The incidents at the list's end, oldest first.
    fn newest(&self) -> Result<Vec<Value>, Failure> {
        let mut offset = self.end()?.saturating_sub(NEWEST_MAX);
        let mut newest = Vec::new();
        // A server may give less to a page than it was asked for.
        for _ in 0..NEWEST_MAX {
            let page = self.page(offset, NEWEST_MAX)?;
            if page.is_empty() {
                break;
            }
            let count = u64::try_from(page.len()).unwrap_or(u64::MAX);
            newest.extend(page);
            if count >= NEWEST_MAX {
                break;
            }
            offset = offset.saturating_add(count);
        }
        Ok(newest)
    }

    /// How many incidents the list has.
    fn end(&self) -> Result<u64, Failure> {
        let first = self.page(0, NEWEST_MAX)?;
        let mut low = u64::try_from(first.len()).unwrap_or(u64::MAX);
        if low < NEWEST_MAX && self.page(low, 1)?.is_empty() {
            return Ok(low);
        }
        let mut high = low.max(1) * 2;
        while high < OFFSET_MAX && !self.page(high, 1)?.is_empty() {
            low = high + 1;
            high *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.page(middle, 1)?.is_empty() { high = middle } else { low = middle + 1 }
        }
        Ok(low)
    }

    fn page(&self, offset: u64, size: u64) -> Result<Vec<Value>, Failure> {
        let request = Request::get("/api/v2/incidents")
            .query("page[size]", size)
            .query("page[offset]", offset)
            .header("accept", "application/json");
        let answer = self.client.read(self.ctx, &request)?;
        if answer.status() != 200 {
            return Err(self.refused(answer, "can't read the list of incidents", "incident_read"));
        }
        match answer.value()?.get_mut("data").map(Value::take) {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(Failure::permanent("http.invalid-answer", "the list of incidents is no list")),
        }
    }

    fn carries(&self, incident: &Incident, mark: &Mark) -> Result<bool, Failure> {
        let id = bowline_sdk::http::segment(&incident.id);
        let request = Request::get(format!("/api/v2/incidents/{id}/timeline"))
            .header("accept", "application/json");
        let answer = self.client.read(self.ctx, &request)?;
        if answer.status() != 200 {
            let number = incident.number;
            let doing = format!("can't read the timeline of incident {number}, of the same title");
            return Err(self.refused(answer, &doing, "incident_read"));
        }
        let list = answer.value()?;
        Ok(cells(&list)?.iter().any(|cell| texts(cell).iter().any(|text| mark.is_in(text))))
    }

    /// The failure that an answer means; `permission` is what the call needs.
    pub(crate) fn refused(&self, answer: Response, doing: &str, permission: &str) -> Failure {
        refused(answer, doing, self.connection, permission)
    }
}
