//! Strategic merge patch: a merge in which some lists are merged by key.
//!
//! Directives (`$patch`, `$retainKeys`, `$setElementOrder/…`, `$deleteFromPrimitiveList/…`) are
//! obeyed and never stored.

use super::super::object::fields;
use super::super::status_errors::Refusal;
use super::entry;
use super::merge_keys::{is_set, merge_key};
use serde_json::{Map, Value, json};

const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Applies `patch` to a copy of `base`.
pub(super) fn apply(base: &Value, patch: &Value) -> Result<Value, Refusal> {
    let mut patched = base.clone();
    let patch = patch.as_object().ok_or_else(|| unusable("it is not an object"))?;
    merge_object(&mut patched, patch)?;
    Ok(patched)
}

fn merge_object(target: &mut Value, patch: &Map<String, Value>) -> Result<(), Refusal> {
    match patch.get(PATCH).map(|directive| directive.as_str().unwrap_or_default()) {
        None | Some("merge") => {}
        Some("replace") => *target = json!({}),
        Some("delete") => {
            *target = json!({});
            return Ok(());
        }
        Some(other) => return Err(unusable(&format!("unknown directive `$patch: {other}`"))),
    }
    retain_keys(target, patch)?;
    for (key, value) in patch.iter().filter(|(key, _)| !key.starts_with('$')) {
        match value {
            Value::Null => {
                fields(target).remove(key);
            }
            Value::Object(inner) if inner.get(PATCH) == Some(&json!("delete")) => {
                fields(target).remove(key);
            }
            Value::Object(inner) => merge_object(entry(target, key), inner)?,
            Value::Array(items) => merge_list(key, entry(target, key), items)?,
            plain => *entry(target, key) = plain.clone(),
        }
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix(DELETE_FROM) {
            delete_from(target, list, items_of(value)?);
        } else if let Some(list) = key.strip_prefix(ORDER) {
            reorder(target, list, items_of(value)?);
        }
    }
    Ok(())
}

fn retain_keys(target: &mut Value, patch: &Map<String, Value>) -> Result<(), Refusal> {
    let Some(kept) = patch.get(RETAIN_KEYS) else { return Ok(()) };
    let kept = items_of(kept)?;
    fields(target).retain(|key, _| kept.iter().any(|name| name == key));
    Ok(())
}

fn merge_list(field: &str, target: &mut Value, patch: &[Value]) -> Result<(), Refusal> {
    if !target.is_array() {
        *target = json!([]);
    }
    let Some(items) = target.as_array_mut() else { return Ok(()) };
    if is_set(field) {
        let new: Vec<Value> = patch.iter().filter(|item| !items.contains(item)).cloned().collect();
        items.extend(new);
        return Ok(());
    }
    let Some(key) = merge_key(field, patch, items) else {
        *items = patch.iter().map(without_directives).collect::<Result<_, _>>()?;
        return Ok(());
    };
    // An item that is only `$patch: replace` says that the others are the whole list.
    let whole = json!({PATCH: "replace"});
    if patch.contains(&whole) {
        items.clear();
    }
    for item in patch.iter().filter(|item| **item != whole) {
        merge_item(key, items, item)?;
    }
    Ok(())
}

fn merge_item(key: &str, items: &mut Vec<Value>, patch: &Value) -> Result<(), Refusal> {
    let patch = patch.as_object().ok_or_else(|| unusable("an item is not an object"))?;
    let name = patch.get(key).ok_or_else(|| {
        unusable(&format!("map: {patch:?} does not contain declared merge key: {key}"))
    })?;
    let found = items.iter().position(|item| item.get(key) == Some(name));
    if patch.get(PATCH) == Some(&json!("delete")) {
        if let Some(index) = found {
            items.remove(index);
        }
        return Ok(());
    }
    let mut item = found.map_or_else(|| json!({}), |index| items[index].take());
    merge_object(&mut item, patch)?;
    match found {
        Some(index) => items[index] = item,
        None => items.push(item),
    }
    Ok(())
}

fn without_directives(value: &Value) -> Result<Value, Refusal> {
    match value {
        Value::Object(patch) => {
            let mut clean = json!({});
            merge_object(&mut clean, patch)?;
            Ok(clean)
        }
        Value::Array(items) => {
            Ok(Value::Array(items.iter().map(without_directives).collect::<Result<_, _>>()?))
        }
        plain => Ok(plain.clone()),
    }
}

