//! Stories of rollouts: what a runbook meets, and what it leaves behind.

use crate::client::{Client, practice, practice_with};
use drill::Options;
use serde_json::{Value, json};
use std::time::Duration;

const NGINX: &str = "/apis/apps/v1/namespaces/default/deployments/nginx-deployment";
const SETS: &str =
    "/apis/apps/v1/namespaces/default/replicasets?labelSelector=app%3Dnginx-deployment";
const PODS: &str = "/api/v1/namespaces/default/pods?labelSelector=app%3Dnginx-deployment";
const REVISION: &str = "deployment.kubernetes.io/revision";

/// Undoes as `kubectl` does: the second highest revision, template and annotations.
async fn undo(cluster: &Client, deployment: &Value) -> Value {
    let sets = cluster.get(SETS).await.json();
    let revision = |set: &Value| {
        let text = set["metadata"]["annotations"][REVISION].as_str().unwrap_or_default().to_owned();
        text.parse::<i64>().expect("a revision")
    };
    let mut sets = sets["items"].as_array().expect("sets").clone();
    sets.sort_by_key(|set| std::cmp::Reverse(revision(set)));
    let mut template = sets[1]["spec"]["template"].clone();
    template["metadata"]["labels"].as_object_mut().expect("labels").remove("pod-template-hash");
    let version = &deployment["metadata"]["resourceVersion"];
    let patch = json!([
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec/template", "value": template},
    ]);
    let reply = cluster.patch(NGINX, "json-patch+json", &patch).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()
}

