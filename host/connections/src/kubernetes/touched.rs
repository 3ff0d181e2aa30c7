//! Which fields a patch touches, as JSON pointers: what a scope with `fields` looks at.
//!
//! A field counts as touched when its value could be another after the patch, or could be read by
//! it. What this file does not understand it refuses: a directive of a patch that nobody here knows
//! may touch anything.

use super::protected::IDENTITY_ROOTS;
use crate::bindings::kubernetes::{PatchKind, Target};
use effects::CallError;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What a `test` may always look at: the conditions that make a write safe to repeat.
const CONDITIONS: &[&str] = &["/metadata/resourceVersion", "/metadata/uid"];

/// The pointers that a patch touches, each list sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointers {
    /// All of them, also those that it only looks at.
    pub(crate) touched: Vec<String>,
    /// Those whose value may be another afterwards, and those that are read into them.
    pub(crate) changed: Vec<String>,
}

/// The pointers that `patch` touches on `target`.
pub(crate) fn touched(
    how: PatchKind,
    patch: &Value,
    target: &Target,
) -> Result<Pointers, CallError> {
    let mut touched = Touched { how, target, pointers: Vec::new(), tested: Vec::new() };
    match (how, patch) {
        (PatchKind::JsonPatch, Value::Array(operations)) => {
            operations.iter().try_for_each(|operation| touched.operation(operation))?;
        }
        (PatchKind::JsonPatch, _) => return Err(malformed("a JSON patch is a list of operations")),
        (_, Value::Object(_)) => touched.leaves(patch, String::new())?,
        _ => return Err(malformed("a patch of this kind is an object")),
    }
    let Touched { pointers: changed, tested, .. } = touched;
    let touched = sorted(changed.iter().cloned().chain(tested));
    Ok(Pointers { touched, changed: sorted(changed) })
}

fn sorted(pointers: impl IntoIterator<Item = String>) -> Vec<String> {
    pointers.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

struct Touched<'a> {
    how: PatchKind,
    target: &'a Target,
    pointers: Vec<String>,
    /// Only looked at.
    tested: Vec<String>,
}

