//! F: what a plugin can try with a cluster, and a cluster with the plugin.

use crate::run::Run;
use crate::server::{Received, Reply, Server};
use crate::stage::Stage;
use crate::table::Case;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use effects::Layer;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::canary::CANARY;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("F1", "reaches into another namespace", &[Layer::Scope], namespaces),
        Case::new("F2", "gives names that are more than names", &[Layer::Shape], names),
        Case::new("F3", "asks for subresources that run programs", &[Layer::Scope], programs),
        Case::new("F5", "patches more than it was granted", &[Layer::Scope, Layer::Shape], patches),
        Case::new("F6", "changes who owns an object, or which it is", &[Layer::Scope], identity),
        Case::not_here(
            "F7",
            "puts a dangerous pod into a template that it may change",
            "a scope does not judge what a template means; the cluster's roles and admission do",
            templates,
        ),
        Case::new("F8", "lists and watches without end", &[Layer::Bound], lists),
        Case::new(
            "F9",
            "asks a selector about objects that it may not see",
            &[Layer::Scope],
            oracle,
        ),
        Case::new(
            "F10",
            "writes by dry run, by force, under another's name",
            &[Layer::Scope],
            manners,
        ),
        Case::new("F11", "deletes with options, or many at once", &[Layer::Shape], deletions),
        Case::new("F12", "is answered by a hostile server", &[Layer::Redact], answers),
        Case::new("F13", "has its token minted by a program that talks", &[Layer::Redact], minted),
    ]
}

fn fine(_: &Received) -> Reply {
    (200, "application/json", json!({"kind": "X", "metadata": {}}).to_string()).into()
}

fn cluster(
    stage: &mut Stage,
    allow: Value,
    handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
) -> Arc<Server> {
    let server = stage.serve_with(handler);
    stage.cluster("cluster", &server.url, allow);
    server
}

/// Opens the slot `cluster` and does these orders with it; gives what each answered.
#[track_caller]
fn with_cluster(stage: &mut Stage, orders: impl IntoIterator<Item = Value>) -> Vec<Value> {
    run_with_cluster(stage, orders).0
}

/// The same, and the run.
#[track_caller]
fn run_with_cluster(
    stage: &mut Stage,
    orders: impl IntoIterator<Item = Value>,
) -> (Vec<Value>, Run) {
    let open = json!({"kubernetes": {"verb": "open", "slot": "cluster", "as": "k"}});
    let orders = orders.into_iter().map(|mut order| {
        order["handle"] = json!(order["handle"].as_str().unwrap_or("k"));
        json!({ "kubernetes": order })
    });
    let orders: Vec<Value> = std::iter::once(open).chain(orders).collect();
    let run = stage.ask(Value::from(orders));
    let results = run.results();
    assert_eq!(results[0], json!({"ok": true}));
    (results[1..].to_vec(), run)
}

/// An order about the deployment `web/nginx`, changed as `changes` say.
fn deployment(verb: &str, changes: Value) -> Value {
    let mut order = json!({
        "verb": verb, "kind": {"group": "apps", "resource": "deployments"},
        "namespace": "web", "name": "nginx",
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        order[key] = value.clone();
    }
    order
}

fn code(result: &Value) -> &str {
    result["error"]["code"].as_str().unwrap_or("none")
}

#[track_caller]
fn all_are(results: &[Value], expected: &str, tried: &[Value]) {
    assert_eq!(results.len(), tried.len());
    for (result, tried) in results.iter().zip(tried) {
        assert_eq!(code(result), expected, "{tried}: {result}");
    }
}

fn namespaces(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["get", "list", "watch"], "resource": "*", "namespace": "web"}]);
    let server = cluster(stage, allow, fine);
    let secrets = json!({"resource": "secrets"});
    let tried = [
        deployment("get", json!({"namespace": "kube-system"})),
        deployment("get", json!({"namespace": null})),
        deployment("list", json!({"namespace": null})),
        deployment("list", json!({"namespace": null, "kind": secrets})),
        deployment("table", json!({"namespace": null, "name": null})),
        deployment("watch", json!({"namespace": null, "as": "w"})),
        deployment("get", json!({"namespace": null, "kind": {"resource": "namespaces"}})),
        deployment("get", json!({"namespace": null, "kind": {"resource": "nodes"}})),
    ];
    all_are(&with_cluster(stage, tried.clone()), "kubernetes.denied", &tried);
    assert!(server.received().is_empty(), "{:?}", server.received());
    format!("{} ways out of the namespace denied", tried.len())
}

