//! Reading and writing members of objects that may hold anything.
//!
//! Objects stay raw JSON, so that nothing is lost that this program does not know. No function
//! here panics, whatever shape an object has.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The label that tells the pods of one ReplicaSet from those of another.
pub(crate) const HASH_LABEL: &str = "pod-template-hash";

static NULL: Value = Value::Null;

/// The member at `path`, or null.
pub(crate) fn at<'a>(object: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(object, |value, step| value.get(step).unwrap_or(&NULL))
}

/// The text at `path`, or the empty text.
pub(crate) fn text<'a>(object: &'a Value, path: &[&str]) -> &'a str {
    at(object, path).as_str().unwrap_or_default()
}

/// The whole number at `path`.
pub(crate) fn number(object: &Value, path: &[&str]) -> Option<i64> {
    at(object, path).as_i64()
}

/// Sets the member at `path`, making objects on the way; what is no object gives way.
pub(crate) fn put(object: &mut Value, path: &[&str], value: Value) {
    let mut place = object;
    for step in path {
        place = fields(place).entry((*step).to_owned()).or_insert(Value::Null);
    }
    *place = value;
}

/// Takes the member at `path` out.
pub(crate) fn take(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, way) = path.split_last()?;
    let mut place = object;
    for step in way {
        place = place.get_mut(*step)?;
    }
    place.as_object_mut()?.remove(*last)
}

/// The members of `value`, which becomes an object when it is none.
pub(crate) fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("it was made an object in the line above"),
    }
}

/// `metadata.name`.
pub(crate) fn name(object: &Value) -> &str {
    text(object, &["metadata", "name"])
}

/// `metadata.namespace`.
pub(crate) fn namespace(object: &Value) -> &str {
    text(object, &["metadata", "namespace"])
}

/// `metadata.uid`.
pub(crate) fn uid(object: &Value) -> &str {
    text(object, &["metadata", "uid"])
}

/// `metadata.resourceVersion`.
pub(crate) fn resource_version(object: &Value) -> &str {
    text(object, &["metadata", "resourceVersion"])
}

/// One of `metadata.annotations`.
pub(crate) fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    at(object, &["metadata", "annotations", key]).as_str()
}

/// The labels under `path`, sorted; members that are no text are left out.
pub(crate) fn labels(object: &Value, path: &[&str]) -> BTreeMap<String, String> {
    at(object, path)
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The uid of the owner that controls the object.
pub(crate) fn controller_uid(object: &Value) -> Option<&str> {
    at(object, &["metadata", "ownerReferences"])
        .as_array()?
        .iter()
        .find(|owner| at(owner, &["controller"]).as_bool() == Some(true))
        .map(|owner| text(owner, &["uid"]))
}

/// `spec.template` without the label that ReplicaSets add, and without empty members.
pub(crate) fn comparable_template(object: &Value) -> Value {
    let mut template = at(object, &["spec", "template"]).clone();
    take(&mut template, &["metadata", "labels", HASH_LABEL]);
    prune(&mut template);
    template
}

/// Whether two workloads have templates that mean the same: the label that ReplicaSets add does
/// not count, and absent, null and empty are one.
pub(crate) fn same_template(one: &Value, two: &Value) -> bool {
    let template = |object| at(object, &["spec", "template"]);
    same(template(one), template(two), &["metadata", "labels", HASH_LABEL])
}

/// Whether two values mean the same without the member at `ignored` (empty: nothing is ignored).
fn same(one: &Value, two: &Value, ignored: &[&str]) -> bool {
    let inner = |key: &str| match ignored.split_first() {
        Some((first, rest)) if *first == key => rest,
        _ => &[],
    };
    let empty = Map::new();
    match (one, two) {
        (Value::Object(_) | Value::Null, Value::Object(_) | Value::Null) => {
            let (one, two) = (one.as_object().unwrap_or(&empty), two.as_object().unwrap_or(&empty));
            let only_in_two = two.keys().filter(|key| !one.contains_key(*key));
            one.keys().chain(only_in_two).all(|key| {
                let (one, two) = (one.get(key).unwrap_or(&NULL), two.get(key).unwrap_or(&NULL));
                ignored == [key.as_str()] || same(one, two, inner(key))
            })
        }
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two, &[]))
        }
        (Value::Array(items), Value::Null) | (Value::Null, Value::Array(items)) => items.is_empty(),
        _ => one == two,
    }
}

/// The images of a pod template's containers, in order.
pub(crate) fn images(template: &Value) -> Vec<String> {
    at(template, &["spec", "containers"])
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| text(container, &["image"]).to_owned())
        .collect()
}

// Absent, null and empty are the same to Kubernetes.
fn prune(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(prune);
            fields.retain(|_, value| !is_nothing(value));
        }
        Value::Array(items) => items.iter_mut().for_each(prune),
        _ => {}
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_read_and_written_in_any_shape() {
        let mut object = json!({"metadata": "not an object"});
        assert_eq!(name(&object), "");

        put(&mut object, &["metadata", "annotations", "a/b"], json!("c"));

        assert_eq!(annotation(&object, "a/b"), Some("c"));
        assert_eq!(take(&mut object, &["metadata", "annotations", "a/b"]), Some(json!("c")));
        assert_eq!(take(&mut object, &["metadata", "nowhere", "x"]), None);
        assert_eq!(take(&mut object, &[]), None);
    }

    #[test]
    fn templates_that_mean_the_same_compare_equal() {
        let one = json!({"spec": {"template": {
            "metadata": {"labels": {"app": "a", HASH_LABEL: "x"}, "creationTimestamp": null},
            "spec": {"containers": [{"name": "c", "resources": {}}], "volumes": []}}}});
        let two = json!({"spec": {"template": {
            "metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c"}]}}}});

        assert!(same_template(&one, &two) && same_template(&two, &one));
        assert_eq!(comparable_template(&one), comparable_template(&two));
        for (path, value) in [
            (&["spec", "template", "spec", "volumes"][..], json!([{"name": "v"}])),
            (&["spec", "template", "metadata", "labels", "app"], json!("b")),
            (&["spec", "template", "metadata", "annotations"], json!({"a": "b"})),
            (&["spec", "template", "spec", "containers"], json!([])),
        ] {
            let mut other = two.clone();
            put(&mut other, path, value);
            assert!(!same_template(&one, &other) && !same_template(&other, &one), "{path:?}");
        }
    }
}
