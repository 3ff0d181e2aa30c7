//! The way to a cluster and everything that may lie in it: cases K51 to K64 of the list in
//! `edge-cases.md`, each by its number, through the real program.

use crate::support::Place;
use crate::support::server::{Authority, Certificate, Received, Reply, Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TOKEN: &str = "CANARY-cluster-token-0123456789abcdefghi";
const OBJECT: &str = "/apis/apps/v1/namespaces/default/deployments/web";
const HISTORY: &str = "/apis/apps/v1/namespaces/default/replicasets";

fn json_reply(status: u16, body: &Value) -> Reply {
    (status, "application/json", body.to_string()).into()
}

fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    })
}

fn deployment(image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default", "uid": "uid-web",
            "resourceVersion": "4711", "generation": 2,
            "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)},
    })
}

fn replica_set(name: &str, revision: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "default", "uid": name,
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"kind": "Deployment", "name": "web", "uid": "uid-web", "controller": true}]},
        "spec": {"template": template(image)},
    })
}

fn status(code: u16, reason: &str, message: &str) -> Reply {
    json_reply(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code,
            "reason": reason, "message": message}),
    )
}

/// A cluster on which a rollback succeeds.
fn healthy(request: &Received) -> Reply {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", OBJECT) => json_reply(200, &deployment("web:bad")),
        ("GET", HISTORY) => json_reply(
            200,
            &json!({"kind": "ReplicaSetList", "metadata": {}, "items": [
                replica_set("good", "1", "web:good"), replica_set("bad", "2", "web:bad")]}),
        ),
        ("PATCH", OBJECT) => json_reply(200, &deployment("web:good")),
        _ => status(404, "NotFound", "not found"),
    }
}

fn runbook(place: &Place) {
    place.write(
        "runbook.yaml",
        "steps:\n- name: roll-back\n  image: relaysh/kubernetes-step-kubectl\n  spec:\n    command: rollout\n    args: undo deployment/web\n    connection: !Connection {type: kubernetes, name: prod}\n",
    );
}

/// A place with the runbook, and a connection made of these lines.
fn place_with(connection: &str) -> Place {
    let mut place = Place::new();
    runbook(&place);
    place.write("bowline.yaml", format!("connections:\n  kubernetes:\n    prod: {connection}\n"));
    place.set("TOKEN", TOKEN);
    place
}

fn place_for(server: &Server, authority: &Authority) -> Place {
    let place = place_with(&format!(
        "{{server: '{}', certificateAuthority: {{file: ca.pem}}, token: {{env: TOKEN}}}}",
        server.url
    ));
    place.write("ca.pem", &authority.pem);
    place
}

fn run(place: &Place) -> crate::support::Done {
    let done = tokio::task::block_in_place(|| place.run(&["run", "runbook.yaml"]));
    assert!(!done.stdout.contains("CANARY") && !done.stderr.contains("CANARY"));
    done
}

/// Fails unless the program told each of `parts`, in whatever it printed.
#[track_caller]
fn tells(done: &crate::support::Done, parts: &[&str]) {
    let told = format!("{}{}", done.stdout, done.stderr);
    for part in parts {
        assert!(told.contains(part), "`{part}` is not in:\n{told}");
    }
}