fn names(stage: &mut Stage) -> String {
    let allow = json!([
        {"verbs": ["get", "list"], "resource": "*", "namespace": "*"},
        {"verbs": ["get", "list"], "resource": "*"},
    ]);
    let server = cluster(stage, allow, fine);
    let kind = |group: &str, version: &str, resource: &str| json!({"kind": {"group": group, "version": version, "resource": resource}});
    let long = "x".repeat(254);
    let mut tried: Vec<Value> =
        ["nginx/exec", "../secrets/x", "nginx?x", "Nginx", "a%2fb", "", &long]
            .into_iter()
            .map(|name| deployment("get", json!({"name": name})))
            .collect();
    tried.extend([
        deployment("get", json!({"namespace": "web/secrets"})),
        deployment("get", json!({"subresource": "../x"})),
        deployment("get", kind("apps", "v1", "deployments/scale")),
        deployment("get", kind("apps", "v1", "*")),
        deployment("get", kind("apps/v1/namespaces/x", "v1", "pods")),
        deployment("get", kind("apps", "../v1", "pods")),
        deployment("list", kind("", "v1", "..")),
        // Paths that are no objects although they look so.
        json!({"verb": "get", "kind": {"resource": "watch"}, "name": "secrets"}),
        json!({"verb": "get", "kind": {"resource": "proxy"}, "name": "nodes"}),
        json!({"verb": "get", "kind": {"resource": "namespaces"}, "name": "web", "subresource": "secrets"}),
    ]);
    let (results, run) = run_with_cluster(stage, tried.clone());
    all_are(&results, "kubernetes.invalid-name", &tried);
    assert_eq!(run.refusals(), vec!["kubernetes.invalid-name"; tried.len()], "all on record");
    assert!(server.received().is_empty(), "{:?}", server.received());
    format!("{} names refused", tried.len())
}

fn programs(stage: &mut Stage) -> String {
    let allow = json!([
        {"verbs": ["get", "create", "patch"], "resource": "*", "namespace": "*"},
        {"verbs": ["get", "patch"], "resource": "*", "namespace": "*", "subresource": "scale"},
    ]);
    let server = cluster(stage, allow, fine);
    let never = ["attach", "ephemeralcontainers", "exec", "portforward", "proxy", "token"];
    let pods = json!({"resource": "pods"});
    let tried: Vec<Value> = never
        .iter()
        .flat_map(|name| {
            let of = json!({"kind": pods, "subresource": name, "patch": {}});
            [deployment("get", of.clone()), deployment("patch", of)]
        })
        .collect();
    let results = with_cluster(stage, tried.clone());
    all_are(&results, "kubernetes.denied", &tried);
    assert!(server.received().is_empty(), "{:?}", server.received());
    // Nor can a manifest ask for one.
    let rule = json!([{"verbs": ["create"], "resource": "pods", "namespace": "web", "subresource": "exec"}]);
    stage.cluster("cluster", &server.url, rule);
    let open = json!([{"kubernetes": {"verb": "open", "slot": "cluster", "as": "k"}}]);
    let failure = stage.ask(open).fails("connection.scope").clone();
    assert!(failure.message.contains("exec"), "{}", failure.message);
    format!("{} tries denied, and none can be granted", tried.len())
}

