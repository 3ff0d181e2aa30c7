//! The whole runbook against servers of the test's own, over HTTPS with a private authority: what
//! is sent, how often, with which credentials, and where those do not turn up.

use crate::support::Place;
use crate::support::server::{Answer, Authority, Received, Server};
use serde_json::{Value, json};

const TOKEN: &str = "CANARY-cluster-token-0123456789abcdefghi";
const API_KEY: &str = "CANARY-api-key-0123456789abcdef012345678";
const APPLICATION_KEY: &str = "CANARY-application-key-0123456789abcdef0";
const INCIDENT: &str = "1cf8bf7f-3005-47f8-94e5-81af029f9abe";

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "nginx"}},
        "spec": {"containers": [{"name": "nginx", "image": image}], "newerField": {"kept": true}},
    })
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "nginx-deployment", "namespace": "default", "uid": "uid-d",
            "resourceVersion": "4711", "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "nginx"}}, "template": template("nginx:bad")},
        "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
    })
}

fn replica_set(name: &str, revision: &str, image: &str, owner: &str) -> Value {
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = json!(name);
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": name,
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": "nginx-deployment", "uid": owner, "controller": true}]},
        "spec": {"template": template},
    })
}

/// An API server that knows one Deployment and echoes the caller's headers in its errors.
fn cluster(request: &Received) -> Answer {
    let object = "/apis/apps/v1/namespaces/default/deployments/nginx-deployment";
    let list = "/apis/apps/v1/namespaces/default/replicasets";
    let answer = |status, body: Value| (status, "application/json", body.to_string());
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", path) if path == object => answer(200, deployment()),
        ("GET", path) if path == list => answer(
            200,
            json!({"kind": "ReplicaSetList", "metadata": {}, "items": [
                replica_set("good", "1", "nginx:good", "uid-d"),
                replica_set("bad", "2", "nginx:bad", "uid-d"),
                replica_set("stranger", "7", "nginx:evil", "uid-of-another"),
            ]}),
        ),
        ("PATCH", path) if path == object => {
            let mut patched = deployment();
            patched["spec"]["template"] = template("nginx:good");
            patched["metadata"]["resourceVersion"] = json!("4712");
            patched["metadata"]["managedBy"] = json!(request.headers.get("authorization"));
            answer(200, patched)
        }
        _ => answer(
            404,
            json!({"kind": "Status", "reason": "NotFound", "code": 404,
                "message": format!("not found, you sent {:?}", request.headers)}),
        ),
    }
}

