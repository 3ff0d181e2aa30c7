//! G1 to G6: how a plugin could get hold of a credential, or let one out.

use crate::run::Run;
use crate::stage::Stage;
use crate::table::Case;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use effects::{Layer, Secret};
use serde_json::{Value, json};
use tests::canary::{CANARY, Found, Scanner};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            "G1",
            "says a credential on every way out",
            &[Layer::Redact, Layer::Outputs],
            says_it,
        ),
        Case::not_here(
            "G2",
            "spells a credential letter by letter",
            "no filter can know that; the defence is that a guest never holds one",
            never_holds_it,
        ),
        Case::new(
            "G3",
            "carries data out on the ways that it was granted",
            &[Layer::Scope, Layer::Record],
            carries_out,
        ),
        Case::new(
            "G4",
            "makes every kind of error, to read a credential in one",
            &[Layer::Redact],
            errors,
        ),
        Case::new("G5", "reads the host's environment", &[], environment),
        Case::not_here(
            "G6",
            "reads a credential in a core dump, in /proc or in swap",
            "an operator's service unit decides about dumps and swap",
            no_file_of_the_host,
        ),
    ]
}

/// A connection to a server that answers with the caller's credential, backwards: no filter knows
/// that form, and the probe turns it round and holds the credential then, as `{{key}}`.
fn learnt(stage: &mut Stage) -> Value {
    let server = stage.serve(|request| {
        let token = request.headers["authorization"].trim_start_matches("Bearer ").to_owned();
        (200, "text/plain", token.chars().rev().collect())
    });
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/echo", "learn": "key", "keep": 100}},
    ])
}

/// These orders behind those that learn the credential. What is left of the answer in the results
/// is backwards, so no search finds it.
fn then(learn: &Value, more: Value) -> Value {
    let (first, more) = (learn.as_array().expect("a list"), more);
    first.iter().chain(more.as_array().expect("a list")).cloned().collect()
}

fn says_it(stage: &mut Stage) -> String {
    let learn = learnt(stage);
    let half = "{{key}}".to_owned();
    let before = "x".repeat(8 * 1024 - 20);
    let run = stage.ask(then(
        &learn,
        json!([
            {"log": {"message": "the key is {{key}}", "fields": [["field", "{{key}}"], ["{{key}}", "x"]]}},
            // Across the place where a long line, a field, a note and a message are cut.
            {"log": {"message": format!("{before}{half}"), "fields": [["field", format!("{}{half}", "y".repeat(1000))]]}},
            {"progress": {"done": 1, "note": format!("{}{half}", "n".repeat(180))}},
            {"print": {"pieces": ["printed {{", "key}} in pieces\n"]}},
            {"print": {"pieces": ["out {{key}}", "\n"]}},
            {"print": {"to": "stderr", "text": "err {{key}}\n"}},
            {"send": {"handle": "h", "path": "/{{key}}"}},
            {"open": {"slot": "{{key}}", "as": "x"}},
            {"return": "{}"},
        ]),
    ));
    assert_eq!(run.status, journal::RunStatus::Success, "{}", run.tail());
    let scanner = Scanner::new();
    let shown = |run: &Run| {
        let mut found = Found::default();
        scanner.bytes("events", format!("{:?}", run.told()).as_bytes(), &mut found);
        assert!(found.hits.is_empty(), "{:?}", found.hits);
    };
    shown(&run);
    let masked = run.lines().iter().any(|(_, line, _)| line.contains("the key is ***"));
    assert!(masked, "{}", run.tail());
    let message = format!("{}{half}", "m".repeat(4096 - 20));
    for failure in [
        json!({"code": "a.b", "message": message, "details": {"{{key}}": "{{key}}"}}),
        json!({"code": "a.b", "message": "{{key}}", "details": {"list": ["x{{key}}y"]}}),
    ] {
        let run = stage.ask(then(&learn, json!([{"fail": failure}])));
        run.fails("a.b");
        shown(&run);
    }
    let run = stage.ask(then(&learn, json!([{"panic": "{{key}}"}])));
    run.fails("guest.trap");
    shown(&run);
    for ending in [
        json!([{"set-output": {"name": "key", "value": ["{{key}}"]}}]),
        json!([{"echo": "{{key}}"}]),
        json!([{"echo": {"{{key}}": 1}}]),
    ] {
        let run = stage.ask(then(&learn, ending));
        run.fails("output.secret-leak");
        shown(&run);
    }
    "masked; output.secret-leak".to_owned()
}

