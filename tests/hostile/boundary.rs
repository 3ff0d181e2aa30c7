//! D: handles, texts and numbers that cross the boundary.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use serde_json::{Value, json};
use std::time::Duration;
use tests::guest;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("D1", "forges the index of a handle", &[], forged),
        Case::new("D2", "uses a handle after dropping it, drops it twice", &[], dropped),
        Case::new("D3", "keeps the context for a later call", &[], kept),
        Case::new("D4", "takes handles without end", &[Layer::Handles], many_handles),
        Case::new("D5", "ends without dropping anything", &[], leaks),
        Case::new("D6", "drops the parent of a handle that lives", &[], orphans),
        Case::new("D7", "keeps the index of a handle for the next attempt", &[], next_attempt),
        Case::new("D8", "guesses the connection of the step beside it", &[], guessed),
        Case::new("D9", "hands over texts that are none", &[], bad_texts),
        Case::new("D10", "hands over a text that is too long", &[Layer::HostcallBytes], long_text),
        Case::new(
            "D11",
            "hands over a list that grows on the way",
            &[Layer::HostcallBytes],
            long_list,
        ),
        Case::new("D12", "hands over extreme numbers", &[], extremes),
        Case::new("D13", "hands over JSON that is none, or too deep", &[], bad_json),
        Case::new("D14", "hands over values that their types do not have", &[], bad_values),
        Case::new("D15", "gives names that steer terminals", &[Layer::Escape], names),
        Case::new("D16", "calls the host when it may not", &[], out_of_turn),
    ]
}

const CONTEXT: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.attempt"
    (func $attempt (param i32) (result i32)))
  (import "bowline:plugin/runtime@1.0.0" "[resource-drop]context" (func $drop (param i32)))"#;

const LOG: &str =
    r#"(import "bowline:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

const CLIENT: &str = r#"(import "bowline:connect/http@1.0.0" "[method]client.scope"
    (func $scope (param i32 i32)))"#;

const PROGRESS: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.progress"
    (func $progress (param i32 i64 i32 i64 i32 i32)))"#;

/// A step with these imports whose `run` has this body.
fn step(imports: &str, body: &str) -> String {
    let module = guest::NO_OP
        .replacen(
            "(memory",
            &format!("{imports} (global $kept (mut i32) (i32.const 0)) (memory"),
            1,
        )
        .replace("(result i32) (i32.const 64))", &format!("(result i32) {body})"));
    assert!(module.contains(body));
    module
}

/// Runs steps that must all trap with words that hold a part, and tells each to `also`.
#[track_caller]
fn all_trap(stage: &mut Stage, steps: &[(&str, String, &str)]) {
    for (name, module, words) in steps {
        stage.module(name, module);
        let run = stage.run_plugin(name);
        let failure = run.fails("guest.trap");
        assert!(failure.message.contains(words), "{name}: {}", failure.message);
    }
}

fn forged(stage: &mut Stage) -> String {
    for (name, index) in [("zero", "0"), ("other", "99"), ("last", "-1")] {
        stage.module(name, &step(CONTEXT, &format!("(call $attempt (i32.const {index}))")));
        let run = stage.run_plugin(name);
        let failure = run.fails("guest.trap");
        assert!(failure.message.contains("unknown handle index"), "{}", failure.message);
        let details = failure.details.as_ref().expect("details");
        assert_eq!(details["violation"], "handle-forgery");
    }
    // The context's index where a client is wanted.
    let module = step(CLIENT, "(call $scope (local.get 0) (i32.const 256)) (i32.const 64)");
    let mut manifest = guest::manifest("typed");
    manifest["connections"] = json!({"api": {"type": "http", "from": ["/api"], "reason": "x", "optional": true, "allow": []}});
    let items =
        "include bowline:plugin/step-base@1.0.0; include bowline:connect/connections@1.0.0;";
    stage.plugin(
        "typed",
        guest::with_manifest(guest::component_for(&module, items, &[]), &manifest),
    );
    let run = stage.run_plugin("typed");
    let failure = run.fails("guest.trap");
    assert_eq!(failure.details.as_ref().expect("details")["violation"], "handle-forgery");
    "guest.trap, told as handle-forgery".to_owned()
}

