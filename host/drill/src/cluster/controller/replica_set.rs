//! Keeps the pods of a ReplicaSet: as many as it says, and no more than fit.

use super::super::World;
use super::super::delete;
use super::super::object::{self, HASH_LABEL, at, labels, put, text};
use super::super::store::Key;
use super::pods::{self, NewPod, is_available, is_ready, min_ready_seconds};
use super::{PODS_MAX, controlled, put_count, replicas, write_status};
use crate::clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The letters that tell the pods of a ReplicaSet apart.
const SUFFIX_LETTERS: usize = 5;

/// Makes or takes away pods, and counts them.
pub(super) fn step(world: &mut World, key: &Key, set: &Arc<Value>, now: Timestamp) {
    let kept = controlled(world, "pods", set);
    let wanted = usize::try_from(replicas(set).clamp(0, PODS_MAX)).unwrap_or(0);
    if kept.len() < wanted {
        for _ in kept.len()..wanted {
            let name = format!("{}-{}", object::name(set), world.ids.suffix(SUFFIX_LETTERS));
            let template = at(set, &["spec", "template"]);
            let new = NewPod { owner: set, name, labels: Vec::new(), template };
            pods::make(world, new, now);
        }
    } else if kept.len() > wanted {
        for key in surplus(&kept, kept.len() - wanted) {
            delete::erase_owned(world, &key, now);
        }
    }
    count(world, key, set, now);
}

/// Which pods go first: those that are not ready, then the youngest, then by name.
fn surplus(kept: &[(Key, Arc<Value>)], count: usize) -> Vec<Key> {
    let mut order: Vec<&(Key, Arc<Value>)> = kept.iter().collect();
    order.sort_by(|(one_key, one), (two_key, two)| {
        let born = |pod: &Value| text(pod, &["metadata", "creationTimestamp"]).to_owned();
        (is_ready(one), std::cmp::Reverse(born(one)), &one_key.name).cmp(&(
            is_ready(two),
            std::cmp::Reverse(born(two)),
            &two_key.name,
        ))
    });
    order.into_iter().take(count).map(|(key, _)| key.clone()).collect()
}

fn count(world: &mut World, key: &Key, set: &Value, now: Timestamp) {
    let kept = controlled(world, "pods", set);
    let seconds = min_ready_seconds(set);
    let wanted_labels = labels(set, &["spec", "template", "metadata", "labels"]);
    let how_many = |test: &dyn Fn(&Value) -> bool| {
        i64::try_from(kept.iter().filter(|(_, pod)| test(pod)).count()).unwrap_or(i64::MAX)
    };
    let is_labeled = |pod: &Value| {
        let own = labels(pod, &["metadata", "labels"]);
        wanted_labels.iter().all(|(key, value)| own.get(key) == Some(value))
    };
    let mut status = json!({"replicas": how_many(&|_| true)});
    put_count(&mut status, "fullyLabeledReplicas", how_many(&is_labeled));
    put_count(&mut status, "readyReplicas", how_many(&is_ready));
    let available = how_many(&|pod| is_available(pod, seconds, now));
    put_count(&mut status, "availableReplicas", available);
    let generation = at(set, &["metadata", "generation"]).clone();
    put(&mut status, &["observedGeneration"], generation);
    if replicas(set) > PODS_MAX {
        put(&mut status, &["conditions"], too_many(set, now));
    }
    write_status(world, key, set, status);
}

fn too_many(set: &Value, now: Timestamp) -> Value {
    let known = at(set, &["status", "conditions"])
        .get(0)
        .map_or("", |condition| text(condition, &["lastTransitionTime"]));
    let time = if known.is_empty() { clock::seconds(now) } else { known.to_owned() };
    let hash = text(set, &["metadata", "labels", HASH_LABEL]);
    json!([{
        "type": "ReplicaFailure",
        "status": "True",
        "reason": "FailedCreate",
        "message": format!("pods of {hash:?} are forbidden: exceeded quota: at most {PODS_MAX}"),
        "lastTransitionTime": time,
    }])
}
