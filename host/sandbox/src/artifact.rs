//! A file that may be a plugin: looked at before anything is compiled.
//!
//! Everything here reads; nothing runs and nothing is compiled. What is refused gets a code
//! that says which rule it broke.

mod shape;

use crate::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use workflow::Manifest;

/// The custom section that holds a plugin's manifest.
pub const MANIFEST_SECTION: &str = "bowline:manifest";

/// Bytes of a component. The largest seen (a Python interpreter inside) has 18 MiB.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Bytes of a manifest.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;

/// A component with a good manifest, not compiled yet.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// `sha256:` of the bytes.
    pub digest: String,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The interfaces that it imports, as written: `bowline:connect/http@1.0.0`.
    pub imports: BTreeSet<String>,
}

/// The file is no plugin that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub struct ArtifactError {
    /// `plugin.` and the rule that was broken.
    pub code: &'static str,
    /// What was found and what to do.
    pub message: String,
}

impl ArtifactError {
    /// One with this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Artifact {
    /// Looks at `bytes`: is it a component, well formed, with one good manifest?
    ///
    /// # Errors
    ///
    /// `plugin.malformed`, `plugin.core-module`, `plugin.text`, `plugin.precompiled`,
    /// `plugin.no-manifest`, `plugin.manifest-invalid`.
    pub fn examine(bytes: &[u8]) -> Result<Self, ArtifactError> {
        shape::recognise(bytes)?;
        let outline = shape::outline(bytes)?;
        let manifest = read_manifest(&outline.manifests)?;
        Ok(Self { digest: digest(bytes), manifest, imports: outline.imports })
    }

    /// Checks every instruction. Costs milliseconds, so it is done once, before compiling.
    ///
    /// # Errors
    ///
    /// `plugin.malformed` with the place.
    pub fn validate(bytes: &[u8]) -> Result<(), ArtifactError> {
        shape::validate(bytes)
    }
}

/// Reads a plugin's bytes: a regular file of bounded size, read once.
///
/// # Errors
///
/// `plugin.unreadable`, `plugin.not-a-file`, `plugin.too-large`.
pub fn read_file(path: &Path) -> Result<Vec<u8>, ArtifactError> {
    let unreadable = |error: std::io::Error| {
        ArtifactError::new("plugin.unreadable", format!("can't read `{}`: {error}", path.display()))
    };
    // Asked before opening: opening a pipe would wait for its writer.
    let before = std::fs::metadata(path).map_err(unreadable)?;
    if !before.is_file() {
        return Err(ArtifactError::new(
            "plugin.not-a-file",
            format!("`{}` is not a regular file", path.display()),
        ));
    }
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ArtifactError::new(
            "plugin.too-large",
            format!("`{}` has more than {} MiB", path.display(), FILE_BYTES_MAX >> 20),
        ));
    }
    Ok(bytes)
}

/// `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn read_manifest(sections: &[&[u8]]) -> Result<Manifest, ArtifactError> {
    let invalid = |message: String| ArtifactError::new("plugin.manifest-invalid", message);
    let [section] = sections else {
        return Err(if sections.is_empty() {
            ArtifactError::new(
                "plugin.no-manifest",
                format!("it has no `{MANIFEST_SECTION}` section; pack it with the SDK's packer"),
            )
        } else {
            invalid(format!("it has {} manifest sections instead of one", sections.len()))
        });
    };
    let text = std::str::from_utf8(section)
        .map_err(|error| invalid(format!("the manifest is not UTF-8: {error}")))?;
    let value = json::parse(text, MANIFEST_BYTES_MAX)
        .map_err(|error| invalid(format!("the manifest is {error}")))?;
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| invalid(format!("the manifest does not fit: {error}")))?;
    if manifest.schema != 1 {
        return Err(invalid(format!(
            "its manifest has form {}, and this host reads form 1; update the host",
            manifest.schema
        )));
    }
    if !is_plugin_name(&manifest.name) {
        let name: String = manifest.name.chars().take(80).collect();
        return Err(invalid(format!(
            "the name `{}` is not 1 to 64 of a-z, 0-9 and `-`",
            name.escape_debug()
        )));
    }
    if let Some(slot) = manifest.connections.keys().find(|slot| !is_plugin_name(slot)) {
        return Err(invalid(format!("`{}` can't name a connection", slot.escape_debug())));
    }
    Ok(manifest)
}

/// 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
#[must_use]
pub fn is_plugin_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}