fn patches(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["get", "patch"], "resource": "apps/deployments",
        "namespace": "web", "name": "nginx", "fields": ["/spec/template"]}]);
    let server = cluster(stage, allow, fine);
    let patch = |how: &str, patch: Value| deployment("patch", json!({"how": how, "patch": patch}));
    let operation = |op: Value| patch("json-patch", json!([op]));
    let denied = [
        operation(json!({"op": "replace", "path": "/spec/replicas", "value": 0})),
        operation(json!({"op": "add", "path": "/spec~1template", "value": 0})),
        operation(json!({"op": "add", "path": "/spec/templates/-", "value": 0})),
        operation(
            json!({"op": "copy", "from": "/metadata/annotations/key", "path": "/spec/template/x"}),
        ),
        operation(json!({"op": "move", "from": "/spec/replicas", "path": "/spec/template/x"})),
        operation(json!({"op": "test", "path": "/metadata/annotations/key", "value": "guess"})),
        operation(json!({"op": "remove", "path": "/spec"})),
        patch("merge", json!({"spec": {"template": {}, "replicas": 0}})),
        patch("merge", json!({"spec": null})),
        patch("merge", json!({"spec": {}})),
        patch("strategic-merge", json!({"spec": {"$patch": "replace", "template": {}}})),
        patch("strategic-merge", json!({"spec": {"$retainKeys": ["template"], "template": {}}})),
        patch("strategic-merge", json!({"spec": {"$deleteFromPrimitiveList/x": ["a"]}})),
        patch("strategic-merge", json!({"metadata": {"$setElementOrder/finalizers": ["a"]}})),
        patch(
            "apply",
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"template": {}}}),
        ),
    ];
    all_are(&with_cluster(stage, denied.clone()), "kubernetes.denied", &denied);
    let malformed = [
        operation(json!({"op": "remove", "path": ""})),
        operation(json!({"op": "replace", "path": "", "value": {}})),
        operation(json!({"op": "add", "path": "/spec/template/~2", "value": 0})),
        operation(json!({"op": "explode", "path": "/spec/template"})),
        patch("strategic-merge", json!({"spec": {"template": {"$evil": 1}}})),
        patch("strategic-merge", json!({"spec": {"template": {"x": [{"$patch": "explode"}]}}})),
        patch("merge", json!([])),
    ];
    let (results, run) = run_with_cluster(stage, malformed.clone());
    all_are(&results, "kubernetes.invalid-patch", &malformed);
    assert_eq!(run.refusals(), vec!["kubernetes.invalid-patch"; malformed.len()], "all on record");
    let twice = [patch("merge", json!("{\"spec\":{\"template\":1},\"spec\":null}"))];
    all_are(&with_cluster(stage, twice.clone()), "kubernetes.invalid-object", &twice);
    assert!(server.received().is_empty(), "{:?}", server.received());
    let inside = [
        operation(
            json!({"op": "replace", "path": "/spec/template/spec/containers/0", "value": {}}),
        ),
        patch("merge", json!({"spec": {"template": {"spec": null}}})),
        patch("strategic-merge", json!({"spec": {"template": {"$patch": "replace", "spec": {}}}})),
    ];
    let results = with_cluster(stage, inside);
    assert!(results.iter().all(|result| result["ok"]["status"] == 200), "{results:?}");
    format!("{} patches refused, 3 inside sent", denied.len() + malformed.len() + twice.len())
}

fn identity(stage: &mut Stage) -> String {
    let verbs = json!(["create", "patch", "update"]);
    let allow = json!([{"verbs": verbs, "resource": "apps/deployments", "namespace": "web"}]);
    let server = cluster(stage, allow, fine);
    let patch = |how: &str, patch: Value| deployment("patch", json!({"how": how, "patch": patch}));
    let object = |verb: &str, metadata: Value| {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata});
        deployment(verb, json!({"object": object, "patch": object, "how": "apply"}))
    };
    let other_objects = [
        object("replace", json!({"name": "other"})),
        object("replace", json!({"name": "nginx", "namespace": "kube-system"})),
        object("create", json!({"name": "x", "namespace": "kube-system"})),
        object("create", json!({"name": 7})),
        object("patch", json!({"name": "other"})),
        deployment("replace", json!({"object": {"apiVersion": "v1", "kind": "Secret"}})),
    ];
    all_are(
        &with_cluster(stage, other_objects.clone()),
        "kubernetes.invalid-object",
        &other_objects,
    );
    let renamed = [
        patch("merge", json!({"metadata": {"name": "other"}})),
        patch("merge", json!({"metadata": {"namespace": "kube-system"}})),
        patch("merge", json!({"metadata": null})),
        patch("json-patch", json!([{"op": "replace", "path": "/metadata/uid", "value": "x"}])),
        patch("json-patch", json!([{"op": "replace", "path": "/metadata", "value": {}}])),
        patch("strategic-merge", json!({"metadata": {"$patch": "replace"}})),
    ];
    all_are(&with_cluster(stage, renamed.clone()), "kubernetes.invalid-patch", &renamed);
    let owners = json!([{"kind": "Pod", "name": "gone", "uid": "gone"}]);
    let protected = [
        patch("merge", json!({"metadata": {"ownerReferences": owners}})),
        patch("merge", json!({"metadata": {"finalizers": null}})),
        patch("strategic-merge", json!({"metadata": {"managedFields": [{}]}})),
        patch("json-patch", json!([{"op": "remove", "path": "/metadata/finalizers/0"}])),
        object("patch", json!({"name": "nginx", "ownerReferences": owners})),
    ];
    all_are(&with_cluster(stage, protected.clone()), "kubernetes.denied", &protected);
    assert!(server.received().is_empty(), "{:?}", server.received());
    let named = json!([{"verbs": ["patch"], "resource": "apps/deployments", "namespace": "web",
        "fields": ["/metadata/finalizers"]}]);
    stage.cluster("cluster", &server.url, named);
    let results = with_cluster(stage, [protected[1].clone(), protected[0].clone()]);
    assert_eq!(results[0]["ok"]["status"], 200, "{results:?}");
    assert_eq!(code(&results[1]), "kubernetes.denied");
    "an object stays itself; owners and finalizers need a rule that names them".to_owned()
}

