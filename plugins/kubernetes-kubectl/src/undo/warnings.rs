//! What a person should know about a rollback although it is done.

use super::{annotation, history};
use crate::members::{joined, text};
use serde_json::Value;

/// Kubectl's warning for what `kubectl apply` manages, and ours for what another tool manages and
/// may soon bring the bad version back.
#[must_use]
pub fn managers(deployment: &Value, resource: &str) -> Vec<String> {
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    if annotation(deployment, "kubectl.kubernetes.io/last-applied-configuration").is_some() {
        found.push(format!(
            "Warning: resource {resource}/{name} was previously managed with 'kubectl apply'. \
             Rolling back will not update the kubectl.kubernetes.io/last-applied-configuration \
             annotation, which may cause unexpected behavior on future 'kubectl apply' operations. \
             Consider using 'kubectl apply' with your previous configuration file instead."
        ));
    }
    let label = |name: &str| deployment["metadata"]["labels"][name].as_str();
    let helm = label("app.kubernetes.io/managed-by") == Some("Helm")
        || annotation(deployment, "meta.helm.sh/release-name").is_some();
    let argo = label("argocd.argoproj.io/instance").is_some()
        || annotation(deployment, "argocd.argoproj.io/tracking-id").is_some();
    let flux = label("kustomize.toolkit.fluxcd.io/name").is_some()
        || label("helm.toolkit.fluxcd.io/name").is_some();
    for (managed, tool, when) in
        [(helm, "Helm", "upgrade"), (argo, "Argo CD", "sync"), (flux, "Flux", "reconciliation")]
    {
        if managed {
            found.push(format!(
                "{name} is managed by {tool}: its next {when} may bring the version back \
                 that is being left now, so change it there too"
            ));
        }
    }
    found
}

/// Names other Deployments' ReplicaSets that carry this one's labels: their selectors overlap.
#[must_use]
pub fn overlap(deployment: &Value, sets: &[Value]) -> Option<String> {
    let uid = deployment["metadata"]["uid"].as_str();
    let mut foreign = sets
        .iter()
        .filter(|set| history::controller(set).is_some_and(|owner| Some(owner) != uid))
        .take(5)
        .map(|set| text(&set["metadata"]["name"]).to_owned());
    let foreign = joined(&mut foreign, ", ");
    (!foreign.is_empty()).then(|| {
        format!("other owners' revisions have the same labels and were left out: {foreign}")
    })
}

/// Whether the last rollout of the Deployment has not come to its end.
#[must_use]
pub fn in_progress(deployment: &Value) -> bool {
    let status = |name: &str| deployment["status"][name].as_i64().unwrap_or_default();
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let generation = deployment["metadata"]["generation"].as_i64();
    generation.is_some_and(|generation| generation > status("observedGeneration"))
        || status("updatedReplicas") < wanted
        || status("availableReplicas") < wanted
}

/// Says when a StatefulSet or DaemonSet will not replace all its pods by itself.
#[must_use]
pub fn by_hand(object: &Value) -> Option<String> {
    let strategy = &object["spec"]["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        return Some(
            "its strategy is OnDelete: each pod changes only when it is deleted".to_owned(),
        );
    }
    let partition = strategy["rollingUpdate"]["partition"].as_i64().filter(|it| *it > 0)?;
    Some(format!("its partition is {partition}: pods below that number stay as they are"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn k34_each_manager_is_named() {
        let cases = [
            (json!({}), vec![]),
            (
                json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}),
                vec!["kubectl apply"],
            ),
            (json!({"labels": {"app.kubernetes.io/managed-by": "Helm"}}), vec!["Helm"]),
            (json!({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}), vec!["Argo CD"]),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "x", "helm.toolkit.fluxcd.io/name": "y"}}),
                vec!["Flux"],
            ),
        ];
        for (metadata, expected) in cases {
            let found = managers(&json!({"metadata": metadata}), "deployments");
            assert_eq!(found.len(), expected.len(), "{metadata}: {found:?}");
            for (text, name) in found.iter().zip(expected) {
                assert!(text.contains(name), "{text}");
            }
        }
    }

    #[test]
    fn k23_a_rollout_on_its_way_is_noticed() {
        let cases =
            [(3, 3, 3, 3, false), (4, 3, 3, 3, true), (3, 3, 1, 3, true), (3, 3, 3, 2, true)];
        for (generation, observed, updated, available, expected) in cases {
            let deployment = json!({
                "metadata": {"generation": generation},
                "spec": {"replicas": 3},
                "status": {"observedGeneration": observed, "updatedReplicas": updated,
                    "availableReplicas": available},
            });
            assert_eq!(in_progress(&deployment), expected, "{deployment}");
        }
    }

    #[test]
    fn k26_what_stays_behind_is_said() {
        let cases = [
            (json!({"type": "OnDelete"}), Some("OnDelete")),
            (
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
                Some("partition is 2"),
            ),
            (json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}), None),
            (Value::Null, None),
        ];
        for (strategy, expected) in cases {
            let said = by_hand(&json!({"spec": {"updateStrategy": strategy}}));
            assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
            assert!(said.unwrap_or_default().contains(expected.unwrap_or_default()));
        }
    }
}
