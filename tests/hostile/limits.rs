//! C: computing, memory and stack.

use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use journal::Level;
use serde_json::json;
use std::time::Duration;
use tests::guest;
use wasm_encoder::{ComponentSection as _, Encode as _, InstanceSection, ModuleSection};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("C1", "loops for ever", &[Layer::Cpu], loops),
        Case::new(
            "C2",
            "loops over tiny calls of the host",
            &[Layer::Cpu, Layer::Log, Layer::Budget],
            tiny_calls,
        ),
        Case::new("C4", "calls itself without end", &[], recursion),
        Case::new("C5", "grows its memory until it can't", &[Layer::Memory], grows),
        Case::new(
            "C6",
            "has many memories just under the limit of one",
            &[Layer::Memory],
            memories,
        ),
        Case::new("C7", "grows tables, has many tables, many instances", &[Layer::Memory], tables),
        Case::new("C8", "fills its whole memory in a loop", &[Layer::Cpu], fills),
        Case::new("C9", "hands out bad memory for the host to write to", &[], bad_realloc),
        Case::new(
            "C10",
            "loops or calls back while the host hands something over",
            &[Layer::Cpu],
            busy_realloc,
        ),
        Case::new("C11", "traps or loops after it has answered", &[Layer::Cpu], post_return),
        Case::new("C14", "measures time finely, to read memory that is not its own", &[], timing),
        Case::new("C15", "is ended in the middle of a request", &[Layer::Deadline], in_flight),
        Case::new("C16", "is called again after a trap", &[], again),
    ]
}

/// Writes one line of two letters.
const LOG: &str =
    r#"(import "bowline:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;

/// A call of it.
const WRITE: &str =
    "(call $log (i32.const 2) (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 0))";

/// How much time is left.
const LEFT: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.remaining-ms"
    (func $left (param i32) (result i64)))"#;

/// A step with these imports whose `run` has this body.
fn importing(imports: &str, body: &str) -> String {
    guest::NO_OP
        .replacen("(memory", &format!("{imports} (memory"), 1)
        .replace("(result i32) (i32.const 64))", &format!("(result i32) {body})"))
}

/// A step that does nothing, with another `cabi_realloc`.
fn realloc(imports: &str, body: &str) -> String {
    let module = guest::NO_OP
        .replace("(result i32) (i32.const 1024))", &format!("(result i32) {body})"))
        .replacen("(memory", &format!("{imports} (memory"), 1);
    assert!(module.contains(body));
    module
}

fn loops(stage: &mut Stage) -> String {
    stage.module("endless", &guest::module("", "(loop $l (br $l)) (unreachable)"));
    let run = stage.run_plugin("endless");
    let failure = run.fails("limit.cpu");
    assert!(failure.message.contains("100ms are allowed"), "{}", failure.message);
    // Two ticks of the clock, and what a busy machine adds.
    assert!(run.elapsed < Duration::from_millis(1_500), "{:?}", run.elapsed);
    format!("limit.cpu after {} ms", run.elapsed.as_millis())
}

fn tiny_calls(stage: &mut Stage) -> String {
    stage.module("chatty", &importing(LOG, &format!("(loop $l {WRITE} (br $l)) (unreachable)")));
    let run = stage.run_plugin("chatty");
    run.fails("limit.cpu");
    let lines = run.lines();
    assert!(lines.len() <= 2_001, "{} lines", lines.len());
    let (level, last, _) = lines.last().expect("a line");
    assert!(*level == Level::Warn && last.contains("more lines"), "{last}");
    let asking = "(loop $l (drop (call $left (local.get 0))) (br $l)) (unreachable)";
    stage.module("asker", &importing(LEFT, asking));
    stage.run_plugin("asker").fails("limit.cpu");
    // Calls that leave the host have a number of their own.
    stage.limits.budget.calls_max = 5;
    let server = stage.serve(|_| (200, "text/plain", "hello".to_owned()));
    stage.http("api", &server.url, json!([{"method": "GET", "path": "/{any}"}]));
    let called = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "path": "/a", "repeat": 8}},
    ]));
    let error = &called.results()[1]["error"];
    assert_eq!(
        (error["reason"].as_str(), error["code"].as_str()),
        (Some("exhausted"), Some("limit.calls"))
    );
    assert!(error["message"].as_str().is_some_and(|text| text.contains('5')), "{error}");
    assert_eq!((called.admitted(), server.received().len()), (5, 5));
    format!("limit.cpu, {} lines kept; limit.calls", lines.len())
}

fn recursion(stage: &mut Stage) -> String {
    let deep =
        "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    stage.module("deep", &guest::module(deep, "(call $deep (i32.const 0))"));
    let pair = "(func $a (param i32) (result i32) (i32.add (i32.const 1) (call $b (local.get 0)))) \
        (func $b (param i32) (result i32) (i32.add (i32.const 1) (call $a (local.get 0))))";
    stage.module("pair", &guest::module(pair, "(call $a (i32.const 0))"));
    for name in ["deep", "pair"] {
        let run = stage.run_plugin(name);
        let failure = run.fails("limit.stack");
        assert!(failure.message.contains("512 KiB"), "{}", failure.message);
    }
    "limit.stack".to_owned()
}

