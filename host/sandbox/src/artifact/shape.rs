//! What kind of file some bytes are, and the outline of a component.

use super::{ArtifactError, MANIFEST_SECTION};
use std::collections::BTreeSet;
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};

/// Sections at the top level. A Rust step has about 30.
const SECTIONS_MAX: usize = 10_000;

/// What a component shows without being compiled.
pub(super) struct Outline<'a> {
    pub(super) imports: BTreeSet<String>,
    pub(super) manifests: Vec<&'a [u8]>,
}

/// Names what the bytes are, if they are not a component.
pub(super) fn recognise(bytes: &[u8]) -> Result<(), ArtifactError> {
    let malformed = |what: &str| {
        Err(ArtifactError::new("plugin.malformed", format!("not a WebAssembly component: {what}")))
    };
    let text = || bytes.trim_ascii_start();
    match bytes {
        [] => malformed("the file is empty"),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ArtifactError::new(
            "plugin.core-module",
            "a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it \
             with `wasm-tools component new`",
        )),
        [0, b'a', b's', b'm', ..] if bytes.len() < 8 => {
            malformed("it is cut off after its first bytes")
        }
        [0, b'a', b's', b'm', ..] => malformed("it is WebAssembly of a version that is not known"),
        [0x7f, b'E', b'L', b'F', ..] => Err(ArtifactError::new(
            "plugin.precompiled",
            "machine code, such as a precompiled `.cwasm`; only the host compiles plugins, give \
             it the `.wasm`",
        )),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            malformed("it is compressed; unpack it first")
        }
        [b'P', b'K', ..] => malformed("it is a ZIP archive"),
        _ if text().starts_with(b"(") || text().starts_with(b";;") => Err(ArtifactError::new(
            "plugin.text",
            "WebAssembly as text; turn it into bytes with `wasm-tools parse`",
        )),
        _ if text().starts_with(b"<") => malformed("it looks like an HTML page"),
        _ => malformed("it does not begin like one"),
    }
}

/// Goes over the top level of a component.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, ArtifactError> {
    let mut outline = Outline { imports: BTreeSet::new(), manifests: Vec::new() };
    let mut depth = 0_usize;
    let mut sections = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        sections += 1;
        if sections > SECTIONS_MAX {
            return Err(ArtifactError::new(
                "plugin.malformed",
                format!("it has more than {SECTIONS_MAX} sections"),
            ));
        }
        match payload.map_err(|error| malformed(&error))? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err(ArtifactError::new("plugin.core-module", "a core module"));
            }
            Payload::ComponentImportSection(reader) if depth == 0 => {
                for import in reader {
                    let import = import.map_err(|error| malformed(&error))?;
                    outline.imports.insert(import.name.name.to_owned());
                }
            }
            Payload::CustomSection(section) if depth == 0 && section.name() == MANIFEST_SECTION => {
                outline.manifests.push(section.data());
            }
            _ => {}
        }
    }
    Ok(outline)
}

/// Validates all of a component with the features that the engine has on.
pub(super) fn validate(bytes: &[u8]) -> Result<(), ArtifactError> {
    let mut features = WasmFeatures::default();
    features.remove(WasmFeatures::THREADS | WasmFeatures::MEMORY64 | WasmFeatures::RELAXED_SIMD);
    features.remove(WasmFeatures::CM_ASYNC | WasmFeatures::EXCEPTIONS);
    Validator::new_with_features(features)
        .validate_all(bytes)
        .map(|_types| ())
        .map_err(|error| malformed(&error))
}

fn malformed(error: &wasmparser::BinaryReaderError) -> ArtifactError {
    let hint = if error.message().contains("async") || error.message().contains("task.") {
        "; steps are synchronous, build a JavaScript one with `--backend-qjs-disable-async`"
    } else {
        ""
    };
    ArtifactError::new(
        "plugin.malformed",
        format!("not a sound component: {} at byte {}{hint}", error.message(), error.offset()),
    )
}

#[cfg(test)]
mod tests {
    use super::super::Artifact;
    use wasm_encoder::{Component, CustomSection};

    /// An otherwise empty component with these manifest sections.
    fn component(manifests: &[&str]) -> Vec<u8> {
        let mut component = Component::new();
        for manifest in manifests {
            component.section(&CustomSection {
                name: "bowline:manifest".into(),
                data: manifest.as_bytes().into(),
            });
        }
        component.finish()
    }

    fn manifest(name: &str) -> String {
        format!(
            r#"{{"schema":1,"name":"{name}","version":"1.0.0","summary":"s","inputs":{{}},"outputs":{{}}}}"#
        )
    }

    #[test]
    fn each_wrong_file_is_refused_by_name() {
        let good = component(&[&manifest("ok")]);
        let deep = format!("{{\"schema\":{}", "[".repeat(10_000));
        let duplicate = manifest("ok").replace("\"summary\"", "\"name\":\"x\",\"summary\"");
        let cases: &[(&str, Vec<u8>, &str)] = &[
            ("empty", vec![], "plugin.malformed"),
            ("one byte", vec![0], "plugin.malformed"),
            ("random", b"\x93\x11\xf0 random".to_vec(), "plugin.malformed"),
            ("html", b"<!doctype html><title>404</title>".to_vec(), "plugin.malformed"),
            ("gzip", vec![0x1f, 0x8b, 8, 0], "plugin.malformed"),
            ("core module", b"\0asm\x01\0\0\0".to_vec(), "plugin.core-module"),
            ("text", b"\n(component)".to_vec(), "plugin.text"),
            ("precompiled", b"\x7fELF\x02\x01\x01".to_vec(), "plugin.precompiled"),
            ("future version", b"\0asm\x0e\0\x01\0".to_vec(), "plugin.malformed"),
            ("no manifest", component(&[]), "plugin.no-manifest"),
            (
                "two manifests",
                component(&[&manifest("a"), &manifest("b")]),
                "plugin.manifest-invalid",
            ),
            ("no json", component(&["hello"]), "plugin.manifest-invalid"),
            ("deep json", component(&[&deep]), "plugin.manifest-invalid"),
            ("a member twice", component(&[&duplicate]), "plugin.manifest-invalid"),
            ("a path as name", component(&[&manifest("../../etc/x")]), "plugin.manifest-invalid"),
            ("huge", component(&[&" ".repeat(70_000)]), "plugin.manifest-invalid"),
            (
                "future form",
                component(&[&manifest("a").replace(":1,", ":2,")]),
                "plugin.manifest-invalid",
            ),
        ];
        for (name, bytes, code) in cases {
            assert_eq!(Artifact::examine(bytes).unwrap_err().code, *code, "{name}");
        }
        assert_eq!(Artifact::examine(&good).unwrap().manifest.name, "ok");
    }

    #[test]
    fn every_prefix_of_a_good_file_is_refused() {
        let good = component(&[&manifest("ok")]);
        for length in 0..good.len() {
            assert!(Artifact::examine(&good[..length]).is_err(), "{length} bytes");
        }
    }
}
