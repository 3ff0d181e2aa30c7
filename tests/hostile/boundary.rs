//! D1 to D8: handles.

use crate::server::Server;
use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use serde_json::json;
use std::sync::Arc;
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
    ]
}

const CONTEXT: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.attempt"
    (func $attempt (param i32) (result i32)))
  (import "bowline:plugin/runtime@1.0.0" "[resource-drop]context" (func $drop (param i32)))"#;

pub(crate) const LOG: &str =
    r#"(import "bowline:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

const CLIENT: &str = r#"(import "bowline:connect/http@1.0.0" "[method]client.scope"
    (func $scope (param i32 i32)))"#;

/// A step with these imports whose `run` has this body.
pub(crate) fn step(imports: &str, body: &str) -> String {
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
pub(crate) fn all_trap(stage: &mut Stage, steps: &[(&str, String, &str)]) {
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
pub(crate) fn hello(stage: &mut Stage) -> Arc<Server> {
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
