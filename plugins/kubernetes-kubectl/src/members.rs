//! Objects of JSON made member by member, and lists made into text.
//!
//! Written out in place, each of these would cost a component a hundred bytes or more.

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

/// Texts in a row, with `joint` between them.
#[inline(never)]
pub(crate) fn joined(items: &mut dyn Iterator<Item = String>, joint: &str) -> String {
    let mut out = String::new();
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push_str(joint);
        }
        out.push_str(&item);
    }
    out
}

/// The items of a list; none for anything else.
#[inline(never)]
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text, or the empty one for anything else.
#[inline(never)]
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Words in a row, with `joint` between them.
pub(crate) fn in_a_row(words: &[&str], joint: &str) -> String {
    joined(&mut words.iter().map(|word| (*word).to_owned()), joint)
}

/// Whether `text` holds `part`. The standard library's search is long and pays for itself only in
/// texts that are longer than any here.
#[inline(never)]
pub(crate) fn holds(text: &str, part: &str) -> bool {
    text.as_bytes().windows(part.len().max(1)).any(|window| window == part.as_bytes())
}
