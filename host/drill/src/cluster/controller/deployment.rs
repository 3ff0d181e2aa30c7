//! Moves a Deployment towards its template by keeping ReplicaSets, one step at a time.
//!
//! It follows the real controller where clients can see it: which ReplicaSet is the new one,
//! how revisions are counted, in which order pods come and go, what the status says when.

use super::super::World;
use super::super::delete;
use super::super::object::{
    self, HASH_LABEL, annotation, at, comparable_template, number, put, same_template, text,
};
use super::super::store::{Key, weight};
use super::super::validation::share_of;
use super::rollout;
use super::{
    REVISION, REVISION_HISTORY, controlled, counted, owner_reference, replicas, write, write_status,
};
use crate::clock;
use crate::identity::short_hash;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAXIMUM: &str = "deployment.kubernetes.io/max-replicas";
/// Annotations of a Deployment that its ReplicaSets don't get.
const OWN_ANNOTATIONS: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAXIMUM,
    "deprecated.deployment.rollback.to",
];
/// The longest list of former revisions; the oldest are dropped.
const HISTORY_CHARACTERS_MAX: usize = 2_000;
/// The letters of a template's hash in the name of a ReplicaSet, at most.
const COLLISIONS_MAX: u64 = 16;

/// A ReplicaSet of the Deployment.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) key: Key,
    pub(super) object: Arc<Value>,
}

impl Set {
    /// `spec.replicas`.
    pub(super) fn wanted(&self) -> i64 {
        replicas(&self.object)
    }

    /// A count of its status.
    pub(super) fn counted(&self, key: &str) -> i64 {
        counted(&self.object, key)
    }
}

/// The ReplicaSets of a Deployment: the one with its template, and the others, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Sets {
    pub(super) new: Option<Set>,
    pub(super) old: Vec<Set>,
}

impl Sets {
    fn of(world: &World, deployment: &Value) -> Self {
        let mut all: Vec<Set> = controlled(world, "replicasets", deployment)
            .into_iter()
            .map(|(key, object)| Set { key, object })
            .collect();
        all.sort_by_key(|set| {
            let born = text(&set.object, &["metadata", "creationTimestamp"]).to_owned();
            (born, set.key.name.clone())
        });
        let new = all.iter().position(|set| same_template(&set.object, deployment));
        let new = new.map(|index| all.remove(index));
        Self { new, old: all }
    }

    /// All of them, the new one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Set> {
        self.new.iter().chain(&self.old)
    }

    /// The sum of something over all.
    pub(super) fn sum(&self, of: impl Fn(&Set) -> i64) -> i64 {
        self.all().map(of).sum()
    }
}

/// One step of one Deployment.
pub(super) fn step(world: &mut World, key: &Key, deployment: &Arc<Value>, now: Timestamp) {
    let sets = Sets::of(world, deployment);
    let is_paused = at(deployment, &["spec", "paused"]) == true;
    if is_paused {
        scale_paused(world, deployment, &sets);
    } else if prepare_new(world, key, deployment, &sets, now) {
        return;
    } else if at(deployment, &["spec", "strategy", "type"]) == "Recreate" {
        recreate(world, deployment, &sets);
    } else {
        roll(world, deployment, &sets);
    }
    let Some(deployment) = world.store.get(key).cloned() else { return };
    let sets = Sets::of(world, &deployment);
    if !is_paused && rollout::is_complete(&deployment, &sets) {
        forget_old(world, &deployment, &sets, now);
    }
    let status = rollout::status(&deployment, &sets, now);
    write_status(world, key, &deployment, status);
}

/// Makes the new ReplicaSet, or brings its annotations up to date. Whether it did anything.
fn prepare_new(
    world: &mut World,
    key: &Key,
    deployment: &Value,
    sets: &Sets,
    now: Timestamp,
) -> bool {
    let revision = sets.old.iter().filter_map(revision_of).max().unwrap_or(0).saturating_add(1);
    let mut told = deployment.clone();
    let set = match &sets.new {
        Some(set) => {
            let annotated = annotate(deployment, &set.object, revision);
            let moved = write(world, &set.key, &set.object, annotated.clone());
            put(&mut told, &["metadata", "annotations", REVISION], revision_text(&annotated));
            if !moved && told == *deployment {
                return false;
            }
            annotated
        }
        None => match make_new(world, deployment, revision, now) {
            Some(set) => set,
            None => return false,
        },
    };
    put(&mut told, &["metadata", "annotations", REVISION], revision_text(&set));
    let is_made = sets.new.is_none();
    // Not yet observed: whoever saw the new generation beside the old counts would believe that
    // the rollout is over.
    rollout::note_new_set(&mut told, object::name(&set), is_made, now);
    write(world, key, deployment, told);
    true
}

