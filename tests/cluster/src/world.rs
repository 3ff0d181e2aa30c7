//! The objects of a namespace: read whole, made comparable with those of another namespace.
//!
//! What the server or the moment decides is taken out or masked; nothing that a person or a
//! command decided is.

use crate::api::Api;
use anyhow::Result;
use futures::future::try_join_all;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A kind that scenarios use: its name, where it is served, its plural.
pub(crate) const KINDS: &[(&str, &str, &str)] = &[
    ("Deployment", "/apis/apps/v1", "deployments"),
    ("ReplicaSet", "/apis/apps/v1", "replicasets"),
    ("StatefulSet", "/apis/apps/v1", "statefulsets"),
    ("DaemonSet", "/apis/apps/v1", "daemonsets"),
    ("ControllerRevision", "/apis/apps/v1", "controllerrevisions"),
    ("Job", "/apis/batch/v1", "jobs"),
    ("Pod", "/api/v1", "pods"),
    ("ConfigMap", "/api/v1", "configmaps"),
    ("Secret", "/api/v1", "secrets"),
    ("Service", "/api/v1", "services"),
    ("ServiceAccount", "/api/v1", "serviceaccounts"),
    ("Rollout", "/apis/argoproj.io/v1alpha1", "rollouts"),
    ("Gadget", "/apis/one.example.com/v1", "gadgets"),
    ("Gadget", "/apis/two.example.com/v1", "gadgets"),
];

/// Set by the server anew for each object.
const OF_THE_SERVER: &[&str] =
    &["uid", "resourceVersion", "creationTimestamp", "managedFields", "selfLink"];

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

/// The objects of a namespace, as they are.
pub(crate) struct World {
    namespace: String,
    /// By plural: the lists.
    lists: Vec<(&'static str, Vec<Value>)>,
}

/// The objects of a namespace, comparable: by `plural/name`.
pub(crate) type Picture = BTreeMap<String, Value>;

impl World {
    pub(crate) async fn look(api: &Api, namespace: &str) -> Result<Self> {
        let lists = KINDS.iter().map(|(_, prefix, plural)| async move {
            let items = api.list(&format!("{prefix}/namespaces/{namespace}/{plural}")).await?;
            Ok::<_, anyhow::Error>((*plural, items))
        });
        Ok(Self { namespace: namespace.to_owned(), lists: try_join_all(lists).await? })
    }

    fn list(&self, plural: &str) -> impl Iterator<Item = &Value> {
        let lists = self.lists.iter().filter(move |(listed, _)| *listed == plural);
        lists.flat_map(|(_, items)| items)
    }

    /// Whether the controllers have seen and done everything that was asked of them. Pods are
    /// not waited for: nobody runs them.
    pub(crate) fn is_settled(&self) -> bool {
        let observed = ["deployments", "statefulsets", "daemonsets"]
            .iter()
            .flat_map(|plural| self.list(plural))
            .all(|object| {
                object["status"]["observedGeneration"] == object["metadata"]["generation"]
            });
        observed
            && self.list("deployments").all(|deployment| self.is_recorded(deployment))
            && ["statefulsets", "daemonsets"].iter().all(|plural| {
                self.list(plural).all(|set| {
                    self.list("controllerrevisions").any(|revision| is_owned(revision, set))
                })
            })
    }

    /// Whether a Deployment's template has its ReplicaSet, and both know the same revision.
    fn is_recorded(&self, deployment: &Value) -> bool {
        let revision = &deployment["metadata"]["annotations"][REVISION];
        deployment["spec"]["paused"] == true
            || self.list("replicasets").any(|set| {
                is_owned(set, deployment)
                    && !revision.is_null()
                    && set["metadata"]["annotations"][REVISION] == *revision
            })
    }

    /// The revision of a Deployment, StatefulSet or DaemonSet that was recorded last.
    pub(crate) fn newest_revision(&self, plural: &str, name: &str) -> i64 {
        let Some(owner) = self.list(plural).find(|object| object["metadata"]["name"] == name)
        else {
            return 0;
        };
        let recorded = owner["metadata"]["annotations"][REVISION].as_str();
        let revisions = self.list("controllerrevisions").filter(|one| is_owned(one, owner));
        let revisions = revisions.filter_map(|revision| revision["revision"].as_i64());
        recorded.and_then(|text| text.parse().ok()).or_else(|| revisions.max()).unwrap_or_default()
    }

    /// Makes everything comparable. Pods are compared where somebody wrote them, not where a
    /// controller did: those have random names.
    pub(crate) fn picture(&self) -> Picture {
        let masks = self.masks();
        let mut picture = Picture::new();
        for (plural, items) in &self.lists {
            for object in items {
                let metadata = &object["metadata"];
                let owned = metadata["ownerReferences"].is_array();
                let by_controller = *plural == "pods" && owned;
                if by_controller || is_standard(plural, object) {
                    continue;
                }
                let masked = masks.iter().fold(cleaned(plural, object).to_string(), mask);
                let name = metadata["name"].as_str().unwrap_or_default().to_owned();
                let name = masks.iter().fold(name, mask);
                let object = serde_json::from_str(&masked).unwrap_or(Value::String(masked));
                picture.insert(format!("{plural}/{name}"), object);
            }
        }
        picture
    }

