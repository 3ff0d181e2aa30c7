//! PATCH in all its languages, server-side apply first of all.

use crate::client::{Client, Reply, practice};
use serde_json::{Value, json};

const NGINX: &str = "/apis/apps/v1/namespaces/default/deployments/nginx-deployment";
const CONFIG: &str = "/api/v1/namespaces/web/configmaps/applied";
const STRATEGIC: &str = "strategic-merge-patch+json";

async fn apply(cluster: &Client, query: &str, data: &Value) -> Reply {
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "applied", "namespace": "web"}, "data": data});
    cluster.patch(&format!("{CONFIG}?{query}"), "apply-patch+yaml", &config).await
}

#[tokio::test]
async fn every_language_changes_what_it_says() {
    let practice = practice().await;
    for (language, patch, pointer, wanted) in [
        (
            "json-patch+json",
            json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]),
            "/spec/replicas",
            json!(2),
        ),
        ("merge-patch+json", json!({"spec": {"replicas": 4}}), "/spec/replicas", json!(4)),
        (STRATEGIC, json!({"spec": {"replicas": 1}}), "/spec/replicas", json!(1)),
        (
            STRATEGIC,
            json!({"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "nginx"}],
                "containers": [{"name": "nginx", "image": "nginx:1.24"}]}}}}),
            "/spec/template/spec/containers",
            json!([{"name": "nginx", "image": "nginx:1.24", "imagePullPolicy": "IfNotPresent",
                "ports": [{"containerPort": 8080, "protocol": "TCP"}], "resources": {},
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}]),
        ),
        (
            "merge-patch+json",
            json!({"metadata": {"annotations": {"team": "web"}}}),
            "/metadata/annotations/team",
            json!("web"),
        ),
        (
            "merge-patch+json",
            json!({"metadata": {"annotations": {"team": null}}}),
            "/metadata/annotations/team",
            Value::Null,
        ),
    ] {
        let reply = practice.cluster.patch(NGINX, language, &patch).await;
        assert_eq!(reply.status, 200, "{language} {patch}: {}", reply.text);
        assert_eq!(reply.json().pointer(pointer).unwrap_or(&Value::Null), &wanted, "{patch}");
    }
}

#[tokio::test]
async fn a_failed_test_is_a_bare_422() {
    let practice = practice().await;
    let patch = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]);

    let reply = practice.cluster.patch(NGINX, "json-patch+json", &patch).await;

    let status = reply.json();
    assert_eq!((reply.status, &status["reason"]), (422, &json!("Invalid")));
    assert_eq!(status["message"], "the server rejected our request due to an error in our request");
    assert_eq!(status["details"], json!({}));
}

#[tokio::test]
async fn a_version_in_a_merge_patch_is_a_condition() {
    let practice = practice().await;
    let version = practice.cluster.get(NGINX).await.json()["metadata"]["resourceVersion"].clone();
    let patch =
        |version: &Value| json!({"metadata": {"resourceVersion": version, "labels": {"a": "b"}}});

    let stale = practice.cluster.patch(NGINX, "merge-patch+json", &patch(&json!("1"))).await;
    let fresh = practice.cluster.patch(NGINX, "merge-patch+json", &patch(&version)).await;
    let other =
        practice.cluster.patch(NGINX, "merge-patch+json", &json!({"metadata": {"uid": "x"}})).await;

    assert_eq!((stale.status, &stale.json()["reason"]), (409, &json!("Conflict")));
    assert_eq!(fresh.status, 200, "{}", fresh.text);
    assert_eq!(other.status, 409);
}

#[tokio::test]
async fn an_apply_creates_changes_and_gives_up_what_it_no_longer_says() {
    let practice = practice().await;
    let manager = "fieldManager=one";

    let created = apply(&practice.cluster, manager, &json!({"a": "1", "b": "1"})).await;
    let same = apply(&practice.cluster, manager, &json!({"a": "1", "b": "1"})).await;
    let fewer = apply(&practice.cluster, manager, &json!({"a": "2"})).await;

    assert_eq!((created.status, same.status, fewer.status), (201, 200, 200), "{}", fewer.text);
    assert_eq!(same.json(), created.json());
    assert_eq!(fewer.json()["data"], json!({"a": "2"}));
    let effects: Vec<bool> =
        practice.drill.requests().iter().map(|request| request.took_effect).collect();
    assert_eq!(effects, [true, false, true]);
}

