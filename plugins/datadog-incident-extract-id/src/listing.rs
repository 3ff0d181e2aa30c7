//! One page of Datadog's list of incidents, and what its refusals mean.
//!
//! Only what is needed is read from an incident; everything else may be anything.

use crate::search::{Incident, PAGE_SIZE};
use bowline_sdk::http::{Client, Request, refusal};
use bowline_sdk::{Context, Failure, log};
use serde::Deserialize;
use serde_json::Value;

/// Reads pages through one handle.
pub(crate) struct Pages<'a> {
    ctx: &'a Context,
    client: &'a Client,
    connection: &'a str,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    attributes: Option<Attributes>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attributes {
    public_id: Value,
    title: Value,
    state: Value,
    severity: Value,
    fields: Value,
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
        if answer.status() != 200 {
            let remedy = remedy(answer.status(), self.connection);
            return Err(refusal(answer, "datadog", "can't read the list of incidents", &remedy));
        }
        let page: Page = answer.json()?;
        let incidents: Vec<Incident> = page.data.into_iter().filter_map(incident).collect();
        log::debug!("read {} incidents from offset {offset}", incidents.len());
        Ok(incidents)
    }
}

fn incident(item: Item) -> Option<Incident> {
    let attributes = item.attributes.unwrap_or_default();
    let number = match &attributes.public_id {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let text = |value: &Value| {
        value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let field = |name: &str| text(attributes.fields.get(name)?.get("value")?);
    Some(Incident {
        id: text(&item.id)?,
        number,
        slug: field("slug"),
        title: text(&attributes.title),
        state: text(&attributes.state).or_else(|| field("state")),
        severity: text(&attributes.severity).or_else(|| field("severity")),
    })
}

fn remedy(status: u16, connection: &str) -> String {
    match status {
        401 => format!("the credentials of connection `{connection}` are not accepted"),
        403 => format!(
            "Datadog does not say which it is: connection `{connection}` has a wrong or revoked key, \
             is set to another site than the key's, lacks the permission `incident_read` (or the \
             application key's scope does), or comes from an address that is not allowed"
        ),
        404 => format!(
            "this site or organisation offers no incidents to connection `{connection}`; check its \
             site"
        ),
        300..=399 => {
            format!("check the site of connection `{connection}`; redirects are not followed")
        }
        _ => String::new(),
    }
}