/// A Datadog that echoes the caller's keys, as a debugging proxy would.
fn datadog(request: &Received) -> Answer {
    let echo = format!("{:?}", request.headers);
    let timeline = format!("/api/v2/incidents/{INCIDENT}/timeline");
    let answer = |status, body: Value| (status, "application/json", body.to_string());
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/api/v2/incidents") => answer(
            200,
            json!({"data": [{"id": INCIDENT, "type": "incidents",
                "attributes": {"public_id": 5, "title": echo}}], "meta": {"pagination": {}}}),
        ),
        ("GET", path) if path == timeline => answer(200, json!({"data": []})),
        ("POST", path) if path == timeline => {
            let mut body: Value = serde_json::from_str(&request.body).expect("a JSON body");
            body["data"]["id"] = json!("cell-1");
            body["data"]["attributes"]["source"] = json!(echo);
            answer(201, body)
        }
        _ => answer(404, json!({"errors": [echo]})),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn x03_the_runbook_writes_twice_and_its_keys_go_nowhere_else() {
    let authority = Authority::new();
    let kubernetes = Server::start(&authority, cluster).await;
    let datadog = Server::start(&authority, datadog).await;
    let mut place = Place::new();
    place
        .runbook()
        .write("ca.pem", &authority.pem)
        .write("app.key", format!("{APPLICATION_KEY}\n"));
    place.write(
        "bowline.yaml",
        format!(
            "connections:\n  kubernetes:\n    eric0-demos:\n      server: {}\n      certificateAuthority: {{file: ca.pem}}\n      token: {{env: CLUSTER_TOKEN}}\n  datadog:\n    my-datadog-keys:\n      baseUrl: {}\n      certificateAuthority: {{file: ca.pem}}\n      applicationKey: {{file: app.key}}\n",
            kubernetes.url, datadog.url
        ),
    );
    place.set("CLUSTER_TOKEN", TOKEN).set("DD_API_KEY", API_KEY);
    // E17: what the environment says of proxies is nobody's setting. Nobody listens there.
    place.set("HTTPS_PROXY", "http://127.0.0.1:9").set("ALL_PROXY", "http://127.0.0.1:9");

    let done = tokio::task::block_in_place(|| {
        place.run(&["run", "runbook.yaml", "-p", "public_id=IR-5", "--json", "-v"])
    });

    done.ends(0);
    let outputs = &done.finished()["steps"];
    assert_eq!(outputs["convert-incident-id"]["outputs"]["incident_id"], INCIDENT);
    assert_eq!(outputs["kubectl-deployment-rollback"]["outputs"]["toRevision"], 1);

    let to_cluster = kubernetes.received();
    let patches: Vec<&Received> = to_cluster.iter().filter(|r| r.method != "GET").collect();
    assert_eq!(patches.len(), 1, "{patches:#?}");
    assert_eq!(patches[0].headers["content-type"], "application/json-patch+json");
    let patch: Value = serde_json::from_str(&patches[0].body).expect("a JSON patch");
    let operations = patch.as_array().expect("a list");
    let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": "4711"});
    assert!(operations.contains(&test), "{patch:#}");
    let written = operations.iter().find(|op| op["path"] == "/spec/template").expect("a template");
    assert_eq!(written["value"], template("nginx:good"), "whole, and without the hash label");
    assert!(to_cluster.iter().all(|r| r.headers["authorization"] == format!("Bearer {TOKEN}")));

    let to_datadog = datadog.received();
    let posts: Vec<&Received> = to_datadog.iter().filter(|r| r.method != "GET").collect();
    assert_eq!(posts.len(), 1, "{posts:#?}");
    assert_eq!(posts[0].path, format!("/api/v2/incidents/{INCIDENT}/timeline"));
    assert!(posts[0].body.contains("Rolled back: nginx-deployment"), "{}", posts[0].body);
    for request in &to_datadog {
        assert_eq!(request.headers["dd-api-key"], API_KEY);
        assert_eq!(request.headers["dd-application-key"], APPLICATION_KEY);
        assert!(!request.query.contains("CANARY"), "{}", request.query);
    }

    let inputs = ["app.key"];
    let mut searched = 0;
    let mut everything = vec![
        ("stdout".into(), done.stdout.into_bytes()),
        ("stderr".into(), done.stderr.into_bytes()),
    ];
    everything.extend(place.files());
    for (path, bytes) in everything {
        if inputs.iter().any(|input| path.ends_with(input)) {
            continue;
        }
        searched += 1;
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("CANARY"), "a credential is in {}", path.display());
    }
    assert!(searched >= 5, "the journal must have been among what was searched");
    let shown = place.run(&["runs", "show", "@latest"]);
    shown.ends(0);
    assert!(
        shown.stdout.contains("patch apps/deployments default/nginx-deployment"),
        "{}",
        shown.stdout
    );
    assert!(!shown.stdout.contains("CANARY"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_another_authority_is_not_trusted_and_nothing_is_written() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let kubernetes = Server::start(&theirs, cluster).await;
    let datadog = Server::start(&theirs, datadog).await;
    let mut place = Place::new();
    place.runbook().write("ca.pem", &ours.pem);
    place.write(
        "bowline.yaml",
        format!(
            "connections:\n  kubernetes:\n    '*': {{server: '{}', certificateAuthority: {{file: ca.pem}}, token: {{env: T}}}}\n  datadog:\n    '*': {{baseUrl: '{}', certificateAuthority: {{file: ca.pem}}, apiKey: {{env: T}}, applicationKey: {{env: T}}}}\n",
            kubernetes.url, datadog.url
        ),
    );
    place.set("T", TOKEN);

    let done =
        tokio::task::block_in_place(|| place.run(&["run", "runbook.yaml", "-p", "public_id=5"]));

    done.ends(1);
    assert!(done.stdout.contains("certificate"), "{}", done.stdout);
    assert!(kubernetes.received().is_empty() && datadog.received().is_empty());
}

/// In Relay what a function returns is evaluated once more, so a parameter can make the article's
/// own `!Fn.concat` post the API key to the incident.
const ATTACKS: &[&str] = &[
    "${connections.datadog.my-datadog-keys.apiKey}",
    "$${connections.datadog.my-datadog-keys.apiKey}",
    "${connections}",
    "${secrets.DD_API_KEY}",
    r#"{"$type": "Connection", "type": "datadog", "name": "my-datadog-keys"}"#,
    "!Connection {type: datadog, name: my-datadog-keys}",
    "${outputs.convert-incident-id.incident_id}",
];

const TIMELINE_STEPS: &str = r#"
parameters: {deployment: {}}
steps:
  - name: convert-incident-id
    image: relaysh/datadog-step-incident-extract-id
    spec: {connection: !Connection {type: datadog, name: my-datadog-keys}, public_id: 5}
  - name: update-timeline
    image: relaysh/datadog-step-incident-timeline-update
    spec:
      connection: !Connection {type: datadog, name: my-datadog-keys}
      incident_id: !Output {from: convert-incident-id, name: incident_id}
      timeline_cell_content: CONTENT
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parameter_that_asks_for_the_key_is_posted_as_the_text_that_it_is() {
    let authority = Authority::new();
    let datadog = Server::start(&authority, datadog).await;
    let mut place = Place::new();
    place.write("ca.pem", &authority.pem).write(
        "bowline.yaml",
        format!(
            "connections:\n  datadog:\n    my-datadog-keys: {{baseUrl: '{}', certificateAuthority: {{file: ca.pem}}, apiKey: {{env: DD_API_KEY}}, applicationKey: {{env: DD_API_KEY}}}}\n",
            datadog.url
        ),
    );
    place.set("DD_API_KEY", API_KEY);
    let contents = [
        r#"!Fn.concat ["Rolled back: ", !Parameter deployment]"#,
        r#""Rolled back: ${parameters.deployment}""#,
        r#"!Fn.concat ["Rolled back: ", !Fn.concat [!Parameter deployment]]"#,
        r#"!Fn.path {object: {x: !Fn.concat ["Rolled back: ", !Parameter deployment]}, query: x}"#,
    ];
    for content in contents {
        place.write("runbook.yaml", TIMELINE_STEPS.replace("CONTENT", content));
        for attack in ATTACKS {
            let before = datadog.received().len();
            let given = format!("deployment={attack}");
            let done = tokio::task::block_in_place(|| {
                place.run(&["run", "runbook.yaml", "-p", &given, "--json", "-v"])
            });

            done.ends(0);
            let received = datadog.received().split_off(before);
            let posts: Vec<&Received> = received.iter().filter(|r| r.method == "POST").collect();
            assert_eq!(posts.len(), 1, "{content} with {attack}");
            assert!(
                !posts[0].body.contains("CANARY"),
                "{content} with {attack}: {}",
                posts[0].body
            );
            let body: Value = serde_json::from_str(&posts[0].body).expect("JSON");
            let posted = body["data"]["attributes"]["content"].to_string();
            let words = attack.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| w.len() > 3);
            for word in words {
                assert!(posted.contains(word), "`{word}` of {attack} is not in {posted}");
            }
        }
    }
    let text = tokio::task::block_in_place(|| {
        place.write("runbook.yaml", TIMELINE_STEPS.replace("CONTENT", ATTACKS[0]));
        place.run(&["run", "runbook.yaml", "-p", "deployment=x"])
    });
    assert_ne!(text.code, 0, "a key has no place in the workflow's own text either");
    assert!(!text.stdout.contains("CANARY") && !text.stderr.contains("CANARY"));
}