#[tokio::test]
async fn an_apply_over_another_manager_is_a_conflict_unless_forced() {
    let practice = practice().await;
    apply(&practice.cluster, "fieldManager=one", &json!({"a": "1", "b": "1"})).await;

    let conflict = apply(&practice.cluster, "fieldManager=two", &json!({"a": "2"})).await;
    let agreed = apply(&practice.cluster, "fieldManager=three", &json!({"b": "1"})).await;
    let forced = apply(&practice.cluster, "fieldManager=two&force=true", &json!({"a": "2"})).await;
    let lost = apply(&practice.cluster, "fieldManager=one", &json!({"a": "1", "b": "1"})).await;
    let shared = apply(&practice.cluster, "fieldManager=one", &json!({})).await;

    let status = conflict.json();
    assert_eq!((conflict.status, &status["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        status["message"],
        "Apply failed with 1 conflict: conflict with \"one\" using v1: .data.a"
    );
    assert_eq!(status["details"]["causes"][0]["reason"], "FieldManagerConflict");
    assert_eq!((agreed.status, forced.status, lost.status), (200, 200, 409), "{}", forced.text);
    assert_eq!(shared.json()["data"], json!({"a": "2", "b": "1"}), "what others own stays");
}

#[tokio::test]
async fn an_update_takes_a_field_from_the_one_who_applied_it() {
    let practice = practice().await;
    apply(&practice.cluster, "fieldManager=one", &json!({"a": "1"})).await;
    let patch = [("content-type", "application/merge-patch+json"), ("user-agent", "tool/1.0 (x)")];
    practice.cluster.send("PATCH", CONFIG, &patch, json!({"data": {"a": "9"}}).to_string()).await;

    let reply = apply(&practice.cluster, "fieldManager=one", &json!({"a": "1"})).await;

    assert_eq!(reply.status, 409, "{}", reply.text);
    assert!(reply.text.contains("conflict with \\\"tool\\\" using v1"), "{}", reply.text);
}

#[tokio::test]
async fn an_apply_of_a_deployment_merges_its_lists_by_key() {
    let practice = practice().await;
    let config = json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "nginx-deployment"},
        "spec": {"template": {"spec": {"containers": [
            {"name": "nginx", "env": [{"name": "MODE", "value": "safe"}]}]}}}});

    let reply = practice
        .cluster
        .patch(&format!("{NGINX}?fieldManager=me"), "apply-patch+yaml", &config)
        .await;

    let container = &reply.json()["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(container["image"], "nginx:1.99-broken");
    assert_eq!(container["env"], json!([{"name": "MODE", "value": "safe"}]));
}