fn templates(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["patch"], "resource": "apps/deployments", "namespace": "web",
        "name": "nginx", "fields": ["/spec/template"]}]);
    let server = cluster(stage, allow, fine);
    let pod = json!({"volumes": [{"name": "x", "hostPath": {"path": "/"}}],
        "serviceAccountName": "admin"});
    let patch = json!({"spec": {"template": {"spec": pod}}});
    let results = with_cluster(stage, [deployment("patch", json!({"patch": patch}))]);
    assert_eq!(results[0]["ok"]["status"], 200, "{results:?}");
    assert_eq!(server.received().len(), 1);
    "it is sent, and on record".to_owned()
}

fn lists(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["get", "list", "watch"], "resource": "*", "namespace": "web"}]);
    let server = cluster(stage, allow, |received| {
        let query = received.query.as_str();
        if received.path.ends_with("/pods") {
            let items = vec![json!({"metadata": {"name": "x".repeat(100)}}); 100_000];
            return (
                200,
                "application/json",
                json!({"kind": "PodList", "items": items}).to_string(),
            )
                .into();
        }
        if received.path.ends_with("/secrets") {
            return (200, "application/json", format!("\"{}\"", "x".repeat(50 << 20))).into();
        }
        if query.contains("watch=1") {
            let mark =
                json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1"}}});
            return (200, "application/json", format!("{mark}\n").repeat(20_000)).into();
        }
        let list = json!({"kind": "List", "metadata": {"continue": "next-page"}, "items": []});
        (200, "application/json", list.to_string()).into()
    });
    let kind = |resource: &str| json!({"kind": {"resource": resource}, "name": null});
    let long = [deployment("list", kind("pods")), deployment("list", kind("secrets"))];
    all_are(&with_cluster(stage, long.clone()), "limit.response-bytes", &long);
    let page = |resource: &str, token: &str| {
        let mut order = deployment("list", kind(resource));
        order["continue-token"] = json!(token);
        order
    };
    let results = with_cluster(
        stage,
        [
            page("services", "made-up"),
            page("services", ""),
            page("services", "next-page"),
            page("configmaps", "next-page"),
            page("services", "next-pagE"),
        ],
    );
    let codes: Vec<&str> = results.iter().map(code).collect();
    let refused = "kubernetes.invalid-continue";
    assert_eq!(codes, [refused, "none", "none", refused, refused]);
    let received = server.received();
    assert!(received.iter().all(|r| r.query.contains("limit=500")), "a page has a bound");
    // More marks than the budget of bytes: the stream ends, and the step with it.
    let watch = deployment("watch", json!({"kind": {"resource": "events"}, "as": "w"}));
    let next = json!({"verb": "next", "handle": "w", "timeout-ms": 10});
    let orders: Vec<Value> = std::iter::once(watch).chain(std::iter::repeat_n(next, 50)).collect();
    let results = with_cluster(stage, orders);
    assert_eq!(results[0], json!({"ok": true}), "{results:?}");
    assert!(results[1..].iter().all(|r| r["ok"]["change"].is_string()), "{:?}", results.last());
    "8 MiB in an answer, pages only of their own list, a storm of marks taken one by one".to_owned()
}

