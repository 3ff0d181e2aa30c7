//! D9 to D16: texts, numbers and values, and calls at the wrong time.

use crate::boundary::{LOG, all_trap, hello, step};
use crate::run::Run;
use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use serde_json::{Value, json};
use std::time::Duration;
use tests::guest;

pub(crate) fn cases() -> Vec<Case> {
    vec![
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

const PROGRESS: &str = r#"(import "bowline:plugin/runtime@1.0.0" "[method]context.progress"
    (func $progress (param i32 i64 i32 i64 i32 i32)))"#;

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
    stage.limits.attempt_time_max = Duration::from_millis(1_500);
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
pub(crate) fn nothing_steers(run: &Run) {
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
    let bytes = wat::parse_str("(component (type (func async)))").expect("parse the text");
    let bytes = guest::with_manifest(bytes, &guest::manifest("async"));
    let error = stage.install(&bytes).expect_err("it must be refused");
    assert_eq!(error.code, "plugin.unsupported-feature", "{}", error.message);
    assert!(error.message.contains("steps are synchronous"), "{}", error.message);
    format!("guest.trap; {} for async", error.code)
}
