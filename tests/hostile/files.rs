//! A: what is wrong with a file before anything of it runs. With B8 (signatures) and C3, C12 and
//! C13 (compiling and taking turns), which live in the same part of the host.

mod code;
mod complex;
mod folder;
mod signing;
mod turns;

use crate::stage::Stage;
use crate::table::Case;
use sandbox::{Artifact, ArtifactError};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::guest;
use wasm_encoder::{
    Component, ComponentImportSection, ComponentTypeRef, ComponentTypeSection, InstanceType,
};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("A1", "a file that is something else", &[], something_else),
        Case::new("A2", "every prefix of a good component", &[], prefixes),
        Case::new("A3", "a core module instead of a component", &[], core_module),
        Case::new("A4", "a component as text", &[], as_text),
        Case::new("A5", "machine code that calls itself .wasm", &[], precompiled),
        Case::not_here(
            "A10",
            "an OCI layer that is compressed, of another size, twice, or an index of itself",
            "this host fetches nothing from registries",
            packed,
        ),
        Case::new("A13", "sections and manifests beyond measure", &[], manifests),
        Case::new("A19", "a name that is a path, a device, or looks like another", &[], names),
        Case::not_here(
            "A21",
            "an archive that unpacks to somewhere else",
            "this host unpacks nothing",
            archives,
        ),
    ];
    cases.extend(code::cases());
    cases.extend(complex::cases());
    cases.extend(folder::cases());
    cases.extend(signing::cases());
    cases.extend(turns::cases());
    cases
}

/// A file must be refused within this time.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

/// Fails unless these bytes are refused, in time, with this code and words.
#[track_caller]
fn refused(stage: &mut Stage, name: &str, bytes: &[u8], code: &str, words: &str) -> ArtifactError {
    let began = Instant::now();
    let error = stage.install(bytes).expect_err(name);
    let took = began.elapsed();
    assert_eq!(error.code, code, "{name}: {error}");
    assert!(error.message.contains(words), "{name}: {error}");
    assert!(took < REFUSED_WITHIN, "{name} took {took:?}");
    error
}

fn good() -> Vec<u8> {
    guest::component(guest::NO_OP, &guest::manifest("good"))
}

fn something_else(stage: &mut Stage) -> String {
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty", b"", "empty"),
        ("a byte", b"\0", "does not begin like one"),
        ("random", b"\x9e\x37\x79\xb9\x7f\x4a\x7c\x15", "does not begin like one"),
        ("HTML", b"<!doctype html><title>404</title>", "HTML"),
        ("a later version", b"\0asm\x0e\0\x01\0", "version"),
    ];
    for (name, bytes, words) in cases {
        refused(stage, name, bytes, "plugin.malformed", words);
    }
    format!("{} files, each named", cases.len())
}

fn prefixes(stage: &mut Stage) -> String {
    let good = good();
    for length in 0..good.len() {
        assert!(Artifact::examine(&good[..length]).is_err(), "{length} bytes were taken");
    }
    // One that ends where a section does is whole in shape, and has lost its manifest.
    for length in (0..good.len()).step_by(211) {
        stage.install(&good[..length]).expect_err("a prefix");
    }
    stage.install(&good).expect("the whole file is good");
    format!("{} prefixes refused", good.len())
}

fn core_module(stage: &mut Stage) -> String {
    let module = wat::parse_str("(module)").expect("parse");
    refused(stage, "module", &module, "plugin.core-module", "wasm-tools component new").code.into()
}

fn as_text(stage: &mut Stage) -> String {
    for text in [&b"(component)"[..], b"\n ;; a comment\n(component)"] {
        refused(stage, "text", text, "plugin.text", "wasm-tools parse");
    }
    "plugin.text".into()
}

fn precompiled(stage: &mut Stage) -> String {
    let engine = wasmtime::Engine::default();
    let code = engine.precompile_component(&good()).expect("compile");
    refused(stage, "code", &code, "plugin.precompiled", "only the host compiles").code.into()
}

/// What can be laid before this host in the place of an artifact of a registry.
fn packed(stage: &mut Stage) -> String {
    let index = json!({"schemaVersion": 2, "manifests": [{"digest": "sha256:0"}]}).to_string();
    let cases: [(&str, &[u8], &str); 4] = [
        ("gzip", &[0x1f, 0x8b, 8, 0, 0], "compressed"),
        ("zstd", &[0x28, 0xb5, 0x2f, 0xfd, 0], "compressed"),
        ("index", index.as_bytes(), "OCI index"),
        ("zip", b"PK\x03\x04", "ZIP"),
    ];
    for (name, bytes, words) in cases {
        refused(stage, name, bytes, "plugin.malformed", words);
    }
    "packed files are refused by name".into()
}

fn archives(stage: &mut Stage) -> String {
    let mut tar = vec![0; 1024];
    tar[..11].copy_from_slice(b"../escape.x");
    tar[257..262].copy_from_slice(b"ustar");
    refused(stage, "tar", &tar, "plugin.malformed", "tar archive");
    "an archive is refused by name".into()
}

