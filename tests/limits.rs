//! Steps that misbehave end themselves and nothing else: named by the limit that struck, with the
//! host alive and an honest step beside them unharmed.

use crate::support::Place;
use serde_json::Value;
use tests::guest;

/// A place with these steps as plugins, and small limits.
fn place(plugins: &[(&str, String)]) -> Place {
    let place = Place::new();
    place.write(
        "bowline.yaml",
        "plugins: [plugins]\npolicy: {default: allow}\nlimits: {cpuSeconds: 1, memoryMib: 4, attemptSeconds: 5}\n",
    );
    for (name, module) in plugins {
        let bytes = guest::component(module, &guest::manifest(name));
        place.write(&format!("plugins/{name}.wasm"), bytes);
    }
    place
}

/// Runs the steps side by side, and gives the end of each by name.
fn run(place: &Place, names: &[&str]) -> (i32, Value, String) {
    let steps: String =
        names.iter().map(|name| format!("- name: {name}\n  image: {name}\n")).collect();
    place.write("w.yaml", format!("steps:\n{steps}"));
    let done = place.run(&["run", "w.yaml", "--json"]);
    let finished = done.finished();
    (done.code, finished["steps"].clone(), done.stdout)
}

/// The code in the failure of `step`.
fn code(events: &str, step: &str) -> String {
    let failed = events.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut failed =
        failed.filter(|event| event["event"] == "step-failed" && event["step"] == step);
    let failed = failed.next().unwrap_or_else(|| panic!("`{step}` did not fail:\n{events}"));
    failed["failure"]["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn each_bad_step_ends_itself_and_the_honest_one_beside_it_succeeds() {
    let deep =
        "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let bad = [
        ("endless", guest::module("", "(loop $l (br $l)) (unreachable)"), "limit.cpu"),
        (
            "bomb",
            guest::module(
                "",
                "(loop $l (drop (memory.grow (i32.const 16))) (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable))) (br $l)) (unreachable)",
            ),
            "limit.memory",
        ),
        ("deep", guest::module(deep, "(call $deep (i32.const 0))"), "limit.stack"),
        ("crash", guest::module("", "(unreachable)"), "guest.trap"),
        ("wild", guest::module("", "(i32.const 0x7fffffff)"), "guest.trap"),
    ];
    let mut plugins: Vec<(&str, String)> =
        bad.iter().map(|(name, module, _)| (*name, module.clone())).collect();
    plugins.push(("honest", guest::NO_OP.to_owned()));
    let place = place(&plugins);
    let names: Vec<&str> = plugins.iter().map(|(name, _)| *name).collect();

    let (exit, steps, events) = run(&place, &names);

    assert_eq!(exit, 1);
    assert_eq!(steps["honest"]["status"], "success", "{events}");
    for (name, _, expected) in bad {
        assert_eq!(steps[name]["status"], "failure", "{name}");
        assert_eq!(code(&events, name), expected, "{name}");
    }
}

#[test]
fn a_memory_that_is_too_large_from_the_start_is_refused() {
    let module = guest::NO_OP.replace("\"memory\") 1)", "\"memory\") 200)");
    let place = place(&[("huge", module)]);

    let (exit, _, events) = run(&place, &["huge"]);

    assert_eq!(exit, 1);
    assert_eq!(code(&events, "huge"), "limit.memory");
}

#[test]
fn outputs_that_are_no_json_fail_the_step() {
    let module = guest::NO_OP.replace("\"{}\"", "\"{x\"");
    let place = place(&[("liar", module)]);

    let (exit, _, events) = run(&place, &["liar"]);

    assert_eq!(exit, 1);
    assert_eq!(code(&events, "liar"), "step.outputs");
}
