//! What the API server fills in where an author said nothing.
//!
//! A client that compares templates must live with these, so they are as the real ones for the
//! kinds that have a pod template. Defaults never overwrite.

use super::kinds::Kind;
use super::object::{at, fields, put};
use serde_json::{Value, json};

/// Fills in defaults and drops members that are null, which mean nothing to the server.
pub(crate) fn fill(kind: &Kind, object: &mut Value) {
    drop_nulls(object);
    match kind.resource {
        "deployments" => {
            let spec = member(object, "spec");
            set(spec, "replicas", json!(1));
            set(spec, "revisionHistoryLimit", json!(10));
            set(spec, "progressDeadlineSeconds", json!(600));
            strategy(member(spec, "strategy"));
            template(member(spec, "template"));
        }
        "replicasets" => {
            let spec = member(object, "spec");
            set(spec, "replicas", json!(1));
            template(member(spec, "template"));
        }
        "statefulsets" => {
            let spec = member(object, "spec");
            set(spec, "replicas", json!(1));
            set(spec, "revisionHistoryLimit", json!(10));
            set(spec, "podManagementPolicy", json!("OrderedReady"));
            update_strategy(member(spec, "updateStrategy"), json!({"partition": 0}));
            template(member(spec, "template"));
        }
        "daemonsets" => {
            let spec = member(object, "spec");
            set(spec, "revisionHistoryLimit", json!(10));
            let rolling = json!({"maxSurge": 0, "maxUnavailable": 1});
            update_strategy(member(spec, "updateStrategy"), rolling);
            template(member(spec, "template"));
        }
        "pods" => pod(member(object, "spec")),
        "services" => {
            let spec = member(object, "spec");
            set(spec, "type", json!("ClusterIP"));
            set(spec, "sessionAffinity", json!("None"));
            set(spec, "clusterIP", json!("10.96.0.10"));
            each(spec, "ports", |port| set(port, "protocol", json!("TCP")));
        }
        "secrets" => set(object, "type", json!("Opaque")),
        "namespaces" => {
            set(member(object, "spec"), "finalizers", json!(["kubernetes"]));
            set(member(object, "status"), "phase", json!("Active"));
        }
        _ => {}
    }
}

fn strategy(strategy: &mut Value) {
    set(strategy, "type", json!("RollingUpdate"));
    if at(strategy, &["type"]) == "RollingUpdate" {
        let rolling = member(strategy, "rollingUpdate");
        set(rolling, "maxSurge", json!("25%"));
        set(rolling, "maxUnavailable", json!("25%"));
    }
}

fn update_strategy(strategy: &mut Value, rolling: Value) {
    set(strategy, "type", json!("RollingUpdate"));
    if at(strategy, &["type"]) == "RollingUpdate" {
        set(strategy, "rollingUpdate", rolling);
    }
}

fn template(template: &mut Value) {
    pod(member(template, "spec"));
}

fn pod(spec: &mut Value) {
    set(spec, "restartPolicy", json!("Always"));
    set(spec, "terminationGracePeriodSeconds", json!(30));
    set(spec, "dnsPolicy", json!("ClusterFirst"));
    set(spec, "securityContext", json!({}));
    set(spec, "schedulerName", json!("default-scheduler"));
    for list in ["initContainers", "containers"] {
        each(spec, list, container);
    }
}

fn container(container: &mut Value) {
    let image = at(container, &["image"]).as_str().unwrap_or_default();
    let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
    set(container, "imagePullPolicy", json!(policy));
    set(container, "resources", json!({}));
    set(container, "terminationMessagePath", json!("/dev/termination-log"));
    set(container, "terminationMessagePolicy", json!("File"));
    each(container, "ports", |port| set(port, "protocol", json!("TCP")));
}

fn is_latest(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or(image);
    !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn member<'a>(object: &'a mut Value, key: &str) -> &'a mut Value {
    fields(object).entry(key.to_owned()).or_insert_with(|| json!({}))
}

fn set(object: &mut Value, key: &str, value: Value) {
    // Validation says what is wrong with a value of the wrong shape; it must stay to be seen.
    if object.is_object() && at(object, &[key]).is_null() {
        put(object, &[key], value);
    }
}

fn each(object: &mut Value, key: &str, change: impl Fn(&mut Value)) {
    let items = object.get_mut(key).and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(change);
}

/// Drops members that are null, at every depth.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;

    #[test]
    fn a_short_deployment_becomes_a_whole_one() {
        let mut object = json!({"spec": {"replicas": null, "template": {"spec": {
            "containers": [{"name": "a", "image": "nginx", "ports": [{"containerPort": 80}]}]}}}});

        fill(known("deployments"), &mut object);

        let container = &object["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(object["spec"]["replicas"], 1);
        assert_eq!(object["spec"]["strategy"]["rollingUpdate"]["maxSurge"], "25%");
        assert_eq!(container["imagePullPolicy"], "Always");
        assert_eq!(container["ports"][0]["protocol"], "TCP");
    }

    #[test]
    fn what_an_author_said_stays() {
        let mut object = json!({"spec": {"replicas": 0, "strategy": {"type": "Recreate"}}});

        fill(known("deployments"), &mut object);

        assert_eq!(object["spec"]["replicas"], 0);
        assert!(object["spec"]["strategy"].get("rollingUpdate").is_none());
    }

    #[test]
    fn only_a_moving_tag_is_always_pulled() {
        for (image, wanted) in [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.25", false),
            ("host:5000/nginx", true),
            ("host:5000/nginx:1", false),
            ("nginx@sha256:00", false),
        ] {
            assert_eq!(is_latest(image), wanted, "{image}");
        }
    }
}
