//! Who set which field: the bookkeeping behind server-side apply and its conflicts.
//!
//! A field is named by a path of the API's own steps (`f:spec`, `k:{"name":"web"}`). Paths are
//! kept flat here and nested only in `metadata.managedFields`.

use super::kinds::Kind;
use super::object::{self, at, text};
use super::patch::merge_keys::{is_set, keys_of};
use crate::clock;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Managers that are remembered for one object; the oldest are forgotten first.
const MANAGERS_MAX: usize = 20;

/// The steps to a field.
pub(crate) type Path = Vec<String>;

/// What one manager set.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) manager: String,
    /// Whether by apply, or by another way of writing.
    pub(crate) by_apply: bool,
    /// `status` or `scale`; empty for the object itself.
    pub(crate) subresource: String,
    time: String,
    /// Which fields.
    pub(crate) fields: BTreeSet<Path>,
}

impl Entry {
    /// A new entry.
    pub(crate) fn new(manager: &str, by_apply: bool, subresource: &str, now: Timestamp) -> Self {
        Self {
            manager: manager.to_owned(),
            by_apply,
            subresource: subresource.to_owned(),
            time: clock::seconds(now),
            fields: BTreeSet::new(),
        }
    }

    /// Whether it stands for this manager and this way of writing.
    pub(crate) fn is_of(&self, manager: &str, by_apply: bool, subresource: &str) -> bool {
        self.manager == manager && self.by_apply == by_apply && self.subresource == subresource
    }

    fn touch(&mut self, now: Timestamp) {
        self.time = clock::seconds(now);
    }
}

/// The entries of an object.
pub(crate) fn entries(object: &Value) -> Vec<Entry> {
    let listed = at(object, &["metadata", "managedFields"]).as_array();
    listed
        .into_iter()
        .flatten()
        .map(|entry| {
            let mut fields = BTreeSet::new();
            unnest(at(entry, &["fieldsV1"]), &mut Vec::new(), &mut fields);
            Entry {
                manager: text(entry, &["manager"]).to_owned(),
                by_apply: text(entry, &["operation"]) == "Apply",
                subresource: text(entry, &["subresource"]).to_owned(),
                time: text(entry, &["time"]).to_owned(),
                fields,
            }
        })
        .collect()
}

/// Writes entries into an object; empty ones are left out.
pub(crate) fn set_entries(kind: &Kind, object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|entry| !entry.fields.is_empty());
    let surplus = entries.len().saturating_sub(MANAGERS_MAX);
    entries.drain(..surplus);
    let listed: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let mut shown = json!({
                "manager": entry.manager,
                "operation": if entry.by_apply { "Apply" } else { "Update" },
                "apiVersion": kind.api_version(),
                "time": entry.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": nest(&entry.fields),
            });
            if !entry.subresource.is_empty() {
                object::put(&mut shown, &["subresource"], json!(entry.subresource));
            }
            shown
        })
        .collect();
    if listed.is_empty() {
        object::take(object, &["metadata", "managedFields"]);
    } else {
        object::put(object, &["metadata", "managedFields"], Value::Array(listed));
    }
}

/// Notes that `manager` wrote `new` where `old` was.
pub(crate) fn track(
    kind: &Kind,
    old: Option<&Value>,
    new: &mut Value,
    manager: &str,
    subresource: &str,
    now: Timestamp,
) {
    let mut entries = old.map(entries).unwrap_or_default();
    let before = old.map(leaves).unwrap_or_default();
    let after = leaves(new);
    let changed: BTreeSet<Path> = after
        .iter()
        .filter(|(path, value)| before.get(*path) != Some(value))
        .map(|(path, _)| path.clone())
        .collect();
    let is_kept = |path: &Path| after.contains_key(path) && !changed.contains(path);
    let mut found = false;
    for entry in &mut entries {
        entry.fields.retain(&is_kept);
        if entry.is_of(manager, false, subresource) {
            found = true;
            if !changed.is_empty() {
                entry.fields.extend(changed.iter().cloned());
                entry.touch(now);
            }
        }
    }
    if !found {
        let mut entry = Entry::new(manager, false, subresource, now);
        entry.fields = changed.clone();
        entries.push(entry);
    }
    drop(after);
    set_entries(kind, new, entries);
}

/// The fields of an object with their values: everything that a manager can own.
pub(crate) fn leaves(object: &Value) -> BTreeMap<Path, &Value> {
    const UNOWNED: &[&str] = &[
        "name",
        "namespace",
        "generateName",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
        "selfLink",
    ];
    let mut found = BTreeMap::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                let owned = value.as_object().into_iter().flatten();
                for (key, value) in owned.filter(|(key, _)| !UNOWNED.contains(&key.as_str())) {
                    collect(key, value, &mut vec!["f:metadata".to_owned()], &mut found);
                }
            }
            _ => collect(key, value, &mut Vec::new(), &mut found),
        }
    }
    found
}

fn collect<'a>(
    key: &str,
    value: &'a Value,
    path: &mut Path,
    found: &mut BTreeMap<Path, &'a Value>,
) {
    path.push(format!("f:{key}"));
    inside(key, value, path, found);
    path.pop();
}

fn inside<'a>(key: &str, value: &'a Value, path: &mut Path, found: &mut BTreeMap<Path, &'a Value>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                collect(key, value, path, found);
            }
        }
        Value::Array(items) if !items.is_empty() => match keys_of(key, items) {
            Some(keys) => {
                for item in items {
                    path.push(item_step(keys, item));
                    inside("", item, path, found);
                    path.pop();
                }
            }
            None if is_set(key) => {
                for item in items {
                    path.push(format!("v:{item}"));
                    found.insert(path.clone(), item);
                    path.pop();
                }
            }
            None => {
                found.insert(path.clone(), value);
            }
        },
        _ => {
            found.insert(path.clone(), value);
        }
    }
}

