//! What kind of file some bytes are, and the outline of a component: its top level alone, so that
//! looking at a plugin that was compiled long ago costs microseconds.

use super::{ArtifactError, MANIFEST_SECTION, malformed};
use std::collections::BTreeSet;
use wasmparser::{Chunk, Encoding, Parser, Payload};

/// Sections at the top level. A Rust step has about 30, one with an interpreter inside some
/// hundreds.
const SECTIONS_MAX: usize = 4_000;

/// Custom sections at the top level. The largest seen has 5.
const CUSTOM_SECTIONS_MAX: usize = 500;

/// Imports and exports at the top level. The largest step seen has 60.
const NAMES_MAX: usize = 2_000;

/// Bytes of their names.
const NAME_BYTES_MAX: usize = 64 << 10;

/// What a step exports, whatever its version.
const STEP_INTERFACE: &str = "bowline:plugin/step";

/// What a component shows without being compiled.
pub(super) struct Outline<'a> {
    pub(super) imports: BTreeSet<String>,
    pub(super) has_step: bool,
    pub(super) manifests: Vec<&'a [u8]>,
}

/// Names what the bytes are, if they are not a component.
pub(super) fn recognise(bytes: &[u8]) -> Result<(), ArtifactError> {
    let not_one = |what: &str| {
        Err(ArtifactError::new("plugin.malformed", format!("not a WebAssembly component: {what}")))
    };
    let text = || bytes.trim_ascii_start();
    match bytes {
        [] => not_one("the file is empty"),
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(ArtifactError::new(
            "plugin.core-module",
            "a core WebAssembly module, not a component; build it for wasm32-wasip2, or wrap it \
             with `wasm-tools component new`",
        )),
        [0, b'a', b's', b'm', ..] if bytes.len() < 8 => {
            not_one("it is cut off after its first bytes")
        }
        [0, b'a', b's', b'm', ..] => not_one("it is WebAssembly of a version that is not known"),
        [0x7f, b'E', b'L', b'F', ..] => Err(ArtifactError::new(
            "plugin.precompiled",
            "machine code, such as a precompiled `.cwasm`; only the host compiles plugins, give \
             it the `.wasm`",
        )),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            not_one("it is compressed; unpack it first")
        }
        [b'P', b'K', ..] => not_one("it is a ZIP archive"),
        _ if bytes.get(257..262) == Some(b"ustar") => {
            not_one("it is a tar archive, such as an OCI image; give it the `.wasm` inside")
        }
        _ if text().starts_with(b"(") || text().starts_with(b";;") => Err(ArtifactError::new(
            "plugin.text",
            "WebAssembly as text; turn it into bytes with `wasm-tools parse`",
        )),
        _ if text().starts_with(b"<") => not_one("it looks like an HTML page"),
        _ if text().starts_with(b"{") => {
            not_one("it looks like JSON, such as an OCI index; give it the `.wasm` that it names")
        }
        _ => not_one("it does not begin like one"),
    }
}

/// Goes over the top level of a component, and over what is nested in it with one step each.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>, ArtifactError> {
    let mut outline = Outline { imports: BTreeSet::new(), has_step: false, manifests: Vec::new() };
    let (mut sections, mut customs) = (0, 0);
    let mut names = Names::default();
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let (payload, consumed) = match parser.parse(rest, true).map_err(|e| malformed(&e))? {
            Chunk::Parsed { payload, consumed } => (payload, consumed),
            Chunk::NeedMoreData(_) => return Err(cut_off()),
        };
        rest = &rest[consumed..];
        sections += 1;
        if sections > SECTIONS_MAX {
            return Err(too_many("sections", SECTIONS_MAX));
        }
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                return Err(ArtifactError::new("plugin.core-module", "a core module"));
            }
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => {
                // Read when it is compiled, not before.
                let length = unchecked_range.end.saturating_sub(unchecked_range.start);
                rest = rest.get(length..).ok_or_else(cut_off)?;
            }
            Payload::ComponentImportSection(reader) => {
                for import in reader {
                    let import = import.map_err(|error| malformed(&error))?;
                    names.count(import.name.name)?;
                    outline.imports.insert(import.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(reader) => {
                for export in reader {
                    let export = export.map_err(|error| malformed(&error))?;
                    names.count(export.name.name)?;
                    let interface = export.name.name.split('@').next();
                    outline.has_step |= interface == Some(STEP_INTERFACE);
                }
            }
            Payload::CustomSection(section) => {
                customs += 1;
                if section.name() == MANIFEST_SECTION {
                    outline.manifests.push(section.data());
                }
                if customs > CUSTOM_SECTIONS_MAX {
                    return Err(too_many("custom sections", CUSTOM_SECTIONS_MAX));
                }
            }
            Payload::UnknownSection { id, range, .. } => {
                return Err(ArtifactError::new(
                    "plugin.malformed",
                    format!(
                        "not a sound component: a section of the unknown kind {id} at byte {}",
                        range.start
                    ),
                ));
            }
            Payload::End(_) => return Ok(outline),
            _ => {}
        }
    }
}