fn delete_from(target: &mut Value, list: &str, gone: &[Value]) {
    if let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) {
        items.retain(|item| !gone.contains(item));
    }
}

/// Items that the order names come in its order, where the first of them was; others stay.
fn reorder(target: &mut Value, list: &str, order: &[Value]) {
    let Some(items) = target.get_mut(list).and_then(Value::as_array_mut) else { return };
    let key = merge_key(list, order, items);
    let place = |item: &Value| {
        order.iter().position(|wanted| match key {
            Some(key) => item.get(key).is_some() && wanted.get(key) == item.get(key),
            None => wanted == item,
        })
    };
    let slots: Vec<usize> =
        (0..items.len()).filter(|index| place(&items[*index]).is_some()).collect();
    let mut named: Vec<Value> = slots.iter().map(|index| items[*index].take()).collect();
    named.sort_by_key(|item| place(item));
    for (slot, item) in slots.into_iter().zip(named) {
        items[slot] = item;
    }
}

fn items_of(value: &Value) -> Result<&[Value], Refusal> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| unusable("a directive needs a list"))
}

fn unusable(why: &str) -> Refusal {
    Refusal::bad_request(format!("unable to apply the strategic merge patch: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({
            "paused": true,
            "finalizers": ["a"],
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
            "containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}],
                 "ports": [{"containerPort": 80}], "args": ["x"]},
                {"name": "side", "image": "side:1"},
            ],
        })
    }

    #[test]
    fn lists_are_merged_by_key_and_directives_obeyed() {
        for (patch, path, wanted) in [
            (
                json!({"$setElementOrder/containers": [{"name": "web"}, {"name": "side"}],
                       "containers": [{"name": "web", "image": "web:2"}]}),
                "/containers/0",
                json!({"name": "web", "image": "web:2", "env": [{"name": "A", "value": "1"}],
                       "ports": [{"containerPort": 80}], "args": ["x"]}),
            ),
            (
                json!({"containers": [{"name": "side", "$patch": "delete"}]}),
                "/containers/1",
                Value::Null,
            ),
            (
                json!({"containers": [{"name": "new", "image": "n"}]}),
                "/containers/2",
                json!({"name": "new", "image": "n"}),
            ),
            (
                json!({"containers": [{"$patch": "replace"}, {"name": "new"}]}),
                "/containers",
                json!([{"name": "new"}]),
            ),
            (
                json!({"containers": [{"name": "web", "env": [{"name": "A", "value": "2"}], "args": ["y"]}]}),
                "/containers/0/args",
                json!(["y"]),
            ),
            (
                json!({"containers": [{"name": "web", "ports": [{"containerPort": 80, "name": "h"}]}]}),
                "/containers/0/ports",
                json!([{"containerPort": 80, "name": "h"}]),
            ),
            (json!({"paused": null}), "/paused", Value::Null),
            (json!({"finalizers": ["a", "b"]}), "/finalizers", json!(["a", "b"])),
            (json!({"$deleteFromPrimitiveList/finalizers": ["a"]}), "/finalizers", json!([])),
            (
                json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}),
                "/strategy",
                json!({"type": "Recreate"}),
            ),
            (
                json!({"strategy": {"$patch": "replace", "type": "x"}}),
                "/strategy",
                json!({"type": "x"}),
            ),
            (json!({"strategy": {"$patch": "delete"}}), "/strategy", Value::Null),
            (
                json!({"$setElementOrder/containers": [{"name": "side"}, {"name": "web"}]}),
                "/containers/0/name",
                json!("side"),
            ),
        ] {
            let patched = apply(&pod(), &patch).expect("applied");
            assert_eq!(patched.pointer(path).unwrap_or(&Value::Null), &wanted, "{patch}");
            assert!(!patched.to_string().contains('$'), "{patched}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_a_bad_request() {
        for patch in [
            json!({"containers": [{"image": "x"}]}),
            json!({"containers": ["x"]}),
            json!({"$patch": "explode"}),
            json!({"$retainKeys": "type"}),
            json!({"$setElementOrder/containers": {}}),
        ] {
            assert_eq!(apply(&pod(), &patch).expect_err("refused").code, 400, "{patch}");
        }
    }
}
