//! Creating an object: POST, and apply where there was nothing.
//!
//! An object enters the world here only, so here it gets its uid, its first generation and its
//! place in the count of what fits.

use super::World;
use super::defaults;
use super::managed_fields;
use super::object::{self, at, put};
use super::route::Target;
use super::status_errors::Refusal;
use super::store::{Key, OBJECTS_MAX, weight};
use super::unknown_fields;
use super::update::{OBJECT_BYTES_MAX, body, check_namespace, check_type};
use super::validation;
use super::write_options::WriteOptions;
use crate::clock;
use crate::exchange::{Answer, Asked};
use jiff::Timestamp;
use serde_json::{Value, json};

/// The letters that the server adds to `metadata.generateName`.
const GENERATED_LETTERS: usize = 5;

/// Answers POST.
pub(crate) fn answer(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let options = WriteOptions::read(asked, "CreateOptions")?;
    let mut object = body(asked)?;
    check_type(target.kind, &object)?;
    validation::check_shape(target.kind, &object)?;
    if object::name(&object).is_empty() {
        let prefix = object::text(&object, &["metadata", "generateName"]).to_owned();
        if !prefix.is_empty() {
            let name = format!("{prefix}{}", world.ids.suffix(GENERATED_LETTERS));
            put(&mut object, &["metadata", "name"], json!(name));
        }
    }
    if !object::resource_version(&object).is_empty() {
        return Err(Refusal::bad_request(
            "resourceVersion should not be set on objects to be created",
        ));
    }
    object::take(&mut object, &["metadata", "managedFields"]);
    create(world, target, object, &options, false, now)
}

/// Creates `object`, which has its name.
pub(crate) fn create(
    world: &mut World,
    target: &Target,
    mut object: Value,
    options: &WriteOptions,
    fields_are_tracked: bool,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let kind = target.kind;
    let key = target.key(object::name(&object));
    check_namespace(&key, &object)?;
    check_namespace_exists(world, &key)?;
    validation::check_shape(kind, &object)?;
    let unknown = unknown_fields::check(kind, None, &object, options)?;
    prepare(world, target, &mut object, now);
    defaults::fill(kind, &mut object);
    validation::check(kind, &object, None)?;
    if world.store.get(&key).is_some() {
        return Err(Refusal::already_exists(kind, &key.name));
    }
    if !fields_are_tracked {
        managed_fields::track(kind, None, &mut object, &options.manager, "", now);
    }
    let bytes = weight(&object);
    if bytes > OBJECT_BYTES_MAX {
        return Err(Refusal::too_large("etcdserver: request is too large"));
    }
    if !world.store.has_room(bytes) {
        let why = format!("exceeded quota: a practice cluster holds at most {OBJECTS_MAX} objects");
        return Err(Refusal::forbidden(kind, &key.name, &why));
    }
    if options.dry_run {
        return Ok(unknown_fields::warn(Answer::json(201, &object), &unknown));
    }
    let created = world.store.put(key, object);
    Ok(unknown_fields::warn(Answer::json(201, &created).effect(true), &unknown))
}

fn check_namespace_exists(world: &World, key: &Key) -> Result<(), Refusal> {
    if key.namespace.is_empty() {
        return Ok(());
    }
    let place =
        Key { resource: "namespaces", namespace: String::new(), name: key.namespace.clone() };
    let namespaces = super::kinds::known("namespaces");
    match world.store.get(&place) {
        None => Err(Refusal::not_found(namespaces, &key.namespace)),
        Some(namespace) if !at(namespace, &["metadata", "deletionTimestamp"]).is_null() => {
            let why = format!(
                "unable to create new content in namespace {} because it is being terminated",
                key.namespace
            );
            Err(Refusal::forbidden(super::kinds::known(key.resource), &key.name, &why))
        }
        Some(_) => Ok(()),
    }
}

/// Gives a new object what only the server can give.
fn prepare(world: &mut World, target: &Target, object: &mut Value, now: Timestamp) {
    let kind = target.kind;
    put(object, &["apiVersion"], json!(kind.api_version()));
    put(object, &["kind"], json!(kind.kind));
    if kind.namespaced {
        let namespace = target.namespace.clone().unwrap_or_default();
        put(object, &["metadata", "namespace"], json!(namespace));
    } else {
        object::take(object, &["metadata", "namespace"]);
    }
    put(object, &["metadata", "uid"], json!(world.ids.uuid().to_string()));
    put(object, &["metadata", "creationTimestamp"], json!(clock::seconds(now)));
    for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
        object::take(object, &["metadata", key]);
    }
    if kind.group == "apps" && kind.has_status() {
        put(object, &["metadata", "generation"], json!(1));
    }
    if kind.has_status() {
        object::take(object, &["status"]);
    }
    match kind.resource {
        "namespaces" => {
            let name = object::name(object).to_owned();
            put(object, &["metadata", "labels", "kubernetes.io/metadata.name"], json!(name));
        }
        "pods" => put(object, &["status"], json!({"phase": "Pending"})),
        _ if kind.has_status() => put(object, &["status"], json!({})),
        _ => {}
    }
}
