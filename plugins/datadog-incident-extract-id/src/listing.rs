//! One page of Datadog's list of incidents, and what its refusals mean.
//!
//! Only what is needed is read from an incident; everything else may be anything.

use crate::search::PAGE_SIZE;
use bowline_sdk::http::{Client, Request, refusal};
use bowline_sdk::{Context, Failure, log};
use datadog_api::{Incident, refused};

/// Reads pages through one handle.
pub(crate) struct Pages<'a> {
    ctx: &'a Context,
    client: &'a Client,
    connection: &'a str,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(ctx: &'a Context, client: &'a Client, connection: &'a str) -> Self {
        Self { ctx, client, connection }
    }

    /// The incidents from `offset` on; those that say no number are left out.
    pub(crate) fn read(&mut self, offset: u64) -> Result<Vec<Incident>, Failure> {
        let request = Request::get("/api/v2/incidents")
            .query("page[size]", PAGE_SIZE)
            .query("page[offset]", offset)
            .header("accept", "application/json");
        let answer = self.client.read(self.ctx, &request)?;
        let doing = "can't read the list of incidents";
        if answer.status() == 404 {
            let remedy = format!(
                "this site or organisation offers no incidents to connection `{}`; check its site",
                self.connection
            );
            return Err(refusal(answer, "datadog", doing, &remedy));
        }
        if answer.status() != 200 {
            return Err(refused(answer, doing, self.connection, "incident_read"));
        }
        let page = answer.value()?;
        let items = page["data"].as_array().ok_or_else(|| {
            Failure::permanent("http.invalid-answer", "the list of incidents is no list")
        })?;
        let incidents: Vec<Incident> = items.iter().filter_map(Incident::read).collect();
        log::debug!("read {} incidents from offset {offset}", incidents.len());
        Ok(incidents)
    }
}
