//! Replacing an object: PUT, and the last part of every PATCH.
//!
//! Here is decided what a write may touch, whether it is about the object that the client
//! means, and whether it changes anything. Nothing is written in a dry run.

use super::World;
use super::defaults;
use super::kinds::Kind;
use super::managed_fields;
use super::object::{self, at, put, text};
use super::route::Target;
use super::scale;
use super::status_errors::Refusal;
use super::store::{Key, weight};
use super::unknown_fields;
use super::validation;
use super::write_options::WriteOptions;
use crate::exchange::{Answer, Asked};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The largest object. The real store stops at the same size.
pub(crate) const OBJECT_BYTES_MAX: usize = 1_536 * 1024;
/// Media types of whole objects.
pub(crate) const OBJECT_TYPES: &[&str] = &["application/json", "application/yaml"];

/// What a write is about.
pub(crate) struct Writing<'a> {
    pub(crate) target: &'a Target,
    pub(crate) key: Key,
    pub(crate) old: Arc<Value>,
    pub(crate) options: &'a WriteOptions,
    pub(crate) now: Timestamp,
    /// The bookkeeping of fields is in the new object already.
    pub(crate) fields_are_tracked: bool,
}

/// Answers PUT.
pub(crate) fn answer(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let options = WriteOptions::read(asked, "UpdateOptions")?;
    let sent = body(asked)?;
    let name = target.name.clone().unwrap_or_default();
    let key = target.key(&name);
    let old =
        world.store.get(&key).cloned().ok_or_else(|| Refusal::not_found(target.kind, &name))?;
    let new = if target.subresource.as_deref() == Some("scale") {
        scale::onto(&old, &sent)?
    } else {
        sent
    };
    let writing = Writing { target, key, old, options: &options, now, fields_are_tracked: false };
    replace(world, &writing, new)
}

/// Reads the body as one object, JSON or YAML.
pub(crate) fn body(asked: &Asked) -> Result<Value, Refusal> {
    let unreadable = |problem: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("couldn't get the object from the body: {problem}"))
    };
    let parsed = match asked.media_type().as_deref() {
        None | Some("application/json" | "*/*") => {
            serde_json::from_slice::<Value>(&asked.body).map_err(|problem| unreadable(&problem))?
        }
        Some("application/yaml") => from_yaml(&asked.body)?,
        Some(_) => return Err(Refusal::unsupported_media_type(OBJECT_TYPES)),
    };
    if parsed.is_object() { Ok(parsed) } else { Err(unreadable(&"it is not an object")) }
}

/// Reads YAML, which is what `apply` may send.
pub(crate) fn from_yaml(bytes: &[u8]) -> Result<Value, Refusal> {
    let problem = |text: String| Refusal::bad_request(format!("error decoding YAML: {text}"));
    let text = std::str::from_utf8(bytes).map_err(|error| problem(error.to_string()))?;
    serde_saphyr::from_str(text).map_err(|error| problem(error.to_string()))
}

/// Writes `new` where `writing.old` is, if everything is in order.
pub(crate) fn replace(
    world: &mut World,
    writing: &Writing<'_>,
    mut new: Value,
) -> Result<Answer, Refusal> {
    let (kind, old) = (writing.target.kind, &*writing.old);
    check_identity(kind, &writing.key, &new)?;
    check_version(kind, old, &new)?;
    keep_what_is_not_for_clients(writing, &mut new);
    validation::check_shape(kind, &new)?;
    let unknown = unknown_fields::check(kind, Some(old), &new, writing.options)?;
    defaults::fill(kind, &mut new);
    validation::check(kind, &new, Some(old))?;
    if writing.target.subresource.as_deref() != Some("status") && is_new_generation(kind, old, &new)
    {
        let generation = object::number(old, &["metadata", "generation"]).unwrap_or(0) + 1;
        put(&mut new, &["metadata", "generation"], json!(generation));
    }
    if !writing.fields_are_tracked {
        let part = writing.target.subresource.as_deref().unwrap_or_default();
        let manager = &writing.options.manager;
        managed_fields::track(kind, Some(old), &mut new, manager, part, writing.now);
    }
    if weight(&new) > OBJECT_BYTES_MAX {
        return Err(Refusal::too_large("etcdserver: request is too large"));
    }
    Ok(unknown_fields::warn(finish(world, writing, new), &unknown))
}

