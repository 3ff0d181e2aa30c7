//! H: one step and the next, time, and the end.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use journal::{Event, RunStatus};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tests::guest;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("H1", "leaves a mark for the next run", &[], marks),
        Case::not_here(
            "H2",
            "leaves data on its stack for the next one",
            "a guest can't address its stack; stacks are made anew, and would be wiped if they were not",
            stacks,
        ),
        Case::not_here("H3", "fills a key-value store", "no such interface is offered", key_value),
        Case::new("H4", "has the name of another plugin", &[Layer::Policy], same_name),
        Case::new("H6", "asks the clocks for more than it should know", &[], clocks),
        Case::new("H7", "asks for a gigabyte of random numbers", &[], random),
        Case::new("H8", "exits in the middle", &[], exits),
        Case::new("H9", "runs while its host dies", &[], host_dies),
        Case::new("H10", "lets its time run out inside a call", &[Layer::Deadline], out_of_time),
        Case::new("H11", "is cancelled between opening and calling", &[Layer::Live], cancelled),
    ]
}

/// Fails unless what it counts in its globals and its memory is as it was at the beginning.
const COUNTER: &str = r#"(module
  (memory (export "memory") 2)
  (global $count (mut i32) (i32.const 0))
  (table $t 1 10 funcref)
  (elem declare func $run)
  (data (i32.const 32) "{}")
  (data (i32.const 72) "\20\00\00\00\02\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func $run (export "bowline:plugin/step@1.0.0#run") (param i32 i32 i32) (result i32)
    (if (global.get $count) (then unreachable))
    (if (i32.load (i32.const 100000)) (then unreachable))
    (if (i32.eqz (ref.is_null (table.get $t (i32.const 0)))) (then unreachable))
    (global.set $count (i32.const 1))
    (i32.store (i32.const 100000) (i32.const 0x4d41524b))
    (table.set $t (i32.const 0) (ref.func $run))
    (i32.const 64)))"#;

fn marks(stage: &mut Stage) -> String {
    const RUNS: usize = 1_000;
    stage.module("counter", COUNTER);
    let steps: String = (0..RUNS).map(|n| format!("- name: s{n}\n  image: counter\n")).collect();
    let run = stage.flow(&format!("steps:\n{steps}"), Map::new());
    let done = run.told().iter().filter(|event| event["event"] == "step-succeeded").count();
    assert_eq!((run.status, done), (RunStatus::Success, RUNS), "{}", run.tail());
    format!("{RUNS} times nothing, in {} ms", run.elapsed.as_millis())
}

fn stacks(stage: &mut Stage) -> String {
    // Deep calls that leave a mark in each frame, and then locals that nobody has set.
    let deep = "(func $deep (param i32 i64) (if (local.get 0) (then (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1)))))";
    let fill = "(call $deep (i32.const 2000) (i64.const 0x4d41524b4d41524b)) (i32.const 64)";
    let step = |declarations: &str, body: &str| {
        guest::NO_OP
            .replacen("(memory", &format!("{declarations} (memory"), 1)
            .replace("(result i32) (i32.const 64))", &format!("(result i32) {body})"))
    };
    stage.module("fills", &step(deep, fill));
    let look = "(func $look (result i64) (local i64 i64 i64 i64) (i64.or (i64.or (local.get 0) (local.get 1)) (i64.or (local.get 2) (local.get 3))))";
    let looks = "(if (i64.ne (call $look) (i64.const 0)) (then unreachable)) (i32.const 64)";
    stage.module("looks", &step(look, looks));
    for _ in 0..20 {
        stage.run_plugin("fills").outputs_of("fills");
        stage.run_plugin("looks").outputs_of("looks");
    }
    let engine = include_str!("../../host/sandbox/src/engine.rs");
    assert!(engine.contains("async_stack_zeroing(true)"));
    "twenty times nothing".to_owned()
}

fn key_value(stage: &mut Stage) -> String {
    for interface in [
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:keyvalue/atomics@0.2.0",
    ] {
        let bytes = guest::importing(interface, &guest::manifest("x"));
        let error = stage.install(&bytes).expect_err("it must be refused");
        assert_eq!(error.code, "plugin.unknown-import", "{}", error.message);
    }
    "plugin.unknown-import".to_owned()
}

