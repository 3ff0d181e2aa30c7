//! Which fields a patch touches, as JSON pointers: what a scope with `fields` looks at.

use crate::bindings::kubernetes::PatchKind;
use effects::CallError;
use serde_json::Value;

/// The pointers that `patch` touches. A directive that deletes or replaces counts as touching
/// everything at its place.
pub(crate) fn touched(how: PatchKind, patch: &Value) -> Result<Vec<String>, CallError> {
    let mut pointers = Vec::new();
    match (how, patch) {
        (PatchKind::JsonPatch, Value::Array(operations)) => {
            for operation in operations {
                json_patch(operation, &mut pointers)?;
            }
        }
        (PatchKind::JsonPatch, _) => return Err(malformed("a JSON patch is a list of operations")),
        (_, Value::Object(_)) => leaves(how, patch, String::new(), &mut pointers),
        _ => return Err(malformed("a patch of this kind is an object")),
    }
    pointers.sort();
    pointers.dedup();
    Ok(pointers)
}

fn json_patch(operation: &Value, pointers: &mut Vec<String>) -> Result<(), CallError> {
    let text = |key: &str| operation.get(key).and_then(Value::as_str);
    let pointer = |key: &str| {
        let pointer = text(key).ok_or_else(|| malformed(&format!("an operation lacks `{key}`")))?;
        // The empty pointer is the whole object.
        if pointer.is_empty() || pointer.starts_with('/') {
            Ok(pointer.to_owned())
        } else {
            Err(malformed("a path in the patch is not a JSON pointer"))
        }
    };
    match text("op") {
        Some("add" | "remove" | "replace") => pointers.push(pointer("path")?),
        Some("copy") => pointers.push(pointer("path")?),
        Some("move") => pointers.extend([pointer("path")?, pointer("from")?]),
        Some("test") => {
            pointer("path")?;
        }
        _ => {
            return Err(malformed(
                "an operation is none of add, copy, move, remove, replace, test",
            ));
        }
    }
    Ok(())
}

fn leaves(how: PatchKind, value: &Value, at: String, pointers: &mut Vec<String>) {
    let Value::Object(object) = value else { return pointers.push(at) };
    if object.is_empty() || object.keys().any(|key| key.starts_with('$')) {
        pointers.push(at.clone());
    }
    for (key, value) in object.iter().filter(|(key, _)| !key.starts_with('$')) {
        let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        // An applied object names itself; that is no change, and the target is checked.
        let identity = how == PatchKind::Apply
            && matches!(
                pointer.as_str(),
                "/apiVersion" | "/kind" | "/metadata/name" | "/metadata/namespace"
            );
        if !identity {
            leaves(how, value, pointer, pointers);
        }
    }
}

fn malformed(message: &str) -> CallError {
    CallError::invalid("kubernetes.invalid-patch", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_each_kind_of_patch_touches() {
        let cases = [
            (
                PatchKind::JsonPatch,
                json!([
                    {"op": "test", "path": "/metadata/uid", "value": "x"},
                    {"op": "add", "path": "/spec/template", "value": {}},
                    {"op": "move", "from": "/a", "path": "/b"},
                ]),
                vec!["/a", "/b", "/spec/template"],
            ),
            (
                PatchKind::Merge,
                json!({"spec": {"replicas": 1, "x": {}}, "metadata": {"annotations": {"a/b": null}}}),
                vec!["/metadata/annotations/a~1b", "/spec/replicas", "/spec/x"],
            ),
            (
                PatchKind::StrategicMerge,
                json!({"spec": {"template": {"$patch": "replace", "spec": {"a": 1}}}}),
                vec!["/spec/template", "/spec/template/spec/a"],
            ),
            (
                PatchKind::Apply,
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "n"}, "data": {"k": "v"}}),
                vec!["/data/k"],
            ),
            (PatchKind::Merge, json!({"spec": null}), vec!["/spec"]),
            (PatchKind::JsonPatch, json!([{"op": "replace", "path": "", "value": {}}]), vec![""]),
        ];
        for (how, patch, expected) in cases {
            assert_eq!(touched(how, &patch).unwrap(), expected, "{patch}");
        }
    }

    #[test]
    fn what_is_no_patch_is_refused() {
        let cases = [
            (PatchKind::JsonPatch, json!({})),
            (PatchKind::JsonPatch, json!([{"op": "evil", "path": "/x"}])),
            (PatchKind::JsonPatch, json!([{"op": "add"}])),
            (PatchKind::JsonPatch, json!([{"op": "add", "path": "spec"}])),
            (PatchKind::Merge, json!([])),
            (PatchKind::Apply, json!("x")),
        ];
        for (how, patch) in cases {
            assert!(touched(how, &patch).is_err(), "{patch}");
        }
    }
}
