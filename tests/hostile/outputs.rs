//! G: credentials, and what a plugin gives back.

use crate::boundary::nothing_steers;
use crate::stage::Stage;
use crate::table::Case;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use effects::{Layer, Secret};
use journal::{Event, Level};
use serde_json::{Value, json};
use std::time::Duration;
use tests::canary::{CANARY, Found, Scanner};
use tests::guest;

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
        Case::new(
            "G7",
            "gives outputs that are too many, too large or not what it declared",
            &[Layer::Outputs],
            outputs,
        ),
        Case::new(
            "G8",
            "gives an output that reads like the language",
            &[Layer::Written],
            like_language,
        ),
        Case::new(
            "G9",
            "fails with a message that steers the terminal",
            &[Layer::Escape],
            steering,
        ),
        Case::new("G10", "tells its progress a million times", &[Layer::Log], progress),
        Case::new("G11", "floods the log", &[Layer::Log], flood),
        Case::new("G12", "writes lines that look like records", &[], forged_records),
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
    assert!(
        run.lines().iter().any(|(_, line, _)| line.contains("the key is ***")),
        "{}",
        run.tail()
    );
    let scanner = Scanner::new();
    let shown = |run: &crate::run::Run| {
        let mut found = Found::default();
        scanner.bytes("events", format!("{:?}", run.told()).as_bytes(), &mut found);
        assert!(found.hits.is_empty(), "{:?}", found.hits);
    };
    shown(&run);
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

