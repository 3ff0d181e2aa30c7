//! Keeps the pods of a StatefulSet: numbered, made in order, replaced from the last to the first.
//!
//! It waits for every pod to be ready before it goes on, so a broken one stops it until someone
//! deletes that pod: the real controller's known limit.

use super::super::World;
use super::super::delete;
use super::super::object::{self, at, labels, number, text};
use super::super::store::Key;
use super::pods::{self, NewPod, is_available, is_ready, min_ready_seconds};
use super::revisions::{self, REVISION_LABEL};
use super::{PODS_MAX, controlled, put_count, replicas, write_status};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";

/// One step of one StatefulSet.
pub(super) fn step(world: &mut World, key: &Key, set: &Arc<Value>, now: Timestamp) {
    let update = revisions::current(world, set, now);
    let known = text(set, &["status", "currentRevision"]);
    let current = if known.is_empty() { update.clone() } else { known.to_owned() };
    let kept = controlled(world, "pods", set);
    act(world, set, &kept, (&current, &update), now);
    let kept = controlled(world, "pods", set);
    let status = status(set, &kept, &current, &update, now);
    write_status(world, key, set, status);
}

/// Makes, or takes away, at most one pod.
fn act(
    world: &mut World,
    set: &Value,
    kept: &[(Key, Arc<Value>)],
    (current, update): (&str, &str),
    now: Timestamp,
) {
    let wanted = replicas(set).clamp(0, PODS_MAX);
    let partition = partition(set);
    let pod = |ordinal: i64| {
        let name = format!("{}-{ordinal}", object::name(set));
        kept.iter().find(|(key, _)| key.name == name)
    };
    for ordinal in 0..wanted {
        match pod(ordinal) {
            None => {
                let revision = if ordinal < partition { current } else { update };
                make(world, set, ordinal, revision, now);
                return;
            }
            Some((_, pod)) if !is_ready(pod) => return,
            Some(_) => {}
        }
    }
    let last = kept.iter().filter_map(|(key, _)| ordinal_of(&key.name)).max().unwrap_or(-1);
    if let (true, Some((key, _))) = (last >= wanted, pod(last)) {
        delete::erase_owned(world, key, now);
        return;
    }
    if text(set, &["spec", "updateStrategy", "type"]) == "OnDelete" {
        return;
    }
    let outdated = (partition..wanted)
        .rev()
        .find_map(|ordinal| pod(ordinal).filter(|(_, pod)| revision_name(set, pod) != update));
    if let Some((key, _)) = outdated {
        delete::erase_owned(world, key, now);
    }
}

fn make(world: &mut World, set: &Value, ordinal: i64, revision: &str, now: Timestamp) {
    let name = format!("{}-{ordinal}", object::name(set));
    let key = Key {
        resource: "controllerrevisions",
        namespace: object::namespace(set).to_owned(),
        name: revision.to_owned(),
    };
    let recorded = world.store.get(&key).cloned();
    let template = recorded.as_deref().map_or_else(
        || at(set, &["spec", "template"]),
        |made| at(made, &["data", "spec", "template"]),
    );
    let hash = revision.rsplit('-').next().unwrap_or(revision).to_owned();
    let labels = vec![(REVISION_LABEL, hash), (NAME_LABEL, name.clone())];
    pods::make(world, NewPod { owner: set, name, labels, template }, now);
}

fn status(
    set: &Value,
    kept: &[(Key, Arc<Value>)],
    current: &str,
    update: &str,
    now: Timestamp,
) -> Value {
    let seconds = min_ready_seconds(set);
    let how_many = |test: &dyn Fn(&Value) -> bool| {
        i64::try_from(kept.iter().filter(|(_, pod)| test(pod)).count()).unwrap_or(i64::MAX)
    };
    let updated = how_many(&|pod| revision_name(set, pod) == update);
    let ready = how_many(&is_ready);
    let is_over = updated == replicas(set)
        && ready == replicas(set)
        && partition(set) == 0
        && how_many(&|_| true) == updated;
    let current = if is_over { update } else { current };
    let mut status = json!({
        "replicas": how_many(&|_| true),
        "observedGeneration": at(set, &["metadata", "generation"]),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": 0,
        "availableReplicas": how_many(&|pod| is_available(pod, seconds, now)),
    });
    put_count(&mut status, "readyReplicas", ready);
    put_count(&mut status, "currentReplicas", how_many(&|pod| revision_name(set, pod) == current));
    put_count(&mut status, "updatedReplicas", updated);
    status
}

fn partition(set: &Value) -> i64 {
    number(set, &["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0).max(0)
}

fn ordinal_of(name: &str) -> Option<i64> {
    name.rsplit('-').next()?.parse().ok()
}

fn revision_name(set: &Value, pod: &Value) -> String {
    let hash = labels(pod, &["metadata", "labels"]).remove(REVISION_LABEL).unwrap_or_default();
    format!("{}-{hash}", object::name(set))
}