fn same_name(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    stage.probe_named("probe");
    let honest = sandbox::artifact::digest(&stage.read("plugins/probe.wasm"));
    // The operator accepted these bytes, and nothing else of that name.
    stage.policy = json!({"rules": [{"plugin": honest}]});
    let orders =
        json!([{"open": {"slot": "api", "as": "h"}}, {"send": {"handle": "h", "path": "/a"}}]);
    let run = stage.ask(orders.clone());
    assert_eq!(run.results()[1]["ok"]["body"], "hello");
    let mut manifest = crate::probe::manifest("probe", &stage.needs);
    manifest["summary"] = json!("the same name and other bytes");
    let run = stage.ask_as(&manifest, orders);
    run.fails("denied.unaccepted");
    assert_eq!(server.received().len(), 1);
    "the digest counts: denied.unaccepted".to_owned()
}

fn clocks(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(3);
    let run =
        stage.ask(json!([{"clock": {"repeat": 30_000}}, {"nap": 5}, {"clock": {"repeat": 10}}]));
    let results = run.results();
    for answer in [&results[0]["ok"], &results[2]["ok"]] {
        assert_eq!(answer["back"], false, "{answer}");
        assert_eq!(answer["wall-nanos"].as_u64().expect("a time") % 1_000_000, 0, "{answer}");
        for step in answer["steps"].as_array().expect("steps") {
            assert_eq!(step.as_u64().expect("a number") % 1_000_000, 0, "{answer}");
        }
    }
    let now = run.events.last().expect("events").at * 1_000_000;
    let told = i64::try_from(results[2]["ok"]["wall-nanos"].as_u64().expect("a time"));
    assert!((now - told.expect("a time")).abs() < 60_000_000_000, "within a minute of the host's");
    "whole milliseconds, never back".to_owned()
}

fn random(stage: &mut Stage) -> String {
    stage.limits.memory_bytes_max = 16 << 20;
    stage.limits.cpu_time_max = Duration::from_secs(3);
    let run = stage.ask(json!([{"random": 65_536}, {"random": 1000}]));
    for result in run.results() {
        assert_eq!(result["ok"]["filled"], true, "{result}");
        assert!(result["ok"]["zeros"].as_u64().expect("a count") < 1_000, "{result}");
    }
    // In one call of the contract's own function, which honest libraries cut into small ones.
    let package = "package wasi:random@0.2.0; \
         interface random { get-random-bytes: func(len: u64) -> list<u8>; }";
    let items = "include bowline:plugin/step-base@1.0.0; import wasi:random/random@0.2.0;";
    for (name, count, code) in [("much", 65_537_u64, "guest.trap"), ("giga", 1 << 30, "guest.trap")]
    {
        let import =
            r#"(import "wasi:random/random@0.2.0" "get-random-bytes" (func $get (param i64 i32)))"#;
        let module = guest::NO_OP.replacen("(memory", &format!("{import} (memory"), 1).replace(
            "(result i32) (i32.const 64))",
            &format!(
                "(result i32) (call $get (i64.const {count}) (i32.const 128)) (i32.const 64))"
            ),
        );
        let bytes = guest::component_for(&module, items, &[package]);
        stage.plugin(name, guest::with_manifest(bytes, &guest::manifest(name)));
        let run = stage.run_plugin(name);
        let failure = run.fails(code);
        assert!(failure.message.contains("exceeds limit 65536"), "{}", failure.message);
    }
    "guest.trap beyond 64 KiB".to_owned()
}

fn exits(stage: &mut Stage) -> String {
    for code in [0, 1, 255] {
        let run = stage.ask(json!([
            {"set-output": {"name": "kept", "value": "1"}}, {"exit": code},
        ]));
        run.fails("guest.exit");
        assert!(!run.told().iter().any(|event| event.to_string().contains("kept\":1")));
    }
    "guest.exit, nothing is kept".to_owned()
}