fn oracle(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["list"], "resource": "pods", "namespace": "web"}]);
    let server = cluster(stage, allow, fine);
    let secrets = |selector: &str, value: &str| {
        let mut order = deployment("list", json!({"kind": {"resource": "secrets"}, "name": null}));
        order[selector] = json!(value);
        order
    };
    let tried = [
        secrets("label-selector", "owner=admin"),
        secrets("field-selector", "metadata.name=key"),
        secrets("label-selector", "x&resource=pods"),
    ];
    all_are(&with_cluster(stage, tried.clone()), "kubernetes.denied", &tried);
    assert!(server.received().is_empty());
    "denied whatever the selector says".to_owned()
}

fn manners(stage: &mut Stage) -> String {
    let allow =
        json!([{"verbs": ["get", "patch"], "resource": "apps/deployments", "namespace": "web"}]);
    let server = cluster(stage, allow, fine);
    let dry = json!({"dry-run": true, "object": {"metadata": {"name": "nginx"}}});
    let denied = ["create", "replace", "delete"].map(|verb| deployment(verb, dry.clone()));
    all_are(&with_cluster(stage, denied.clone()), "kubernetes.denied", &denied);
    let forced = [deployment("patch", json!({"patch": {"spec": {}}, "force": true}))];
    all_are(&with_cluster(stage, forced.clone()), "kubernetes.invalid-force", &forced);
    let managers = ["", "a b", "a\nb"];
    let forged = managers
        .map(|name| deployment("patch", json!({"patch": {"spec": 1}, "field-manager": name})));
    all_are(&with_cluster(stage, forged.clone()), "kubernetes.invalid-field-manager", &forged);
    assert!(server.received().is_empty(), "{:?}", server.received());
    let borrowed = json!({"patch": {"spec": 1}, "field-manager": "helm&force=true"});
    with_cluster(stage, [deployment("patch", borrowed)]);
    let query = server.received()[0].query.clone();
    assert_eq!(query, "fieldManager=bowline%2Fhelm%26force%3Dtrue");
    "a dry run needs the verb, and a manager's name stays below the host's own".to_owned()
}

fn deletions(stage: &mut Stage) -> String {
    let allow = json!([{"verbs": ["delete"], "resource": "apps/deployments", "namespace": "web"}]);
    let server = cluster(stage, allow, fine);
    let delete = |options: Value| deployment("delete", json!({"options": options}));
    let refused = [
        delete(json!({"orphanDependents": true})),
        delete(json!({"dryRun": []})),
        delete(json!({"preconditions": {"uid": "x"}})),
        delete(json!({"propagationPolicy": "Everything"})),
        delete(json!({"gracePeriodSeconds": -1})),
        delete(json!({"ignoreStoreReadErrorWithClusterBreakingPotential": true})),
    ];
    all_are(&with_cluster(stage, refused.clone()), "kubernetes.invalid-delete", &refused);
    let collection = [deployment("delete", json!({"name": ""}))];
    all_are(&with_cluster(stage, collection.clone()), "kubernetes.invalid-name", &collection);
    assert!(server.received().is_empty(), "{:?}", server.received());
    with_cluster(stage, [delete(json!({"gracePeriodSeconds": 0, "propagationPolicy": "Orphan"}))]);
    let sent: Value = serde_json::from_str(&server.received()[0].body).expect("JSON");
    assert_eq!(sent["gracePeriodSeconds"], 0);
    format!("{} options refused, and no collection", refused.len())
}

