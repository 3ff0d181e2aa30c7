//! What the API server refuses in an object: wrong shapes with 400, wrong values with 422.
//!
//! Shapes are checked first and for every member that the rest of this room reads, so that no
//! later code meets a text where it counts on a number.

mod shape;

pub(crate) use shape::check_shape;

use super::kinds::Kind;
use super::object::{at, labels, number, text};
use super::selectors::LabelSelector;
use super::status_errors::{Cause, Refusal};
use serde_json::Value;

/// The largest size of all annotations together.
const ANNOTATIONS_BYTES_MAX: usize = 256 * 1024;

/// Checks a whole object, which carries its defaults already.
pub(crate) fn check(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), Refusal> {
    check_shape(kind, object)?;
    let mut causes = Vec::new();
    metadata(kind, object, &mut causes);
    match kind.resource {
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" => {
            workload(kind, object, old, &mut causes);
        }
        "pods" => pod(object, old, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(Refusal::invalid(kind, text(object, &["metadata", "name"]), &causes))
}

fn metadata(kind: &Kind, object: &Value, causes: &mut Vec<Cause>) {
    let name = at(object, &["metadata", "name"]);
    let text = name.as_str().unwrap_or_default();
    let is_good = match kind.resource {
        "namespaces" | "services" => is_label(text),
        _ => is_subdomain(text),
    };
    if text.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
    } else if !is_good {
        let why = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
                   characters, '-' or '.', and must start and end with an alphanumeric character";
        causes.push(Cause::invalid("metadata.name", name, why));
    }
    check_labels(object, &["metadata", "labels"], causes);
    let annotations = at(object, &["metadata", "annotations"]);
    if annotations.is_object() && super::store::weight(annotations) > ANNOTATIONS_BYTES_MAX {
        let message = format!("Too long: may not be more than {ANNOTATIONS_BYTES_MAX} bytes");
        let field = "metadata.annotations".to_owned();
        causes.push(Cause { field, reason: "FieldValueTooLong", message });
    }
}

fn check_labels(object: &Value, path: &[&str], causes: &mut Vec<Cause>) {
    let field = path.join(".");
    for (key, value) in labels(object, path) {
        if !super::selectors::is_label_key(&key) {
            causes.push(Cause::invalid(
                &field,
                &Value::String(key),
                "name part must be a label key",
            ));
        } else if !is_label_value(&value) {
            let why = "a valid label must be an empty string or consist of alphanumeric \
                       characters, '-', '_' or '.', and must start and end with an alphanumeric \
                       character, at most 63 of them";
            causes.push(Cause::invalid(&field, &Value::String(value), why));
        }
    }
}

fn workload(kind: &Kind, object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    for field in ["replicas", "revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds"]
    {
        let value = at(object, &["spec", field]);
        if value.as_i64().is_some_and(|count| count < 0) {
            let why = "must be greater than or equal to 0";
            causes.push(Cause::invalid(&format!("spec.{field}"), value, why));
        }
    }
    if kind.resource == "deployments" {
        strategy(object, causes);
    }
    let selector = at(object, &["spec", "selector"]);
    let parsed = LabelSelector::of_workload(selector);
    if parsed.is_empty() {
        causes.push(Cause::required("spec.selector", ""));
    } else if old.is_some_and(|old| at(old, &["spec", "selector"]) != selector) {
        causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
    } else if !parsed.matches(&labels(object, &["spec", "template", "metadata", "labels"])) {
        let found = at(object, &["spec", "template", "metadata", "labels"]);
        let why = "`selector` does not match template `labels`";
        causes.push(Cause::invalid("spec.template.metadata.labels", found, why));
    }
    check_labels(object, &["spec", "template", "metadata", "labels"], causes);
    containers(at(object, &["spec", "template", "spec"]), "spec.template.spec", causes);
    let policy = at(object, &["spec", "template", "spec", "restartPolicy"]);
    if policy != "Always" {
        let message = format!("Unsupported value: {policy}: supported values: \"Always\"");
        let field = "spec.template.spec.restartPolicy".to_owned();
        causes.push(Cause { field, reason: "FieldValueNotSupported", message });
    }
    if let (Some(old), "statefulsets") = (old, kind.resource) {
        stateful_set(object, old, causes);
    }
}

