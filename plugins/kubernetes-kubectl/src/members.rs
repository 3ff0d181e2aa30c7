//! Objects of JSON, made member by member.
//!
//! Written out in place, each insertion would cost a component a hundred bytes.

use serde_json::{Map, Value};

/// Sets a member.
pub(crate) fn put(object: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    insert(object, name, value.into());
}

#[inline(never)]
fn insert(object: &mut Map<String, Value>, name: &str, value: Value) {
    object.insert(name.to_owned(), value);
}

/// `value` inside of an object for each name: `nest(&["a", "b"], 1)` is `{"a": {"b": 1}}`.
#[inline(never)]
pub(crate) fn nest(path: &[&str], mut value: Value) -> Value {
    for name in path.iter().rev() {
        let mut object = Map::new();
        insert(&mut object, name, value);
        value = Value::Object(object);
    }
    value
}

/// A copy without some members.
#[inline(never)]
pub(crate) fn without(object: &Value, names: &[&str]) -> Value {
    let Value::Object(members) = object else { return object.clone() };
    let mut copy = Map::new();
    for (name, value) in members {
        if !names.contains(&name.as_str()) {
            copy.insert(name.clone(), value.clone());
        }
    }
    Value::Object(copy)
}