fn dropped(stage: &mut Stage) -> String {
    let used = "(call $drop (local.get 0)) (call $attempt (local.get 0))";
    let twice = "(call $drop (local.get 0)) (call $drop (local.get 0)) (i32.const 64)";
    all_trap(
        stage,
        &[
            ("used", step(CONTEXT, used), "unknown handle index"),
            ("twice", step(CONTEXT, twice), "unknown handle index"),
        ],
    );
    "guest.trap".to_owned()
}

fn kept(stage: &mut Stage) -> String {
    // Kept in a global and used while the host takes the answer, and in a later run.
    let keep = step(CONTEXT, "(global.set $kept (local.get 0)) (i32.const 64)");
    let end = keep.rfind(')').expect("a module");
    let later = format!(
        r#"{}(func (export "cabi_post_bowline:plugin/step@1.0.0#run") (param i32)
            (drop (call $attempt (global.get $kept)))))"#,
        &keep[..end]
    );
    all_trap(stage, &[("later", later, "cannot leave component instance")]);
    let first = "(if (global.get $kept) (then (drop (call $attempt (global.get $kept))))) \
        (global.set $kept (local.get 0)) (i32.const 64)";
    stage.module("keeper", &step(CONTEXT, first));
    for _ in 0..3 {
        stage.run_plugin("keeper").outputs_of("keeper");
    }
    "guest.trap; nothing is left for the next run".to_owned()
}

/// A connection for the probe with a server behind it that answers `hello`.
fn hello(stage: &mut Stage) -> std::sync::Arc<crate::server::Server> {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    server
}

fn many_handles(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(3);
    hello(stage);
    let run = stage.ask(json!([{"open-many": {"slot": "api", "repeat": 5_000}}]));
    let failure = run.fails("limit.handles");
    assert!(failure.message.contains("1000"), "{}", failure.message);
    "limit.handles".to_owned()
}

fn leaks(stage: &mut Stage) -> String {
    hello(stage);
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/a", "as": "r"}},
        {"restrict": {"handle": "h", "scope": [], "as": "weak"}},
        {"leak": true},
    ]));
    assert_eq!(run.results()[1]["ok"]["status"], 200);
    "let go with the store".to_owned()
}

fn orphans(stage: &mut Stage) -> String {
    hello(stage);
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/a", "as": "r"}},
        {"restrict": {"handle": "h", "scope": [{"method": "GET", "path": "/b"}], "as": "weak"}},
        {"drop": {"handle": "h"}},
        {"read": {"response": "r"}},
        {"send": {"handle": "weak", "path": "/b"}},
        {"drop": {"handle": "weak"}},
        {"read": {"response": "r"}},
    ]));
    let results = run.results();
    // The house decided: a child has its own share of the grant, so it may live on alone.
    assert_eq!(results[4], json!({"ok": {"bytes": 5}}));
    assert_eq!(results[5]["ok"]["body"], "hello");
    assert_eq!(results[7], json!({"ok": null}));
    "children live on, nothing breaks".to_owned()
}

fn next_attempt(stage: &mut Stage) -> String {
    hello(stage);
    stage
        .ask(json!([
            {"open": {"slot": "api", "as": "h"}}, {"remember": "index 2"},
            {"fail": {"disposition": "retryable", "code": "try.again", "message": "once more"}},
        ]))
        .fails("try.again");
    let run = stage.ask(json!([{"recall": true}, {"send": {"handle": "h", "path": "/a"}}]));
    assert_eq!(run.results()[0], json!({"ok": null}));
    assert_eq!(run.results()[1]["error"]["code"], "probe.handle");
    // The same index in a fresh store is nobody's.
    let unheld = step(CONTEXT, "(call $drop (local.get 0)) (call $attempt (i32.const 2))");
    all_trap(stage, &[("index", unheld, "unknown handle index")]);
    "unknown in the next store".to_owned()
}