fn strategy(object: &Value, causes: &mut Vec<Cause>) {
    let kind = at(object, &["spec", "strategy", "type"]);
    if kind != "RollingUpdate" && kind != "Recreate" {
        let message =
            format!("Unsupported value: {kind}: supported values: \"Recreate\", \"RollingUpdate\"");
        let field = "spec.strategy.type".to_owned();
        causes.push(Cause { field, reason: "FieldValueNotSupported", message });
    }
    for field in ["maxSurge", "maxUnavailable"] {
        let value = at(object, &["spec", "strategy", "rollingUpdate", field]);
        let place = format!("spec.strategy.rollingUpdate.{field}");
        if !value.is_null() && share_of(value, 100).is_none() {
            let why = "a valid percent string must be a numeric string followed by an ending '%'";
            causes.push(Cause::invalid(&place, value, why));
        }
    }
}

/// A count or a percentage of `whole`, not rounded: hundredths. `None` when it is neither.
pub(crate) fn share_of(value: &Value, whole: i64) -> Option<i64> {
    let hundredths = match value {
        Value::Number(count) => count.as_i64()?.checked_mul(100)?,
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            percent.checked_mul(whole)?
        }
        _ => return None,
    };
    (hundredths >= 0).then_some(hundredths)
}

fn stateful_set(object: &Value, old: &Value, causes: &mut Vec<Cause>) {
    const FREE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |object: &Value| {
        let mut spec = at(object, &["spec"]).clone();
        if let Some(fields) = spec.as_object_mut() {
            fields.retain(|key, _| !FREE.contains(&key.as_str()));
        }
        spec
    };
    if fixed(object) != fixed(old) {
        let message = "Forbidden: updates to statefulset spec for fields other than 'replicas', \
                       'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', \
                       'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        causes.push(Cause {
            field: "spec".to_owned(),
            reason: "FieldValueForbidden",
            message: message.to_owned(),
        });
    }
}

fn pod(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    containers(at(object, &["spec"]), "spec", causes);
    let without_images = |object: &Value| {
        let mut spec = at(object, &["spec"]).clone();
        for list in ["containers", "initContainers"] {
            let items = spec.get_mut(list).and_then(Value::as_array_mut);
            for container in items.into_iter().flatten() {
                super::object::take(container, &["image"]);
            }
        }
        spec
    };
    if old.is_some_and(|old| without_images(old) != without_images(object)) {
        let message = "Forbidden: pod updates may not change fields other than \
                       `spec.containers[*].image`,`spec.initContainers[*].image`";
        causes.push(Cause {
            field: "spec".to_owned(),
            reason: "FieldValueForbidden",
            message: message.to_owned(),
        });
    }
}

fn containers(spec: &Value, place: &str, causes: &mut Vec<Cause>) {
    let listed = at(spec, &["containers"]).as_array().map(Vec::as_slice).unwrap_or_default();
    if listed.is_empty() {
        causes.push(Cause::required(&format!("{place}.containers"), ""));
    }
    for (index, container) in listed.iter().enumerate() {
        let place = format!("{place}.containers[{index}]");
        let (name, image) = (at(container, &["name"]), at(container, &["image"]));
        match name.as_str() {
            None | Some("") => causes.push(Cause::required(&format!("{place}.name"), "")),
            Some(text) if !is_label(text) => {
                let why = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
                           characters or '-', and must start and end with an alphanumeric character";
                causes.push(Cause::invalid(&format!("{place}.name"), name, why));
            }
            Some(text) if listed[..index].iter().any(|other| at(other, &["name"]) == text) => {
                let message = format!("Duplicate value: {name}");
                let field = format!("{place}.name");
                causes.push(Cause { field, reason: "FieldValueDuplicate", message });
            }
            Some(_) => {}
        }
        match image.as_str() {
            None | Some("") => causes.push(Cause::required(&format!("{place}.image"), "")),
            Some(text) if text.trim() != text => {
                let why = "must not have leading or trailing whitespace";
                causes.push(Cause::invalid(&format!("{place}.image"), image, why));
            }
            Some(_) => {}
        }
        for port in at(container, &["ports"]).as_array().into_iter().flatten() {
            let value = at(port, &["containerPort"]);
            if !number(port, &["containerPort"]).is_some_and(|port| (1..=65_535).contains(&port)) {
                let field = format!("{place}.ports.containerPort");
                causes.push(Cause::invalid(
                    &field,
                    value,
                    "must be between 1 and 65535, inclusive",
                ));
            }
        }
    }
}