async fn finished(cluster: &Client, path: &str) -> Value {
    for _ in 0..400 {
        let object = cluster.get(path).await.json();
        let (status, spec) = (&object["status"], &object["spec"]);
        let is_over = status["observedGeneration"] == object["metadata"]["generation"]
            && status["updatedReplicas"] == spec["replicas"]
            && status["replicas"] == spec["replicas"]
            && status["availableReplicas"] == spec["replicas"];
        if is_over {
            return object;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("the rollout did not finish: {}", cluster.get(path).await.text);
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let conditions = object["status"]["conditions"].as_array().expect("conditions");
    conditions.iter().find(|condition| condition["type"] == kind).expect("the condition")
}

#[tokio::test]
async fn at_the_start_a_bad_rollout_is_stuck_and_its_deadline_has_passed() {
    let practice = practice().await;

    let deployment = practice.cluster.get(NGINX).await.json();
    let sets = practice.cluster.get(SETS).await.json();
    let pods = practice.cluster.get(PODS).await.json();

    assert_eq!(deployment["metadata"]["annotations"][REVISION], "2");
    assert_eq!(
        deployment["spec"]["template"]["spec"]["containers"][0]["image"],
        "nginx:1.99-broken"
    );
    let status = &deployment["status"];
    let counts = [
        "replicas",
        "updatedReplicas",
        "readyReplicas",
        "availableReplicas",
        "unavailableReplicas",
    ];
    assert_eq!(
        counts.map(|key| status[key].as_i64()),
        [Some(4), Some(1), Some(3), Some(3), Some(1)]
    );
    assert_eq!(condition(&deployment, "Progressing")["reason"], "ProgressDeadlineExceeded");
    assert_eq!(condition(&deployment, "Available")["status"], "True");
    let uid = &deployment["metadata"]["uid"];
    let sets = sets["items"].as_array().expect("sets");
    assert_eq!(sets.len(), 2);
    for set in sets {
        assert_eq!(set["metadata"]["ownerReferences"][0]["uid"], *uid);
        assert_eq!(set["metadata"]["ownerReferences"][0]["controller"], true);
        assert!(set["metadata"]["annotations"]["kubernetes.io/change-cause"].is_string());
    }
    let waiting: Vec<&Value> = pods["items"]
        .as_array()
        .expect("pods")
        .iter()
        .map(|pod| &pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"])
        .filter(|reason| !reason.is_null())
        .collect();
    assert_eq!(waiting, [&json!("ImagePullBackOff")]);
}

#[tokio::test]
async fn an_undo_brings_the_good_template_back_as_a_new_revision() {
    let practice = practice().await;
    let before = practice.drill.picture();
    let deployment = practice.cluster.get(NGINX).await.json();

    let patched = undo(&practice.cluster, &deployment).await;
    let after = finished(&practice.cluster, NGINX).await;

    assert_eq!(patched["metadata"]["generation"], 3);
    assert_eq!(patched["status"]["observedGeneration"], 2, "the controller has not looked yet");
    assert_eq!(after["metadata"]["annotations"][REVISION], "3");
    assert_eq!(condition(&after, "Progressing")["reason"], "NewReplicaSetAvailable");
    let sets = practice.cluster.get(SETS).await.json();
    let numbers: Vec<(&Value, &Value, &Value)> = sets["items"]
        .as_array()
        .expect("sets")
        .iter()
        .map(|set| {
            let annotations = &set["metadata"]["annotations"];
            let history = &annotations["deployment.kubernetes.io/revision-history"];
            (&annotations[REVISION], history, &set["spec"]["replicas"])
        })
        .collect();
    assert!(numbers.contains(&(&json!("3"), &json!("1"), &json!(3))), "{numbers:?}");
    assert!(numbers.contains(&(&json!("2"), &Value::Null, &json!(0))), "{numbers:?}");
    assert_eq!(
        practice.drill.picture().changes_since(&before),
        ["deployment nginx-deployment: revision 2 (nginx:1.99-broken, 0/3 ready) → revision 3 = \
          the template of revision 1 (nginx:1.25, 3/3 ready)"]
    );
}

#[tokio::test]
async fn a_second_undo_brings_the_bad_template_back() {
    let practice = practice().await;
    let deployment = practice.cluster.get(NGINX).await.json();
    undo(&practice.cluster, &deployment).await;
    let once = finished(&practice.cluster, NGINX).await;

    undo(&practice.cluster, &once).await;

    let picture = practice.drill.picture();
    let nginx = &picture.workloads[0];
    assert_eq!((nginx.revision, nginx.template_of), (Some(4), Some(2)));
    assert_eq!((nginx.ready, nginx.images.as_slice()), (0, &["nginx:1.99-broken".to_owned()][..]));
}

#[tokio::test]
async fn the_same_patch_again_changes_nothing() {
    let practice = practice().await;
    let template = practice.cluster.get(SETS).await.json()["items"]
        .as_array()
        .expect("sets")
        .iter()
        .find(|set| set["metadata"]["annotations"][REVISION] == "1")
        .expect("revision 1")["spec"]["template"]
        .clone();
    let mut template = template;
    template["metadata"]["labels"].as_object_mut().expect("labels").remove("pod-template-hash");
    let patch = json!([{"op": "replace", "path": "/spec/template", "value": template}]);
    practice.cluster.patch(NGINX, "json-patch+json", &patch).await;
    let once = finished(&practice.cluster, NGINX).await;

    let again = practice.cluster.patch(NGINX, "json-patch+json", &patch).await;

    assert_eq!(again.json()["metadata"]["resourceVersion"], once["metadata"]["resourceVersion"]);
    let effects: Vec<bool> = practice
        .drill
        .requests()
        .into_iter()
        .filter(|request| request.method == "PATCH")
        .map(|request| request.took_effect)
        .collect();
    assert_eq!(effects, [true, false]);
}

#[tokio::test]
async fn a_stale_deadline_stays_until_the_controller_has_looked() {
    let options = Options { controller_pause: Duration::from_millis(300), ..Options::default() };
    let practice = practice_with(options).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let deployment = practice.cluster.get(NGINX).await.json();

    undo(&practice.cluster, &deployment).await;
    let at_once = practice.cluster.get(NGINX).await.json();

    let observed = at_once["status"]["observedGeneration"].as_i64().expect("a number");
    if observed < 3 {
        assert_eq!(condition(&at_once, "Progressing")["reason"], "ProgressDeadlineExceeded");
    }
    let after = finished(&practice.cluster, NGINX).await;
    assert_eq!(condition(&after, "Progressing")["reason"], "NewReplicaSetAvailable");
}

#[tokio::test]
async fn a_paused_deployment_waits_until_it_is_resumed() {
    let practice = practice().await;
    practice.cluster.patch(NGINX, "merge-patch+json", &json!({"spec": {"paused": true}})).await;
    let image = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "nginx", "image": "nginx:1.26"}]}}}});
    practice.cluster.patch(NGINX, "strategic-merge-patch+json", &image).await;

    let paused = practice.drill.picture();
    practice.cluster.patch(NGINX, "merge-patch+json", &json!({"spec": {"paused": null}})).await;
    let resumed = practice.drill.picture();

    assert!(paused.workloads[0].paused);
    assert_eq!(paused.workloads[0].revision, Some(2));
    assert_eq!((resumed.workloads[0].revision, resumed.workloads[0].ready), (Some(3), 3));
}

#[tokio::test]
async fn every_pod_is_replaced_and_never_are_there_too_few() {
    let practice = practice().await;
    let path = "/apis/apps/v1/namespaces/default/deployments?watch=true&fieldSelector=metadata.name%3Dnginx-deployment";
    let image = |tag: &str| {
        json!({"spec": {"template": {"spec": {"containers": [
        {"name": "nginx", "image": format!("nginx:{tag}")}]}}}})
    };
    practice.cluster.patch(NGINX, "strategic-merge-patch+json", &image("1.25")).await;
    finished(&practice.cluster, NGINX).await;
    let mut watch = practice.cluster.open("GET", path, &[], "").await.expect("a watch");

    practice.cluster.patch(NGINX, "strategic-merge-patch+json", &image("1.27")).await;

    let mut seen = Vec::new();
    loop {
        let event = watch.line().await.expect("an event");
        let status = &event["object"]["status"];
        let number = |key: &str| status[key].as_i64().unwrap_or(0);
        seen.push((number("replicas"), number("updatedReplicas"), number("availableReplicas")));
        if number("observedGeneration") == 4 && seen.last() == Some(&(3, 3, 3)) {
            break;
        }
    }
    assert!(
        seen.iter().all(|(replicas, _, available)| *replicas <= 4 && *available >= 3),
        "{seen:?}"
    );
    assert!(seen.len() > 4, "the rollout can be watched: {seen:?}");
}

