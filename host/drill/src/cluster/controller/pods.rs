//! Making pods from templates, and telling how far they are.
//!
//! Used by every controller that keeps pods; decides neither how many nor when.

use super::super::World;
use super::super::defaults;
use super::super::kinds::known;
use super::super::object::{self, at, number, put, text};
use super::super::store::{Key, weight};
use super::{kubelet, owner_reference};
use crate::clock::{self, seconds_between};
use jiff::Timestamp;
use serde_json::{Value, json};

/// A pod that a controller makes.
pub(super) struct NewPod<'a> {
    /// Who makes it.
    pub(super) owner: &'a Value,
    /// Its name.
    pub(super) name: String,
    /// Labels besides those of the template.
    pub(super) labels: Vec<(&'static str, String)>,
    /// The pod template.
    pub(super) template: &'a Value,
}

/// Puts a pod into the world unless the world is full.
pub(super) fn make(world: &mut World, new: NewPod<'_>, now: Timestamp) {
    let namespace = object::namespace(new.owner).to_owned();
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": new.name,
            "namespace": namespace,
            "uid": world.ids.uuid().to_string(),
            "creationTimestamp": clock::seconds(now),
            "ownerReferences": owner_reference(new.owner),
        },
        "spec": at(new.template, &["spec"]),
        "status": {"phase": "Pending"},
    });
    for part in ["labels", "annotations"] {
        let value = at(new.template, &["metadata", part]);
        if value.is_object() {
            put(&mut pod, &["metadata", part], value.clone());
        }
    }
    for (key, value) in new.labels {
        put(&mut pod, &["metadata", "labels", key], json!(value));
    }
    put(&mut pod, &["spec", "nodeName"], json!(kubelet::NODE));
    defaults::fill(known("pods"), &mut pod);
    if world.store.has_room(weight(&pod)) {
        let key = Key { resource: "pods", namespace, name: new.name };
        world.store.put(key, pod);
    }
}

/// Whether the pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    ready_condition(pod).is_some_and(|condition| text(condition, &["status"]) == "True")
}

/// Whether the pod has been ready for `seconds`.
pub(super) fn is_available(pod: &Value, seconds: i64, now: Timestamp) -> bool {
    let Some(condition) = ready_condition(pod) else { return false };
    if text(condition, &["status"]) != "True" {
        return false;
    }
    let since = text(condition, &["lastTransitionTime"]).parse::<Timestamp>();
    seconds == 0 || since.is_ok_and(|since| seconds_between(since, now) >= seconds)
}

/// `spec.minReadySeconds` of the pod's keeper.
pub(super) fn min_ready_seconds(keeper: &Value) -> i64 {
    number(keeper, &["spec", "minReadySeconds"]).unwrap_or(0)
}

fn ready_condition(pod: &Value) -> Option<&Value> {
    at(pod, &["status", "conditions"])
        .as_array()?
        .iter()
        .find(|condition| text(condition, &["type"]) == "Ready")
}
