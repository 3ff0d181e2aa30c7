//! Fields that the API does not have: refused under `fieldValidation=Strict`, else warned about.
//!
//! Looked for where mistakes are made: in metadata, workloads, pod templates and containers,
//! config maps and secrets. Unlike the real server this one keeps them, as one of a later
//! version would, so that a client that loses fields is found out.

use super::kinds::Kind;
use super::object::at;
use super::status_errors::Refusal;
use super::write_options::WriteOptions;
use crate::exchange::Answer;
use http::header::WARNING;
use serde_json::Value;

/// Warnings that one answer carries at most.
const WARNINGS_MAX: usize = 10;

const METADATA: &str = "name generateName namespace selfLink uid resourceVersion generation \
     creationTimestamp deletionTimestamp deletionGracePeriodSeconds labels annotations \
     ownerReferences finalizers managedFields";
const DEPLOYMENT: &str = "replicas selector template strategy minReadySeconds \
     revisionHistoryLimit paused progressDeadlineSeconds";
const REPLICA_SET: &str = "replicas minReadySeconds selector template";
const STATEFUL_SET: &str = "replicas selector template volumeClaimTemplates serviceName \
     podManagementPolicy updateStrategy revisionHistoryLimit minReadySeconds \
     persistentVolumeClaimRetentionPolicy ordinals";
const DAEMON_SET: &str = "selector template updateStrategy minReadySeconds revisionHistoryLimit";
const TEMPLATE: &str = "metadata spec";
const POD: &str = "volumes initContainers containers ephemeralContainers restartPolicy \
     terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector \
     serviceAccountName serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID \
     hostIPC shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity \
     schedulerName tolerations hostAliases priorityClassName priority dnsConfig readinessGates \
     runtimeClassName enableServiceLinks preemptionPolicy overhead topologySpreadConstraints \
     setHostnameAsFQDN os hostUsers schedulingGates resourceClaims resources hostnameOverride";
const CONTAINER: &str = "name image command args workingDir ports envFrom env resources \
     resizePolicy restartPolicy restartPolicyRules volumeMounts volumeDevices livenessProbe \
     readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy \
     imagePullPolicy securityContext stdin stdinOnce tty";

/// The unknown fields of `new` that `old` does not have, if the request wants to hear of them.
pub(super) fn check(
    kind: &Kind,
    old: Option<&Value>,
    new: &Value,
    options: &WriteOptions,
) -> Result<Vec<String>, Refusal> {
    let known = old.map(|old| unknown(kind, old)).unwrap_or_default();
    let mut found = unknown(kind, new);
    found.retain(|field| !known.contains(field));
    match options.field_validation.as_str() {
        "Strict" if !found.is_empty() => {
            let listed: Vec<String> =
                found.iter().map(|field| format!("unknown field {field:?}")).collect();
            Err(Refusal::bad_request(format!(
                "{name} in version \"v1\" cannot be handled as a {name}: strict decoding error: {}",
                listed.join(", "),
                name = kind.kind,
            )))
        }
        "Ignore" => Ok(Vec::new()),
        _ => Ok(found),
    }
}

/// The answer with a warning for each of `fields`.
pub(super) fn warn(answer: Answer, fields: &[String]) -> Answer {
    fields.iter().take(WARNINGS_MAX).fold(answer, |answer, field| {
        answer.with_header(WARNING, &format!("299 - \"unknown field \\\"{field}\\\"\""))
    })
}

fn unknown(kind: &Kind, object: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let top = match kind.resource {
        "configmaps" => "apiVersion kind metadata immutable data binaryData",
        "secrets" => "apiVersion kind metadata immutable data stringData type",
        _ if kind.has_status() => "apiVersion kind metadata spec status",
        _ => return found,
    };
    strange(object, "", top, &mut found);
    strange(at(object, &["metadata"]), "metadata", METADATA, &mut found);
    let spec = at(object, &["spec"]);
    let names = match kind.resource {
        "deployments" => DEPLOYMENT,
        "replicasets" => REPLICA_SET,
        "statefulsets" => STATEFUL_SET,
        "daemonsets" => DAEMON_SET,
        "pods" => {
            pod(spec, "spec", &mut found);
            return found;
        }
        _ => return found,
    };
    strange(spec, "spec", names, &mut found);
    let template = at(spec, &["template"]);
    strange(template, "spec.template", TEMPLATE, &mut found);
    strange(at(template, &["metadata"]), "spec.template.metadata", METADATA, &mut found);
    pod(at(template, &["spec"]), "spec.template.spec", &mut found);
    found
}

fn pod(spec: &Value, place: &str, found: &mut Vec<String>) {
    strange(spec, place, POD, found);
    for list in ["initContainers", "containers"] {
        let containers = at(spec, &[list]).as_array();
        for (index, container) in containers.into_iter().flatten().enumerate() {
            strange(container, &format!("{place}.{list}[{index}]"), CONTAINER, found);
        }
    }
}

fn strange(object: &Value, place: &str, names: &str, found: &mut Vec<String>) {
    for key in object.as_object().into_iter().flatten().map(|(key, _)| key) {
        if !names.split_whitespace().any(|name| name == key) {
            found.push(if place.is_empty() { key.clone() } else { format!("{place}.{key}") });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_field_is_named_with_its_place() {
        let object = json!({
            "metadata": {"lables": {}},
            "spec": {"replcas": 3, "template": {"spec": {
                "containers": [{"name": "a", "imge": "b"}], "nodeName": "n"}}},
            "extra": 1,
        });

        assert_eq!(
            unknown(known("deployments"), &object),
            ["extra", "metadata.lables", "spec.replcas", "spec.template.spec.containers[0].imge"]
        );
        assert!(unknown(known("configmaps"), &json!({"data": {}, "metadata": {}})).is_empty());
    }
}
