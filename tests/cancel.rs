//! Ctrl-C, and a request from another process: the run ends as cancelled, and says so.

use crate::support::{Done, Place};
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tests::guest;

/// A step that sleeps for ten minutes by asking the host to.
fn sleeper() -> Vec<u8> {
    let module = r#"(module
  (import "bowline:plugin/runtime@1.0.0" "[method]context.sleep" (func $sleep (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "{}")
  (data (i32.const 72) "\20\00\00\00\02\00\00\00")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "bowline:plugin/step@1.0.0#run") (param i32 i32 i32) (result i32)
    (drop (call $sleep (local.get 0) (i64.const 600000)))
    (i32.const 64)))"#;
    let mut manifest = guest::manifest("sleeper");
    manifest["limits"] = serde_json::json!({"attemptSeconds": 600});
    guest::component(module, &manifest)
}

/// Starts a run of the sleeper, waits until the step has started, does `then`, and gives the end.
fn cancelled(then: impl FnOnce(&Place, u32)) -> (Place, Done) {
    let place = Place::new();
    place
        .write("plugins/sleeper.wasm", sleeper())
        .write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n")
        .write(
            "w.yaml",
            "steps:\n- {name: a, image: sleeper}\n- {name: b, image: sleeper, dependsOn: a}\n",
        );
    let mut child = place
        .command(&["run", "w.yaml", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the program");
    let mut stdout = BufReader::new(child.stdout.take().expect("its stdout"));
    let mut seen = String::new();
    while !seen.contains("step-started") {
        assert_ne!(stdout.read_line(&mut seen).expect("read"), 0, "ended early: {seen}");
    }
    let asked = Instant::now();
    then(&place, child.id());
    stdout.read_to_string(&mut seen).expect("read the rest");
    let mut stderr = String::new();
    child.stderr.take().expect("its stderr").read_to_string(&mut stderr).expect("read");
    let code = child.wait().expect("wait").code().unwrap_or(-1);
    assert!(asked.elapsed() < Duration::from_secs(20), "it took {:?}", asked.elapsed());
    (place, Done { code, stdout: seen, stderr })
}

#[test]
fn ctrl_c_ends_the_run_as_cancelled() {
    let (place, done) = cancelled(|_, pid| {
        let sent = std::process::Command::new("kill").args(["-INT", &pid.to_string()]).status();
        assert!(sent.expect("send SIGINT").success());
    });

    let finished = done.ends(130).finished();
    assert_eq!(finished["status"], "cancelled");
    assert_eq!(finished["steps"]["b"]["attempts"], 0);
    let listed = place.run(&["runs", "list", "--json"]);
    assert_eq!(listed.json()[0]["status"], "cancelled");
}

#[test]
fn another_process_can_ask_for_it() {
    let (_, done) = cancelled(|place, _| {
        place.run(&["runs", "cancel", "@latest"]).ends(0);
    });

    assert_eq!(done.ends(130).finished()["status"], "cancelled");
}