#[tokio::test]
async fn no_patch_however_odd_stops_the_server() {
    let practice = practice().await;
    let deep = (0..110).fold(json!(1), |inner, _| json!({"a": inner}));
    let odd = [
        json!(null),
        json!(1),
        json!("x"),
        json!([]),
        json!({}),
        json!([1]),
        json!([[]]),
        json!({"metadata": null}),
        json!({"metadata": []}),
        json!({"metadata": {"annotations": []}}),
        json!({"metadata": {"labels": {"a": {}}}}),
        json!({"metadata": {"managedFields": "x"}}),
        json!({"metadata": {"ownerReferences": [1]}}),
        json!({"metadata": {"name": "other"}}),
        json!({"metadata": {"namespace": "web"}}),
        json!({"metadata": {"finalizers": {"a": 1}}}),
        json!({"spec": null}),
        json!({"spec": "x"}),
        json!({"spec": {"replicas": 1e300}}),
        json!({"spec": {"selector": null}}),
        json!({"spec": {"template": null}}),
        json!({"spec": {"template": {"spec": {"containers": [null]}}}}),
        json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "ports": "x"}]}}}}),
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": i64::MAX}}}}),
        json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "99999999999999999%"}}}}),
        json!({"spec": {"progressDeadlineSeconds": 0}}),
        json!({"status": []}),
        json!({"status": {"conditions": "x"}}),
        json!({"kind": "Pod"}),
        json!({"apiVersion": "v9"}),
        json!({"$patch": "replace"}),
        json!({"spec": {"$patch": "delete"}}),
        deep.clone(),
        json!([{"op": "replace", "path": "", "value": []}]),
        json!([{"op": "remove", "path": ""}]),
        json!([{"op": "add", "path": "/spec/x", "value": deep}]),
        json!([{"op": "move", "from": "/spec", "path": "/spec/inner"}]),
        json!([{"op": "copy", "from": "", "path": "/spec/whole"}]),
        json!([{"op": "replace", "path": "/metadata", "value": 7}]),
    ];
    for patch in &odd {
        for part in ["", "/status", "/scale"] {
            for language in ["json-patch+json", "merge-patch+json", STRATEGIC, "apply-patch+yaml"] {
                let path = format!("{NGINX}{part}?fieldManager=odd");
                let reply = practice.cluster.patch(&path, language, patch).await;
                assert!(reply.status < 500, "{language}{part} {patch}: {}", reply.text);
            }
        }
    }

    practice.settle();

    assert_eq!(practice.cluster.get(NGINX).await.status, 200);
}

#[tokio::test]
async fn numbers_at_the_edge_do_not_stop_the_controllers() {
    let practice = practice().await;
    let sets = "/apis/apps/v1/namespaces/default/replicasets";
    let list = practice.cluster.get(sets).await.json();
    let edge = json!({"metadata": {"annotations": {
        "deployment.kubernetes.io/revision": i64::MAX.to_string()}}});
    let counts = json!({"status": {"replicas": i64::MAX, "readyReplicas": i64::MAX,
        "availableReplicas": i64::MIN, "updatedReplicas": i64::MAX}});
    let mut paths = vec![NGINX.to_owned()];
    for set in list["items"].as_array().expect("sets") {
        let path = format!("{sets}/{}", set["metadata"]["name"].as_str().expect("a name"));
        assert_eq!(practice.cluster.patch(&path, "merge-patch+json", &edge).await.status, 200);
        paths.push(path);
    }
    for path in &paths {
        let status = format!("{path}/status");
        assert_eq!(practice.cluster.patch(&status, "merge-patch+json", &counts).await.status, 200);
    }
    let surge = json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 92_233_720_368_547_758_i64}},
        "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]}}}});
    let reply = practice.cluster.patch(NGINX, STRATEGIC, &surge).await;
    practice.settle();

    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(practice.drill.picture().workloads[0].ready, 3);
}

#[tokio::test]
async fn a_field_that_the_api_does_not_have_is_refused_or_warned_about() {
    let practice = practice().await;
    let patch = json!({"spec": {"replcas": 3}}).to_string();
    let merge = [("content-type", "application/merge-patch+json")];
    for (validation, status, warnings) in [("Strict", 400, 0), ("Ignore", 200, 0)] {
        let path = format!("{NGINX}?dryRun=All&fieldValidation={validation}");
        let reply = practice.cluster.send("PATCH", &path, &merge, patch.clone()).await;
        assert_eq!(reply.status, status, "{}", reply.text);
        assert_eq!(reply.headers.get_all("warning").iter().count(), warnings);
    }

    let warned = practice.cluster.send("PATCH", NGINX, &merge, patch).await;
    let strict = format!("{NGINX}?fieldValidation=Strict");
    let other = json!({"spec": {"replicas": 2}}).to_string();
    let later = practice.cluster.send("PATCH", &strict, &merge, other).await;

    assert_eq!(warned.headers["warning"], r#"299 - "unknown field \"spec.replcas\"""#);
    assert_eq!(later.status, 200, "what was there before is not this request's fault");
}
