//! Server-side apply: a manager says what it wants of an object, and owns just that.
//!
//! What another manager owns is not overwritten unless forced; what this manager does not say
//! any more, and nobody else owns, goes away.

use super::super::World;
use super::super::create;
use super::super::managed_fields::{self, Entry, Path, key_value, leaves, shown};
use super::super::object::{self, at, put};
use super::super::route::Target;
use super::super::status_errors::{Cause, Refusal};
use super::super::update::{self, Writing, check_identity};
use super::super::validation;
use super::super::write_options::WriteOptions;
use super::entry;
use super::merge_keys::{is_set, keys_of};
use crate::exchange::{Answer, Asked};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Answers an apply patch.
pub(super) fn answer(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    options: &WriteOptions,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    if !options.manager_given {
        let cause = Cause::required("fieldManager", "is required for apply patch");
        return Err(Refusal::invalid_options("PatchOptions", &[cause]));
    }
    if target.subresource.as_deref() == Some("scale") {
        return Err(Refusal::bad_request("apply a scale by applying `spec.replicas`"));
    }
    let config = read(asked, target)?;
    let name = target.name.clone().unwrap_or_default();
    let key = target.key(&name);
    match world.store.get(&key).cloned() {
        None if target.subresource.is_some() => Err(Refusal::not_found(target.kind, &name)),
        None => {
            let mut object = config.clone();
            put(&mut object, &["metadata", "name"], json!(name));
            track(target, &mut object, Vec::new(), &config, options, now);
            create::create(world, target, object, options, true, now)
        }
        Some(old) => {
            let new = applied(target, &old, &config, options, now)?;
            let writing = Writing { target, key, old, options, now, fields_are_tracked: true };
            update::replace(world, &writing, new)
        }
    }
}

fn read(asked: &Asked, target: &Target) -> Result<Value, Refusal> {
    let config = match serde_json::from_slice::<Value>(&asked.body) {
        Ok(json) => json,
        Err(_) => update::from_yaml(&asked.body)?,
    };
    if !config.is_object() {
        return Err(Refusal::bad_request("error decoding patch: it is not an object"));
    }
    for (key, wanted) in
        [("apiVersion", target.kind.api_version()), ("kind", target.kind.kind.to_owned())]
    {
        if object::text(&config, &[key]).is_empty() {
            let message = format!("error decoding patch: `{key}` must be set, to {wanted:?}");
            return Err(Refusal::bad_request(message));
        }
    }
    validation::check_shape(target.kind, &config)?;
    check_identity(target.kind, &target.key(target.name.as_deref().unwrap_or_default()), &config)?;
    if !at(&config, &["metadata", "managedFields"]).is_null() {
        return Err(Refusal::bad_request("metadata.managedFields must be nil"));
    }
    Ok(config)
}

fn applied(
    target: &Target,
    old: &Value,
    config: &Value,
    options: &WriteOptions,
    now: Timestamp,
) -> Result<Value, Refusal> {
    let part = target.subresource.as_deref().unwrap_or_default();
    let mut entries = managed_fields::entries(old);
    let wanted = leaves(config);
    let current = leaves(old);
    let mut causes = Vec::new();
    for entry in &mut entries {
        if entry.is_of(&options.manager, true, part) {
            continue;
        }
        let contested: Vec<Path> = entry
            .fields
            .iter()
            .filter(|path| wanted.get(*path).is_some_and(|value| current.get(*path) != Some(value)))
            .cloned()
            .collect();
        for path in contested {
            if options.force {
                entry.fields.remove(&path);
            } else {
                causes.push(Cause {
                    field: shown(&path),
                    reason: "FieldManagerConflict",
                    message: format!(
                        "conflict with {:?} using {}",
                        entry.manager,
                        target.kind.api_version()
                    ),
                });
            }
        }
    }
    if !causes.is_empty() {
        return Err(Refusal::apply_conflict(&causes));
    }
    let mut new = old.clone();
    let gone = given_up(&entries, &wanted.keys().cloned().collect(), options, part);
    managed_fields::remove_all(&mut new, gone);
    merge("", &mut new, config);
    track(target, &mut new, entries, config, options, now);
    Ok(new)
}

/// What this manager applied before, does not apply now, and nobody else owns.
fn given_up(
    entries: &[Entry],
    wanted: &BTreeSet<Path>,
    options: &WriteOptions,
    part: &str,
) -> Vec<Path> {
    let (own, others): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.is_of(&options.manager, true, part));
    own.iter()
        .flat_map(|entry| &entry.fields)
        .filter(|path| !wanted.contains(*path))
        .filter(|path| !others.iter().any(|other| other.fields.contains(*path)))
        .cloned()
        .collect()
}

fn track(
    target: &Target,
    object: &mut Value,
    mut entries: Vec<Entry>,
    config: &Value,
    options: &WriteOptions,
    now: Timestamp,
) {
    let part = target.subresource.as_deref().unwrap_or_default();
    let fields: BTreeSet<Path> = leaves(config).into_keys().collect();
    let own = entries.iter().position(|entry| entry.is_of(&options.manager, true, part));
    match own {
        // The same words again change nothing, not even the time.
        Some(index) if entries[index].fields == fields => {}
        _ => {
            if let Some(index) = own {
                entries.remove(index);
            }
            let mut entry = Entry::new(&options.manager, true, part, now);
            entry.fields = fields;
            entries.push(entry);
        }
    }
    managed_fields::set_entries(target.kind, object, entries);
}

/// Writes `config` into `target`: objects member by member, keyed lists item by item.
fn merge(field: &str, target: &mut Value, config: &Value) {
    match config {
        Value::Object(members) => {
            object::fields(target);
            for (key, value) in members {
                merge(key, entry(target, key), value);
            }
        }
        Value::Array(wanted) => merge_list(field, target, wanted),
        plain => *target = plain.clone(),
    }
}

fn merge_list(field: &str, target: &mut Value, wanted: &[Value]) {
    let keys = keys_of(field, wanted);
    let Some(items) = target.as_array_mut() else {
        *target = Value::Array(wanted.to_vec());
        return;
    };
    if is_set(field) {
        let new: Vec<Value> = wanted.iter().filter(|item| !items.contains(item)).cloned().collect();
        items.extend(new);
        return;
    }
    let Some(keys) = keys else {
        *items = wanted.to_vec();
        return;
    };
    for item in wanted {
        let same =
            |other: &Value| keys.iter().all(|key| key_value(other, key) == key_value(item, key));
        match items.iter_mut().find(|other| same(other)) {
            Some(found) => merge("", found, item),
            None => items.push(item.clone()),
        }
    }
}