fn guessed(stage: &mut Stage) -> String {
    hello(stage);
    let (text, parameters) = stage.probe_step(
        json!([{"open": {"slot": "api", "as": "h"}}, {"send": {"handle": "h", "path": "/a"}}]),
    );
    let second = "- name: beside\n  image: beside\n  spec: {do: !Parameter other}\n";
    let text = text.replace("parameters: {", "parameters: {other: {}, ") + second;
    let mut parameters = parameters;
    parameters.insert(
        "other".to_owned(),
        json!([
            {"open": {"slot": "api", "as": "h"}},
            {"open": {"slot": "nobody", "as": "h"}},
            {"open": {"slot": "http/api", "as": "h"}},
            {"send": {"handle": "h", "path": "/a"}},
        ]),
    );
    stage.probe_named("probe");
    let needs = std::mem::take(&mut stage.needs);
    stage.probe_named("beside");
    stage.needs = needs;
    let run = stage.flow(&text, parameters);
    assert_eq!(run.outputs_of("probe")["results"][1]["ok"]["body"], "hello");
    let beside = &run.outputs_of("beside")["results"];
    let said = |index: usize, name: &str| {
        let error = &beside[index]["error"];
        assert_eq!(error["reason"], "denied", "{beside}");
        error["message"].as_str().expect("a message").replace(name, "NAME")
    };
    assert_eq!(said(0, "api"), said(1, "nobody"), "the same words, whether it exists or not");
    said(2, "http/api");
    assert_eq!(beside[3]["error"]["code"], "probe.handle");
    "denied, in the same words as for what does not exist".to_owned()
}

fn bad_texts(stage: &mut Stage) -> String {
    let write = |pointer: &str, length: &str| {
        step(
            LOG,
            &format!(
                "(i32.store8 (i32.const 512) (i32.const 0xff)) \
                 (call $log (i32.const 2) (i32.const {pointer}) (i32.const {length}) (i32.const 0) (i32.const 0)) (i32.const 64)"
            ),
        )
    };
    all_trap(
        stage,
        &[
            ("no-text", write("512", "1"), "utf-8"),
            ("endless", write("0", "-1"), "out of bounds"),
            ("outside", write("0x7ffffff0", "4"), "out of bounds"),
            ("across", write("65530", "100"), "out of bounds"),
        ],
    );
    "guest.trap".to_owned()
}

fn long_text(stage: &mut Stage) -> String {
    stage.limits.hostcall_bytes_max = 256 << 10;
    let long = "(drop (memory.grow (i32.const 40))) \
        (call $log (i32.const 2) (i32.const 0) (i32.const 2000000) (i32.const 0) (i32.const 0)) (i32.const 64)";
    stage.module("long", &step(LOG, long));
    let run = stage.run_plugin("long");
    let failure = run.fails("limit.hostcall-bytes");
    assert!(failure.message.contains("262144"), "{}", failure.message);
    "limit.hostcall-bytes".to_owned()
}

fn long_list(stage: &mut Stage) -> String {
    stage.limits.hostcall_bytes_max = 1 << 20;
    // 2^30 pairs would be 16 GiB, and 150,000 empty ones grow threefold on the host's side.
    let list = |count: &str| {
        format!(
            "(drop (memory.grow (i32.const 40))) \
             (call $log (i32.const 2) (i32.const 32) (i32.const 2) (i32.const 65536) (i32.const {count})) (i32.const 64)"
        )
    };
    all_trap(stage, &[("giant", step(LOG, &list("0x40000000")), "out of bounds")]);
    stage.module("wide", &step(LOG, &list("150000")));
    stage.run_plugin("wide").fails("limit.hostcall-bytes");
    "limit.hostcall-bytes".to_owned()
}

