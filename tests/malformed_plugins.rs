//! Files that are no plugins: refused with a named reason, before anything is compiled.

use crate::support::Place;
use serde_json::Value;
use tests::guest;

/// What `plugin check --json` says of a file with these bytes.
fn refusal(place: &Place, name: &str, bytes: &[u8]) -> (String, String) {
    place.write(name, bytes);
    let done = place.run(&["plugin", "check", "--json", name]);
    done.ends(2);
    let said: Value = serde_json::from_str(done.stdout.trim()).expect("one line of JSON");
    let text = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    (text("code"), text("message"))
}

#[test]
fn each_kind_of_wrong_file_has_its_own_code() {
    let place = Place::new();
    let good = guest::component(guest::NO_OP, &guest::manifest("good"));
    let core = wat::parse_str("(module)").expect("parse");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "plugin.malformed"),
        ("random", vec![0x9e, 0x37, 0x79, 0xb9, 0x7f, 0x4a], "plugin.malformed"),
        ("truncated", good[..good.len() / 2].to_vec(), "plugin.malformed"),
        ("core-module", core, "plugin.core-module"),
        ("text", b"(component)".to_vec(), "plugin.text"),
        ("precompiled", b"\x7fELF\x02\x01\x01\0cwasm".to_vec(), "plugin.precompiled"),
        ("no-manifest", guest::bare_component(guest::NO_OP), "plugin.no-manifest"),
        (
            "two-manifests",
            guest::with_manifest(good.clone(), &guest::manifest("good")),
            "plugin.manifest-invalid",
        ),
        ("no-step", guest::with_manifest(guest::empty(), &guest::manifest("x")), "plugin.no-step"),
    ];
    for (name, bytes, code) in cases {
        let (found, message) = refusal(&place, &format!("{name}.wasm"), &bytes);
        assert_eq!(found, code, "{name}: {message}");
    }
}

#[test]
fn an_import_that_nobody_offers_is_refused_by_name() {
    let place = Place::new();
    let cases = [
        ("evil:x/y@1.0.0", "plugin.unknown-import"),
        ("wasi:http/outgoing-handler@0.2.0", "plugin.unknown-import"),
        ("bowline:connect/http@1.0.0", "plugin.undeclared-capability"),
    ];
    for (interface, code) in cases {
        let bytes = guest::importing(interface, &guest::manifest("x"));
        let (found, message) = refusal(&place, "import.wasm", &bytes);
        assert_eq!(found, code, "{interface}: {message}");
        assert!(message.contains(interface), "{message}");
    }
}

#[test]
fn every_prefix_of_a_component_is_refused() {
    let good = guest::component(guest::NO_OP, &guest::manifest("good"));
    for length in (0..good.len()).step_by(7) {
        let refused = sandbox::Artifact::examine(&good[..length]);
        assert!(refused.is_err(), "{length} bytes of {}", good.len());
    }
    assert!(sandbox::Artifact::examine(&good).is_ok());
}

#[test]
fn a_good_one_is_good_and_a_refused_one_in_a_folder_is_told_by_run() {
    let place = Place::new();
    place
        .write("plugins/good.wasm", guest::component(guest::NO_OP, &guest::manifest("good")))
        .write("plugins/bad.wasm", b"<html>not found</html>")
        .write("bowline.yaml", "plugins: [plugins]\npolicy: {default: allow}\n")
        .write("w.yaml", "steps:\n- name: a\n  image: good\n")
        .write("x.yaml", "steps:\n- name: a\n  image: bad\n");

    place.run(&["plugin", "check", "plugins/good.wasm"]).ends(0);
    place.run(&["run", "w.yaml"]).ends(0);
    place.run(&["run", "x.yaml"]).ends(2).says(&["x.yaml:3", "HTML"]);
}
