//! Reading, creating, replacing and deleting objects.

use crate::client::practice;
use serde_json::{Value, json};

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";
const CONFIGS: &str = "/api/v1/namespaces/default/configmaps";

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "main:1"}]},
            },
        },
    })
}

fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

#[tokio::test]
async fn a_list_shows_what_its_selectors_say() {
    let practice = practice().await;
    for (path, wanted) in [
        ("/apis/apps/v1/deployments", 3),
        ("/apis/apps/v1/namespaces/web/deployments", 1),
        ("/apis/apps/v1/namespaces/nowhere/deployments", 0),
        ("/apis/apps/v1/deployments?labelSelector=app%20in%20(storefront,coredns)", 2),
        ("/apis/apps/v1/deployments?labelSelector=app%21%3Dstorefront", 2),
        ("/apis/apps/v1/deployments?labelSelector=%21app", 0),
        ("/apis/apps/v1/deployments?fieldSelector=metadata.name%3Dcoredns", 1),
        ("/apis/apps/v1/deployments?fieldSelector=metadata.namespace%3Dweb", 1),
        ("/api/v1/namespaces", 3),
        ("/api/v1/nodes", 1),
        ("/api/v1/namespaces/web/secrets", 1),
        ("/api/v1/namespaces/default/pods?fieldSelector=status.phase%3DPending", 1),
        ("/api/v1/namespaces/default/events?fieldSelector=reason%3DFailed", 1),
    ] {
        let reply = practice.cluster.get(path).await;
        let list = reply.json();
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        assert_eq!(list["items"].as_array().map(Vec::len), Some(wanted), "{path}");
        assert!(list["metadata"]["resourceVersion"].is_string(), "{path}");
        assert!(
            list["items"]
                .as_array()
                .is_some_and(|items| items.iter().all(|item| item["kind"].is_null()))
        );
    }
}

