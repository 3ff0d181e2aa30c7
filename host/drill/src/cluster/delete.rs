//! Deleting: one object or a collection, with what they own.
//!
//! What the real cluster's garbage collector does a moment later is done at once. Objects with
//! finalizers stay, marked, until these are taken away.

use super::World;
use super::kinds::KINDS;
use super::object::{self, at, put, text};
use super::read::Filter;
use super::route::Target;
use super::status_errors::Refusal;
use super::store::Key;
use super::write_options::{Preconditions, WriteOptions};
use crate::clock;
use crate::exchange::{Answer, Asked};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// Namespaces that can't be deleted.
const KEPT_NAMESPACES: &[&str] = &["default", "kube-system"];

/// Answers DELETE of one object or of a collection.
pub(crate) fn answer(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let how = Deletion::read(asked)?;
    match &target.name {
        Some(name) => one(world, target, name, &how, now),
        None => many(world, asked, target, &how, now),
    }
}

struct Deletion {
    orphan: bool,
    dry_run: bool,
    preconditions: Preconditions,
}

impl Deletion {
    fn read(asked: &Asked) -> Result<Self, Refusal> {
        let options = WriteOptions::read(asked, "DeleteOptions")?;
        let body = if asked.body.is_empty() { json!({}) } else { super::update::body(asked)? };
        let policy = asked
            .query
            .filled("propagationPolicy")
            .unwrap_or_else(|| text(&body, &["propagationPolicy"]));
        if !["", "Background", "Foreground", "Orphan"].contains(&policy) {
            let message = format!("invalid `propagationPolicy`: {policy:?}");
            return Err(Refusal::bad_request(message));
        }
        // As the real server: where there is a body, the query does not count.
        let dry_run = match asked.body.is_empty() {
            true => options.dry_run,
            false => at(&body, &["dryRun"]).as_array().is_some_and(|list| !list.is_empty()),
        };
        Ok(Self {
            orphan: policy == "Orphan" || at(&body, &["orphanDependents"]) == true,
            dry_run,
            preconditions: Preconditions::read(at(&body, &["preconditions"])),
        })
    }
}

fn one(
    world: &mut World,
    target: &Target,
    name: &str,
    how: &Deletion,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let (kind, key) = (target.kind, target.key(name));
    let object = world.store.get(&key).cloned().ok_or_else(|| Refusal::not_found(kind, name))?;
    if kind.resource == "namespaces" && KEPT_NAMESPACES.contains(&name) {
        return Err(Refusal::forbidden(kind, name, "this namespace may not be deleted"));
    }
    if let Some(why) = how.preconditions.broken_by(&object) {
        return Err(Refusal::conflict_because(kind, name, &why));
    }
    let waits = has_finalizers(&object);
    if !how.dry_run {
        erase(world, &key, &object, how.orphan, now);
    }
    if waits || kind.resource == "pods" {
        let mut shown = Value::clone(&object);
        mark(&mut shown, now);
        return Ok(Answer::json(200, &shown).effect(!how.dry_run));
    }
    let mut details = json!({"name": name, "kind": kind.resource, "uid": object::uid(&object)});
    if !kind.group.is_empty() {
        put(&mut details, &["group"], json!(kind.group));
    }
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    });
    Ok(Answer::json(200, &status).effect(!how.dry_run))
}

fn many(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    how: &Deletion,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    if target.kind.resource == "namespaces" {
        return Err(Refusal::method_not_allowed());
    }
    let filter = Filter::read(asked, target)?;
    let meant: Vec<(Key, Arc<Value>)> = world
        .store
        .list(target.kind.resource, target.namespace.as_deref())
        .filter(|(_, object)| filter.takes(object))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect();
    if !how.dry_run {
        for (key, object) in &meant {
            erase(world, key, object, how.orphan, now);
        }
    }
    let items: Vec<Value> = meant.iter().map(|(_, object)| Value::clone(object)).collect();
    let took_effect = !how.dry_run && !items.is_empty();
    let list = json!({
        "kind": format!("{}List", target.kind.kind),
        "apiVersion": target.kind.api_version(),
        "metadata": {"resourceVersion": world.store.revision().to_string()},
        "items": items,
    });
    Ok(Answer::json(200, &list).effect(took_effect))
}

/// Takes an object out of the world, and with it what it owns or holds, and what that owns.
fn erase(world: &mut World, key: &Key, object: &Arc<Value>, orphan: bool, now: Timestamp) {
    let mut doomed = vec![(key.clone(), Arc::clone(object))];
    while let Some((key, object)) = doomed.pop() {
        if has_finalizers(&object) {
            let mut marked = Value::clone(&object);
            mark(&mut marked, now);
            world.store.put(key, marked);
            continue;
        }
        if world.store.remove(&key).is_none() {
            continue;
        }
        let dependents = match key.resource {
            "namespaces" => held_by(world, &key.name),
            _ => owned_by(world, object::uid(&object)),
        };
        if orphan {
            for (key, dependent) in dependents {
                let mut freed = Value::clone(&dependent);
                disown(&mut freed, object::uid(&object));
                world.store.put(key, freed);
            }
        } else {
            doomed.extend(dependents);
        }
    }
}

fn held_by(world: &World, namespace: &str) -> Vec<(Key, Arc<Value>)> {
    KINDS
        .iter()
        .filter(|kind| kind.namespaced)
        .flat_map(|kind| world.store.list(kind.resource, Some(namespace)))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect()
}

fn owned_by(world: &World, uid: &str) -> Vec<(Key, Arc<Value>)> {
    let owns = |object: &Value| {
        let owners = at(object, &["metadata", "ownerReferences"]).as_array();
        owners.into_iter().flatten().any(|owner| text(owner, &["uid"]) == uid)
    };
    world
        .store
        .all()
        .filter(|(_, object)| owns(object))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect()
}

fn disown(object: &mut Value, uid: &str) {
    let owners = object.pointer_mut("/metadata/ownerReferences").and_then(Value::as_array_mut);
    if let Some(owners) = owners {
        owners.retain(|owner| text(owner, &["uid"]) != uid);
    }
}

fn has_finalizers(object: &Value) -> bool {
    at(object, &["metadata", "finalizers"]).as_array().is_some_and(|list| !list.is_empty())
}

fn mark(object: &mut Value, now: Timestamp) {
    if at(object, &["metadata", "deletionTimestamp"]).is_null() {
        put(object, &["metadata", "deletionTimestamp"], json!(clock::seconds(now)));
        put(object, &["metadata", "deletionGracePeriodSeconds"], json!(0));
    }
}

/// Takes out what a controller does not want any more.
pub(crate) fn erase_owned(world: &mut World, key: &Key, now: Timestamp) {
    if let Some(object) = world.store.get(key).cloned() {
        erase(world, key, &object, false, now);
    }
}
