//! What an operator allows: strangers are asked about and remembered, rules narrow, refusals say
//! what would allow them, and none of it can be widened by somebody else.

use crate::support::server::{Authority, Server};
use crate::support::{Done, Place, root, user};
use serde_json::json;

const RUNBOOK: &[&str] = &["run", "runbook.yaml", "--drill", "-p", "public_id=117"];

/// A plugin from outside: ours, as a file that nobody signed.
fn stranger() -> Vec<u8> {
    let path = root().join("target/components/http-request.wasm");
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make components`", path.display()))
}

/// The same with other words in its manifest, of the same length.
fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert!(to.len() <= from.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("`{from}` is not in the manifest"));
    let padded = format!("{to}{}", " ".repeat(from.len() - to.len()));
    let mut bytes = bytes.to_vec();
    bytes[at..at + from.len()].copy_from_slice(padded.as_bytes());
    bytes
}

/// A workflow that asks a server for something through the stranger's plugin.
fn asking(authority: &Authority, url: &str, extras: &str) -> Place {
    let place = Place::new();
    place.write("ca.pem", &authority.pem);
    place.write("plugins/stranger.wasm", stranger());
    let workflow = format!(
        "steps:\n- name: ask\n  image: file:plugins/stranger.wasm\n  spec:\n    connection: !Connection \
         {{type: http, name: api}}\n    method: GET\n    path: /v1/things\n{extras}"
    );
    place.write("workflow.yaml", workflow);
    place.write("bowline.yaml", settings(url, "", ""));
    place
}

fn settings(url: &str, of_connection: &str, rest: &str) -> String {
    format!(
        "connections:\n  http:\n    api: {{baseUrl: '{url}', certificateAuthority: {{file: ca.pem}}, \
         token: {{value: not-a-real-key}}{of_connection}}}\n{rest}"
    )
}

fn run(place: &Place, arguments: &[&str]) -> Done {
    tokio::task::block_in_place(|| place.run(arguments))
}

async fn server(authority: &Authority) -> Server {
    Server::start(authority, |_| (200, "application/json", json!({}).to_string())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_asked_about_remembered_and_asked_about_again_when_it_changes() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let place = asking(&authority, &server.url, "");

    run(&place, &["run", "workflow.yaml"]).ends(4).says(&[
        "denied.unaccepted",
        "nobody signed it",
        "nothing was started",
        "sha256:",
    ]);
    assert_eq!(server.received().len(), 0);
    assert!(!place.path("bowline.lock").exists(), "nothing was accepted");

    run(&place, &["plugin", "accept", "plugins/stranger.wasm"]).ends(4);
    run(&place, &["plugin", "accept", "plugins/stranger.wasm", "--yes"]).ends(0);
    run(&place, &["run", "workflow.yaml"]).ends(0);
    assert_eq!(server.received().len(), 1);

    // Other code that asks for the same.
    let update = changed(&stranger(), "\"1.0.0\"", "\"1.0.1\"");
    place.write("plugins/stranger.wasm", &update);
    run(&place, &["run", "workflow.yaml"]).ends(4).says(&[
        &format!("which {} accepted", user()),
        "asks for the same as before; its code is another one",
    ]);
    // Other code that asks for more.
    place.write("plugins/stranger.wasm", changed(&update, "\"${inputs.path}\"", "\"/**\""));
    run(&place, &["run", "workflow.yaml"]).ends(4).says(&["asks for more of", "/**"]);
    assert_eq!(server.received().len(), 1);

    run(&place, &["run", "workflow.yaml", "--yes"]).ends(0).says(&["accepted; remembered in"]);
    assert_eq!(server.received().len(), 2);
    let lock = std::fs::read_to_string(place.path("bowline.lock")).expect("a lock");
    assert_eq!(
        lock.matches("- name:").count(),
        1,
        "the one before is not accepted any more: {lock}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_lock_accepts_may_be_less_than_what_is_asked_for() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let place = asking(&authority, &server.url, "");
    run(&place, &["plugin", "accept", "plugins/stranger.wasm", "--yes"]).ends(0);
    let lock = std::fs::read_to_string(place.path("bowline.lock")).expect("a lock");

    place.write("bowline.lock", lock.replace("${inputs.path}", "/v1/others"));
    run(&place, &["run", "workflow.yaml"])
        .ends(4)
        .says(&["denied.nothing-left", "bowline.lock allows none"]);
    place.write("bowline.lock", "plugins: [");
    run(&place, &["run", "workflow.yaml"]).ends(2).says(&["bowline.lock` can't be read"]);

    assert_eq!(server.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_can_be_demanded_and_a_rule_can_deny() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let place = asking(&authority, &server.url, "");
    let cases = [
        ("policy: {requireSignature: true}\n", "demands a signature"),
        ("policy: {default: deny}\n", "default: deny"),
        (
            "policy: {default: allow, rules: [{connection: http/*, deny: true}]}\n",
            "denies `http-request`",
        ),
    ];
    for (policy, reason) in cases {
        place.write("bowline.yaml", settings(&server.url, "", policy));
        run(&place, &["run", "workflow.yaml", "--yes"]).ends(4).says(&["denied.policy", reason]);
    }
    place.write("bowline.yaml", settings(&server.url, "", "policy: {default: allow}\n"));
    assert_eq!(server.received().len(), 0);
    run(&place, &["run", "workflow.yaml"]).ends(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_party_can_narrow_and_each_refusal_says_what_would_allow_it() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let other = "[{method: GET, path: /v1/others}]";
    let open = "policy: {default: allow}\n";
    let cases = [
        (
            format!("  x-bowline: {{grants: {{api: {other}}}}}\n"),
            String::new(),
            open.to_owned(),
            "`x-bowline.grants`",
            "x-bowline:",
        ),
        (
            String::new(),
            format!(", allow: {other}"),
            open.to_owned(),
            "the connection's own `allow`",
            "  http:",
        ),
        (
            String::new(),
            String::new(),
            format!(
                "policy: {{default: allow, rules: [{{connection: http/api, allow: {other}}}]}}\n"
            ),
            "policy for everybody",
            "- connection: \"http/api\"",
        ),
    ];
    for (extras, of_connection, policy, by, paste) in cases {
        let place = asking(&authority, &server.url, &extras);
        place.write("bowline.yaml", settings(&server.url, &of_connection, &policy));
        let missing = r#"{"method":"GET","path":"/v1/things""#;
        for command in ["run", "check"] {
            let code = 4;
            run(&place, &[command, "workflow.yaml"]).ends(code).says(&[
                "denied.nothing-left",
                by,
                paste,
                missing,
            ]);
        }
    }
    assert_eq!(server.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_plugin_step_and_connection_strike_and_say_so() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| (503, "application/json", "{}".to_owned())).await;
    let by_plugin = "policy: {default: allow, rules: [{plugin: DIGEST, limits: {calls: 2}}]}\n";
    let open = "policy: {default: allow}\n";
    let cases = [
        ("", "", by_plugin, "limit.calls", 2),
        ("  x-bowline: {limits: {calls: 1}}\n", "", by_plugin, "limit.calls", 1),
        ("", ", limits: {calls: 1}", open, "limit.connection-calls", 1),
    ];
    for (extras, of_connection, policy, code, calls) in cases {
        let place = asking(&authority, &server.url, extras);
        let shown = run(&place, &["plugin", "inspect", "plugins/stranger.wasm", "--json"]);
        let digest = shown.json()[0]["digest"].as_str().expect("a digest").to_owned();
        let policy = policy.replace("DIGEST", &digest);
        place.write("bowline.yaml", settings(&server.url, of_connection, &policy));
        let before = server.received().len();

        let done = run(&place, &["run", "workflow.yaml", "--json"]);

        // The step asks again when the service is not there, until it may not.
        done.ends(1);
        let said = format!("is {calls}, this would be {}", calls + 1);
        let allows = format!("an attempt {calls} calls");
        assert!(done.stdout.contains(code), "{code}: {}", done.stdout);
        assert!(done.stdout.contains(&said) || done.stdout.contains(&allows), "{}", done.stdout);
        assert_eq!(server.received().len() - before, calls, "{code}");
    }
}

#[test]
fn x04_a_denied_call_ends_with_4_and_the_rule_that_it_prints_allows_it() {
    let place = Place::new();
    place.runbook();
    let policy = "policy:\n  rules:\n  - connection: kubernetes/*\n    allow:\n    - {verbs: [get, list, watch], resource: \"*\", namespace: \"*\"}\n";
    place.write("bowline.yaml", policy);

    let done = place.run(RUNBOOK);
    done.ends(4).says(&["this in `bowline.yaml`, added to the rules there, would allow it"]);
    assert!(done.stdout.contains("kubernetes.denied"), "{}", done.stdout);

    let (_, pasted) = done.stderr.split_once("  rules:\n").expect("a rule to paste");
    place.write("bowline.yaml", format!("{policy}{pasted}"));
    place.run(RUNBOOK).ends(0);
}

#[test]
fn a_rule_for_one_plugin_is_pasted_beside_its_others() {
    let place = Place::new();
    place.runbook();
    let policy = "policy:\n  rules:\n  - plugin: kubernetes-kubectl\n    signer: bowline\n    connection: kubernetes/*\n    allow:\n    - {verbs: [get, list, watch], resource: \"*\", namespace: \"*\"}\n";
    place.write("bowline.yaml", policy);

    let done = place.run(RUNBOOK);
    done.ends(4);

    let (_, pasted) = done.stderr.split_once("  rules:\n").expect("a rule to paste");
    assert!(pasted.contains("sha256:"), "{pasted}");
    place.write("bowline.yaml", format!("{policy}{pasted}"));
    place.run(RUNBOOK).ends(0);
}

#[test]
fn a_failure_besides_the_denial_ends_with_1() {
    let place = Place::new();
    place.runbook();
    place.write(
        "bowline.yaml",
        "policy:\n  rules:\n  - {connection: kubernetes/*, allow: [{verbs: [get, list], resource: \"*\", namespace: \"*\"}]}\n",
    );
    let mut arguments = RUNBOOK.to_vec();
    arguments[4] = "public_id=999";
    place.run(&arguments).ends(1);
}

#[test]
fn what_a_step_may_do_is_shown_before_it_runs() {
    let place = Place::new();
    place.runbook();
    place.write(
        "bowline.yaml",
        "connections: {kubernetes: {eric0-demos: {server: 'https://127.0.0.1:1', token: {value: not-a-key}}}, datadog: {my-datadog-keys: {apiKey: {value: not-a-key}, applicationKey: {value: not-a-key}}}}\n\
         policy:\n  rules:\n  - {connection: kubernetes/*, allow: [{verbs: [get, list], resource: \"apps/*\", namespace: default}]}\n",
    );

    let done = place.run(&["check", "runbook.yaml"]);
    done.ends(0);
    for part in [
        "kubectl-deployment-rollback may use kubernetes/eric0-demos",
        "narrowed by the operator's policy for everybody",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    assert!(!done.stdout.contains("patch"), "{}", done.stdout);

    let done = place.run(&["plugin", "inspect", "kubernetes-kubectl"]);
    assert!(
        done.ends(0)
            .stdout
            .contains("effective here\n  kubernetes/eric0-demos (cluster), narrowed by"),
        "{}",
        done.stdout
    );
}

#[test]
fn the_drill_rehearses_what_the_operator_says_of_a_connection() {
    let place = Place::new();
    place.runbook();
    let connection = "connections: {kubernetes: {eric0-demos: {server: 'https://127.0.0.1:1', token: {value: not-a-key}, environment: production}}}\n";
    let denied = "policy: {rules: [{environment: production, deny: true}]}\n";

    place.write("bowline.yaml", format!("{connection}{denied}"));
    place.run(RUNBOOK).ends(4).says(&["denied.policy", "kubernetes/eric0-demos"]);
    place.write("bowline.yaml", connection);
    place.run(RUNBOOK).ends(0);
}

#[test]
fn a_rule_that_can_not_be_meant_is_told_at_once() {
    let place = Place::new();
    place.runbook();
    let cases = [
        ("{connection: htttp/api, allow: [{method: GET, path: /a}]}", "no type is called `htttp`"),
        ("{connection: http/api, allow: [{verbs: [get], resource: pods}]}", "policy.rules[0]"),
        ("{connection: kubernetes/a, allow: [{verbs: [fly], resource: pods}]}", "`fly` is none of"),
    ];
    for (rule, expected) in cases {
        place.write("bowline.yaml", format!("policy: {{rules: [{rule}]}}\n"));
        place.run(RUNBOOK).ends(2).says(&[expected]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_s_limits_go_before_a_plugin_s_wishes() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| {
        std::thread::sleep(std::time::Duration::from_secs(4));
        (200, "application/json", "{}".to_owned())
    })
    .await;
    let place = asking(&authority, &server.url, "");
    let rest = "limits: {attemptSeconds: 1}\npolicy: {default: allow}\n";
    place.write("bowline.yaml", settings(&server.url, "", rest));

    let began = std::time::Instant::now();
    let done = run(&place, &["run", "workflow.yaml"]);

    done.ends(1);
    assert!(done.stdout.contains("limit.time"), "{}", done.stdout);
    assert!(began.elapsed() < std::time::Duration::from_secs(4), "{:?}", began.elapsed());
}
