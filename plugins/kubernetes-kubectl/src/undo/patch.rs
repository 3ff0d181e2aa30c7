//! The one write of a rollback: the whole template and the whole annotations, as kubectl sends
//! them, in two JSON-Patch operations.
//!
//! `add` instead of kubectl's `replace`: the same effect, and it works on a Deployment that has no
//! annotations yet. Replicas, strategy and selector are not touched. A ControllerRevision holds its
//! own patch, which is sent as it is.

use super::history::Chosen;
use crate::members::put;
use bowline_sdk::kubernetes::PatchKind;
use serde_json::{Map, Value};

/// Annotations that belong to the Deployment and not to a revision of it.
const OF_THE_DEPLOYMENT: &[&str] = &[
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
];

/// The patch that brings `object` to `chosen`.
#[must_use]
pub fn patch(object: &Value, chosen: &Chosen) -> (PatchKind, Value) {
    if let Some(data) = &chosen.data {
        return (PatchKind::StrategicMerge, data.clone());
    }
    let add = |path: &str, value: Value| {
        let mut operation = Map::new();
        put(&mut operation, "op", "add");
        put(&mut operation, "path", path);
        put(&mut operation, "value", value);
        Value::Object(operation)
    };
    let operations = vec![
        add("/spec/template", chosen.template.clone()),
        add("/metadata/annotations", Value::Object(annotations(object, chosen))),
    ];
    (PatchKind::JsonPatch, Value::Array(operations))
}

/// The Deployment's own annotations, and everything else as of the revision.
fn annotations(deployment: &Value, chosen: &Chosen) -> Map<String, Value> {
    let own = |name: &str| OF_THE_DEPLOYMENT.contains(&name);
    let mut annotations = Map::new();
    let mut take = |from: Option<&Map<String, Value>>, wanted: bool| {
        for (name, value) in from.into_iter().flatten().filter(|(name, _)| own(name) == wanted) {
            annotations.insert(name.clone(), value.clone());
        }
    };
    take(deployment["metadata"]["annotations"].as_object(), true);
    take(Some(&chosen.annotations), false);
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn k33_annotations_come_from_both_sides_and_need_not_be_there() {
        let deployment = json!({"metadata": {"annotations": {
            "deployment.kubernetes.io/revision": "3",
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "team": "lost, as with kubectl",
        }}});
        let chosen = Chosen {
            name: "web-a".into(),
            revision: 2,
            template: json!({"spec": {}}),
            annotations: json!({
                "deployment.kubernetes.io/revision": "2",
                "deployment.kubernetes.io/desired-replicas": "3",
                "kubernetes.io/change-cause": "a good release",
            })
            .as_object()
            .cloned()
            .expect("an object"),
            ambiguous: false,
            data: None,
        };

        let (how, patch) = patch(&deployment, &chosen);

        assert_eq!(how, PatchKind::JsonPatch);
        assert_eq!(
            patch,
            json!([
                {"op": "add", "path": "/spec/template", "value": {"spec": {}}},
                {"op": "add", "path": "/metadata/annotations", "value": {
                    "deployment.kubernetes.io/revision": "3",
                    "kubectl.kubernetes.io/last-applied-configuration": "{}",
                    "kubernetes.io/change-cause": "a good release",
                }},
            ])
        );
    }

    #[test]
    fn k25_the_patch_of_a_controller_revision_is_sent_as_it_is() {
        let data = json!({"spec": {"template": {"$patch": "replace", "spec": {"newer": 1}}}});
        let chosen = Chosen {
            name: "db-1".into(),
            revision: 1,
            template: json!({"spec": {"newer": 1}}),
            annotations: Map::new(),
            ambiguous: false,
            data: Some(data.clone()),
        };
        assert_eq!(patch(&json!({}), &chosen), (PatchKind::StrategicMerge, data));
    }
}
