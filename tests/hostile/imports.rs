//! B: what a plugin imports and exports, and what its manifest says of it.

use crate::probe;
use crate::stage::Stage;
use crate::table::Case;
use effects::Layer;
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use tests::guest;

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("B1", "imports an interface that nobody offers", &[Layer::Imports], stranger),
        Case::new("B2", "imports sockets and connects", &[], sockets),
        Case::new("B3", "imports a function of a later version", &[], too_new),
        Case::new("B4", "imports another major version, or a release candidate", &[], other_major),
        Case::new("B5", "imports a function with other types", &[], other_types),
        Case::new(
            "B6",
            "imports what its manifest does not ask for",
            &[Layer::Imports],
            undeclared,
        ),
        Case::new("B7", "asks for more than it imports", &[Layer::Imports], over_asking),
        Case::new("B9", "exports a `describe` that never ends", &[], describe),
        Case::new("B10", "exports more functions than the contract has", &[], more_exports),
        Case::new("B11", "runs code while it is instantiated", &[Layer::Cpu], start_section),
    ]
}

/// A component that imports an instance with these exports, and nothing else.
fn importing(interface: &str, exports: &str, manifest: &Value) -> Vec<u8> {
    let text = format!(r#"(component (import "{interface}" (instance {exports})))"#);
    guest::with_manifest(wat::parse_str(text).expect("parse the component's text"), manifest)
}

/// A manifest that asks for one connection of this type.
fn asking_for(name: &str, kind: &str) -> Value {
    let mut manifest = guest::manifest(name);
    manifest["connections"] = json!({
        "only": {"type": kind, "from": ["/only"], "reason": "a test", "allow": []},
    });
    manifest
}

/// Installs what must be refused with `code`, in words that hold each of `parts`.
#[track_caller]
fn refused(stage: &mut Stage, bytes: &[u8], code: &str, parts: &[&str]) {
    let error = stage.install(bytes).expect_err("it must be refused");
    assert_eq!(error.code, code, "{}", error.message);
    for part in parts {
        assert!(error.message.contains(part), "`{part}` is not in: {}", error.message);
    }
}

fn stranger(stage: &mut Stage) -> String {
    let manifest = guest::manifest("x");
    for interface in
        ["evil:x/y@1.0.0", "wasi:http/outgoing-handler@0.2.0", "wasi:keyvalue/store@0.2.0"]
    {
        let bytes = importing(interface, r#"(export "f" (func))"#, &manifest);
        refused(stage, &bytes, "plugin.unknown-import", &[interface]);
    }
    "plugin.unknown-import".to_owned()
}

fn sockets(stage: &mut Stage) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
    listener.set_nonblocking(true).expect("not to wait");
    let address = listener.local_addr().expect("an address").to_string();

    let run = stage.ask(json!([{"connect": address}]));

    let failure = run.fails("denied.wasi-sockets");
    assert!(failure.message.contains("wasi:sockets/"), "{}", failure.message);
    assert!(listener.accept().is_err(), "somebody connected");
    "denied.wasi-sockets, nobody called".to_owned()
}

fn too_new(stage: &mut Stage) -> String {
    let bytes = importing(
        "bowline:connect/kubernetes@1.9.0",
        r#"(export "teleport" (func))"#,
        &asking_for("x", "kubernetes"),
    );
    refused(stage, &bytes, "plugin.host-too-old", &["teleport", "1.9.0"]);
    "plugin.host-too-old".to_owned()
}

fn other_major(stage: &mut Stage) -> String {
    for version in ["2.0.0", "1.1.0-rc.1"] {
        let interface = format!("bowline:plugin/log@{version}");
        let bytes = importing(&interface, r#"(export "f" (func))"#, &guest::manifest("x"));
        refused(stage, &bytes, "plugin.host-too-old", &[&interface]);
    }
    "plugin.host-too-old".to_owned()
}

fn other_types(stage: &mut Stage) -> String {
    let text = r#"(component
        (type $log (instance
            (type $level (enum "trace" "debug" "info" "warn" "error" "fatal"))
            (export "level" (type $own (eq $level)))
            (export "enabled" (func (param "level" $own) (result bool)))))
        (import "bowline:plugin/log@1.0.0" (instance (type $log))))"#;
    let bytes = wat::parse_str(text).expect("parse the component's text");
    let bytes = guest::with_manifest(bytes, &guest::manifest("x"));
    refused(stage, &bytes, "plugin.host-mismatch", &["enum"]);
    "plugin.host-mismatch".to_owned()
}

fn undeclared(stage: &mut Stage) -> String {
    // The probe can use both kinds of connections, and asks for one.
    let mut manifest = probe::manifest("probe", &Map::new());
    manifest["connections"].as_object_mut().expect("connections").remove("no-cluster");
    let bytes = probe::component(&manifest);
    refused(
        stage,
        &bytes,
        "plugin.undeclared-capability",
        &["bowline:connect/kubernetes@1.0.0", "declare it"],
    );
    "plugin.undeclared-capability".to_owned()
}

fn over_asking(stage: &mut Stage) -> String {
    let bytes = guest::component(guest::NO_OP, &asking_for("greedy", "http"));
    assert_eq!(stage.asks_too_much(&bytes), ["only"]);
    // Its credential can't even be read, which nobody notices: the connection is not opened.
    stage.plugin("greedy", bytes);
    let settings = json!({"baseUrl": "https://127.0.0.1:1", "token": {"file": "not-there"}});
    stage.connections.entry("http".to_owned()).or_default().insert("only".to_owned(), settings);
    let run = stage.flow(
        "steps:\n- name: greedy\n  image: greedy\n  spec: {only: !Connection {type: http, name: only}}\n",
        Map::new(),
    );
    run.outputs_of("greedy");
    let granted = run.told().iter().filter(|event| event["event"] == "connection-granted").count();
    assert_eq!(granted, 0, "{}", run.tail());
    "told, and not granted".to_owned()
}

/// The core export of an interface's function.
fn and_export(module: &str, export: &str) -> String {
    let end = module.rfind(')').expect("a module");
    format!("{}{export})", &module[..end])
}

fn describe(stage: &mut Stage) -> String {
    let endless = r#"(func (export "bowline:plugin/metadata@1.0.0#describe") (result i32) (loop $l (br $l)) (unreachable))"#;
    let module = and_export(guest::NO_OP, endless);
    let bytes = guest::component_for(&module, "include bowline:plugin/step-described@1.0.0;", &[]);
    let bytes = guest::with_manifest(bytes, &guest::manifest("described"));
    stage.install(&bytes).expect("nobody calls it");
    stage.plugin("described", bytes);
    stage.run_plugin("described").outputs_of("described");
    "never called".to_owned()
}

fn more_exports(stage: &mut Stage) -> String {
    let module = and_export(
        guest::NO_OP,
        r#"(func (export "init") (param i32 i32) (unreachable))
           (func (export "run") (result i32) (unreachable))"#,
    );
    let items = "include bowline:plugin/step-base@1.0.0; \
         export init: func(script: string); export run: func() -> u32;";
    let bytes = guest::component_for(&module, items, &[]);
    stage.plugin("more", guest::with_manifest(bytes, &guest::manifest("more")));
    stage.run_plugin("more").outputs_of("more");
    "only `step` is run".to_owned()
}

fn start_section(stage: &mut Stage) -> String {
    let log =
        r#"(import "bowline:plugin/log@1.0.0" "write" (func $log (param i32 i32 i32 i32 i32)))"#;
    let starting = |import: &str, body: &str| {
        let started = format!("{import} (func $start {body}) (start $start) (memory");
        guest::NO_OP.replacen("(memory", &started, 1)
    };
    stage.module("spinner", &starting("", "(loop $l (br $l))"));
    stage.module(
        "eater",
        &starting(
            "",
            "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))",
        ),
    );
    stage.module(
        "talker",
        &starting(
            log,
            "(loop $l (call $log (i32.const 2) (i32.const 32) (i32.const 2) (i32.const 0) (i32.const 0)) (br $l))",
        ),
    );
    stage.run_plugin("spinner").fails("limit.cpu");
    stage.run_plugin("eater").fails("limit.memory");
    // While it is instantiated, what it imports is not connected yet.
    let run = stage.run_plugin("talker");
    run.fails("guest.trap");
    assert!(run.lines().is_empty(), "{}", run.tail());
    "limit.cpu, limit.memory, guest.trap".to_owned()
}