#[tokio::test]
async fn recreate_takes_all_pods_away_first() {
    let practice = practice().await;
    let change = json!({"spec": {
        "strategy": {"$retainKeys": ["type"], "type": "Recreate"},
        "template": {"spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]}}}});
    let reply = practice.cluster.patch(NGINX, "strategic-merge-patch+json", &change).await;
    assert_eq!(reply.status, 200, "{}", reply.text);

    let after = finished(&practice.cluster, NGINX).await;

    assert_eq!(after["spec"]["strategy"], json!({"type": "Recreate"}));
    assert_eq!(after["status"]["readyReplicas"], 3);
}

#[tokio::test]
async fn a_wish_for_too_many_pods_is_bounded_and_said() {
    let practice = practice().await;
    let change = json!({"spec": {"replicas": 1_000_000, "template": {"spec": {"containers": [
        {"name": "nginx", "image": "nginx:1.27"}]}}}});

    let reply = practice.cluster.patch(NGINX, "strategic-merge-patch+json", &change).await;
    practice.settle();

    assert_eq!(reply.status, 200, "{}", reply.text);
    let deployment = practice.cluster.get(NGINX).await.json();
    assert_eq!(condition(&deployment, "ReplicaFailure")["reason"], "FailedCreate");
    let pods = practice.cluster.get(PODS).await.json()["items"].as_array().map_or(0, Vec::len);
    assert!(pods <= 300, "{pods}");
}

#[tokio::test]
async fn old_revisions_beyond_the_limit_are_forgotten() {
    let practice = practice().await;
    practice
        .cluster
        .patch(NGINX, "merge-patch+json", &json!({"spec": {"revisionHistoryLimit": 1}}))
        .await;
    for tag in ["1.26", "1.27", "1.28"] {
        let image = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "nginx", "image": format!("nginx:{tag}")}]}}}});
        practice.cluster.patch(NGINX, "strategic-merge-patch+json", &image).await;
        finished(&practice.cluster, NGINX).await;
    }
    practice.settle();

    let sets = practice.cluster.get(SETS).await.json();

    assert_eq!(sets["items"].as_array().map(Vec::len), Some(2), "{sets}");
}

#[tokio::test]
async fn stateful_and_daemon_sets_go_back_by_their_recorded_patch() {
    let practice = practice().await;
    for (kind, name, revisions) in [
        ("statefulsets", "sessions", ["redis:7.2"]),
        ("daemonsets", "log-agent", ["log-agent:1.0"]),
    ] {
        let path = format!("/apis/apps/v1/namespaces/web/{kind}/{name}");
        let list = "/apis/apps/v1/namespaces/web/controllerrevisions?labelSelector=app%3D";
        let known = practice.cluster.get(&format!("{list}{name}")).await.json();
        let first = known["items"]
            .as_array()
            .expect("revisions")
            .iter()
            .find(|revision| revision["revision"] == 1)
            .expect("the first")["data"]
            .clone();

        let reply = practice.cluster.patch(&path, "strategic-merge-patch+json", &first).await;

        assert_eq!(reply.status, 200, "{}", reply.text);
        let picture = practice.drill.picture();
        let workload = picture.workloads.iter().find(|workload| workload.name == name);
        let workload = workload.expect("the workload");
        assert_eq!(workload.images, revisions);
        assert_eq!(workload.revision, Some(3), "the old one came back as the newest");
        assert_eq!(i64::try_from(workload.ready).expect("a count"), workload.desired);
        let known = practice.cluster.get(&format!("{list}{name}")).await.json();
        assert_eq!(known["items"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn a_stateful_set_on_a_broken_pod_is_stuck_until_that_pod_is_deleted() {
    let practice = practice().await;
    let path = "/apis/apps/v1/namespaces/web/statefulsets/sessions";
    let image = |tag: &str| {
        json!({"spec": {"template": {"spec": {"containers": [
        {"name": "redis", "image": format!("redis:{tag}")}]}}}})
    };
    practice.cluster.patch(path, "strategic-merge-patch+json", &image("8-broken")).await;
    practice.settle();
    practice.cluster.patch(path, "strategic-merge-patch+json", &image("7.4")).await;
    let ready = || {
        let picture = practice.drill.picture();
        picture.workloads.iter().find(|workload| workload.name == "sessions").map(|set| set.ready)
    };
    assert_eq!(ready(), Some(1), "the last pod is broken and stays");

    let deleted =
        practice.cluster.send("DELETE", "/api/v1/namespaces/web/pods/sessions-1", &[], "").await;

    assert_eq!(deleted.status, 200);
    assert_eq!(ready(), Some(2));
}