fn make_new(world: &mut World, deployment: &Value, revision: i64, now: Timestamp) -> Option<Value> {
    let namespace = object::namespace(deployment).to_owned();
    let template_text = comparable_template(deployment).to_string();
    let (hash, key) = (0..COLLISIONS_MAX).find_map(|collisions| {
        let hash = short_hash(&template_text, collisions);
        let name = format!("{}-{hash}", object::name(deployment));
        let key = Key { resource: "replicasets", namespace: namespace.clone(), name };
        world.store.get(&key).is_none().then_some((hash, key))
    })?;
    let mut template = at(deployment, &["spec", "template"]).clone();
    put(&mut template, &["metadata", "labels", HASH_LABEL], json!(hash));
    let mut selector = at(deployment, &["spec", "selector"]).clone();
    put(&mut selector, &["matchLabels", HASH_LABEL], json!(hash));
    let mut set = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": key.name,
            "namespace": namespace,
            "uid": world.ids.uuid().to_string(),
            "generation": 1,
            "creationTimestamp": clock::seconds(now),
            "labels": at(&template, &["metadata", "labels"]),
            "ownerReferences": owner_reference(deployment),
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    });
    let seconds = at(deployment, &["spec", "minReadySeconds"]);
    if !seconds.is_null() {
        put(&mut set, &["spec", "minReadySeconds"], seconds.clone());
    }
    let set = annotate(deployment, &set, revision);
    if !world.store.has_room(weight(&set)) {
        return None;
    }
    world.store.put(key, set.clone());
    Some(set)
}

/// The ReplicaSet with the annotations of its Deployment, and with `revision` when that is
/// higher than its own; the number that it had goes into its history.
fn annotate(deployment: &Value, set: &Value, revision: i64) -> Value {
    let mut annotated = set.clone();
    let annotations = at(deployment, &["metadata", "annotations"]).as_object();
    for (key, value) in annotations.into_iter().flatten() {
        if !OWN_ANNOTATIONS.contains(&key.as_str()) {
            put(&mut annotated, &["metadata", "annotations", key], value.clone());
        }
    }
    let had = annotation(set, REVISION).map(str::to_owned);
    // A number that nobody can read is left alone, as the real controller does.
    let number = match had.as_deref() {
        None | Some("") => Some(0),
        Some(text) => text.parse::<i64>().ok(),
    };
    if number.is_some_and(|number| number < revision) {
        put(&mut annotated, &["metadata", "annotations", REVISION], json!(revision.to_string()));
        if let Some(had) = had.filter(|had| !had.is_empty()) {
            let history = lengthened(annotation(set, REVISION_HISTORY).unwrap_or_default(), &had);
            put(&mut annotated, &["metadata", "annotations", REVISION_HISTORY], json!(history));
        }
    }
    let desired = replicas(deployment);
    let maximum = desired + surge(deployment);
    put(&mut annotated, &["metadata", "annotations", DESIRED], json!(desired.to_string()));
    put(&mut annotated, &["metadata", "annotations", MAXIMUM], json!(maximum.to_string()));
    annotated
}

fn lengthened(history: &str, revision: &str) -> String {
    let mut parts: Vec<&str> = history.split(',').filter(|part| !part.is_empty()).collect();
    parts.push(revision);
    while parts.iter().map(|part| part.len() + 1).sum::<usize>() > HISTORY_CHARACTERS_MAX {
        parts.remove(0);
    }
    parts.join(",")
}

/// A new wish for replicas reaches a paused Deployment too: its newest pods follow it.
fn scale_paused(world: &mut World, deployment: &Value, sets: &Sets) {
    let active = sets.all().find(|set| set.wanted() > 0).or(sets.new.as_ref());
    let Some(set) = active else { return };
    let others: i64 = sets.sum(Set::wanted) - set.wanted();
    resize(world, set, (replicas(deployment) - others).max(0));
}

fn recreate(world: &mut World, deployment: &Value, sets: &Sets) {
    for set in &sets.old {
        resize(world, set, 0);
    }
    let pods_left: i64 = sets.old.iter().map(|set| set.wanted() + set.counted("replicas")).sum();
    if let (Some(set), 0) = (&sets.new, pods_left) {
        resize(world, set, replicas(deployment));
    }
}

/// A rolling update: first new pods come, then old ones go, never both in one step.
fn roll(world: &mut World, deployment: &Value, sets: &Sets) {
    let Some(new) = &sets.new else { return };
    let desired = replicas(deployment);
    let target = if new.wanted() > desired {
        desired
    } else {
        let room = desired + surge(deployment) - sets.sum(Set::wanted);
        new.wanted() + room.clamp(0, desired - new.wanted())
    };
    if resize(world, new, target) {
        return;
    }
    let least = desired - unavailable(deployment);
    let not_available = (new.wanted() - new.counted("availableReplicas")).max(0);
    let mut surplus = sets.sum(Set::wanted) - least - not_available;
    // Pods that don't work anyway go first.
    for set in &sets.old {
        let broken = (set.wanted() - set.counted("availableReplicas")).max(0);
        let gone = broken.min(surplus).max(0);
        surplus -= gone;
        if gone > 0 {
            resize(world, set, set.wanted() - gone);
        }
    }
    let sets = Sets::of(world, deployment);
    let mut spare =
        (sets.sum(|set| set.counted("availableReplicas").min(set.wanted())) - least).min(surplus);
    for set in &sets.old {
        let gone = set.wanted().min(spare).max(0);
        spare -= gone;
        if gone > 0 {
            resize(world, set, set.wanted() - gone);
        }
    }
}