#[tokio::test]
async fn pages_show_the_list_as_it_was_at_the_first() {
    let practice = practice().await;
    for name in ["a", "b", "c", "d", "e"] {
        assert_eq!(practice.cluster.send_json("POST", CONFIGS, &config(name)).await.status, 201);
    }

    let first = practice.cluster.get(&format!("{CONFIGS}?limit=2")).await.json();
    practice.cluster.send("DELETE", &format!("{CONFIGS}/c"), &[], "").await;
    practice.cluster.send_json("POST", CONFIGS, &config("cc")).await;
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let second = practice.cluster.get(&format!("{CONFIGS}?limit=2&continue={token}")).await.json();
    let token = second["metadata"]["continue"].as_str().expect("a token");
    let third = practice.cluster.get(&format!("{CONFIGS}?limit=2&continue={token}")).await.json();

    let names = |list: &Value| {
        let items = list["items"].as_array().expect("items").iter();
        items
            .map(|item| item["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!([names(&first), names(&second), names(&third)].concat(), ["a", "b", "c", "d", "e"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert!(third["metadata"]["continue"].is_null());
    assert_eq!(third["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

#[tokio::test]
async fn a_created_deployment_gets_defaults_an_identity_and_pods() {
    let practice = practice().await;

    let created = practice.cluster.send_json("POST", DEPLOYMENTS, &deployment("new")).await;
    let again = practice.cluster.send_json("POST", DEPLOYMENTS, &deployment("new")).await;

    let object = created.json();
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(object["metadata"]["uid"].is_string());
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(object["spec"]["revisionHistoryLimit"], 10);
    assert_eq!(
        object["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"],
        "IfNotPresent"
    );
    assert_eq!((again.status, &again.json()["reason"]), (409, &json!("AlreadyExists")));
    let picture = practice.drill.picture();
    let new = picture.workloads.iter().find(|workload| workload.name == "new").expect("it");
    assert_eq!((new.ready, new.revision), (1, Some(1)));
}

#[tokio::test]
async fn a_name_can_be_generated_and_yaml_is_taken() {
    let practice = practice().await;
    let body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  generateName: made-\ndata:\n  a: b\n";

    let created =
        practice.cluster.send("POST", CONFIGS, &[("content-type", "application/yaml")], body).await;

    let name = created.json()["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(name.starts_with("made-") && name.len() == 10, "{name}");
}

#[tokio::test]
async fn a_replacement_of_an_old_version_is_a_conflict() {
    let practice = practice().await;
    let path = format!("{DEPLOYMENTS}/nginx-deployment");
    let old = practice.cluster.get(&path).await.json();
    let mut new = old.clone();
    new["metadata"]["labels"]["touched"] = json!("yes");

    let first = practice.cluster.send_json("PUT", &path, &new).await;
    let second = practice.cluster.send_json("PUT", &path, &new).await;

    assert_eq!(first.status, 200, "{}", first.text);
    let status = second.json();
    assert_eq!((second.status, &status["reason"]), (409, &json!("Conflict")));
    assert_eq!(
        status["details"],
        json!({"name": "nginx-deployment", "group": "apps", "kind": "deployments"})
    );
    assert_eq!(
        first.json()["metadata"]["generation"],
        old["metadata"]["generation"],
        "labels are no new wish"
    );
}

#[tokio::test]
async fn a_dry_run_answers_and_changes_nothing() {
    let practice = practice().await;
    let path = format!("{DEPLOYMENTS}/nginx-deployment");
    let before = practice.cluster.get(&path).await.json();
    let patch = json!({"spec": {"replicas": 7}});
    let merge = [("content-type", "application/merge-patch+json")];

    let patched = practice
        .cluster
        .send("PATCH", &format!("{path}?dryRun=All"), &merge, patch.to_string())
        .await;
    let created =
        practice.cluster.send_json("POST", &format!("{CONFIGS}?dryRun=All"), &config("x")).await;
    let deleted = practice.cluster.send("DELETE", &format!("{path}?dryRun=All"), &[], "").await;
    // Where there is a body, a server does not look at the query: this deletes.
    practice.cluster.send_json("POST", CONFIGS, &config("y")).await;
    let options = json!({"apiVersion": "v1", "kind": "DeleteOptions"}).to_string();
    let other = format!("{CONFIGS}/y");
    let in_body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "dryRun": ["All"]});
    practice.cluster.send("DELETE", &other, &[], in_body.to_string()).await;
    let kept = practice.cluster.get(&other).await.status;
    practice.cluster.send("DELETE", &format!("{other}?dryRun=All"), &[], options).await;
    let gone = practice.cluster.get(&other).await.status;
    let misspelt = practice
        .cluster
        .send("PATCH", &format!("{path}?dryRun=true"), &merge, patch.to_string())
        .await;

    assert_eq!((patched.status, &patched.json()["spec"]["replicas"]), (200, &json!(7)));
    assert_eq!(patched.json()["metadata"]["generation"], 3);
    assert_eq!((created.status, deleted.status, misspelt.status), (201, 200, 422));
    assert_eq!((kept, gone), (200, 404));
    assert_eq!(practice.cluster.get(&path).await.json(), before);
    assert_eq!(practice.cluster.get(&format!("{CONFIGS}/x")).await.status, 404);
    let took_effect = |request: &&drill::Received| request.took_effect;
    let requests = practice.drill.requests();
    let effects: Vec<&str> =
        requests.iter().filter(took_effect).map(|request| request.method.as_str()).collect();
    assert_eq!(effects, ["POST", "DELETE"], "those of `y` that were no dry run");
}

#[tokio::test]
async fn deleting_takes_what_is_owned_along_unless_told_not_to() {
    let practice = practice().await;
    let pods = "/api/v1/namespaces/default/pods?labelSelector=app%3D";
    for (name, policy, left) in
        [("one", "Background", 0), ("two", "Foreground", 0), ("three", "Orphan", 1)]
    {
        practice.cluster.send_json("POST", DEPLOYMENTS, &deployment(name)).await;
        practice.settle();

        let options = json!({"propagationPolicy": policy});
        let path = format!("{DEPLOYMENTS}/{name}");
        let reply = practice.cluster.send_json("DELETE", &path, &options).await;

        assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("Success")), "{name}");
        assert_eq!(reply.json()["details"]["kind"], "deployments");
        practice.settle();
        let kept = practice.cluster.get(&format!("{pods}{name}")).await.json();
        assert_eq!(kept["items"].as_array().map(Vec::len), Some(left), "{name}");
        assert_eq!(practice.cluster.send("DELETE", &path, &[], "").await.status, 404);
    }
}

#[tokio::test]
async fn a_deletion_of_another_object_than_meant_is_refused() {
    let practice = practice().await;
    let path = format!("{DEPLOYMENTS}/nginx-deployment");
    let options = json!({"preconditions": {"uid": "another"}});

    let reply = practice.cluster.send_json("DELETE", &path, &options).await;

    assert_eq!((reply.status, &reply.json()["reason"]), (409, &json!("Conflict")));
    assert!(reply.text.contains("UID in precondition: another"), "{}", reply.text);
}

#[tokio::test]
async fn an_object_with_a_finalizer_stays_until_it_is_taken_away() {
    let practice = practice().await;
    let mut kept = config("kept");
    kept["metadata"]["finalizers"] = json!(["example.com/keep"]);
    practice.cluster.send_json("POST", CONFIGS, &kept).await;
    let path = format!("{CONFIGS}/kept");

    practice.cluster.send("DELETE", &path, &[], "").await;
    let marked = practice.cluster.get(&path).await;
    let freed = json!({"metadata": {"finalizers": null}});
    let last = practice.cluster.patch(&path, "merge-patch+json", &freed).await;

    assert!(marked.json()["metadata"]["deletionTimestamp"].is_string(), "{}", marked.text);
    assert_eq!(last.status, 200, "{}", last.text);
    assert_eq!(practice.cluster.get(&path).await.status, 404);
}

#[tokio::test]
async fn a_namespace_takes_everything_in_it_along() {
    let practice = practice().await;

    let reply = practice.cluster.send("DELETE", "/api/v1/namespaces/web", &[], "").await;

    assert_eq!(reply.status, 200, "{}", reply.text);
    practice.settle();
    for path in ["/api/v1/namespaces/web/pods", "/apis/apps/v1/namespaces/web/replicasets"] {
        assert_eq!(practice.cluster.get(path).await.json()["items"], json!([]), "{path}");
    }
    let late =
        practice.cluster.send_json("POST", "/api/v1/namespaces/web/configmaps", &config("x")).await;
    assert_eq!(
        (late.status, &late.json()["message"]),
        (404, &json!("namespaces \"web\" not found"))
    );
    let kept = practice.cluster.send("DELETE", "/api/v1/namespaces/default", &[], "").await;
    assert_eq!(kept.status, 403);
}

#[tokio::test]
async fn the_scale_of_a_deployment_is_read_patched_and_replaced() {
    let practice = practice().await;
    let path = format!("{DEPLOYMENTS}/nginx-deployment/scale");

    let read = practice.cluster.get(&path).await.json();
    let patched =
        practice.cluster.patch(&path, "merge-patch+json", &json!({"spec": {"replicas": 5}})).await;
    let stale = practice.cluster.send_json("PUT", &path, &read).await;
    let negative =
        practice.cluster.patch(&path, "merge-patch+json", &json!({"spec": {"replicas": -1}})).await;

    assert_eq!((&read["kind"], &read["spec"]["replicas"]), (&json!("Scale"), &json!(3)));
    assert_eq!(read["status"]["selector"], "app=nginx-deployment");
    assert_eq!((patched.status, &patched.json()["spec"]["replicas"]), (200, &json!(5)));
    assert_eq!((stale.status, negative.status), (409, 422));
    assert_eq!(practice.drill.picture().workloads[0].desired, 5);
}

#[tokio::test]
async fn a_status_is_written_through_its_own_path_only() {
    let practice = practice().await;
    let path = format!("{DEPLOYMENTS}/nginx-deployment");
    let patch = json!({"status": {"readyReplicas": 99}, "spec": {"replicas": 2}});

    let whole = practice.cluster.patch(&path, "merge-patch+json", &patch).await.json();
    let part = practice
        .cluster
        .patch(
            &format!("{path}/status"),
            "merge-patch+json",
            &json!({"status": {"readyReplicas": 98}, "spec": {"replicas": 1}}),
        )
        .await
        .json();

    assert_eq!(
        (&whole["status"]["readyReplicas"], &whole["spec"]["replicas"]),
        (&json!(3), &json!(2))
    );
    assert_eq!(
        (&part["status"]["readyReplicas"], &part["spec"]["replicas"]),
        (&json!(98), &json!(2))
    );
}

#[tokio::test]
async fn tables_and_discovery_are_there_for_people_and_clients() {
    let practice = practice().await;
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];

    let table = practice.cluster.send("GET", DEPLOYMENTS, &accept, "").await.json();
    let group = practice.cluster.get("/apis/apps/v1").await.json();
    let version = practice.cluster.get("/version").await.json();

    assert_eq!(table["kind"], "Table");
    let cells = table["rows"][0]["cells"].as_array().expect("cells");
    assert_eq!(cells[..2], [json!("nginx-deployment"), json!("3/3")]);
    assert!(group.to_string().contains("deployments/scale"));
    assert_eq!(version["major"], "1");
}

#[tokio::test]
async fn owners_in_a_ring_or_a_long_chain_are_deleted_all_the_same() {
    let practice = practice().await;
    let mut owner = Value::Null;
    for number in 0..300 {
        let mut link = config(&format!("link-{number}"));
        if owner.is_object() {
            link["metadata"]["ownerReferences"] = json!([owner]);
        }
        let made = practice.cluster.send_json("POST", CONFIGS, &link).await.json();
        let (name, uid) = (&made["metadata"]["name"], &made["metadata"]["uid"]);
        owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid});
    }
    let ring = json!({"metadata": {"ownerReferences": [owner]}});
    let first = format!("{CONFIGS}/link-0");
    practice.cluster.patch(&first, "merge-patch+json", &ring).await;

    let reply = practice.cluster.send("DELETE", &first, &[], "").await;

    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(practice.cluster.get(CONFIGS).await.json()["items"], json!([]));
}
