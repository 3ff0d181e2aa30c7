//! The `scale` of a workload: how many replicas it should have, and has.
//!
//! A view of the workload and nothing of its own.

use super::object::{at, labels, number, put};
use super::status_errors::{Cause, Refusal};
use serde_json::{Value, json};

/// The scale of a workload.
pub(crate) fn of(object: &Value) -> Value {
    let member = |key: &str| at(object, &["metadata", key]).clone();
    let selector: Vec<String> = labels(object, &["spec", "selector", "matchLabels"])
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": member("name"),
            "namespace": member("namespace"),
            "uid": member("uid"),
            "resourceVersion": member("resourceVersion"),
            "creationTimestamp": member("creationTimestamp"),
        },
        "spec": {"replicas": number(object, &["spec", "replicas"]).unwrap_or(0)},
        "status": {
            "replicas": number(object, &["status", "replicas"]).unwrap_or(0),
            "selector": selector.join(","),
        },
    })
}

/// The workload with the replicas and the conditions that `scale` asks for.
pub(crate) fn onto(object: &Value, scale: &Value) -> Result<Value, Refusal> {
    let wanted = at(scale, &["spec", "replicas"]);
    let replicas = match wanted {
        Value::Null => 0,
        count => count.as_i64().filter(|count| i32::try_from(*count).is_ok()).ok_or_else(|| {
            Refusal::bad_request(
                "Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal \
                 into Go struct field ScaleSpec.spec.replicas of type int32",
            )
        })?,
    };
    if replicas < 0 {
        let why = "must be greater than or equal to 0";
        return Err(Refusal::invalid_scale(
            super::object::name(object),
            &[Cause::invalid("spec.replicas", wanted, why)],
        ));
    }
    let mut changed = object.clone();
    put(&mut changed, &["spec", "replicas"], json!(replicas));
    for key in ["name", "namespace", "uid", "resourceVersion"] {
        put(&mut changed, &["metadata", key], at(scale, &["metadata", key]).clone());
    }
    Ok(changed)
}