fn answers(stage: &mut Stage) -> String {
    let other = stage.serve_with(fine);
    let elsewhere = format!("{}/stolen", other.url);
    let allow = json!([{"verbs": ["get", "watch"], "resource": "*", "namespace": "web"}]);
    let server = cluster(stage, allow, move |received| {
        let sent = received.headers["authorization"].trim_start_matches("Bearer ").to_owned();
        let escaped: String = sent.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
        let status = |status: u16, message: &str, details: Value| -> Reply {
            let body = json!({"kind": "Status", "reason": "Unknown", "message": message, "details": details});
            (status, "application/json", body.to_string()).into()
        };
        match received.path.rsplit('/').next().unwrap_or_default() {
            "moved" => {
                Reply { status: 307, headers: vec![("location", elsewhere.clone())], body: vec![] }
            }
            "huge" => status(403, &"x".repeat(1 << 20), json!({"causes": "y".repeat(1 << 20)})),
            "echo" => status(403, &format!("you sent {sent}"), json!({"name": sent})),
            "escaped" => {
                let body = format!("{{\"kind\":\"Status\",\"message\":\"{escaped}\"}}");
                (500, "application/json", body).into()
            }
            "later" => {
                let mut reply = status(429, "busy", Value::Null);
                reply.headers.push(("retry-after", "99999".to_owned()));
                reply
            }
            "pods" => {
                let event = format!(
                    "{{\"type\":\"ADDED\",\"object\":{{\"a\":\"{escaped}\",\"b\":\"{}\"}}}}\n",
                    STANDARD.encode(&sent)
                );
                (200, "application/json", event).into()
            }
            _ => (200, "text/html", format!("<html>{sent}</html>")).into(),
        }
    });
    let gets = ["moved", "huge", "echo", "escaped", "later", "html"];
    let mut orders: Vec<Value> = gets.map(|name| deployment("get", json!({"name": name}))).into();
    orders.push(deployment("watch", json!({"kind": {"resource": "pods"}, "as": "w"})));
    orders.push(json!({"verb": "next", "handle": "w", "timeout-ms": 2000}));
    let results = with_cluster(stage, orders);
    let codes: Vec<&str> = results[..6].iter().map(code).collect();
    assert_eq!(codes[0], "kubernetes.redirect", "{}", results[0]);
    assert_eq!(codes[5], "kubernetes.unreadable", "{}", results[5]);
    assert!(other.received().is_empty(), "the credential went elsewhere");
    let huge = results[1]["error"]["message"].as_str().expect("a message").len();
    assert!(huge <= 4 << 10 && results[1]["error"]["details"].is_null(), "{huge} bytes");
    let later = results[4]["error"]["retry-after-ms"].as_u64().expect("a time");
    assert!(later <= 5_000, "{later} ms are more than the attempt has");
    let seen = Value::from(results.clone()).to_string();
    assert!(!seen.contains(CANARY) && !seen.contains("CANARY-"), "{seen}");
    assert!(results[2].to_string().contains("***"), "{}", results[2]);
    assert!(results[3].to_string().contains("***"), "{}", results[3]);
    assert!(results[7].to_string().contains("***"), "{}", results[7]);
    assert!(server.received().len() >= 7);
    "redirects, echoes, endless words and endless patience are cut".to_owned()
}

fn minted(stage: &mut Stage) -> String {
    let server = stage.serve_with(|received| {
        let sent = received.headers.get("authorization").cloned().unwrap_or_default();
        (200, "application/json", json!({"kind": "X", "echo": sent}).to_string()).into()
    });
    let token = "CANARY-minted-0123456789abcdef0123456789";
    let script =
        format!("echo 'token is {token}' >&2; echo '{{\"status\": {{\"token\": \"{token}\"}}}}'");
    stage.write("mint.key", script);
    let program = stage.folder().join("mint.key");
    let kubeconfig = |command: &str| {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server.url,
                "certificate-authority-data": STANDARD.encode(&stage.authority().pem)}}],
            "users": [{"name": "u", "user": {"exec": {"command": "sh",
                "apiVersion": "client.authentication.k8s.io/v1", "args": ["-c", command]}}}],
        })
        .to_string()
    };
    let good = kubeconfig(&format!(". {}", program.display()));
    let bad = kubeconfig(&format!(". {}; exit 7", program.display()));
    stage.write("good.yaml", good);
    stage.write("bad.yaml", bad);
    let allow = json!([{"verbs": ["get"], "resource": "*", "namespace": "web"}]);
    let settings = |file: &str, run: bool| json!({"kubeconfig": file, "allowExec": run});
    stage.connection("kubernetes", "cluster", settings("good.yaml", true), allow.clone());
    let results = with_cluster(stage, [deployment("get", json!({}))]);
    assert_eq!(results[0]["ok"]["object"]["echo"], "***", "{results:?}");
    assert_eq!(server.received()[0].headers["authorization"], format!("Bearer {token}"));
    let open = || json!([{"kubernetes": {"verb": "open", "slot": "cluster", "as": "k"}}]);
    for (file, allowed, said) in
        [("bad.yaml", true, "exit status: 7"), ("good.yaml", false, "allowExec")]
    {
        stage.connection("kubernetes", "cluster", settings(file, allowed), allow.clone());
        let failure = stage.ask(open()).fails("connection.unusable").clone();
        assert!(failure.message.contains(said), "{}", failure.message);
        assert!(!failure.message.contains("CANARY"), "{}", failure.message);
    }
    std::fs::remove_file(program).expect("take the program away");
    "the token is known before it is sent, and what the program prints is not told".to_owned()
}