/// Whether `text` is a DNS label of RFC 1123.
pub(crate) fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| plain(byte) || byte == b'-')
        && text.bytes().next().is_some_and(plain)
        && text.bytes().last().is_some_and(plain)
}

/// Whether `text` is a DNS subdomain of RFC 1123.
pub(crate) fn is_subdomain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_part = |part: &str| {
        part.bytes().all(|byte| plain(byte) || byte == b'-')
            && part.bytes().next().is_some_and(plain)
            && part.bytes().last().is_some_and(plain)
    };
    text.len() <= 253 && text.split('.').all(is_part)
}

fn is_label_value(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric();
    text.is_empty()
        || (text.len() <= 63
            && text.bytes().all(|byte| plain(byte) || b"-_.".contains(&byte))
            && text.bytes().next().is_some_and(plain)
            && text.bytes().last().is_some_and(plain))
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::super::{defaults, object};
    use super::*;
    use serde_json::json;

    fn deployment() -> Value {
        let mut object = json!({
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
                },
            },
        });
        defaults::fill(known("deployments"), &mut object);
        object
    }

    #[test]
    fn every_mistake_has_its_status_and_place() {
        check(known("deployments"), &deployment(), None).expect("a good deployment");
        let first = "containers/0";
        for (path, value, code, said) in [
            ("spec/replicas", json!("3"), 400, "spec.replicas of type int32"),
            ("spec/replicas", json!(-1), 422, "spec.replicas: Invalid value: -1"),
            ("spec/replicas", json!(1.5), 400, "int32"),
            ("spec/paused", json!("yes"), 400, "of type bool"),
            ("metadata/labels", json!({"a": 1}), 400, "map[string]string"),
            ("metadata/labels", json!({"a": "b c"}), 422, "a valid label"),
            ("metadata/name", json!("Web"), 422, "metadata.name: Invalid value"),
            ("spec/selector", json!({}), 422, "spec.selector: Required value"),
            ("spec/selector", json!({"matchLabels": {"app": "x"}}), 422, "does not match"),
            ("spec/template/spec/containers", json!([]), 422, "containers: Required value"),
            ("spec/template/spec/containers", json!("x"), 400, "array"),
            ("spec/template/spec/restartPolicy", json!("Never"), 422, "restartPolicy"),
            ("spec/strategy/type", json!("Blue"), 422, "spec.strategy.type"),
            ("spec/strategy/rollingUpdate", json!({"maxSurge": "x"}), 422, "maxSurge"),
            ("status", json!("fine"), 400, "status"),
            (&format!("spec/template/spec/{first}/image"), json!(""), 422, "image: Required value"),
            (&format!("spec/template/spec/{first}/name"), json!("A"), 422, "RFC 1123 label"),
        ] {
            let mut object = deployment();
            *object.pointer_mut(&format!("/{path}")).unwrap_or(&mut Value::Null) = value.clone();
            if object.pointer(&format!("/{path}")).is_none() {
                let steps: Vec<&str> = path.split('/').collect();
                object::put(&mut object, &steps, value);
            }
            let refusal = check(known("deployments"), &object, None).expect_err(path);
            let status = refusal.to_status();
            assert_eq!(status["code"], code, "{path}: {status}");
            assert!(status["message"].as_str().unwrap_or_default().contains(said), "{status}");
        }
    }

    #[test]
    fn a_selector_never_changes() {
        let mut changed = deployment();
        for path in [
            &["spec", "selector", "matchLabels", "app"][..],
            &["spec", "template", "metadata", "labels", "app"][..],
        ] {
            object::put(&mut changed, path, json!("other"));
        }

        let refusal = check(known("deployments"), &changed, Some(&deployment())).expect_err("kept");

        assert!(refusal.to_status().to_string().contains("field is immutable"));
    }

    #[test]
    fn shares_are_counts_or_percentages() {
        for (value, whole, wanted) in [
            (json!(2), 10, Some(200)),
            (json!("25%"), 3, Some(75)),
            (json!("25"), 3, None),
            (json!(-1), 3, None),
            (json!(true), 3, None),
            (json!(i64::MAX), 3, None),
        ] {
            assert_eq!(share_of(&value, whole), wanted, "{value}");
        }
    }
}