fn item_step(keys: &[&str], item: &Value) -> String {
    let keys: Map<String, Value> =
        keys.iter().map(|key| ((*key).to_owned(), key_value(item, key))).collect();
    format!("k:{}", Value::Object(keys))
}

/// The value of a key of a list; a port's protocol is TCP when it says nothing.
pub(crate) fn key_value(item: &Value, key: &str) -> Value {
    match item.get(key) {
        None if key == "protocol" => json!("TCP"),
        None => Value::Null,
        Some(value) => value.clone(),
    }
}

/// Takes fields out of an object, and what is empty after it. An item of a keyed list goes with
/// its key, when nothing else is left of it.
pub(crate) fn remove_all(object: &mut Value, mut paths: Vec<Path>) {
    // Keys last and the innermost of them first: an item is found by its key.
    paths.sort_by_key(|path| (names_item(path), std::cmp::Reverse(path.len())));
    for path in &paths {
        remove(object, path);
    }
}

fn names_item(path: &[String]) -> bool {
    let [.., item, field] = path else { return false };
    let keys = item.strip_prefix("k:").and_then(|keys| serde_json::from_str(keys).ok());
    let keys: Map<String, Value> = keys.unwrap_or_default();
    field.strip_prefix("f:").is_some_and(|field| keys.contains_key(field))
}

fn remove(object: &mut Value, path: &[String]) {
    let Some((step, rest)) = path.split_first() else { return };
    if let Some(key) = step.strip_prefix("f:") {
        let Some(fields) = object.as_object_mut() else { return };
        let Some(inner) = fields.get_mut(key) else { return };
        if !rest.is_empty() {
            remove(inner, rest);
        }
        let is_empty = inner.as_object().is_some_and(Map::is_empty)
            || inner.as_array().is_some_and(Vec::is_empty);
        if rest.is_empty() || is_empty {
            fields.remove(key);
        }
        return;
    }
    let Some(items) = object.as_array_mut() else { return };
    if let Some(value) = step.strip_prefix("v:") {
        let gone: Value = serde_json::from_str(value).unwrap_or_default();
        items.retain(|item| *item != gone);
        return;
    }
    let Some(index) = items.iter().position(|item| is_item(step, item)) else { return };
    if rest.len() != 1 || !names_item(path) {
        remove(&mut items[index], rest);
        return;
    }
    let mut members = items[index].as_object().into_iter().flatten();
    if members.all(|(key, _)| names_item(&[step.clone(), format!("f:{key}")])) {
        items.remove(index);
    }
}

fn is_item(step: &str, item: &Value) -> bool {
    let Some(keys) = step.strip_prefix("k:") else { return false };
    let Ok(Value::Object(keys)) = serde_json::from_str(keys) else { return false };
    keys.iter().all(|(key, value)| key_value(item, key) == *value)
}

/// The path as people read it: `.spec.template.spec.containers[name="web"].image`.
pub(crate) fn shown(path: &[String]) -> String {
    let mut text = String::new();
    for step in path {
        if let Some(field) = step.strip_prefix("f:") {
            text.push('.');
            text.push_str(field);
        } else if let Some(keys) = step.strip_prefix("k:") {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let listed: Vec<String> =
                keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            text.push_str(&format!("[{}]", listed.join(",")));
        } else {
            text.push_str(&format!("[{}]", step.strip_prefix("v:").unwrap_or(step)));
        }
    }
    text
}

fn nest(fields: &BTreeSet<Path>) -> Value {
    let mut nested = json!({});
    for path in fields {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        object::put(&mut nested, &steps, json!({}));
    }
    nested
}

fn unnest(nested: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    match nested.as_object() {
        Some(fields) if !fields.is_empty() => {
            for (step, rest) in fields {
                path.push(step.clone());
                unnest(rest, path, found);
                path.pop();
            }
        }
        _ if !path.is_empty() => {
            found.insert(path.clone());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;

    fn now() -> Timestamp {
        "2026-07-01T00:00:00Z".parse().expect("a time")
    }

    fn object(image: &str) -> Value {
        json!({"metadata": {"name": "web", "labels": {"a": "b"}}, "spec": {"template": {"spec": {
            "containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]}}}})
    }

    #[test]
    fn a_field_belongs_to_who_changed_it_last() {
        let kind = known("deployments");
        let mut first = object("web:1");
        track(kind, None, &mut first, "one", "", now());
        let mut second = object("web:2");
        track(kind, Some(&first), &mut second, "two", "", now());

        let entries = entries(&second);

        let shown: Vec<(String, Vec<String>)> = entries
            .iter()
            .map(|entry| {
                (entry.manager.clone(), entry.fields.iter().map(|path| shown(path)).collect())
            })
            .collect();
        let web = ".spec.template.spec.containers[name=\"web\"]";
        assert_eq!(shown[0].0, "one");
        assert!(shown[0].1.contains(&".metadata.labels.a".to_owned()), "{shown:?}");
        assert!(!shown[0].1.contains(&format!("{web}.image")), "{shown:?}");
        assert_eq!(shown[1], ("two".to_owned(), vec![format!("{web}.image")]));
    }

    #[test]
    fn a_field_taken_out_leaves_nothing_empty_behind() {
        let mut object = object("web:1");
        let paths: Vec<Path> = leaves(&object).into_keys().collect();

        remove_all(&mut object, paths);

        assert_eq!(object, json!({"metadata": {"name": "web"}}));
        remove_all(&mut object, vec![vec!["v:1".to_owned()], vec!["k:nonsense".to_owned()]]);
    }
}