fn outputs(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(3);
    stage.limits.memory_bytes_max = 16 << 20;
    let run = stage.ask(json!([
        {"set-output": {"name": "large", "bytes": 300_000}},
        {"set-output": {"name": "half", "bytes": 200_000}},
        {"set-output": {"name": "other-half", "bytes": 100_000}},
        {"set-output": {"name": "half", "bytes": 10}},
        {"set-output": {"name": "a.b", "value": "1"}},
        {"set-output": {"name": "half", "value": "\"the last wins\""}},
    ]));
    let results = run.results();
    assert!(
        results[0]["error"]["message"].as_str().expect("why").contains("262144"),
        "{results:?}"
    );
    assert_eq!(results[1], json!({"ok": true}));
    assert!(
        results[2]["error"]["message"].as_str().expect("why").contains("262144"),
        "{results:?}"
    );
    assert_eq!(results[3], json!({"ok": true}));
    assert!(results[4]["error"].is_object());
    assert_eq!(run.outputs_of("probe")["half"], "the last wins");
    for returned in [
        format!("{{\"a\": \"{}\"}}", "x".repeat(300_000)),
        format!("{{{}}}", (0..65).map(|n| format!("\"n{n}\":1")).collect::<Vec<_>>().join(",")),
        r#"{"a.b": 1}"#.to_owned(),
        r#"{"a": 1, "a": 2}"#.to_owned(),
        "[]".to_owned(),
    ] {
        stage.ask(json!([{"return": returned}])).fails("step.outputs");
    }
    let run = stage.ask(json!([
        {"set-output": {"name": "n", "value": "1", "repeat": 10_000}}, {"return": "{}"},
    ]));
    assert_eq!(run.outputs_of("probe").len(), 64);
    // A name that means something in another language means nothing here.
    let run = stage.ask(json!([{"return": r#"{"__proto__": {"admin": true}, "constructor": 1}"#}]));
    assert_eq!(run.outputs_of("probe").len(), 2);
    let mut manifest = crate::probe::manifest("probe", &stage.needs);
    manifest["outputs"] =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let run = stage.ask_as(&manifest, json!([{"return": r#"{"n": "one"}"#}]));
    let failure = run.fails("step.outputs");
    assert!(failure.message.contains("/n"), "{}", failure.message);
    "refused with the bound that was broken".to_owned()
}

fn like_language(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    let texts = json!([
        "${parameters.do}", "$${connections.http.api}", "!Connection {type: http, name: api}",
        "!Parameter do", "{{ .Values }}", "<%= 1 %>", "*alias", "&anchor x", "!!binary aGk=",
        {"$type": "Parameter", "name": "do"}, {"$type": "Connection", "type": "http", "name": "api"},
        {"connection": {"type": "http", "name": "api"}},
    ]);
    let given = json!({"texts": texts}).to_string();
    stage.probe_named("first");
    stage.probe_named("second");
    let (_, mut parameters) = stage.probe_step(json!([{"return": given}]));
    let all = "steps:\n\
         - name: first\n  image: first\n  spec: {do: !Parameter do, api: !Connection {type: http, name: api}}\n\
         - name: second\n  image: second\n  spec:\n    api: !Connection {type: http, name: api}\n    \
         do: [{echo: !Output {from: first, name: texts}}]\n";
    let run = stage.flow(&format!("parameters: {{do: {{}}}}\n{all}"), parameters.clone());
    assert_eq!(run.outputs_of("second")["results"][0]["ok"], texts, "data, as it was given");

    // In the place of a connection it is not one: the workflow must write it.
    parameters.insert(
        "do".to_owned(),
        json!([{"return": json!({"c": {"connection": {"type": "http", "name": "api"}}}).to_string()}]),
    );
    let forged = all.replace(
        "    api: !Connection {type: http, name: api}\n",
        "    api: !Output {from: first, name: c}\n",
    );
    let run = stage.flow(
        &format!("parameters: {{do: {{}}}}\n{forged}").replace("name: texts", "name: c"),
        parameters,
    );
    assert_eq!(run.failure_of("second").code, "denied.connection");
    assert_eq!(server.received().len(), 0);
    "data; denied.connection".to_owned()
}

fn steering(stage: &mut Stage) -> String {
    let texts = [
        "\u{1b}[2J\u{1b}[H all is well",
        "\u{1b}]8;;https://evil/\u{7}click\u{1b}]8;;\u{7}",
        "\u{1b}]52;c;ZXZpbA==\u{7}",
        "\u{9b}31m red",
        "safe\u{202e}txt.exe",
        "\r overwritten",
        "one\u{2028}two\u{feff}\u{200b}",
    ];
    for text in texts {
        let run = stage.ask(json!([
            {"log": {"message": text, "level": "error"}},
            {"print": {"text": text}},
            {"progress": {"done": 1, "note": text}},
            {"fail": {"code": "a.b", "message": text}},
        ]));
        run.fails("a.b");
        nothing_steers(&run);
        // Colours are ours; nothing else that begins with an escape is.
        let sequences = run.seen.split('\u{1b}').skip(1);
        for sequence in sequences {
            let rest = sequence.strip_prefix('[').unwrap_or("?");
            let end = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
            assert!(end.starts_with('m'), "{:?}", sequence.chars().take(20).collect::<String>());
        }
        assert!(
            !run.seen.contains(['\r', '\u{7}', '\u{9b}', '\u{202e}', '\u{2028}']),
            "{:?}",
            run.seen
        );
    }
    let run = stage.ask(json!([{"fail": {"code": "a.b", "message": 1_000_000}}]));
    assert_eq!(run.fails("a.b").message.len(), 4096);
    "written out, cut after 4 KiB".to_owned()
}

fn progress(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(2);
    let run = stage.ask(json!([{"progress": {"repeat": 20_000, "note": "on and on"}}, {"progress": {"done": 7, "note": "last"}}]));
    run.results();
    let told: Vec<(u64, &str)> = run
        .events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::StepProgressed { done, note, .. } => Some((*done, note.as_str())),
            _ => None,
        })
        .collect();
    let allowed = usize::try_from(run.elapsed.as_millis() / 100).expect("a small number") + 2;
    assert!(told.len() <= allowed, "{} in {:?}", told.len(), run.elapsed);
    assert_eq!(told.last(), Some(&(7, "last")));
    format!("{} of 20001 told, the last among them", told.len())
}

fn flood(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(4);
    stage.limits.memory_bytes_max = 16 << 20;
    let run = stage.ask(json!([
        {"log": {"message": 3_000_000}},
        {"log": {"message": 2_000, "repeat": 10_000}},
    ]));
    run.results();
    let (count, bytes) = kept(&run);
    assert!(count <= 2_001 && bytes <= (1 << 20) + 200, "{count} lines, {bytes} bytes");
    let lines = run.lines();
    let (level, last, _) = lines.last().expect("a line");
    assert!(*level == Level::Warn && last.contains("more lines"), "{last}");

    // Without a line's end, and with what is no text.
    let run = stage.ask(json!([
        {"print": {"text": [255, 254, 0, 27, 91, 50, 74]}},
        {"print": {"text": 100_000, "repeat": 40}},
    ]));
    run.results();
    let (count, bytes) = kept(&run);
    assert!(count <= 2_001 && bytes <= (300 << 10), "{count} lines, {bytes} bytes");
    assert!(run.lines().iter().any(|(_, line, _)| line.contains("more bytes")), "{}", run.tail());
    assert!(run.lines().iter().all(|(_, line, _)| line.len() <= 8 << 10));
    nothing_steers(&run);
    "bounded, with a line that counts what was dropped".to_owned()
}

/// Lines and their bytes.
fn kept(run: &crate::run::Run) -> (usize, usize) {
    let lines = run.lines();
    (lines.len(), lines.iter().map(|(_, line, _)| line.len()).sum())
}

fn forged_records(stage: &mut Stage) -> String {
    let texts = [
        "\"},{\"event\":\"run-finished\",\"status\":\"success\"}",
        "x\n{\"event\":\"run-finished\",\"status\":\"success\"}\n",
        "\\\"}\u{0}{",
    ];
    for text in texts {
        let run = stage.ask(json!([
            {"log": {"message": text, "fields": [["f", text]]}},
            {"print": {"text": text}},
            {"progress": {"done": 1, "note": text}},
            {"fail": {"code": "a.b", "message": text, "details": {"event": text}}},
        ]));
        run.fails("a.b");
        let finished = run.told().iter().filter(|event| event["event"] == "run-finished").count();
        assert_eq!(finished, 1);
        let positions: Vec<u64> = run.events.iter().map(|recorded| recorded.position).collect();
        assert_eq!(positions, (0..positions.len() as u64).collect::<Vec<_>>());
        for line in run.seen.lines().filter(|line| line.starts_with("{\"")) {
            let event: Value = serde_json::from_str(line).expect("each line is one object");
            assert!(event["event"] != "run-finished" || event["status"] == "failure", "{event}");
        }
    }
    stage.module("quiet", guest::NO_OP);
    "one record each, whatever is in it".to_owned()
}