fn grows(stage: &mut Stage) -> String {
    let full = "(loop $l (br_if $l (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    stage.module("dies", &guest::module("", &format!("{full} (unreachable)")));
    let run = stage.run_plugin("dies");
    let failure = run.fails("limit.memory");
    for part in ["4259840", "4194304"] {
        assert!(failure.message.contains(part), "wanted and allowed: {}", failure.message);
    }
    // A guest that can do with what it has goes on.
    stage.module(
        "copes",
        &guest::NO_OP.replace(
            "(result i32) (i32.const 64))",
            &format!("(result i32) {full} (i32.const 64))"),
        ),
    );
    stage.run_plugin("copes").outputs_of("copes");
    let run = stage.ask(json!([{"allocate": 3_000_000}, {"allocate": 3_000_000}]));
    assert_eq!(run.results(), [json!({"ok": true}), json!({"ok": false})]);
    "limit.memory, or none if it copes".to_owned()
}

fn memories(stage: &mut Stage) -> String {
    // 60 pages are 3.75 MiB, and 4 are allowed in all.
    let more: String = (0..15).map(|_| "(memory 60)").collect();
    let module = guest::NO_OP.replace("\"memory\") 1)", &format!("\"memory\") 1) {more}"));
    stage.module("many", &module);
    let run = stage.run_plugin("many");
    let failure = run.fails("limit.memory");
    assert!(failure.message.contains("4194304"), "{}", failure.message);
    let more: String = (0..16).map(|_| "(memory 1)").collect();
    stage.module(
        "count",
        &guest::NO_OP.replace("\"memory\") 1)", &format!("\"memory\") 1) {more}")),
    );
    let run = stage.run_plugin("count");
    let failure = run.fails("limit.resources");
    assert!(failure.message.contains("memory count too high at 17"), "{}", failure.message);
    "limit.memory over all of them".to_owned()
}

fn tables(stage: &mut Stage) -> String {
    let grow = "(if (i32.eq (table.grow $t (ref.null func) (i32.const 4000000)) (i32.const -1)) (then unreachable)) (unreachable)";
    stage.module("grower", &guest::module("(table $t 1 funcref)", grow));
    let run = stage.run_plugin("grower");
    let failure = run.fails("limit.resources");
    for part in ["4000001", "20000"] {
        assert!(failure.message.contains(part), "wanted and allowed: {}", failure.message);
    }
    let many: String = (0..65).map(|_| "(table 1 funcref)").collect();
    stage.module("tables", &guest::module(&many, "(unreachable)"));
    let run = stage.run_plugin("tables");
    let failure = run.fails("limit.resources");
    assert!(failure.message.contains("table count too high at 65"), "{}", failure.message);
    stage.plugin("instances", many_instances(150));
    let run = stage.run_plugin("instances");
    let failure = run.fails("limit.resources");
    assert!(failure.message.contains("instance count too high"), "{}", failure.message);
    "limit.resources".to_owned()
}

/// The step that does nothing, with this many instances of an empty module beside it.
fn many_instances(count: u32) -> Vec<u8> {
    let mut bytes = guest::bare_component(guest::NO_OP);
    let empty = core_modules(&bytes);
    let mut append = |id: u8, section: &dyn Fn(&mut Vec<u8>)| {
        bytes.push(id);
        section(&mut bytes);
    };
    let module = wasm_encoder::Module::new();
    let section = ModuleSection(&module);
    append(section.id(), &|bytes| section.encode(bytes));
    let mut instances = InstanceSection::new();
    for _ in 0..count {
        instances.instantiate(empty, Vec::<(&str, wasm_encoder::ModuleArg)>::new());
    }
    append(instances.id(), &|bytes| instances.encode(bytes));
    guest::with_manifest(bytes, &guest::manifest("instances"))
}

/// How many core modules a component has at its top.
fn core_modules(component: &[u8]) -> u32 {
    // Each begins with its magic and version; the first eight bytes are the component's own.
    let magic = b"\0asm\x01\0\0\0";
    let count = component.windows(magic.len()).filter(|window| window == magic).count();
    u32::try_from(count).expect("a few")
}

fn fills(stage: &mut Stage) -> String {
    let module = guest::module(
        "",
        "(drop (memory.grow (i32.const 62))) \
         (loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 4128768)) \
         (memory.copy (i32.const 0) (i32.const 65536) (i32.const 4000000)) (br $l)) (unreachable)",
    );
    stage.module("filler", &module);
    let run = stage.run_plugin("filler");
    run.fails("limit.cpu");
    assert!(run.elapsed < Duration::from_millis(1_500), "{:?}", run.elapsed);
    format!("limit.cpu after {} ms", run.elapsed.as_millis())
}

