//! The controllers of the practice cluster: what makes wishes come true, a step at a time.
//!
//! They read and write objects as the real ones do and know nothing about requests. A step
//! writes only what differs, so a world in which nothing moves stays as it is.

mod deployment;
mod kubelet;
mod node_pods;
mod ordered_pods;
mod pods;
mod replica_set;
mod revisions;
mod rollout;

use super::World;
use super::object::{self, at, controller_uid, put, uid};
use super::store::Key;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) use kubelet::readiness;

/// The revision of a Deployment or a ReplicaSet.
pub(crate) const REVISION: &str = "deployment.kubernetes.io/revision";
/// The revisions that a ReplicaSet had before.
pub(crate) const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";

/// Pods of one workload. A wish for more stays unfulfilled, as under a quota.
const PODS_MAX: i64 = 100;
/// No count of a status is believed beyond this.
const COUNT_MAX: i64 = i32::MAX as i64;

/// One step of every controller. Whether anything was written.
pub(crate) fn step(world: &mut World, now: Timestamp) -> bool {
    let before = world.store.revision();
    each(world, "deployments", now, deployment::step);
    each(world, "replicasets", now, replica_set::step);
    each(world, "statefulsets", now, ordered_pods::step);
    each(world, "daemonsets", now, node_pods::step);
    each(world, "pods", now, kubelet::step);
    world.store.revision() != before
}

/// Steps until nothing moves any more, at most `steps_max` times.
pub(crate) fn settle(world: &mut World, now: Timestamp, steps_max: usize) {
    for _ in 0..steps_max {
        if !step(world, now) {
            return;
        }
    }
}

fn each(
    world: &mut World,
    resource: &'static str,
    now: Timestamp,
    act: fn(&mut World, &Key, &Arc<Value>, Timestamp),
) {
    let objects: Vec<_> = world
        .store
        .list(resource, None)
        .filter(|(_, object)| at(object, &["metadata", "deletionTimestamp"]).is_null())
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect();
    for (key, object) in objects {
        act(world, &key, &object, now);
    }
}

/// The objects of one kind that `owner` controls, sorted by name.
fn controlled(world: &World, resource: &'static str, owner: &Value) -> Vec<(Key, Arc<Value>)> {
    world
        .store
        .list(resource, Some(object::namespace(owner)))
        .filter(|(_, object)| controller_uid(object) == Some(uid(owner)))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect()
}

/// Writes `new` unless it is what is there.
fn write(world: &mut World, key: &Key, old: &Value, new: Value) -> bool {
    let differs = *old != new;
    if differs {
        world.store.put(key.clone(), new);
    }
    differs
}

/// Writes a status unless it is what is there.
fn write_status(world: &mut World, key: &Key, object: &Value, status: Value) {
    if *at(object, &["status"]) != status {
        let mut told = object.clone();
        put(&mut told, &["status"], status);
        world.store.put(key.clone(), told);
    }
}

/// The reference by which `owner` controls what it makes.
fn owner_reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": at(owner, &["apiVersion"]),
        "kind": at(owner, &["kind"]),
        "name": object::name(owner),
        "uid": uid(owner),
        "controller": true,
        "blockOwnerDeletion": true,
    }])
}

/// `spec.replicas`, 1 when it says nothing.
fn replicas(object: &Value) -> i64 {
    object::number(object, &["spec", "replicas"]).unwrap_or(1)
}

/// A count of the status, 0 when it is left out. Clients can write any number there.
fn counted(object: &Value, key: &str) -> i64 {
    object::number(object, &["status", key]).unwrap_or(0).clamp(0, COUNT_MAX)
}

/// Sets a count of a status; zero is left out, as the real controllers do.
fn put_count(status: &mut Value, key: &str, count: i64) {
    if count != 0 {
        put(status, &[key], json!(count));
    }
}