fn extremes(stage: &mut Stage) -> String {
    stage.limits.attempt_time_max = Duration::from_millis(600);
    hello(stage);
    let most = u64::MAX;
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/a", "timeout-ms": most}},
        {"send": {"handle": "h", "path": "/a", "timeout-ms": 0}},
        {"send": {"handle": "h", "path": "/a", "as": "r"}},
        {"read": {"response": "r", "max": 0}},
        {"read": {"response": "r", "max": u32::MAX}},
        {"progress": {"done": most, "total": 0, "note": "all"}},
        {"progress": {"done": 0, "total": most, "note": "none"}},
        {"sleep": 0},
        {"sleep": most},
        {"facts": true},
    ]));
    let results = run.results();
    assert_eq!(results[1]["ok"]["status"], 200, "{results:?}");
    // No time at all: whichever comes first.
    let at_once = &results[2];
    assert!(at_once["error"]["reason"] == "timeout" || at_once["ok"]["status"] == 200, "{at_once}");
    assert_eq!(results[4], json!({"ok": {"bytes": 0}}));
    assert_eq!(results[5], json!({"ok": {"bytes": 5}}));
    assert_eq!(results[8], json!({"ok": true}));
    assert_eq!(results[9], json!({"ok": false}), "longer than it has");
    assert_eq!(results[10]["ok"]["remaining-ms"], 0);
    let run = stage.ask(json!([
        {"fail": {"disposition": "retryable", "code": "x", "message": "m", "retry-after-ms": most}},
    ]));
    assert_eq!(run.fails("x").retry_after_ms, Some(most));
    "bounded by the attempt's time".to_owned()
}

/// Texts that are not one JSON value that can be taken.
fn no_json() -> Vec<(&'static str, String)> {
    vec![
        ("deep", format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))),
        ("65 deep", format!("{}{}", "[".repeat(65), "]".repeat(65))),
        ("a member twice", r#"{"a":1,"a":2}"#.to_owned()),
        ("too large a number", "1e999".to_owned()),
        ("half a pair", r#""\ud800""#.to_owned()),
        ("NaN", "NaN".to_owned()),
        ("two values", "1 2".to_owned()),
        ("nothing", String::new()),
        ("a mark before it", "\u{feff}1".to_owned()),
        ("a bare line's end", "\"a\nb\"".to_owned()),
        ("a comment", "/*x*/1".to_owned()),
    ]
}

fn bad_json(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(3);
    hello(stage);
    let mut orders = vec![json!({"open": {"slot": "api", "as": "h"}})];
    for (_, text) in no_json() {
        orders.push(json!({"set-output": {"name": "a", "value": text}}));
        orders.push(json!({"restrict": {"handle": "h", "scope": text, "as": "w"}}));
    }
    // What is odd and still a value: taken, and in its plain form from then on.
    for odd in ["-0", "18446744073709551616", " 1 ", r#""\u0041""#] {
        orders.push(json!({"set-output": {"name": "odd", "value": odd}}));
    }
    let run = stage.ask(Value::from(orders));
    let results = run.results();
    for (index, (name, _)) in no_json().iter().enumerate() {
        let answer = &results[1 + 2 * index];
        assert!(answer["error"]["message"].is_string(), "{name}: {answer}");
        assert_eq!(results[2 + 2 * index]["error"]["reason"], "invalid", "{name}");
    }
    assert!(results[results.len() - 4..].iter().all(|result| result["ok"] == true));
    assert_eq!(run.outputs_of("probe")["odd"], "A");
    for (name, text) in no_json() {
        let run = stage.ask(json!([{"return": text}]));
        let failure = run.fails("step.outputs");
        assert!(!failure.message.is_empty(), "{name}");
        let run = stage.ask(json!([{"fail": {"code": "a.b", "message": "m", "details": text}}]));
        assert_eq!(run.fails("a.b").details, None, "{name}");
    }
    "invalid, with the place".to_owned()
}