impl Touched<'_> {
    fn operation(&mut self, operation: &Value) -> Result<(), CallError> {
        let text = |key: &str| operation.get(key).and_then(Value::as_str);
        let pointer = |key: &str| {
            let pointer =
                text(key).ok_or_else(|| malformed(&format!("an operation lacks `{key}`")))?;
            check_pointer(pointer).map(|()| pointer.to_owned())
        };
        let path = pointer("path")?;
        match text("op") {
            Some("add" | "remove" | "replace") => self.whole(path),
            // What is copied is read: a field that may not be touched must not turn up in one
            // that may.
            Some("copy" | "move") => {
                self.whole(pointer("from")?);
                self.whole(path);
            }
            Some("test") if CONDITIONS.contains(&path.as_str()) => {}
            // Whether a test holds tells what is there.
            Some("test") => self.tested.push(path),
            _ => {
                return Err(malformed(
                    "an operation is none of add, copy, move, remove, replace, test",
                ));
            }
        }
        Ok(())
    }

    /// All that is at `at`, and what the object is called if that is in there.
    fn whole(&mut self, at: String) {
        if IDENTITY_ROOTS.contains(&at.as_str()) {
            self.pointers.push("/metadata/name".to_owned());
        }
        self.pointers.push(at);
    }

    fn leaves(&mut self, value: &Value, at: String) -> Result<(), CallError> {
        let Value::Object(object) = value else {
            self.check_list(value)?;
            self.whole(at);
            return Ok(());
        };
        if object.is_empty() {
            self.pointers.push(at.clone());
        }
        for (key, value) in object {
            if self.how == PatchKind::StrategicMerge && key.starts_with('$') {
                self.directive(key, value, &at)?;
                continue;
            }
            let pointer = below(&at, key);
            if !self.is_identity(&pointer, value) {
                self.leaves(value, pointer)?;
            }
        }
        Ok(())
    }

    /// A member of a strategic patch that says how the others are meant.
    fn directive(&mut self, key: &str, value: &Value, at: &str) -> Result<(), CallError> {
        let list = value.is_array();
        match (key.split_once('/'), key, value.as_str()) {
            (None, "$patch", Some("merge")) => {}
            (None, "$patch", Some("replace" | "delete")) => self.whole(at.to_owned()),
            // Takes away what it does not list.
            (None, "$retainKeys", _) if list => self.whole(at.to_owned()),
            (Some(("$deleteFromPrimitiveList" | "$setElementOrder", field)), ..) if list => {
                self.whole(below(at, field));
            }
            _ => {
                let shown: String = key.chars().take(64).collect();
                return Err(malformed(&format!(
                    "`{}` is no directive of a strategic patch, or has no such value",
                    shown.escape_debug()
                )));
            }
        }
        Ok(())
    }

    /// A list is touched as a whole; the directives in it must be known all the same.
    fn check_list(&mut self, value: &Value) -> Result<(), CallError> {
        if self.how != PatchKind::StrategicMerge {
            return Ok(());
        }
        let (pointers, tested) = (Vec::new(), Vec::new());
        let mut inside = Touched { how: self.how, target: self.target, pointers, tested };
        match value {
            Value::Array(elements) => {
                elements.iter().try_for_each(|element| inside.leaves(element, "/-".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether a member only names the object that is patched, which is no change.
    fn is_identity(&self, pointer: &str, value: &Value) -> bool {
        let applies = self.how == PatchKind::Apply;
        match pointer {
            "/apiVersion" | "/kind" => applies,
            "/metadata/name" => value.as_str() == Some(&self.target.name),
            "/metadata/namespace" => value.as_str() == self.target.namespace.as_deref(),
            _ => false,
        }
    }
}

/// What `object` says of itself must be what the target says.
pub(crate) fn check_object(object: &Map<String, Value>, target: &Target) -> Result<(), CallError> {
    let refused = |what: &str| {
        let message = format!("the object's `{what}` is not the target's");
        Err(CallError::invalid("kubernetes.invalid-object", message))
    };
    let metadata = match object.get("metadata") {
        None => None,
        Some(Value::Object(metadata)) => Some(metadata),
        Some(_) => return refused("metadata"),
    };
    let member = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    if member("name").is_some_and(|name| name.as_str() != Some(&target.name)) {
        return refused("name");
    }
    let namespace = target.namespace.as_deref();
    if member("namespace").is_some_and(|written| written.as_str() != namespace) {
        return refused("namespace");
    }
    let version = match target.kind.group.as_str() {
        "" => target.kind.version.clone(),
        group => format!("{group}/{}", target.kind.version),
    };
    // A subresource has a kind of its own.
    let written = object.get("apiVersion").filter(|_| target.subresource.is_none());
    if written.is_some_and(|written| written.as_str() != Some(&version)) {
        return refused("apiVersion");
    }
    Ok(())
}

/// A JSON pointer: empty for the whole object, else parts behind slashes; `~` only as `~0`, `~1`.
fn check_pointer(pointer: &str) -> Result<(), CallError> {
    let escapes = pointer.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if (pointer.is_empty() || pointer.starts_with('/')) && escapes {
        return Ok(());
    }
    Err(malformed("a path in the patch is not a JSON pointer"))
}

fn below(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

fn malformed(message: &str) -> CallError {
    CallError::invalid("kubernetes.invalid-patch", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bindings::kubernetes::Kind;
    use serde_json::json;

    fn target() -> Target {
        Target {
            kind: Kind {
                group: "apps".into(),
                version: "v1".into(),
                resource: "deployments".into(),
            },
            namespace: Some("web".to_owned()),
            name: "nginx".to_owned(),
            subresource: None,
        }
    }

    #[test]
    fn f05_what_each_kind_of_patch_touches() {
        let (json, merge) = (PatchKind::JsonPatch, PatchKind::Merge);
        let (strategic, apply) = (PatchKind::StrategicMerge, PatchKind::Apply);
        let cases: [(PatchKind, Value, &[&str]); 22] = [
            (
                json,
                json!([
                    {"op": "test", "path": "/metadata/uid", "value": "x"},
                    {"op": "add", "path": "/spec/template", "value": {}},
                    {"op": "move", "from": "/a", "path": "/b"},
                ]),
                &["/a", "/b", "/spec/template"],
            ),
            (
                json,
                json!([{"op": "copy", "from": "/data/key", "path": "/metadata/labels/x"}]),
                &["/data/key", "/metadata/labels/x"],
            ),
            (json, json!([{"op": "test", "path": "/data/key", "value": "guess"}]), &["/data/key"]),
            (
                json,
                json!([{"op": "add", "path": "/spec~1template", "value": 1}]),
                &["/spec~1template"],
            ),
            (
                json,
                json!([{"op": "add", "path": "/spec/containers/-", "value": 1}]),
                &["/spec/containers/-"],
            ),
            (
                json,
                json!([{"op": "remove", "path": "/spec/containers/0"}]),
                &["/spec/containers/0"],
            ),
            (json, json!([{"op": "replace", "path": "", "value": {}}]), &["", "/metadata/name"]),
            (
                json,
                json!([{"op": "remove", "path": "/metadata"}]),
                &["/metadata", "/metadata/name"],
            ),
            (
                merge,
                json!({"spec": {"replicas": 1, "x": {}}, "metadata": {"annotations": {"a/b": null}}}),
                &["/metadata/annotations/a~1b", "/spec/replicas", "/spec/x"],
            ),
            (merge, json!({"spec": null}), &["/spec"]),
            (merge, json!({"spec": {"a": [{"b": 1}]}}), &["/spec/a"]),
            (merge, json!({"metadata": null}), &["/metadata", "/metadata/name"]),
            (merge, json!({"metadata": {"name": "nginx", "namespace": "web"}}), &[]),
            (merge, json!({"metadata": {"name": "other"}}), &["/metadata/name"]),
            (merge, json!({"spec": {"$patch": "delete"}}), &["/spec/$patch"]),
            (
                strategic,
                json!({"spec": {"template": {"$patch": "replace", "spec": {"a": 1}}}}),
                &["/spec/template", "/spec/template/spec/a"],
            ),
            (strategic, json!({"$patch": "delete"}), &["", "/metadata/name"]),
            (strategic, json!({"spec": {"$retainKeys": ["a"], "a": 1}}), &["/spec", "/spec/a"]),
            (
                strategic,
                json!({"spec": {"$setElementOrder/b": [{"name": "x"}], "$deleteFromPrimitiveList/c": ["d"], "$patch": "merge"}}),
                &["/spec/b", "/spec/c"],
            ),
            (strategic, json!({"spec": {"c": [{"name": "x", "$patch": "delete"}]}}), &["/spec/c"]),
            (
                apply,
                json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "nginx"}, "data": {"k": "v"}}),
                &["/data/k"],
            ),
            (apply, json!({"metadata": {"namespace": "other"}}), &["/metadata/namespace"]),
        ];
        for (how, patch, expected) in cases {
            assert_eq!(touched(how, &patch, &target()).unwrap().touched, expected, "{patch}");
        }
    }

    #[test]
    fn f06_a_test_looks_at_a_field_and_changes_none() {
        let name = "/metadata/name";
        let cases: [(Value, &[&str], &[&str]); 3] = [
            (json!([{"op": "test", "path": name, "value": "nginx"}]), &[name], &[]),
            (
                json!([
                    {"op": "test", "path": "/metadata/finalizers", "value": []},
                    {"op": "replace", "path": "/spec/replicas", "value": 2},
                ]),
                &["/metadata/finalizers", "/spec/replicas"],
                &["/spec/replicas"],
            ),
            (
                json!([
                    {"op": "test", "path": name, "value": "nginx"},
                    {"op": "replace", "path": name, "value": "other"},
                ]),
                &[name],
                &[name],
            ),
        ];
        for (patch, all, changed) in cases {
            let pointers = touched(PatchKind::JsonPatch, &patch, &target()).unwrap();
            assert_eq!(
                (pointers.touched, pointers.changed),
                (texts(all), texts(changed)),
                "{patch}"
            );
        }
    }

    fn texts(pointers: &[&str]) -> Vec<String> {
        pointers.iter().map(|pointer| (*pointer).to_owned()).collect()
    }

    #[test]
    fn f05_what_is_no_patch_is_refused() {
        let strategic = PatchKind::StrategicMerge;
        let cases = [
            (PatchKind::JsonPatch, json!({})),
            (PatchKind::JsonPatch, json!([{"op": "evil", "path": "/x"}])),
            (PatchKind::JsonPatch, json!([{"op": "add"}])),
            (PatchKind::JsonPatch, json!([{"op": "move", "path": "/x"}])),
            (PatchKind::JsonPatch, json!([{"op": "copy", "path": "/x", "from": "y"}])),
            (PatchKind::JsonPatch, json!([{"op": "add", "path": "spec"}])),
            (PatchKind::JsonPatch, json!([{"op": "add", "path": "/a~2b"}])),
            (PatchKind::JsonPatch, json!([{"op": "add", "path": "/a~"}])),
            (PatchKind::JsonPatch, json!([{"op": "add", "path": 1}])),
            (PatchKind::JsonPatch, json!(["add"])),
            (PatchKind::Merge, json!([])),
            (PatchKind::Apply, json!("x")),
            (strategic, json!({"spec": {"$evil": 1}})),
            (strategic, json!({"$patch": "explode"})),
            (strategic, json!({"$patch": ["replace"]})),
            (strategic, json!({"$retainKeys": "a"})),
            (strategic, json!({"$setElementOrder": ["a"]})),
            (strategic, json!({"$patch/x": "replace"})),
            (strategic, json!({"spec": [{"a": [{"$evil": 1}]}]})),
        ];
        for (how, patch) in cases {
            assert!(touched(how, &patch, &target()).is_err(), "{patch}");
        }
    }

    #[test]
    fn f06_an_object_must_be_its_target() {
        let cases = [
            (json!({}), true),
            (
                json!({"apiVersion": "apps/v1", "metadata": {"name": "nginx", "namespace": "web"}}),
                true,
            ),
            (json!({"metadata": {"name": "other"}}), false),
            (json!({"metadata": {"name": null}}), false),
            (json!({"metadata": {"name": 7}}), false),
            (json!({"metadata": {"namespace": "kube-system"}}), false),
            (json!({"metadata": {"namespace": ["web"]}}), false),
            (json!({"metadata": []}), false),
            (json!({"apiVersion": "v1"}), false),
            (json!({"apiVersion": "rbac.authorization.k8s.io/v1"}), false),
        ];
        for (object, expected) in cases {
            let members = object.as_object().cloned().unwrap();
            let checked = check_object(&members, &target());
            assert_eq!(checked.is_ok(), expected, "{object}");
        }
    }
}
