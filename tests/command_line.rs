//! The face of the program: help, completions, lists, schemas.

use crate::support::Place;
use serde_json::Value;

#[test]
fn help_names_the_first_thing_to_try() {
    let place = Place::new();

    let help = place.run(&["--help"]);

    assert!(help.ends(0).stdout.contains("--drill"), "{}", help.stdout);
    place.run(&["frobnicate"]).ends(2);
}

#[test]
fn completions_for_each_shell() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = place.run(&["completions", shell]);
        assert!(script.ends(0).stdout.contains("bowline"), "{shell}");
    }
}

#[test]
fn the_plugins_inside_the_program_tell_what_they_ask_for() {
    let place = Place::new();

    let listed = place.run(&["plugin", "list", "--json"]);

    let names: Vec<Value> = listed.ends(0).json().iter().map(|p| p["name"].clone()).collect();
    for name in
        ["datadog-incident-extract-id", "datadog-incident-timeline-update", "kubernetes-kubectl"]
    {
        assert!(names.contains(&name.into()), "{names:?}");
        let page = place.run(&["plugin", "inspect", name]);
        for part in ["asks for", "connection", "does not get", "takes", "gives"] {
            assert!(page.ends(0).stdout.contains(part), "{name}: {}", page.stdout);
        }
        let manifest = place.run(&["plugin", "inspect", name, "--json"]);
        assert_eq!(manifest.ends(0).json()[0]["schema"], 1);
    }
    place.run(&["plugin", "inspect", "nope"]).ends(2).says(&["nope", "plugin list"]);
}

#[test]
fn connections_are_listed_without_their_credentials() {
    let mut place = Place::new();
    place.write(
        "bowline.yaml",
        "connections:\n  datadog:\n    prod: {apiKey: {env: KEY}, applicationKey: {env: KEY}}\n    broken: {apiKey: {env: NONE}}\n",
    );
    place.set("KEY", "CANARY-0123456789abcdef0123456789abcdefg");

    let listed = place.run(&["connection", "list", "--json"]);

    let connections = listed.ends(0).json();
    assert_eq!(connections.len(), 2);
    assert_eq!(connections[1]["usable"], true);
    assert_eq!(connections[0]["usable"], false);
    assert!(!listed.stdout.contains("CANARY") && !listed.stderr.contains("CANARY"));
    place.run(&["connection", "check", "nope"]).ends(2).says(&["nope", "connection list"]);
}

#[test]
fn graphs_in_every_form() {
    let place = Place::new();
    place.runbook();
    for (format, part) in
        [("text", "update-timeline"), ("mermaid", "flowchart"), ("dot", "digraph"), ("svg", "<svg")]
    {
        let drawn = place.run(&["graph", "runbook.yaml", "--format", format]);
        assert!(drawn.ends(0).stdout.contains(part), "{format}: {}", drawn.stdout);
    }
}

#[test]
fn the_schema_is_json() {
    let place = Place::new();

    let schema = place.run(&["schema"]);

    let schema: Value = serde_json::from_str(&schema.ends(0).stdout).expect("JSON");
    assert!(schema["properties"]["steps"].is_object(), "{schema}");
}