fn bad_realloc(stage: &mut Stage) -> String {
    let cases = [
        ("traps", "(unreachable)", "guest.trap"),
        ("outside", "(i32.const 0x7fffffff)", "guest.trap"),
        ("end", "(i32.const -1)", "guest.trap"),
        ("last-byte", "(i32.const 65535)", "guest.trap"),
    ];
    for (name, body, _) in cases {
        stage.module(name, &realloc("", body));
    }
    // Side by side, with one that is honest.
    let run = stage.run_plugins(&["traps", "outside", "honest", "end", "last-byte"]);
    for (name, _, code) in cases {
        assert_eq!(run.failure_of(name).code, code, "{name}");
    }
    run.outputs_of("honest");
    // Over its own data, and at an odd place: that is the guest's own affair. The inputs `{}`
    // land on its answer, which happens to be the same.
    for (name, place) in [("over", 32), ("odd", 1025)] {
        stage.module(name, &realloc("", &format!("(i32.const {place})")));
        stage.run_plugin(name).outputs_of(name);
    }
    "guest.trap, nothing written outside".to_owned()
}

fn busy_realloc(stage: &mut Stage) -> String {
    stage.module("loops", &realloc("", "(loop $l (br $l)) (unreachable)"));
    stage.run_plugin("loops").fails("limit.cpu");
    let call = format!("{WRITE} (i32.const 1024)");
    stage.module("calls", &realloc(LOG, &call));
    let run = stage.run_plugin("calls");
    let failure = run.fails("guest.trap");
    assert!(failure.message.contains("cannot leave component instance"), "{}", failure.message);
    assert!(run.lines().is_empty());
    "limit.cpu, guest.trap".to_owned()
}

/// The house decided: who dies after the answer has failed, and the answer is not kept. What it
/// did through its connections stands in the journal either way.
fn post_return(stage: &mut Stage) -> String {
    let after = |body: &str| {
        let end = guest::NO_OP.rfind(')').expect("a module");
        format!(
            r#"{}(func (export "cabi_post_bowline:plugin/step@1.0.0#run") (param i32) {body}))"#,
            &guest::NO_OP[..end]
        )
    };
    stage.module("fine", &after(""));
    stage.run_plugin("fine").outputs_of("fine");
    stage.module("traps", &after("(unreachable)"));
    stage.run_plugin("traps").fails("guest.trap");
    stage.module("loops", &after("(loop $l (br $l))"));
    let run = stage.run_plugin("loops");
    run.fails("limit.cpu");
    assert!(run.elapsed < Duration::from_millis(1_500), "{:?}", run.elapsed);
    "guest.trap, limit.cpu (the answer is not kept)".to_owned()
}

fn timing(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(2);
    let run = stage.ask(json!([{"clock": {"repeat": 20_000}}]));
    let answer = &run.results()[0]["ok"];
    let steps = answer["steps"].as_array().expect("steps");
    assert!(!steps.is_empty(), "the clock stands still");
    for step in steps {
        assert_eq!(step.as_u64().expect("a number") % 1_000_000, 0, "finer than 1 ms: {steps:?}");
    }
    // Without signals for bounds wasmtime would do without its guards against speculation, too.
    let engine = include_str!("../../host/sandbox/src/engine.rs");
    assert!(!engine.contains("signals_based_traps"), "leave it as it is: on");
    "a clock of 1 ms, guards on".to_owned()
}

fn in_flight(stage: &mut Stage) -> String {
    stage.limits.attempt_time_max = Duration::from_millis(400);
    let silent = stage.serve_nothing();
    stage.http("api", &silent.url, json!([{"method": "POST", "path": "/{any}"}]));
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "method": "POST", "path": "/wait", "body": "{}"}},
        {"nap": 60_000},
    ]));
    // Nobody knows what came of it, so a person is asked.
    assert_eq!(run.status, journal::RunStatus::Waiting, "{}", run.tail());
    assert!(run.tail().contains("limit.time"), "{}", run.tail());
    // What left the host is on record as in doubt, before the end of the step.
    let told = run.told();
    let settled = told.iter().find(|event| event["event"] == "effect-settled");
    let settled = settled.unwrap_or_else(|| panic!("it was not settled: {}", run.tail()));
    assert_eq!(settled["outcome"]["outcome"], "in-doubt", "{}", run.tail());
    assert_eq!(silent.open_after(Duration::from_millis(250)), 0, "the connection is still open");
    // The same when the host goes: nobody is left who could hold it open.
    stage.die_after = Some(Duration::from_millis(250));
    let run = stage.ask(json!([
        {"open": {"slot": "api", "as": "h"}},
        {"send": {"handle": "h", "method": "POST", "path": "/wait", "body": "{}"}},
    ]));
    assert_eq!(run.status, journal::RunStatus::Running);
    assert_eq!(silent.open_after(Duration::from_millis(250)), 0, "the connection is still open");
    "in doubt, connection closed".to_owned()
}

fn again(stage: &mut Stage) -> String {
    stage.ask(json!([{"remember": "a"}, {"panic": "now"}])).fails("guest.trap");
    let run = stage.ask(json!([{"recall": true}]));
    assert_eq!(run.results(), [json!({"ok": null})]);
    "a fresh instance".to_owned()
}
