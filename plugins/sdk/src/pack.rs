//! Freezes a plugin's manifest into its component, as the custom section `bowline:manifest`.
//!
//! One section, on the component's top level, never twice: digest and signature of the file cover
//! it. This room reads the outline of a component and nothing inside.

use crate::manifest::{self, ManifestError};
use schemars::JsonSchema;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::{ffi::OsString, fs, io, process::Command};

/// The name of the section that holds the manifest.
pub const SECTION: &str = "bowline:manifest";

/// What debuggers call the parts of a component; several kilobytes that no host reads.
const NAMES: &str = "component-name";

/// The first eight bytes of a component (layer 1), and of a core module.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\x00\x01\x00";
const CORE_MODULE: [u8; 8] = *b"\0asm\x01\x00\x00\x00";

/// Why a component could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Wrong arguments.
    #[error("usage: `pack COMPONENT.wasm PACKED.wasm [WASM-OPT]`")]
    Usage,
    /// The manifest could not be made.
    #[error("can't make the manifest")]
    Manifest(#[source] ManifestError),
    /// The file is a core module.
    #[error("this is a core module, not a component; build it for `wasm32-wasip2`")]
    CoreModule,
    /// The file is no component.
    #[error("this is no component: {why} at byte {offset}")]
    NoComponent {
        /// What was wrong.
        why: &'static str,
        /// Where.
        offset: usize,
    },
    /// The component has a manifest.
    #[error("this component has a `{SECTION}` section already; pack the file that cargo built")]
    Twice,
    /// The optimizer can't be run or says no.
    #[error("can't make the code smaller with `{program}`: {why}", program = program.display())]
    Optimizer {
        /// The program.
        program: PathBuf,
        /// What it said.
        why: String,
    },
    /// A file can't be read or written.
    #[error("can't {action} `{path}`", path = path.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl PackError {
    /// The error and everything below it on one line, outermost first.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            line = format!("{line}: {error}");
            cause = error.source();
        }
        line
    }
}

/// What `from_arguments` wrote.
#[derive(Debug, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
}

/// The whole of a plugin's `examples/pack.rs`: reads the component named by the first of
/// `arguments` and writes the packed one to the second, in one move. The third, if any, is
/// Binaryen's `wasm-opt`, which makes the code smaller.
///
/// # Errors
///
/// See [`PackError`]. The second file is then as it was.
pub fn from_arguments<I: JsonSchema, O: JsonSchema>(
    plugin_toml: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Packed, PackError> {
    let mut arguments: Vec<PathBuf> = arguments.into_iter().map(PathBuf::from).collect();
    let optimizer = if arguments.len() == 3 { arguments.pop() } else { None };
    let [component, path] = <[PathBuf; 2]>::try_from(arguments).map_err(|_| PackError::Usage)?;
    let manifest = manifest::manifest::<I, O>(plugin_toml).map_err(PackError::Manifest)?;
    let bytes = fs::read(&component).map_err(|source| PackError::File {
        action: "read",
        path: component,
        source,
    })?;
    let bytes = match &optimizer {
        Some(program) => smaller(&bytes, program, &path)?,
        None => bytes,
    };
    let packed = pack(&bytes, &manifest)?;
    let failed = |source| PackError::File { action: "write", path: path.clone(), source };
    let draft = path.with_extension("wasm.new");
    fs::write(&draft, &packed).and_then(|()| fs::rename(&draft, &path)).map_err(failed)?;
    Ok(Packed { bytes: packed.len(), path })
}

/// `component` with `manifest` as its last section, and without the names for debuggers.
///
/// # Errors
///
/// When `component` is no component, or has a manifest already.
pub fn pack(component: &[u8], manifest: &Value) -> Result<Vec<u8>, PackError> {
    let sections = sections(component)?;
    if sections.iter().any(|section| section.name == Some(SECTION.as_bytes())) {
        return Err(PackError::Twice);
    }
    let manifest = manifest.to_string();
    let mut content = Vec::with_capacity(manifest.len() + SECTION.len() + 8);
    write_number(SECTION.len(), &mut content);
    content.extend_from_slice(SECTION.as_bytes());
    content.extend_from_slice(manifest.as_bytes());
    let mut packed = COMPONENT.to_vec();
    for section in sections.iter().filter(|section| section.name != Some(NAMES.as_bytes())) {
        packed.extend_from_slice(section.whole);
    }
    packed.push(0);
    write_number(content.len(), &mut packed);
    packed.extend_from_slice(&content);
    Ok(packed)
}

/// What the guests' toolchain may use. Named one by one, so that the optimizer uses no more.
const FEATURES: &[&str] = &[
    "--mvp-features",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The component with its largest core module rewritten by `program`. Drafts stand beside `path`.
fn smaller(component: &[u8], program: &Path, path: &Path) -> Result<Vec<u8>, PackError> {
    let sections = sections(component)?;
    let modules = sections.iter().filter(|section| section.whole.first() == Some(&MODULE));
    let Some(largest) = modules.max_by_key(|section| section.whole.len()) else {
        return Ok(component.to_vec());
    };
    let wrong = |why: String| PackError::Optimizer { program: program.to_path_buf(), why };
    let (before, after) = (path.with_extension("core"), path.with_extension("core.small"));
    let io = |error: io::Error| wrong(error.to_string());
    fs::write(&before, largest.content).map_err(io)?;
    let output = Command::new(program)
        .args(FEATURES)
        // A guest's memory is its own and starts empty.
        .args(["-Oz", "--zero-filled-memory", "-Oz", "--strip-debug", "--strip-producers"])
        .arg(&before)
        .arg("-o")
        .arg(&after)
        .output()
        .map_err(io)?;
    if !output.status.success() {
        return Err(wrong(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    let module = fs::read(&after).map_err(io)?;
    if !module.starts_with(&CORE_MODULE) {
        return Err(wrong("it wrote no core module".to_owned()));
    }
    for draft in [before, after] {
        fs::remove_file(draft).map_err(io)?;
    }
    let mut bytes = COMPONENT.to_vec();
    for section in &sections {
        if std::ptr::eq(section, largest) {
            bytes.push(MODULE);
            write_number(module.len(), &mut bytes);
            bytes.extend_from_slice(&module);
        } else {
            bytes.extend_from_slice(section.whole);
        }
    }
    Ok(bytes)
}

/// The id of a section that holds a core module.
const MODULE: u8 = 1;

/// A section on the top level.
struct Section<'a> {
    /// Its id, size and content.
    whole: &'a [u8],
    /// Only its content.
    content: &'a [u8],
    /// The name of a custom section.
    name: Option<&'a [u8]>,
}

fn sections(component: &[u8]) -> Result<Vec<Section<'_>>, PackError> {
    let damaged = |why, offset| PackError::NoComponent { why, offset };
    match component.first_chunk::<8>() {
        Some(&COMPONENT) => (),
        Some(&CORE_MODULE) => return Err(PackError::CoreModule),
        _ => return Err(damaged("unknown preamble", 0)),
    }
    let mut found = Vec::new();
    let mut offset = COMPONENT.len();
    while let Some(&id) = component.get(offset) {
        let (size, start) = read_number(component, offset + 1)
            .ok_or(damaged("a section without a size", offset))?;
        let end = start.checked_add(size).ok_or(damaged("a section without an end", offset))?;
        let content = component.get(start..end).ok_or(damaged("a section is cut off", offset))?;
        let name = (id == 0).then(|| custom_name(content));
        if name == Some(None) {
            return Err(damaged("a custom section without a name", offset));
        }
        found.push(Section { whole: &component[offset..end], content, name: name.flatten() });
        offset = end;
    }
    Ok(found)
}

fn custom_name(content: &[u8]) -> Option<&[u8]> {
    let (length, from) = read_number(content, 0)?;
    content.get(from..from.checked_add(length)?)
}

/// Unsigned LEB128 of at most 32 bits, and where it ends.
fn read_number(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.get(from..)?.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(u32::try_from(value).ok()?).ok()?, from + index + 1));
        }
    }
    None
}