fn finish(world: &mut World, writing: &Writing<'_>, new: Value) -> Answer {
    let changed = new != *writing.old;
    let shown = if !changed || writing.options.dry_run {
        Arc::new(new)
    } else if is_released(&new) {
        world.store.remove(&writing.key);
        Arc::new(new)
    } else {
        world.store.put(writing.key.clone(), new)
    };
    let shown = match writing.target.subresource.as_deref() {
        Some("scale") => scale::of(&shown),
        _ => Value::clone(&shown),
    };
    Answer::json(200, &shown).effect(changed && !writing.options.dry_run)
}

/// An object that waited for its finalizers and has none any more.
fn is_released(object: &Value) -> bool {
    let finalizers = at(object, &["metadata", "finalizers"]).as_array();
    !at(object, &["metadata", "deletionTimestamp"]).is_null()
        && finalizers.is_none_or(Vec::is_empty)
}

/// Refuses a body that is about another object than the URL.
pub(crate) fn check_identity(kind: &Kind, key: &Key, new: &Value) -> Result<(), Refusal> {
    check_type(kind, new)?;
    let name = object::name(new);
    if !name.is_empty() && name != key.name {
        return Err(Refusal::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            key.name
        )));
    }
    check_namespace(key, new)
}

/// Refuses a body of another kind than the URL.
pub(crate) fn check_type(kind: &Kind, new: &Value) -> Result<(), Refusal> {
    let (version, named) = (text(new, &["apiVersion"]), text(new, &["kind"]));
    let wanted = kind.api_version();
    if !version.is_empty() && version != wanted {
        return Err(Refusal::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version \
             ({wanted})"
        )));
    }
    if !named.is_empty() && named != kind.kind {
        return Err(Refusal::bad_request(format!(
            "the kind in the data ({named}) does not match the expected kind ({})",
            kind.kind
        )));
    }
    Ok(())
}

/// Refuses a body of another namespace than the URL.
pub(crate) fn check_namespace(key: &Key, new: &Value) -> Result<(), Refusal> {
    let namespace = object::namespace(new);
    if namespace.is_empty() || namespace == key.namespace {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "the namespace of the provided object does not match the namespace sent on the request",
    ))
}

fn check_version(kind: &Kind, old: &Value, new: &Value) -> Result<(), Refusal> {
    let (uid, version) = (object::uid(new), object::resource_version(new));
    if !uid.is_empty() && uid != object::uid(old) {
        let why = format!(
            "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
            object::uid(old)
        );
        return Err(Refusal::conflict_because(kind, object::name(old), &why));
    }
    if !version.is_empty() && version != object::resource_version(old) {
        return Err(Refusal::conflict(kind, object::name(old)));
    }
    Ok(())
}

fn keep_what_is_not_for_clients(writing: &Writing<'_>, new: &mut Value) {
    let (kind, old) = (writing.target.kind, &*writing.old);
    let mut keep = |path: &[&str]| match at(old, path) {
        Value::Null => {
            object::take(new, path);
        }
        value => put(new, path, value.clone()),
    };
    keep(&["apiVersion"]);
    keep(&["kind"]);
    for key in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        keep(&["metadata", key]);
    }
    if !writing.fields_are_tracked {
        keep(&["metadata", "managedFields"]);
    }
    match writing.target.subresource.as_deref() {
        Some("status") => {
            keep(&["spec"]);
            keep(&["metadata", "labels"]);
            keep(&["metadata", "ownerReferences"]);
        }
        _ if kind.has_status() => keep(&["status"]),
        _ => {}
    }
}

/// What counts as a new wish. The annotations of a Deployment do: they are copied to its
/// ReplicaSets.
fn is_new_generation(kind: &Kind, old: &Value, new: &Value) -> bool {
    let differs = |path: &[&str]| at(old, path) != at(new, path);
    let annotations = ["metadata", "annotations"];
    kind.group == "apps"
        && kind.has_status()
        && (differs(&["spec"]) || (kind.resource == "deployments" && differs(&annotations)))
}
