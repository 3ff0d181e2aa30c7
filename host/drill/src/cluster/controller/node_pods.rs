//! Keeps the pods of a DaemonSet: one on each node, replaced one after the other.

use super::super::World;
use super::super::delete;
use super::super::object::{self, at, labels, text};
use super::super::store::Key;
use super::pods::{self, NewPod, is_available, is_ready, min_ready_seconds};
use super::revisions::{self, REVISION_LABEL};
use super::{controlled, kubelet, put_count, write_status};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The letters that tell the pods of a DaemonSet apart.
const SUFFIX_LETTERS: usize = 5;

/// One step of one DaemonSet.
pub(super) fn step(world: &mut World, key: &Key, set: &Arc<Value>, now: Timestamp) {
    let update = revisions::current(world, set, now);
    let hash = update.rsplit('-').next().unwrap_or(&update).to_owned();
    let wanted = kubelet::nodes(world);
    let kept = controlled(world, "pods", set);
    let count = i64::try_from(kept.len()).unwrap_or(i64::MAX);
    let outdated = kept.iter().find(|(_, pod)| hash_of(pod) != hash);
    let rolls = text(set, &["spec", "updateStrategy", "type"]) != "OnDelete";
    if count < wanted {
        let name = format!("{}-{}", object::name(set), world.ids.suffix(SUFFIX_LETTERS));
        let labels = vec![(REVISION_LABEL, hash.clone())];
        let template = at(set, &["spec", "template"]);
        pods::make(world, NewPod { owner: set, name, labels, template }, now);
    } else if let (true, Some((key, _))) = (rolls, outdated) {
        delete::erase_owned(world, key, now);
    }
    let kept = controlled(world, "pods", set);
    let status = status(set, &kept, &hash, wanted, now);
    write_status(world, key, set, status);
}

fn status(
    set: &Value,
    kept: &[(Key, Arc<Value>)],
    hash: &str,
    wanted: i64,
    now: Timestamp,
) -> Value {
    let seconds = min_ready_seconds(set);
    let how_many = |test: &dyn Fn(&Value) -> bool| {
        i64::try_from(kept.iter().filter(|(_, pod)| test(pod)).count()).unwrap_or(i64::MAX)
    };
    let available = how_many(&|pod| is_available(pod, seconds, now));
    let mut status = json!({
        "currentNumberScheduled": how_many(&|_| true),
        "desiredNumberScheduled": wanted,
        "numberMisscheduled": 0,
        "numberReady": how_many(&is_ready),
        "observedGeneration": at(set, &["metadata", "generation"]),
    });
    put_count(&mut status, "updatedNumberScheduled", how_many(&|pod| hash_of(pod) == hash));
    put_count(&mut status, "numberAvailable", available);
    put_count(&mut status, "numberUnavailable", (wanted - available).max(0));
    status
}

fn hash_of(pod: &Value) -> String {
    labels(pod, &["metadata", "labels"]).remove(REVISION_LABEL).unwrap_or_default()
}