/// All forms that a server may echo it in.
fn forms() -> Vec<(&'static str, String)> {
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    let percent: String = CANARY
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }
        })
        .collect();
    vec![
        ("as it is", CANARY.to_owned()),
        ("base64", STANDARD.encode(CANARY)),
        ("base64 behind one letter", STANDARD.encode(format!("u{CANARY}"))),
        ("base64 behind two letters", STANDARD.encode(format!("u:{CANARY}"))),
        ("base64url", URL_SAFE.encode(CANARY)),
        ("HEX", hex.to_uppercase()),
        ("hex", hex),
        ("percent", percent),
        ("JSON", json!(CANARY).to_string()),
    ]
}

fn never_holds_it(stage: &mut Stage) -> String {
    let all: Vec<String> =
        forms().into_iter().map(|(name, form)| format!("{name}: {form}")).collect();
    let all = all.join("\n");
    let server = stage.serve(move |_| (200, "text/plain", all.clone()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}}, {"send": {"handle": "h", "path": "/echo"}},
    ]));
    let results = run.results();
    let body = results[1]["ok"]["body"].as_str().expect("a body");
    assert_eq!(body.matches("***").count(), forms().len(), "{body}");
    "an echo is masked in nine forms".to_owned()
}

fn carries_out(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "ok".to_owned()));
    stage.inputs.insert("incident".to_owned(), json!("117"));
    stage.http(
        "api",
        &server.url,
        json!([{"method": "POST", "path": "/incidents/${inputs.incident}/notes", "query": ["page"]}]),
    );
    let send =
        |path: &str| json!({"send": {"handle": "h", "method": "POST", "path": path, "body": "x"}});
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        send("/incidents/117/notes"),
        send("/incidents/118/notes"),
        send("/incidents/117/notes?stolen=data"),
        send("/incidents/117/notes/stolen-data"),
    ]));
    let results = run.results();
    assert_eq!(results[1]["ok"]["status"], 200);
    for result in &results[2..] {
        assert_eq!(result["error"]["reason"], "denied", "{result}");
    }
    assert_eq!(server.received().len(), 1);
    assert_eq!(run.refusals().len(), 3);
    // What the rule allows can carry what the step was given: the body. It is on record.
    assert_eq!(run.admitted(), 1);
    let granted = run.told().iter().any(|event| event["event"] == "connection-granted");
    assert!(granted, "what was granted is on record: {}", run.tail());
    "bound to the inputs, each call on record".to_owned()
}