fn resize(world: &mut World, set: &Set, wanted: i64) -> bool {
    if set.wanted() == wanted {
        return false;
    }
    let mut resized = Value::clone(&set.object);
    put(&mut resized, &["spec", "replicas"], json!(wanted));
    let generation = number(&resized, &["metadata", "generation"]).unwrap_or(0) + 1;
    put(&mut resized, &["metadata", "generation"], json!(generation));
    write(world, &set.key, &set.object, resized)
}

/// Forgets empty ReplicaSets beyond `revisionHistoryLimit`, the lowest revisions first.
fn forget_old(world: &mut World, deployment: &Value, sets: &Sets, now: Timestamp) {
    let limit = number(deployment, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let mut empty: Vec<&Set> =
        sets.old.iter().filter(|set| set.wanted() == 0 && set.counted("replicas") == 0).collect();
    empty.sort_by_key(|set| revision_of(set).unwrap_or(0));
    let surplus = empty.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for set in empty.into_iter().take(surplus) {
        delete::erase_owned(world, &set.key, now);
    }
}

fn revision_of(set: &Set) -> Option<i64> {
    annotation(&set.object, REVISION)?.parse().ok()
}

fn revision_text(set: &Value) -> Value {
    json!(annotation(set, REVISION).unwrap_or_default())
}

/// How many pods more than desired there may be; percentages are rounded up.
pub(super) fn surge(deployment: &Value) -> i64 {
    bound(deployment, "maxSurge").map_or(0, |hundredths| hundredths.saturating_add(99) / 100)
}

/// How many pods fewer than desired there may be; percentages are rounded down. When both
/// bounds come to nothing, it is one, or nothing would ever move.
pub(super) fn unavailable(deployment: &Value) -> i64 {
    let unavailable = bound(deployment, "maxUnavailable").unwrap_or(0) / 100;
    let allowed = if unavailable == 0 && surge(deployment) == 0 { 1 } else { unavailable };
    allowed.min(replicas(deployment))
}

fn bound(deployment: &Value, key: &str) -> Option<i64> {
    let value = at(deployment, &["spec", "strategy", "rollingUpdate", key]);
    share_of(value, replicas(deployment))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_that_a_set_had_goes_into_its_history() {
        let deployment =
            json!({"metadata": {"annotations": {"kubernetes.io/change-cause": "why"}}});
        for (had, history, revision, wanted, wanted_history) in [
            (None, None, 1, Some("1"), None),
            (Some("1"), None, 3, Some("3"), Some("1")),
            (Some("3"), Some("1"), 5, Some("5"), Some("1,3")),
            (Some("5"), Some("1"), 4, Some("5"), Some("1")),
            (Some("odd"), None, 4, Some("odd"), None),
        ] {
            let mut set = json!({"metadata": {"annotations": {}}});
            for (key, value) in [(REVISION, had), (REVISION_HISTORY, history)] {
                if let Some(value) = value {
                    put(&mut set, &["metadata", "annotations", key], json!(value));
                }
            }

            let annotated = annotate(&deployment, &set, revision);

            assert_eq!(annotation(&annotated, REVISION), wanted, "{had:?}");
            assert_eq!(annotation(&annotated, REVISION_HISTORY), wanted_history, "{had:?}");
            assert_eq!(annotation(&annotated, "kubernetes.io/change-cause"), Some("why"));
        }
    }

    #[test]
    fn bounds_are_rounded_so_that_something_moves() {
        for (surge_says, unavailable_says, wanted) in [
            (json!("25%"), json!("25%"), (1, 0)),
            (json!(0), json!(0), (0, 1)),
            (json!(2), json!("100%"), (2, 3)),
            (json!(0), json!(9), (0, 3)),
        ] {
            let deployment = json!({"spec": {"replicas": 3, "strategy": {"rollingUpdate": {
                "maxSurge": surge_says, "maxUnavailable": unavailable_says}}}});

            assert_eq!((surge(&deployment), unavailable(&deployment)), wanted, "{deployment}");
        }
    }

    #[test]
    fn a_long_history_drops_its_oldest_numbers() {
        let long = (0..1_000).map(|number| number.to_string()).collect::<Vec<_>>().join(",");

        let kept = lengthened(&long, "1000");

        assert!(kept.len() <= HISTORY_CHARACTERS_MAX && kept.ends_with(",999,1000"), "{kept}");
        assert_eq!(lengthened("", "1"), "1");
    }
}
