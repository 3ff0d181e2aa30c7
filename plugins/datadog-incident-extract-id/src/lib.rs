//! The step `datadog-incident-extract-id`: from the number that people see to the internal id.
//!
//! Inputs and output are those of Relay's step of that name, which looked at one page only. It
//! reads, and writes nothing.

mod inputs;
mod listing;
pub mod public_id;
pub mod search;

pub use inputs::{Inputs, Outputs, PublicIdInput};

use bowline_sdk::http::Client;
use bowline_sdk::{Context, Failure, log};
use public_id::Wanted;
use search::Outcome;

/// Finds the incident.
///
/// # Errors
///
/// `config` when `public_id` is none; `datadog.not-found`, `datadog.ambiguous`,
/// `datadog.forbidden` and so on, each with what to do.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let (number, prefix) = match public_id::read(&inputs.public_id)? {
        Wanted::Internal(id) => {
            log::info!("`{id}` is an internal id already; nothing to look up");
            return Ok(Outputs { incident_id: id, ..Outputs::default() });
        }
        Wanted::Number { number, prefix } => (number, prefix),
    };
    let connection = &inputs.connection.connection.name;
    let client = Client::open(ctx, "datadog")?;
    let mut pages = listing::Pages::new(ctx, &client, connection);
    match search::find(&mut |offset| pages.read(offset), number)? {
        Outcome::Found(incident) => {
            warn_of_prefix(prefix.as_deref(), incident.slug.as_deref());
            log::info!("incident {number} is {}", incident.id);
            Ok(Outputs {
                incident_id: incident.id,
                public_id: Some(number),
                slug: incident.slug,
                title: incident.title,
                state: incident.state,
                severity: incident.severity,
            })
        }
        Outcome::Ambiguous(found) => {
            let found: Vec<String> = found
                .iter()
                .map(|one| format!("{} ({})", one.id, one.title.as_deref().unwrap_or("no title")))
                .collect();
            let found = found.join(" and ");
            let message = format!("incident {number} is ambiguous: {found}; give the internal id");
            Err(Failure::permanent("datadog.ambiguous", message))
        }
        Outcome::Missing { read, span } => Err(missing(number, read, span, connection)),
    }
}

fn missing(number: u64, read: usize, span: Option<(u64, u64)>, connection: &str) -> Failure {
    let span = span.map_or_else(String::new, |(first, last)| format!(", ids {first}-{last}"));
    Failure::permanent(
        "datadog.not-found",
        format!(
            "incident {number} not found (searched {read} incidents{span}); it may be deleted, \
             private, or on another Datadog site or organisation than connection `{connection}`. \
             Check the number, and that the key may see the incident"
        ),
    )
}

/// Prefixes can be renamed, so a difference is worth a word and no more.
fn warn_of_prefix(given: Option<&str>, slug: Option<&str>) {
    let Some((given, slug)) = given.zip(slug) else { return };
    let known = slug.rsplit_once('-').map_or("", |(prefix, _)| prefix);
    if !known.eq_ignore_ascii_case(given) {
        log::warn!("`{given}-…` was asked for, Datadog calls the incident `{slug}`");
    }
}

bowline_sdk::step!(run);