fn errors(stage: &mut Stage) -> String {
    let echo =
        stage.serve(|request| (400, "text/plain", format!("you sent {:?}", request.headers)));
    let rules = json!([{"method": "GET", "path": "/{any}"}, {"method": "POST", "path": "/{any}"}]);
    stage.http("echo", &echo.url, rules.clone());
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let closed = format!("https://{}", port.local_addr().expect("an address"));
    drop(port);
    stage.http("closed", &closed, rules.clone());
    stage.http("nowhere", "https://name.invalid", rules.clone());
    let silent = stage.serve_nothing();
    stage.http("silent", &silent.url, rules.clone());
    let cluster = stage.serve(|request| {
        let status = json!({"kind": "Status", "reason": "Forbidden", "code": 403,
            "message": format!("you sent {:?}", request.headers), "details": {"causes": [format!("{:?}", request.headers)]}});
        (403, "application/json", status.to_string())
    });
    stage.cluster(
        "cluster",
        &cluster.url,
        json!([{"verbs": ["get", "patch"], "resource": "apps/deployments", "namespace": "web", "name": "*"}]),
    );
    let mut orders = Vec::new();
    for slot in ["echo", "closed", "nowhere", "silent"] {
        orders.push(json!({"open": {"slot": slot, "as": slot}}));
        for method in ["GET", "POST"] {
            orders.push(json!({"send": {"handle": slot, "method": method, "path": "/a", "timeout-ms": 200}}));
        }
        orders.push(
            json!({"send": {"handle": slot, "path": "/a", "headers": [["authorization", "mine"]]}}),
        );
        orders.push(json!({"send": {"handle": slot, "path": "//a"}}));
    }
    let kind = json!({"group": "apps", "version": "v1", "resource": "deployments"});
    orders.push(json!({"kubernetes": {"verb": "open", "slot": "cluster", "as": "c"}}));
    for verb in ["get", "patch", "delete"] {
        orders.push(
            json!({"kubernetes": {"verb": verb, "handle": "c", "kind": kind, "namespace": "web",
            "name": "nginx", "patch": {"spec": {}}}}),
        );
    }
    let run = stage.ask(Value::from(orders));
    let results = run.results();
    let masked = results.iter().filter(|result| result.to_string().contains("***")).count();
    assert!(masked >= 4, "the echoes are masked: {results:#?}");
    no_credential("answers", &results);
    let failed = results.iter().filter(|result| result["error"].is_object()).count();
    // Connections that can't be made ready: the credential is read, and something else is wrong.
    let key = json!({"file": "operator.key"});
    for settings in [
        json!({"baseUrl": "https://u:p@127.0.0.1", "token": key}),
        json!({"baseUrl": "http://127.0.0.1:1", "token": key}),
        json!({"baseUrl": "https://127.0.0.1:1", "token": key, "certificateAuthority": {"file": "operator.key"}}),
        json!({"baseUrl": "https://127.0.0.1:1", "token": key, "headers": {"bad name": key}}),
        json!({"baseUrl": "https://127.0.0.1:1", "clientKey": key, "clientCertificate": {"file": "operator.key"}}),
        json!({"baseUrl": "https://127.0.0.1:1", "token": CANARY}),
        json!({"baseUrl": CANARY, "token": key}),
    ] {
        stage.connection("http", "echo", settings, rules.clone());
        let run = stage.ask(json!([]));
        let failure = run.failure_of("probe");
        no_credential("a connection's error", failure);
    }
    assert!(!format!("{:?} {0:#?}", Secret::new(CANARY.to_owned())).contains("CANARY"));
    format!("{failed} failed calls and 7 bad settings without it")
}

/// No credential in what `what` prints for a programmer.
#[track_caller]
fn no_credential(place: &str, what: &impl std::fmt::Debug) {
    let mut found = Found::default();
    Scanner::new().bytes(place, format!("{what:?}").as_bytes(), &mut found);
    assert!(found.hits.is_empty(), "{:#?}", found.hits);
}

fn environment(stage: &mut Stage) -> String {
    let run = stage.ask(json!([
        {"environment": true}, {"read-file": "/etc/passwd"}, {"read-file": "operator.key"},
        {"read-file": "/proc/self/environ"},
    ]));
    let results = run.results();
    let found = &results[0]["ok"];
    assert_eq!(found["variables"], json!([]), "{found}");
    assert_eq!(found["arguments"], 0, "{found}");
    assert!(found["folder"].as_str().expect("text").starts_with("Err"), "{found}");
    for result in &results[1..] {
        assert!(result["ok"].is_string(), "a file was read: {result}");
    }
    "no variables, no arguments, no files".to_owned()
}

fn no_file_of_the_host(stage: &mut Stage) -> String {
    let run = stage.ask(json!([
        {"read-file": "/proc/self/mem"}, {"read-file": "/proc/self/maps"}, {"read-file": "/dev/mem"},
    ]));
    assert!(run.results().iter().all(|result| result["ok"].is_string()), "{:?}", run.results());
    "a guest opens none of these, and the type wipes itself".to_owned()
}