fn manifests(stage: &mut Stage) -> String {
    let bare = guest::bare_component(guest::NO_OP);
    let with = |text: &str| guest::with_section(bare.clone(), text.as_bytes());
    let whole = guest::manifest("good").to_string();
    let mut sections = good();
    for _ in 0..5_000 {
        sections.extend_from_slice(&[0, 2, 1, b'x']);
    }
    let twice = guest::with_section(good(), whole.as_bytes());
    let deep = whole.replace("\"s\"", &"[".repeat(10_000));
    let deep = format!("{{\"schema\":{}{deep}", "[".repeat(10_000));
    let duplicate = whole.replacen('{', "{\"name\":\"other\",", 1);
    let nul = whole.replace("a step", "a\\u0000step");
    let large = format!("{whole}{}", " ".repeat(8 << 20));
    let takes = |schema: &Value| {
        let mut manifest = guest::manifest("good");
        manifest["inputs"] = schema.clone();
        guest::component(guest::NO_OP, &manifest)
    };
    let patterns = takes(&json!({"properties": {"a": {"pattern": "(\\w{100}){100}"}}}));
    let remote = takes(&json!({"$ref": "https://example.com/schema.json"}));
    let cases = [
        ("large patterns", patterns, "plugin.manifest-invalid", "regex"),
        ("references", takes(&doubling(29)), "plugin.manifest-invalid", "more than 10000 parts"),
        ("a remote reference", remote, "plugin.manifest-invalid", "only parts of itself"),
        ("100,000 imports", imports(100_000, 1), "plugin.too-complex", "2000 imports and exports"),
        ("5,000 sections", sections, "plugin.too-complex", "500 custom sections"),
        ("none", bare.clone(), "plugin.no-manifest", "pack it"),
        ("twice", twice, "plugin.manifest-invalid", "2 manifest sections"),
        ("no JSON", with("name: good"), "plugin.manifest-invalid", "JSON"),
        ("deep", with(&deep), "plugin.manifest-invalid", "JSON"),
        ("a member twice", with(&duplicate), "plugin.manifest-invalid", "name"),
        ("NUL", with(&nul), "plugin.manifest-invalid", "NUL"),
        ("8 MiB", with(&large), "plugin.manifest-invalid", "65536"),
    ];
    for (name, bytes, code, words) in &cases {
        refused(stage, name, bytes, code, words);
    }
    let long = imports(1, 60_000);
    let error = refused(stage, "a long import", &long, "plugin.unknown-import", "nnn");
    assert!(error.message.len() < 300, "{} bytes of message", error.message.len());
    let beyond = with(&" ".repeat(100 << 20));
    refused(stage, "100 MiB", &beyond, "plugin.too-large", "64 MiB");
    format!("{} manifests refused", cases.len() + 2)
}

/// A schema whose parts refer to the one before twice.
fn doubling(levels: usize) -> Value {
    let mut parts = serde_json::Map::new();
    parts.insert("d0".to_owned(), json!({"type": "string"}));
    for level in 1..=levels {
        let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        parts.insert(format!("d{level}"), json!({"allOf": [below, below]}));
    }
    json!({"$ref": format!("#/$defs/d{levels}"), "$defs": parts})
}

/// A component with so many imports, whose names have so many letters and a number.
fn imports(count: usize, letters: usize) -> Vec<u8> {
    let name = "n".repeat(letters);
    let (mut types, mut imports) = (ComponentTypeSection::new(), ComponentImportSection::new());
    types.instance(&InstanceType::new());
    for at in 0..count {
        imports.import(format!("{name}{at}").as_str(), ComponentTypeRef::Instance(0));
    }
    let mut component = Component::new();
    component.section(&types).section(&imports);
    guest::with_manifest(component.finish(), &guest::manifest("good"))
}

fn names(stage: &mut Stage) -> String {
    let long = "x".repeat(300);
    let bad =
        ["../../etc/x", "CON", "a\nb", "", &long, "kubernetes-kubect\u{406}", "Good", "-x", "a/b"];
    for name in bad {
        let bytes = guest::component(guest::NO_OP, &guest::manifest(name));
        refused(stage, name, &bytes, "plugin.manifest-invalid", "is not 1 to 64");
    }
    let mut manifest: Value = guest::manifest("good");
    manifest["connections"] = json!({"../x": {"type": "http", "from": "/x", "allow": []}});
    let bytes = guest::component(guest::NO_OP, &manifest);
    stage.install(&bytes).expect_err("a connection's name is no path");
    // The name of a file is looked up in what was found, and never used as a path.
    let missing =
        stage.try_flow("steps:\n- name: a\n  image: ../../etc/x\n", serde_json::Map::new());
    let why = missing.err().expect("there is no such plugin");
    assert!(why.contains("../../etc/x"), "{why}");
    signing::twins(stage);
    format!("{} names refused, twins told apart", bad.len() + 1)
}