fn bad_values(stage: &mut Stage) -> String {
    let write = |level: &str| {
        step(
            LOG,
            &format!(
                "(call $log (i32.const {level}) (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 0)) (i32.const 64)"
            ),
        )
    };
    let progress = step(
        PROGRESS,
        "(call $progress (local.get 0) (i64.const 1) (i32.const 2) (i64.const 0) (i32.const 32) (i32.const 2)) (i32.const 64)",
    );
    // The answer itself: neither ok nor error; an error with a disposition that there is not.
    let answer = |stores: &str| step("", &format!("{stores} (i32.const 64)"));
    all_trap(
        stage,
        &[
            ("level", write("99"), "discriminant"),
            ("negative", write("-1"), "discriminant"),
            ("option", progress, "discriminant"),
            ("neither", answer("(i32.store8 (i32.const 64) (i32.const 7))"), "discriminant"),
            (
                "disposition",
                answer(
                    "(i32.store8 (i32.const 64) (i32.const 1)) (i32.store8 (i32.const 72) (i32.const 9))",
                ),
                "discriminant",
            ),
        ],
    );
    "guest.trap, no panic".to_owned()
}

fn names(stage: &mut Stage) -> String {
    let steering = ["a\nb", "\u{1b}[2J", "\u{202e}txt", "a b", "a.b", "ä", "", "\u{200b}"];
    let long = "x".repeat(200_000);
    let mut orders = Vec::new();
    for name in steering.iter().copied().chain([long.as_str()]) {
        orders.push(json!({"set-output": {"name": name, "value": "1"}}));
        orders
            .push(json!({"log": {"message": "line", "fields": [[name, "value"], ["good", name]]}}));
        orders.push(json!({"progress": {"done": 1, "note": name}}));
    }
    let run = stage.ask(Value::from(orders));
    for (index, name) in steering.iter().enumerate() {
        assert!(run.results()[3 * index]["error"].is_object(), "{name:?}");
    }
    for (_, _, fields) in run.lines() {
        assert!(fields.iter().all(|(name, _)| name == "good"), "{fields:?}");
    }
    nothing_steers(&run);
    for code in ["a\nb", "\u{1b}[2J", "A.B", "..", long.as_str()] {
        let run = stage.ask(json!([{"fail": {"code": code, "message": "m"}}]));
        run.fails("guest.invalid-code");
    }
    "refused or written out; guest.invalid-code".to_owned()
}

/// No event of the run holds a character that steers a terminal.
#[track_caller]
pub(crate) fn nothing_steers(run: &crate::run::Run) {
    for event in run.told() {
        if event["event"] == "step-succeeded" {
            // Outputs are data, escaped where they are shown.
            continue;
        }
        let mut texts = Vec::new();
        collect(&event, &mut texts);
        for text in texts {
            let steers = |c: char| {
                (c.is_control() && c != '\n' && c != '\t')
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!text.contains(steers), "{text:?} in {event}");
        }
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            texts.push(name.clone());
            collect(member, texts);
        }),
        _ => {}
    }
}

fn out_of_turn(stage: &mut Stage) -> String {
    // While the host writes the inputs into it, and after it has answered.
    let calling =
        "(call $log (i32.const 2) (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 0))";
    let realloc = step(LOG, "(i32.const 64)").replace(
        "(result i32) (i32.const 1024))",
        &format!("(result i32) {calling} (i32.const 1024))"),
    );
    let plain = step(LOG, "(i32.const 64)");
    let end = plain.rfind(')').expect("a module");
    let after = format!(
        r#"{}(func (export "cabi_post_bowline:plugin/step@1.0.0#run") (param i32) {calling}))"#,
        &plain[..end]
    );
    let words = "cannot leave component instance";
    all_trap(stage, &[("realloc", realloc, words), ("after", after, words)]);
    // A task that goes on after `run`: such components are not taken.
    let text = r#"(component (import "f" (func async)))"#;
    let bytes = wat::parse_str(text).expect("parse the component's text");
    let bytes = guest::with_manifest(bytes, &guest::manifest("async"));
    let error = stage.install(&bytes).expect_err("it must be refused");
    assert!(error.code.starts_with("plugin."), "{}", error.code);
    format!("guest.trap; {} for async", error.code)
}