fn writes(server: &Server) -> usize {
    server.received().iter().filter(|request| request.method != "GET").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k51_refused_credentials_name_the_connection_and_the_likely_cause() {
    let authority = Authority::new();
    let refuse = |_: &Received| status(401, "Unauthorized", "Unauthorized");
    let server = Server::start_with(&authority, &Certificate::default(), refuse).await;

    let done = run(&place_for(&server, &authority));

    done.ends(1);
    tells(&done, &["kubernetes/prod", "expired"]);
    assert_eq!(writes(&server), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k53_an_authority_is_taken_as_pem_as_base64_of_it_and_from_a_file() {
    let authority = Authority::new();
    let server = Server::start_with(&authority, &Certificate::default(), healthy).await;
    let base64 = STANDARD.encode(&authority.pem);
    let pem = json!(authority.pem).to_string();
    for written in [pem, base64, "{file: ca.pem}".to_owned()] {
        let place = place_with(&format!(
            "{{server: '{}', certificateAuthority: {written}, token: {{env: TOKEN}}}}",
            server.url
        ));
        place.write("ca.pem", &authority.pem);

        run(&place).ends(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k53_k64_a_certificate_that_does_not_fit_is_refused_before_anything_is_sent() {
    let cases = [
        (Certificate { name: "other.example.com", ..Certificate::default() }, "not valid for name"),
        (Certificate { days: (-10, -1), ..Certificate::default() }, "expired"),
        (Certificate { days: (2, 30), ..Certificate::default() }, "clock"),
    ];
    for (certificate, expected) in cases {
        let authority = Authority::new();
        let server = Server::start_with(&authority, &certificate, healthy).await;

        let done = run(&place_for(&server, &authority));

        done.ends(1);
        tells(&done, &[expected, "certificate"]);
        assert!(server.received().is_empty(), "nothing may be sent: {expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k54_an_address_without_a_scheme_means_https_and_http_is_refused() {
    let authority = Authority::new();
    let server = Server::start_with(&authority, &Certificate::default(), healthy).await;
    let bare = server.url.trim_start_matches("https://");
    let with = |address: &str| {
        let place = place_with(&format!(
            "{{server: '{address}', certificateAuthority: {{file: ca.pem}}, token: {{env: TOKEN}}}}"
        ));
        place.write("ca.pem", &authority.pem);
        place
    };

    run(&with(bare)).ends(0);
    run(&with(&format!("{}/", server.url))).ends(0);
    let refused = run(&with(&format!("http://{bare}")));

    refused.ends(2);
    tells(&refused, &["in clear", "allowCleartext"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k55_a_server_that_is_not_there_is_named_with_its_port() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    drop(listener);
    let cases = [
        (format!("https://127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        ("https://no-such-host.invalid:6443".to_owned(), "no-such-host.invalid:6443".to_owned()),
    ];
    for (address, named) in cases {
        let done = run(&place_with(&format!("{{server: '{address}', token: {{env: TOKEN}}}}")));

        done.ends(1);
        tells(&done, &[&named]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k58_outside_of_a_cluster_both_missing_files_are_named() {
    let done = run(&place_with("{inCluster: true}"));

    done.ends(2);
    tells(&done, &["token", "ca.crt", "/var/run/secrets/kubernetes.io/serviceaccount"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k59_a_429_is_waited_for_even_on_a_write_since_it_was_not_made() {
    let authority = Authority::new();
    let patches = AtomicUsize::new(0);
    let handler = move |request: &Received| {
        if request.method == "PATCH" && patches.fetch_add(1, Ordering::SeqCst) == 0 {
            let mut reply = status(429, "TooManyRequests", "too many requests");
            reply.headers.push(("retry-after", "1".to_owned()));
            return reply;
        }
        healthy(request)
    };
    let server = Server::start_with(&authority, &Certificate::default(), handler).await;
    let began = Instant::now();

    run(&place_for(&server, &authority)).ends(0);

    assert_eq!(writes(&server), 2, "refused once, then made");
    assert!(began.elapsed() >= Duration::from_secs(1), "it waits as long as the server says");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k60_a_read_is_asked_again_after_a_503_and_a_lost_write_is_looked_for() {
    let authority = Authority::new();
    let (reads, patches) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let handler = move |request: &Received| {
        let first = |counter: &AtomicUsize| counter.fetch_add(1, Ordering::SeqCst) == 0;
        match request.method.as_str() {
            "GET" if request.path == OBJECT && first(&reads) => {
                (503, "text/html", "<html>upstream</html>".to_owned()).into()
            }
            "PATCH" if first(&patches) => (504, "text/plain", "timeout".to_owned()).into(),
            _ => healthy(request),
        }
    };
    let server = Server::start_with(&authority, &Certificate::default(), handler).await;

    run(&place_for(&server, &authority)).ends(0);

    let methods: Vec<String> = server.received().into_iter().map(|r| r.method).collect();
    let first_patch = methods.iter().position(|m| m == "PATCH").expect("a write");
    let second_patch = methods.iter().rposition(|m| m == "PATCH").expect("a write");
    assert!(first_patch < second_patch, "{methods:?}");
    let between = &methods[first_patch + 1..second_patch];
    assert!(between.contains(&"GET".to_owned()), "it looks before it writes again: {methods:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k61_a_server_that_never_answers_well_does_not_hold_the_run_for_long() {
    let authority = Authority::new();
    let down = |_: &Received| status(503, "ServiceUnavailable", "etcd has no leader");
    let server = Server::start_with(&authority, &Certificate::default(), down).await;
    let began = Instant::now();

    let done = run(&place_for(&server, &authority));

    done.ends(1);
    tells(&done, &["etcd has no leader"]);
    let requests = server.received().len();
    assert!((2..=30).contains(&requests), "{requests} requests");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k62_a_server_without_the_api_is_told_as_such() {
    let authority = Authority::new();
    let old = |_: &Received| (404, "text/plain", "404 page not found".to_owned()).into();
    let server = Server::start_with(&authority, &Certificate::default(), old).await;

    let done = run(&place_for(&server, &authority));

    done.ends(1);
    tells(&done, &["apps/v1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k63_an_answer_without_end_is_cut_and_the_host_lives() {
    let authority = Authority::new();
    let huge = |_: &Received| {
        let mut reply = json_reply(200, &json!({}));
        reply.body = vec![b' '; 40 << 20];
        reply
    };
    let server = Server::start_with(&authority, &Certificate::default(), huge).await;

    let done = run(&place_for(&server, &authority));

    done.ends(1);
    tells(&done, &["more than", "bytes"]);
}

/// What the environment says of proxies, as on a machine that is behind one. Nobody listens there.
const PROXIES: &[&str] = &["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e17_a_proxy_of_the_environment_is_nobodys_setting() {
    let authority = Authority::new();
    let server = Server::start_with(&authority, &Certificate::default(), healthy).await;
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server.url,
            "certificate-authority-data": STANDARD.encode(&authority.pem)}}],
        "users": [{"name": "u", "user": {"tokenFile": "token.key"}}],
    });
    let from_file = place_with("{kubeconfig: config}");
    from_file.write("config", kubeconfig.to_string()).write("token.key", format!("{TOKEN}\n"));
    for mut place in [place_for(&server, &authority), from_file] {
        for name in PROXIES {
            place.set(name, "http://127.0.0.1:9/");
        }
        run(&place).ends(0);
    }
    assert_eq!(writes(&server), 2, "both went straight to the cluster");
    let sent = server.received();
    assert!(sent.iter().all(|r| r.headers["authorization"] == format!("Bearer {TOKEN}")));
}
