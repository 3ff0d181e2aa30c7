//! ControllerRevisions: the history of StatefulSets and DaemonSets.
//!
//! A template that comes back gets its old object back, with the highest number.

use super::super::World;
use super::super::delete;
use super::super::object::{self, at, number, put};
use super::super::store::{Key, weight};
use super::{controlled, owner_reference};
use crate::clock;
use crate::identity::short_hash;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The label that names the revision of a pod.
pub(super) const REVISION_LABEL: &str = "controller-revision-hash";

/// The name of the revision that `owner`'s template has now; made or renumbered when needed.
pub(super) fn current(world: &mut World, owner: &Value, now: Timestamp) -> String {
    let mut known = controlled(world, "controllerrevisions", owner);
    known.sort_by_key(|(_, revision)| number(revision, &["revision"]).unwrap_or(0));
    let highest = known.last().map_or(0, |(_, last)| number(last, &["revision"]).unwrap_or(0));
    let found = known.iter().rev().find(|(_, revision)| records(revision, owner));
    if let Some((key, revision)) = found {
        if number(revision, &["revision"]) != Some(highest) {
            let mut renumbered = Value::clone(revision);
            put(&mut renumbered, &["revision"], json!(highest.saturating_add(1)));
            world.store.put(key.clone(), renumbered);
        }
        return key.name.clone();
    }
    let name = make(world, owner, highest.saturating_add(1), now);
    let limit = number(owner, &["spec", "revisionHistoryLimit"]).unwrap_or(10);
    let surplus = known.len().saturating_sub(usize::try_from(limit).unwrap_or(0));
    for (key, _) in known.iter().take(surplus) {
        delete::erase_owned(world, key, now);
    }
    name
}

/// Whether a revision is that of the template that `owner` has.
fn records(revision: &Value, owner: &Value) -> bool {
    let recorded = at(revision, &["data", "spec", "template"]).as_object();
    let template = at(owner, &["spec", "template"]).as_object();
    recorded.zip(template).is_some_and(|(recorded, template)| {
        // One member more: the directive that makes it a patch.
        recorded.len() == template.len() + 1
            && template.iter().all(|(key, value)| recorded.get(key) == Some(value))
    })
}

fn make(world: &mut World, owner: &Value, revision: i64, now: Timestamp) -> String {
    let mut template = at(owner, &["spec", "template"]).clone();
    put(&mut template, &["$patch"], json!("replace"));
    let data = json!({"spec": {"template": template}});
    let hash = short_hash(&data.to_string(), 0);
    let name = format!("{}-{hash}", object::name(owner));
    let namespace = object::namespace(owner).to_owned();
    let mut labels = at(owner, &["spec", "selector", "matchLabels"]).clone();
    put(&mut labels, &[REVISION_LABEL], json!(hash));
    let made = json!({
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": world.ids.uuid().to_string(),
            "creationTimestamp": clock::seconds(now),
            "labels": labels,
            "annotations": at(owner, &["metadata", "annotations"]),
            "ownerReferences": owner_reference(owner),
        },
        "data": data,
        "revision": revision,
    });
    let key = Key { resource: "controllerrevisions", namespace, name: name.clone() };
    if world.store.has_room(weight(&made)) {
        world.store.put(key, made);
    }
    name
}
