//! What is another between two states of an object, field by field, for people.

use journal::Change;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Fields that are told; a change of more is no change that anybody reads.
const CHANGES_MAX: usize = 200;

/// Characters of a value.
const VALUE_CHARACTERS_MAX: usize = 200;

/// What a server keeps for itself, and what follows from everything else.
const UNTOLD: &[&str] = &[
    "metadata.creationTimestamp",
    "metadata.generation",
    "metadata.managedFields",
    "metadata.resourceVersion",
    "metadata.uid",
    "status",
];

/// The values of these fields of a Secret; an annotation may hold the whole of it as it was applied.
const HIDDEN: &[&str] = &["data", "stringData", "metadata.annotations"];

/// The differences. None stands for an object that is not there. With `secret`, values are not
/// told.
pub(crate) fn changes(before: Option<&Value>, after: Option<&Value>, secret: bool) -> Vec<Change> {
    let mut found = Vec::new();
    match (before, after) {
        (None, None) => {}
        (Some(before), None) => found.push(whole(before, false)),
        (None, Some(after)) => {
            found.push(whole(after, true));
            compare(&Path::root(secret), None, Some(after), &mut found);
        }
        (Some(before), Some(after)) => {
            compare(&Path::root(secret), Some(before), Some(after), &mut found);
        }
    }
    found.truncate(CHANGES_MAX);
    found
}

fn whole(object: &Value, made: bool) -> Change {
    let text = |name: &str| object[name].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let said = format!("{} {name}", text("kind"));
    let (from, to) = if made { (None, Some(said)) } else { (Some(said), None) };
    Change { field: "object".to_owned(), from, to }
}

/// A place in an object.
struct Path {
    text: String,
    secret: bool,
}

impl Path {
    fn root(secret: bool) -> Self {
        Self { text: String::new(), secret }
    }

    fn key(&self, key: &str) -> Self {
        let plain = !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let text = match (self.text.is_empty(), plain) {
            (true, true) => key.to_owned(),
            (false, true) => format!("{}.{key}", self.text),
            (_, false) => format!("{}[{key:?}]", self.text),
        };
        Self { text, ..*self }
    }

    fn element(&self, name: &str) -> Self {
        Self { text: format!("{}[{name}]", self.text), ..*self }
    }

    fn is_untold(&self) -> bool {
        UNTOLD.contains(&self.text.as_str())
    }

    fn is_hidden(&self) -> bool {
        let begins = |field: &&str| {
            self.text
                .strip_prefix(*field)
                .is_some_and(|rest| rest.starts_with('.') || rest.starts_with('['))
        };
        self.secret && HIDDEN.iter().any(begins)
    }

    fn said(&self, value: &Value) -> String {
        if self.is_hidden() {
            return "(hidden)".to_owned();
        }
        let text = match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        match text.char_indices().nth(VALUE_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }
}

fn compare(path: &Path, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Change>) {
    if before == after || path.is_untold() || found.len() >= CHANGES_MAX {
        return;
    }
    match (before, after) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            members(path, before, after, found);
        }
        (None, Some(Value::Object(after))) if !after.is_empty() => {
            members(path, &Map::new(), after, found);
        }
        (Some(Value::Object(before)), None) if !before.is_empty() => {
            members(path, before, &Map::new(), found);
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            elements(path, before, after, found);
        }
        _ => found.push(Change {
            field: path.text.clone(),
            from: before.map(|value| path.said(value)),
            to: after.map(|value| path.said(value)),
        }),
    }
}

fn members(
    path: &Path,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<Change>,
) {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for key in keys {
        compare(&path.key(key), before.get(key), after.get(key), found);
    }
}

/// Elements that have names are compared by them, others by their places.
fn elements(path: &Path, before: &[Value], after: &[Value], found: &mut Vec<Change>) {
    let named = |all: &[Value]| all.iter().all(|value| value["name"].is_string());
    if named(before) && named(after) {
        let find =
            |all: &'_ [Value], name: &str| all.iter().find(|value| value["name"] == *name).cloned();
        let mut names: Vec<&str> = Vec::new();
        for name in before.iter().chain(after).filter_map(|value| value["name"].as_str()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let (old, new) = (find(before, name), find(after, name));
            compare(&path.element(name), old.as_ref(), new.as_ref(), found);
        }
        return;
    }
    for place in 0..before.len().max(after.len()) {
        compare(&path.element(&place.to_string()), before.get(place), after.get(place), found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(before: Option<&Value>, after: Option<&Value>, secret: bool) -> Vec<String> {
        let none = || "-".to_owned();
        changes(before, after, secret)
            .into_iter()
            .map(|change| {
                let (from, to) = (change.from.unwrap_or_else(none), change.to.unwrap_or_else(none));
                format!("{}: {from} -> {to}", change.field)
            })
            .collect()
    }

    #[test]
    fn a_change_is_told_by_its_field_and_what_a_server_counts_is_not() {
        let object = |image: &str, version: &str| {
            json!({
                "metadata": {"resourceVersion": version, "annotations": {"a/b": version}},
                "spec": {"template": {"spec": {"containers": [
                    {"name": "side", "image": "x"}, {"name": "web", "image": image}]}},
                    "args": ["a", version]},
                "status": {"replicas": version},
            })
        };
        assert_eq!(
            told(Some(&object("nginx:1.99", "1")), Some(&object("nginx:1.25", "2")), false),
            [
                "metadata.annotations[\"a/b\"]: 1 -> 2",
                "spec.args[1]: 1 -> 2",
                "spec.template.spec.containers[web].image: nginx:1.99 -> nginx:1.25",
            ]
        );
    }

    #[test]
    fn what_comes_and_goes_is_told_as_a_whole() {
        let object = json!({"kind": "Pod", "metadata": {"name": "a"}, "spec": {"x": {}}});
        assert_eq!(told(Some(&object), None, false), ["object: Pod a -> -"]);
        let made = told(None, Some(&object), false);
        assert_eq!(made[0], "object: - -> Pod a");
        assert!(made.contains(&"spec.x: - -> {}".to_owned()), "{made:?}");
        assert_eq!(told(None, None, false), Vec::<String>::new());
    }

    #[test]
    fn values_of_a_secret_are_never_told() {
        let secret = |value: &str| json!({"type": value, "data": {"key": value}});
        assert_eq!(
            told(Some(&secret("old")), Some(&secret("new")), true),
            ["data.key: (hidden) -> (hidden)", "type: old -> new"]
        );
    }
}