    /// What stands for what, longest first: the namespace, and hashes, which hold a time where a
    /// template does.
    pub(crate) fn masks(&self) -> Vec<(String, String)> {
        let mut masks = vec![(self.namespace.clone(), "NAMESPACE".to_owned())];
        for set in self.list("replicasets") {
            let hash = set["metadata"]["labels"][HASH].as_str();
            let revision = set["metadata"]["annotations"][REVISION].as_str().unwrap_or("0");
            masks.extend(hash.map(|hash| (hash.to_owned(), format!("r{revision}"))));
        }
        for revision in self.list("controllerrevisions") {
            let name = revision["metadata"]["name"].as_str().unwrap_or_default();
            if let Some((_, hash)) = name.rsplit_once('-') {
                masks.push((hash.to_owned(), format!("r{}", revision["revision"])));
            }
        }
        masks.sort_by_key(|(what, _)| std::cmp::Reverse(what.len()));
        masks
    }
}

fn mask(text: String, (what, by): &(String, String)) -> String {
    text.replace(what.as_str(), by)
}

fn is_owned(object: &Value, owner: &Value) -> bool {
    let references = object["metadata"]["ownerReferences"].as_array();
    references.is_some_and(|references| {
        references.iter().any(|reference| reference["uid"] == owner["metadata"]["uid"])
    })
}

/// What every namespace has without anybody asking.
fn is_standard(plural: &str, object: &Value) -> bool {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    matches!((plural, name), ("serviceaccounts", "default") | ("configmaps", "kube-root-ca.crt"))
}

fn cleaned(plural: &str, object: &Value) -> Value {
    let mut object = object.clone();
    // How a Deployment's replicas are spread over its ReplicaSets depends on the moment.
    let is_spread = plural == "replicasets" && object["metadata"]["ownerReferences"].is_array();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if is_spread && let Some(Value::Object(spec)) = fields.get_mut("spec") {
            spec.remove("replicas");
        }
        if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
            clean_metadata(plural, metadata);
        }
    }
    without_times(&mut object);
    object
}

fn clean_metadata(plural: &str, metadata: &mut Map<String, Value>) {
    for field in OF_THE_SERVER {
        metadata.remove(*field);
    }
    // A controller scales in as many steps as the moment allows.
    if plural == "replicasets" {
        metadata.remove("generation");
    }
    if let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences") {
        for owner in owners.iter_mut().filter_map(Value::as_object_mut) {
            owner.remove("uid");
        }
    }
}

/// Masks the moment of a restart wherever a template is kept.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(moment) = fields.get_mut(RESTARTED_AT) {
                *moment = Value::String("TIME".to_owned());
            }
            fields.values_mut().for_each(without_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// What two pictures differ in, for people: one line per field, at most `lines`.
pub(crate) fn difference(theirs: &Picture, ours: &Picture, lines: usize) -> Vec<String> {
    let mut found = Vec::new();
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    for name in names {
        let get = |picture: &Picture| picture.get(name).cloned().unwrap_or_default();
        compare(name, &get(theirs), &get(ours), &mut found);
    }
    found.truncate(lines);
    found
}

fn compare(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    if theirs == ours {
        return;
    }
    if let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) {
        let keys: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for key in keys {
            let get = |object: &Map<String, Value>| object.get(key).cloned().unwrap_or_default();
            compare(&format!("{path}/{key}"), &get(theirs), &get(ours), found);
        }
        return;
    }
    found.push(format!("{path}: kubectl {theirs}, ours {ours}"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn world(namespace: &str, hash: &str, image: &str) -> World {
        let set = json!({"metadata": {"name": format!("web-{hash}"), "uid": hash,
            "namespace": namespace, "labels": {HASH: hash}, "annotations": {REVISION: "2"},
            "ownerReferences": [{"name": "web", "uid": namespace}]},
            "spec": {"image": image, "replicas": hash.len()}, "status": {"replicas": 1}});
        let web = json!({"metadata": {"name": "web", "uid": namespace, "generation": 3,
            "annotations": {REVISION: "2"}},
            "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: hash}}}},
            "status": {"observedGeneration": 3}});
        World {
            namespace: namespace.to_owned(),
            lists: vec![("deployments", vec![web]), ("replicasets", vec![set])],
        }
    }

    #[test]
    fn what_the_server_decides_is_no_difference_and_what_a_person_decides_is() {
        let one = world("s1-kubectl", "5d4f8c7b9", "web:1").picture();
        let same = world("s1-bowline", "7c6b9d5f4d", "web:1").picture();
        let other = world("s1-bowline", "7c6b9d5f4", "web:2").picture();

        assert_eq!(one, same);
        assert_eq!(
            difference(&one, &other, 9),
            ["replicasets/web-r2/spec/image: kubectl \"web:1\", ours \"web:2\""]
        );
    }

    #[test]
    fn a_world_is_settled_when_generations_and_revisions_are_seen() {
        let settled = world("a", "b", "c");
        assert!(settled.is_settled());
        assert_eq!(settled.newest_revision("deployments", "web"), 2);

        let mut behind = world("a", "b", "c");
        behind.lists[0].1[0]["metadata"]["generation"] = json!(4);
        assert!(!behind.is_settled());

        let mut unrecorded = world("a", "b", "c");
        unrecorded.lists[1].1[0]["metadata"]["annotations"][REVISION] = json!("1");
        assert!(!unrecorded.is_settled());
    }
}