fn write_number(mut value: usize, bytes: &mut Vec<u8>) {
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_manifest_is_added_once() {
        let mut component = COMPONENT.to_vec();
        component.extend_from_slice(&[0, 16, 14]);
        component.extend_from_slice(b"component-name\x07");
        component.extend_from_slice(&[0, 3, 1, b'x', 9]);

        let packed = pack(&component, &json!({"name": "a"})).expect("packed");

        let sections = sections(&packed).expect("sections");
        assert_eq!(sections[0].whole, [0, 3, 1, b'x', 9]);
        assert_eq!(sections[1].name, Some(SECTION.as_bytes()));
        assert!(sections[1].whole.ends_with(br#"bowline:manifest{"name":"a"}"#));
        assert_eq!(sections.len(), 2);
        let second = pack(&packed, &json!({})).expect_err("a second one");
        assert!(matches!(second, PackError::Twice), "{second}");
    }

    #[test]
    fn what_is_no_component_is_refused_by_name() {
        let cut = [&COMPONENT[..], &[0, 200, 1, 1]].concat();
        let endless = [&COMPONENT[..], &[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat();
        let nameless = [&COMPONENT[..], &[0, 1, 9]].concat();
        let cases: [(&[u8], &str); 6] = [
            (b"", "unknown preamble"),
            (b"hello, world", "unknown preamble"),
            (&CORE_MODULE, "wasm32-wasip2"),
            (&cut, "a section is cut off at byte 8"),
            (&endless, "a section without a size"),
            (&nameless, "a custom section without a name"),
        ];
        for (bytes, expected) in cases {
            let error = pack(bytes, &json!({})).expect_err(expected);
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn numbers_of_every_length_come_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 70_000, u32::MAX as usize] {
            let mut bytes = Vec::new();
            write_number(value, &mut bytes);
            assert_eq!(read_number(&bytes, 0), Some((value, bytes.len())), "{value}");
        }
    }

    #[test]
    fn an_optimizer_that_can_not_be_run_is_named() {
        let folder = std::env::temp_dir().join(format!("bowline-pack-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut component = COMPONENT.to_vec();
        component.extend_from_slice(&[MODULE, 8]);
        component.extend_from_slice(&CORE_MODULE);
        let error = smaller(&component, &folder.join("no-such-program"), &folder.join("out.wasm"));
        let error = error.expect_err("no program").to_string();
        fs::remove_dir_all(&folder).expect("the folder again");
        assert!(error.contains("no-such-program"), "{error}");
        let nothing = smaller(&COMPONENT, Path::new("x"), Path::new("y")).expect("nothing to do");
        assert_eq!(nothing, COMPONENT);
    }
}
