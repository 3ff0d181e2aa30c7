//! Reading: one object, or a page of a list as it was when its first page was read.
//!
//! Also decides in which form objects are shown. Nothing here changes the world.

use super::World;
use super::object;
use super::route::Target;
use super::scale;
use super::selectors::{FieldSelector, LabelSelector};
use super::status_errors::{Cause, Refusal};
use super::store::{Key, TooOld};
use super::table;
use crate::exchange::{Answer, Asked};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// In which form a client wants objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are.
    Plain,
    /// As the rows of a table for people.
    Table,
    /// Only their `metadata`.
    Metadata,
}

/// Which objects of a kind are meant.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Filter {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(crate) fn read(asked: &Asked, target: &Target) -> Result<Self, Refusal> {
        Ok(Self {
            labels: LabelSelector::parse(asked.query.get("labelSelector").unwrap_or_default())?,
            fields: FieldSelector::parse(
                asked.query.get("fieldSelector").unwrap_or_default(),
                target.kind,
            )?,
        })
    }

    /// Whether an object is meant.
    pub(crate) fn takes(&self, object: &Value) -> bool {
        let labels = || object::labels(object, &["metadata", "labels"]);
        (self.labels.is_empty() || self.labels.matches(&labels())) && self.fields.matches(object)
    }

    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// The form that the `Accept` header asks for, the first that there is.
pub(crate) fn form(asked: &Asked) -> Option<Form> {
    let Some(accept) = asked.header("accept") else { return Some(Form::Plain) };
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        if !matches!(media_type.as_str(), "application/json" | "application/*" | "*/*") {
            return None;
        }
        let parameters: Vec<&str> = parts.collect();
        let asks = |text: &str| parameters.contains(&text);
        match parameters.iter().find_map(|part| part.strip_prefix("as=")) {
            None => Some(Form::Plain),
            Some("Table") if asks("v=v1") => Some(Form::Table),
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") if asks("v=v1") => {
                Some(Form::Metadata)
            }
            Some(_) => None,
        }
    })
}

/// Refuses clients that take no JSON.
pub(crate) fn check_accept(asked: &Asked) -> Result<(), Refusal> {
    if form(asked).is_some() { Ok(()) } else { Err(Refusal::not_acceptable()) }
}

/// Answers GET of one object or of a collection.
pub(crate) fn answer(
    world: &World,
    asked: &Asked,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let form = form(asked).unwrap_or(Form::Plain);
    match &target.name {
        Some(name) => one(world, asked, target, name, form, now),
        None => list(world, asked, target, form, now),
    }
}

fn one(
    world: &World,
    asked: &Asked,
    target: &Target,
    name: &str,
    form: Form,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let object =
        world.store.get(&target.key(name)).ok_or_else(|| Refusal::not_found(target.kind, name))?;
    if target.subresource.as_deref() == Some("scale") {
        return Ok(Answer::json(200, &scale::of(object)));
    }
    Ok(Answer::json(
        200,
        &match form {
            Form::Plain => Value::clone(object),
            Form::Metadata => metadata_only(object),
            Form::Table => {
                let meta = json!({"resourceVersion": object::resource_version(object)});
                table::draw(target.kind, &[Arc::clone(object)], meta, include(asked), now)
            }
        },
    ))
}

struct Page {
    revision: u64,
    after: Option<(String, String)>,
    limit: usize,
}