fn host_dies(stage: &mut Stage) -> String {
    const STEPS: usize = 50;
    stage.probe_named("probe");
    let steps: String = (0..STEPS)
        .map(|n| format!("- name: s{n}\n  image: probe\n  spec: {{do: !Parameter do}}\n"))
        .collect();
    let text = format!("parameters: {{do: {{}}}}\nsteps:\n{steps}");
    let mut parameters = Map::new();
    parameters.insert("do".to_owned(), json!([{"sleep": 400}]));
    stage.die_after = Some(Duration::from_millis(250));
    let run = stage.flow(&text, parameters);
    assert_eq!(run.status, RunStatus::Running, "{}", run.tail());
    let begun = started(&run.told());
    assert!(!begun.is_empty(), "nothing had begun");
    assert!(!run.told().iter().any(|event| event["event"] == "run-finished"));

    // The next host takes the run over: what was in the middle is marked, and done again.
    stage.die_after = None;
    let run = stage.take_over();
    assert_eq!(run.status, RunStatus::Success, "{}", run.tail());
    let told = run.told();
    let marked = told.iter().filter(|event| event["event"] == "step-interrupted").count();
    assert_eq!(marked, begun.len(), "each step that had begun");
    assert_eq!(started(&told).len(), STEPS);
    assert!(
        run.events.iter().filter(|r| matches!(r.event, Event::RunFinished { .. })).count() == 1
    );
    format!("{marked} marked as interrupted, all done by the next host")
}

fn started(told: &[Value]) -> BTreeSet<String> {
    let begun = told.iter().filter(|event| event["event"] == "step-started");
    begun.map(|event| event["step"].as_str().unwrap_or_default().to_owned()).collect()
}

fn out_of_time(stage: &mut Stage) -> String {
    stage.limits.attempt_time_max = Duration::from_millis(500);
    let silent = stage.serve_nothing();
    stage.http(
        "api",
        &silent.url,
        json!([{"method": "GET", "path": "/{any}"}, {"method": "POST", "path": "/{any}"}]),
    );
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/wait", "timeout-ms": 3_600_000}},
        {"send": {"handle": "h", "path": "/again"}},
    ]));
    assert!(silent.was_asked());
    let results = run.results();
    assert_eq!(results[1]["error"]["reason"], "timeout", "{results:?}");
    assert_eq!(results[2]["error"]["code"], "limit.time", "{results:?}");
    let over = run.elapsed.saturating_sub(stage.limits.attempt_time_max);
    let allowed = Duration::from_millis(250) + stage.limits.grace;
    assert!(over < allowed, "{over:?} too long");
    // Who ignores it is ended.
    let run = stage.ask(json!([{"sleep": 10_000}, {"nap": 10_000}]));
    run.fails("limit.time");
    let ended = run.elapsed.saturating_sub(stage.limits.attempt_time_max);
    assert!(ended < allowed, "{ended:?} too long");
    format!("timeout, {} ms over; limit.time, {} ms over", over.as_millis(), ended.as_millis())
}

fn cancelled(stage: &mut Stage) -> String {
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "POST", "path": "/{any}"}]));
    stage.cancel_after = Some(Duration::from_millis(300));
    stage.limits.grace = Duration::from_secs(1);
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"sleep": 60_000},
        {"facts": true},
        {"send": {"handle": "h", "method": "POST", "path": "/a", "body": "{}"}},
        {"restrict": {"handle": "h", "scope": [], "as": "w"}},
        {"open": {"slot": "api", "as": "again"}},
        {"send": {"handle": "again", "method": "POST", "path": "/a", "body": "{}"}},
    ]));
    assert_eq!(run.status, RunStatus::Cancelled, "{}", run.tail());
    let results = run.results();
    assert_eq!(results[1], json!({"ok": false}), "woken early");
    assert_eq!(results[2]["ok"]["cancelled"], true);
    for index in [3, 4, 6] {
        assert_eq!(results[index]["error"]["reason"], "revoked", "{results:?}");
    }
    assert_eq!((run.admitted(), server.received().len()), (0, 0), "nothing left the host");

    // Who does not listen is ended after the grace; asked twice, it ends once.
    stage.limits.grace = Duration::from_millis(200);
    stage.cancel_twice = true;
    let run = stage.ask(json!([{"nap": 60_000}]));
    assert_eq!(run.failure_of("probe").code, "run.cancelled");
    assert_eq!(run.status, RunStatus::Cancelled);
    run.ends_once();
    // Cancelled when it is over: it stays what it was.
    stage.cancel_after = Some(Duration::from_millis(400));
    let run = stage.ask(json!([]));
    assert_eq!(run.status, RunStatus::Success);
    let ends = run.told().iter().filter(|event| event["event"] == "run-finished").count();
    assert_eq!(ends, 1);
    "revoked, cancelled, one end each".to_owned()
}
