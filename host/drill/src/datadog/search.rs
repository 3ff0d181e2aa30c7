//! The search of incidents, which is behind: the newest three are not in it yet.
//!
//! It understands states, severities, public ids (unless told not to) and words of the title.
//! A facet that it does not know it ignores, so a client must look at what it got.

use super::State;
use super::errors::Refusal;
use super::incidents::{Incident, page, pagination};
use crate::exchange::{Answer, Asked};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many of the newest incidents the search does not know.
const BEHIND: usize = 3;
/// The longest query.
const QUERY_BYTES_MAX: usize = 4_096;

/// Answers a search.
pub(super) fn answer(
    state: &State,
    asked: &Asked,
    knows_public_ids: bool,
) -> Result<Answer, Refusal> {
    let is_newer_form = asked.segments.last().is_some_and(|last| last == "search-incidents");
    let query = match asked.query.get("query") {
        None if is_newer_form => "",
        None => return Err(Refusal::invalid("missing required parameter query")),
        Some(query) if query.len() > QUERY_BYTES_MAX => {
            return Err(Refusal::invalid("the query is too long"));
        }
        Some(query) => query,
    };
    let (offset, size) = page(asked)?;
    let conditions = parse(query, knows_public_ids);
    let there: Vec<&Incident> =
        state.incidents.iter().filter(|incident| !incident.is_deleted).collect();
    let known = &there[..there.len().saturating_sub(BEHIND)];
    let mut found: Vec<&Incident> = known
        .iter()
        .filter(|incident| conditions.iter().all(|condition| condition.holds(incident)))
        .copied()
        .collect();
    match asked.query.filled("sort") {
        Some("created") => {}
        None | Some("-created") => found.reverse(),
        Some("modified") if is_newer_form => found.sort_by_key(|incident| incident.modified),
        Some("-modified") if is_newer_form => {
            found.sort_by_key(|incident| std::cmp::Reverse(incident.modified));
        }
        Some(other) => return Err(Refusal::invalid(&format!("unknown sort {other:?}"))),
    }
    let incidents: Vec<Value> = found
        .iter()
        .skip(offset)
        .take(size)
        .map(|incident| json!({"data": incident.shown()}))
        .collect();
    Ok(Answer::json(
        200,
        &json!({
            "data": {
                "type": "incidents_search_results",
                "attributes": {
                    "total": found.len(),
                    "facets": facets(&found),
                    "incidents": incidents,
                },
            },
            "meta": pagination(offset, size),
        }),
    ))
}

#[derive(Debug, PartialEq)]
enum Condition {
    PublicId(u64),
    Field(&'static str, Vec<String>),
    Word(String),
}

impl Condition {
    fn holds(&self, incident: &Incident) -> bool {
        match self {
            Self::PublicId(wanted) => incident.public_id == *wanted,
            Self::Field(name, wanted) => {
                wanted.iter().any(|value| value.eq_ignore_ascii_case(incident.field(name)))
            }
            Self::Word(word) => incident.title.to_lowercase().contains(word),
        }
    }
}

/// Reads `state:(active OR stable) public_id:5 word`. What can't be a condition is ignored.
fn parse(query: &str, knows_public_ids: bool) -> Vec<Condition> {
    split(query).into_iter().filter_map(|term| condition(&term, knows_public_ids)).collect()
}

fn condition(term: &str, knows_public_ids: bool) -> Option<Condition> {
    let Some((facet, value)) = term.split_once(':') else {
        let is_operator = matches!(term, "" | "*" | "AND" | "OR" | "NOT");
        return (!is_operator).then(|| Condition::Word(term.trim_matches('"').to_lowercase()));
    };
    let values: Vec<String> = value
        .trim_matches(['(', ')'])
        .split_whitespace()
        .filter(|word| *word != "OR")
        .map(|word| word.trim_matches('"').to_owned())
        .collect();
    match facet {
        "state" => Some(Condition::Field("state", values)),
        "severity" => Some(Condition::Field("severity", values)),
        "public_id" if knows_public_ids => values.first()?.parse().ok().map(Condition::PublicId),
        _ => None,
    }
}

/// Splits at blanks that are not inside parentheses.
fn split(query: &str) -> Vec<String> {
    let (mut terms, mut depth) = (vec![String::new()], 0_u32);
    for letter in query.chars() {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter.is_whitespace() && depth == 0 {
            terms.push(String::new());
        } else if let Some(last) = terms.last_mut() {
            last.push(letter);
        }
    }
    terms
}

fn facets(found: &[&Incident]) -> Value {
    let counted = |name: &str| {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for incident in found {
            *counts.entry(incident.field(name)).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|(name, count)| json!({"name": name, "count": count}))
            .collect::<Vec<_>>()
    };
    json!({"severity": counted("severity"), "state": counted("state")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_far_as_it_is_understood() {
        let states = |values: &[&str]| {
            Condition::Field("state", values.iter().map(|value| (*value).to_owned()).collect())
        };
        for (query, knows, wanted) in [
            ("public_id:5", true, vec![Condition::PublicId(5)]),
            ("public_id:5", false, vec![]),
            ("state:(active OR stable)", true, vec![states(&["active", "stable"])]),
            (
                "state:active Nginx",
                true,
                vec![states(&["active"]), Condition::Word("nginx".into())],
            ),
            ("planet:mars AND *", true, vec![]),
            ("", true, vec![]),
            ("state:(active", true, vec![states(&["active"])]),
        ] {
            assert_eq!(parse(query, knows), wanted, "{query}");
        }
    }
}
