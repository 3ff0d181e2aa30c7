//! What `plugins/build` has made: components that import nothing but what they may, and say what
//! they are.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

/// The largest component, in bytes.
const BYTES_MAX: usize = 300_000;

fn components() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/components");
    let mut found: Vec<(String, Vec<u8>)> = fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .map(|path| {
            let name = path.file_stem().and_then(|name| name.to_str()).expect("a name").to_owned();
            (name, fs::read(&path).expect("read a component"))
        })
        .collect();
    found.sort();
    if found.is_empty() {
        eprintln!("SKIPPED: no components are built; run `plugins/build`");
    }
    found
}

/// The top level of a component.
#[derive(Default)]
struct Outline {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
    /// Custom sections: name and content.
    sections: Vec<(String, Vec<u8>)>,
}

fn outline(bytes: &[u8]) -> Outline {
    let Outline { mut imports, mut exports, mut sections } = Outline::default();
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.expect("a payload") {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(reader) if depth == 0 => {
                imports.extend(
                    reader.into_iter().map(|it| it.expect("an import").name.name.to_owned()),
                );
            }
            Payload::ComponentExportSection(reader) if depth == 0 => {
                exports.extend(
                    reader.into_iter().map(|it| it.expect("an export").name.name.to_owned()),
                );
            }
            Payload::CustomSection(section) if depth == 0 => {
                sections.push((section.name().to_owned(), section.data().to_vec()));
            }
            _ => (),
        }
    }
    Outline { imports, exports, sections }
}

#[test]
fn every_component_is_valid_small_and_imports_only_what_it_may() {
    for (name, bytes) in components() {
        Validator::new_with_features(WasmFeatures::default())
            .validate_all(&bytes)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(bytes.len() <= BYTES_MAX, "{name} has {} bytes", bytes.len());
        let Outline { imports, exports, .. } = outline(&bytes);
        for import in &imports {
            let inert =
                ["wasi:cli/", "wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:filesystem/"];
            let ours =
                import.starts_with("bowline:plugin/") || import.starts_with("bowline:connect/");
            let allowed = ours || inert.iter().any(|prefix| import.starts_with(prefix));
            assert!(allowed, "{name} imports {import}");
        }
        let handle = |kind: &str| imports.contains(&format!("bowline:connect/{kind}@1.0.0"));
        let is_kubernetes = name.starts_with("kubernetes-");
        assert_eq!(
            (handle("kubernetes"), handle("http")),
            (is_kubernetes, !is_kubernetes),
            "{name}"
        );
        assert!(exports.contains("bowline:plugin/step@1.0.0"), "{name}: {exports:?}");
    }
}

#[test]
fn every_component_carries_its_manifest_once() {
    for (name, bytes) in components() {
        let manifests: Vec<Vec<u8>> = outline(&bytes)
            .sections
            .into_iter()
            .filter(|(section, _)| section == bowline_sdk::pack::SECTION)
            .map(|(_, content)| content)
            .collect();
        assert_eq!(manifests.len(), 1, "{name}");
        let manifest: Value = serde_json::from_slice(&manifests[0]).expect("JSON");
        assert_eq!(
            (&manifest["schema"], &manifest["name"]),
            (&Value::from(1), &Value::from(name.as_str()))
        );
        assert_eq!(manifest["inputs"]["type"], "object", "{name}");
        assert!(!manifest["connections"].as_object().expect("connections").is_empty(), "{name}");
    }
}

#[test]
fn no_component_names_a_folder_of_the_machine_that_built_it() {
    for (name, bytes) in components() {
        for foreign in
            [env!("CARGO_MANIFEST_DIR"), "/.cargo/", "/registry/src/", "/home/", "/root/"]
        {
            let found =
                bytes.windows(foreign.len()).position(|window| window == foreign.as_bytes());
            assert_eq!(found, None, "{name} names `{foreign}`");
        }
    }
}
