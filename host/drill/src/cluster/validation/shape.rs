//! Members of the wrong shape: a text where the API has a number, a list where it has an object.
//!
//! The real server can't even read such a body, so this is 400 and comes before all rules.

use super::super::kinds::Kind;
use super::super::object::at;
use super::super::status_errors::Refusal;
use serde_json::Value;

/// The largest count that a field of the API can hold.
const COUNT_MAX: i64 = i32::MAX as i64;

#[derive(Clone, Copy)]
enum Shape {
    Text,
    Count,
    Yes,
    Map,
    Texts,
    Items,
}

const SHAPES: &[(&[&str], Shape)] = &[
    (&["metadata"], Shape::Map),
    (&["metadata", "name"], Shape::Text),
    (&["metadata", "generateName"], Shape::Text),
    (&["metadata", "namespace"], Shape::Text),
    (&["metadata", "uid"], Shape::Text),
    (&["metadata", "resourceVersion"], Shape::Text),
    (&["metadata", "labels"], Shape::Texts),
    (&["metadata", "annotations"], Shape::Texts),
    (&["metadata", "ownerReferences"], Shape::Items),
    (&["spec"], Shape::Map),
    (&["status"], Shape::Map),
    (&["spec", "replicas"], Shape::Count),
    (&["spec", "revisionHistoryLimit"], Shape::Count),
    (&["spec", "progressDeadlineSeconds"], Shape::Count),
    (&["spec", "minReadySeconds"], Shape::Count),
    (&["spec", "paused"], Shape::Yes),
    (&["spec", "selector"], Shape::Map),
    (&["spec", "strategy"], Shape::Map),
    (&["spec", "strategy", "type"], Shape::Text),
    (&["spec", "strategy", "rollingUpdate"], Shape::Map),
    (&["spec", "updateStrategy"], Shape::Map),
    (&["spec", "updateStrategy", "rollingUpdate"], Shape::Map),
    (&["spec", "template"], Shape::Map),
    (&["spec", "template", "metadata"], Shape::Map),
    (&["spec", "template", "metadata", "labels"], Shape::Texts),
    (&["spec", "template", "metadata", "annotations"], Shape::Texts),
    (&["spec", "template", "spec"], Shape::Map),
    (&["spec", "template", "spec", "containers"], Shape::Items),
    (&["spec", "template", "spec", "initContainers"], Shape::Items),
    (&["spec", "template", "spec", "volumes"], Shape::Items),
    (&["spec", "containers"], Shape::Items),
];

/// Checks only that members have the shape that the rest of this room counts on.
pub(crate) fn check_shape(kind: &Kind, object: &Value) -> Result<(), Refusal> {
    let wrong = |found: &Value, path: &[&str], wanted: &str| {
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        Refusal::bad_request(format!(
            "{name} in version \"v1\" cannot be handled as a {name}: json: cannot unmarshal \
             {found} into Go struct field {name}.{} of type {wanted}",
            path.join("."),
            name = kind.kind,
        ))
    };
    if !object.is_object() {
        return Err(wrong(object, &[], "object"));
    }
    for (path, shape) in SHAPES {
        // A Service selects by a plain map, and its ports are no containers.
        let value = at(object, path);
        let fits = value.is_null()
            || match shape {
                Shape::Text => value.is_string(),
                Shape::Count => value.as_i64().is_some_and(|count| count.abs() <= COUNT_MAX),
                Shape::Yes => value.is_boolean(),
                Shape::Map => value.is_object(),
                Shape::Texts => {
                    value.as_object().is_some_and(|fields| fields.values().all(Value::is_string))
                }
                Shape::Items => {
                    value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
                }
            };
        if !fits {
            let wanted = match shape {
                Shape::Text => "string",
                Shape::Count => "int32",
                Shape::Yes => "bool",
                Shape::Map => "object",
                Shape::Texts => "map[string]string",
                Shape::Items => "array of objects",
            };
            return Err(wrong(value, path, wanted));
        }
    }
    Ok(())
}