fn list(
    world: &World,
    asked: &Asked,
    target: &Target,
    form: Form,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let filter = Filter::read(asked, target)?;
    let page = page(world, asked)?;
    let namespace = target.namespace.as_deref();
    let objects = world.store.list_at(target.kind.resource, namespace, page.revision).map_err(
        |TooOld { oldest }| {
            Refusal::expired(format!(
                "The provided continue parameter or version is too old to display a consistent \
                 list result: {} (oldest: {oldest}). You must start a new list",
                page.revision
            ))
        },
    )?;
    let is_next = |key: &Key| {
        page.after.as_ref().is_none_or(|(namespace, name)| {
            (key.namespace.as_str(), key.name.as_str()) > (namespace.as_str(), name.as_str())
        })
    };
    let meant: Vec<_> =
        objects.into_iter().filter(|(key, object)| is_next(key) && filter.takes(object)).collect();
    let rest = meant.len().saturating_sub(page.limit);
    let mut meta = json!({"resourceVersion": page.revision.to_string()});
    if let (true, Some((last, _))) = (rest > 0, meant.get(page.limit.saturating_sub(1))) {
        object::put(&mut meta, &["continue"], json!(token(page.revision, last)));
        // As the real server: with a selector it would have to look at everything to know.
        if filter.is_empty() {
            object::put(&mut meta, &["remainingItemCount"], json!(rest));
        }
    }
    let shown: Vec<_> = meant.into_iter().take(page.limit).map(|(_, object)| object).collect();
    Ok(Answer::json(
        200,
        &match form {
            Form::Table => table::draw(target.kind, &shown, meta, include(asked), now),
            Form::Metadata => json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": meta,
                "items": shown.iter().map(|object| metadata_only(object)).collect::<Vec<_>>(),
            }),
            Form::Plain => json!({
                "kind": format!("{}List", target.kind.kind),
                "apiVersion": target.kind.api_version(),
                "metadata": meta,
                "items": shown.iter().map(|object| without_type(object)).collect::<Vec<_>>(),
            }),
        },
    ))
}

fn page(world: &World, asked: &Asked) -> Result<Page, Refusal> {
    let limit = match asked.query.filled("limit").map(str::parse::<usize>) {
        None | Some(Ok(0)) => usize::MAX,
        Some(Ok(limit)) => limit,
        Some(Err(_)) => {
            let shown = asked.query.get("limit").unwrap_or_default();
            return Err(Refusal::bad_request(format!("invalid `limit`: {shown:?}")));
        }
    };
    let wanted = version(asked)?;
    let newest = world.store.revision();
    if let Some(text) = asked.query.filled("continue") {
        if wanted.is_some_and(|wanted| wanted > 0) {
            return Err(Refusal::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let (revision, after) = untoken(text)
            .filter(|(revision, _)| *revision <= newest)
            .ok_or_else(|| Refusal::bad_request("continue key is not valid"))?;
        return Ok(Page { revision, after: Some(after), limit });
    }
    let rule = asked.query.filled("resourceVersionMatch");
    let revision = match (rule, wanted) {
        (None | Some("NotOlderThan"), Some(wanted)) if wanted > newest => {
            return Err(Refusal::version_in_the_future(wanted, newest));
        }
        (None, _) | (Some("NotOlderThan"), Some(_)) => newest,
        (Some("Exact"), Some(wanted)) if wanted > 0 => {
            if wanted > newest {
                return Err(Refusal::version_in_the_future(wanted, newest));
            }
            wanted
        }
        (Some(other), _) => {
            let cause = Cause {
                field: "resourceVersionMatch".to_owned(),
                reason: "FieldValueForbidden",
                message: format!("Forbidden: {other:?} does not go with this resourceVersion"),
            };
            return Err(Refusal::invalid_options("ListOptions", &[cause]));
        }
    };
    Ok(Page { revision, after: None, limit })
}

/// `resourceVersion` of the query; `None` when it is absent or empty.
pub(crate) fn version(asked: &Asked) -> Result<Option<u64>, Refusal> {
    let Some(text) = asked.query.filled("resourceVersion") else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let cause = Cause::invalid("resourceVersion", &json!(text), "must be a whole number");
        Refusal::invalid_options("ListOptions", &[cause])
    })
}

fn token(revision: u64, last: &Key) -> String {
    let start = json!([revision, last.namespace, last.name]);
    URL_SAFE_NO_PAD.encode(start.to_string())
}

fn untoken(text: &str) -> Option<(u64, (String, String))> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (revision, namespace, name) = serde_json::from_slice(&bytes).ok()?;
    Some((revision, (namespace, name)))
}

fn include(asked: &Asked) -> table::Include {
    match asked.query.get("includeObject") {
        Some("None") => table::Include::Nothing,
        Some("Object") => table::Include::Object,
        _ => table::Include::Metadata,
    }
}

/// An object's `metadata` and no more.
pub(crate) fn metadata_only(object: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": object::at(object, &["metadata"]),
    })
}

// The items of a real list carry neither `kind` nor `apiVersion`; clients must know that.
fn without_type(object: &Value) -> Value {
    let mut object = object.clone();
    object::take(&mut object, &["kind"]);
    object::take(&mut object, &["apiVersion"]);
    object
}
