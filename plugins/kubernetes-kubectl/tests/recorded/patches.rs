//! Patches, as far as a stub of a server needs them.

use serde_json::{Map, Value, json};

/// Applies a patch of the given media type.
pub(crate) fn apply(object: &mut Value, how: &str, patch: &Value) {
    match how {
        "application/json-patch+json" => {
            for operation in patch.as_array().expect("operations") {
                step(object, operation);
            }
        }
        "application/merge-patch+json" => merge(object, patch, false),
        _ => merge(object, patch, true),
    }
}

fn step(object: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().expect("a path");
    let (parent, name) = path.rsplit_once('/').expect("a member");
    let name = name.replace("~1", "/").replace("~0", "~");
    match operation["op"].as_str().expect("an operation") {
        "test" => (),
        "remove" => {
            let parent = object.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.expect("a parent").remove(&name);
        }
        _ => object.pointer_mut(parent).expect("a parent")[name] = operation["value"].clone(),
    }
}

fn merge(into: &mut Value, patch: &Value, strategic: bool) {
    let Value::Object(members) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() || strategic && members.get("$patch") == Some(&json!("replace")) {
        *into = json!({});
    }
    let object = into.as_object_mut().expect("an object");
    for (name, value) in members.iter().filter(|(name, _)| !name.starts_with('$')) {
        match value {
            Value::Null => drop(object.remove(name)),
            Value::Array(items) if strategic && named(items) => {
                let list = object.entry(name.clone()).or_insert_with(|| json!([]));
                for item in items {
                    merge_item(list.as_array_mut().expect("a list"), item);
                }
            }
            value => merge(object.entry(name.clone()).or_insert(Value::Null), value, strategic),
        }
    }
}

/// Whether a list is one that is merged by name.
fn named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item["name"].is_string())
}

fn merge_item(list: &mut Vec<Value>, item: &Value) {
    match list.iter_mut().find(|known| known["name"] == item["name"]) {
        Some(known) => merge(known, item, true),
        None => {
            let mut new = Value::Object(Map::new());
            merge(&mut new, item, true);
            list.push(new);
        }
    }
}