/// What was imported and exported so far.
#[derive(Default)]
struct Names {
    count: usize,
    bytes: usize,
}

impl Names {
    fn count(&mut self, name: &str) -> Result<(), ArtifactError> {
        self.count += 1;
        self.bytes += name.len();
        if self.count > NAMES_MAX {
            return Err(too_many("imports and exports", NAMES_MAX));
        }
        if self.bytes > NAME_BYTES_MAX {
            return Err(too_many("bytes in the names of imports and exports", NAME_BYTES_MAX));
        }
        Ok(())
    }
}

fn cut_off() -> ArtifactError {
    ArtifactError::new("plugin.malformed", "not a sound component: it is cut off")
}

fn too_many(what: &str, max: usize) -> ArtifactError {
    ArtifactError::new(
        "plugin.too-complex",
        format!("it has more than {max} {what} at its top level"),
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
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let nul = manifest("ok").replace("\"s\"", "\"a\\u0000b\"");
        let cases: &[(&str, Vec<u8>, &str)] = &[
            ("empty", vec![], "plugin.malformed"),
            ("one byte", vec![0], "plugin.malformed"),
            ("random", b"\x93\x11\xf0 random".to_vec(), "plugin.malformed"),
            ("html", b"<!doctype html><title>404</title>".to_vec(), "plugin.malformed"),
            ("gzip", vec![0x1f, 0x8b, 8, 0], "plugin.malformed"),
            ("zstd", vec![0x28, 0xb5, 0x2f, 0xfd, 4], "plugin.malformed"),
            ("tar", tar, "plugin.malformed"),
            ("index", b"{\"schemaVersion\":2,\"manifests\":[]}".to_vec(), "plugin.malformed"),
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
            ("nul", component(&[&nul]), "plugin.manifest-invalid"),
            (
                "a version with a line end",
                component(&[&manifest("a").replace("1.0.0", "1\\n2")]),
                "plugin.manifest-invalid",
            ),
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

    #[test]
    fn what_nobody_needs_so_many_of_is_refused_while_it_is_counted() {
        let mut sections = component(&[&manifest("ok")]);
        for _ in 0..5_000 {
            sections.extend_from_slice(&[0, 2, 1, b'x']);
        }
        let found = Artifact::examine(&sections).unwrap_err();
        assert_eq!(found.code, "plugin.too-complex");
        assert!(found.message.contains("500 custom sections"), "{}", found.message);

        let bare = wat::parse_str("(component)").unwrap();
        let with_imports = |count: usize, length: usize| {
            let mut imports = wasm_encoder::ComponentImportSection::new();
            for at in 0..count {
                let name = format!("{}{at}", "n".repeat(length));
                let ty = wasm_encoder::ComponentTypeRef::Instance(0);
                imports.import(name.as_str(), ty);
            }
            let mut bytes = bare.clone();
            wasm_encoder::ComponentSection::append_to_component(&imports, &mut bytes);
            bytes
        };
        for (bytes, words) in [
            (with_imports(2_001, 1), "more than 2000 imports and exports"),
            (with_imports(7, 10_000), "more than 65536 bytes in the names"),
        ] {
            let found = Artifact::examine(&bytes).unwrap_err();
            assert_eq!(found.code, "plugin.too-complex");
            assert!(found.message.contains(words), "{}", found.message);
        }
        let within = Artifact::examine(&with_imports(100, 100)).unwrap_err();
        assert_eq!(within.code, "plugin.no-manifest");

        let mut unknown = component(&[&manifest("ok")]);
        unknown.extend_from_slice(&[77, 0]);
        let found = Artifact::examine(&unknown).unwrap_err();
        assert!(found.message.contains("unknown kind 77"), "{}", found.message);
    }
}
