//! A file that may be a plugin: looked at before anything is compiled.
//!
//! Everything here reads; nothing runs and nothing is compiled. What is refused gets a code
//! that says which rule it broke.

mod complexity;
mod features;
mod file;
mod manifest;
mod shape;

pub(crate) use complexity::Weight;
pub(crate) use file::read_bounded;
pub use file::{Links, read_file};
pub use manifest::is_plugin_name;

use crate::signature::{Signer, Signers};
use effects::Layer;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
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
    /// Who has signed the bytes, by the operator's name for the key; none for unsigned ones.
    pub signer: Option<String>,
    /// What the signer wrote into the signature, vouched for by it.
    pub signer_comment: Option<String>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The interfaces that it imports, as written: `bowline:connect/http@1.0.0`.
    pub imports: BTreeSet<String>,
    /// Whether it exports a step, of whatever version.
    pub has_step: bool,
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
    /// Whether only the manifest or the lack of a step is at fault. Then the component itself may
    /// be wrong, too, and that is what should be told.
    pub(crate) fn has_closer_reason(&self) -> bool {
        ["plugin.no-manifest", "plugin.manifest-invalid", "plugin.no-step"].contains(&self.code)
    }

    /// One with this code.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl Artifact {
    /// Looks at `bytes`: is it a component, well formed at its top level, with one good manifest?
    ///
    /// # Errors
    ///
    /// `plugin.malformed`, `plugin.core-module`, `plugin.text`, `plugin.precompiled`,
    /// `plugin.too-complex`, `plugin.no-manifest`, `plugin.manifest-invalid`.
    pub fn examine(bytes: &[u8]) -> Result<Self, ArtifactError> {
        shape::recognise(bytes)?;
        let outline = shape::outline(bytes)?;
        let manifest = manifest::read(&outline.manifests)?;
        Ok(Self {
            digest: digest(bytes),
            signer: None,
            signer_comment: None,
            manifest,
            imports: outline.imports,
            has_step: outline.has_step,
        })
    }

    /// The same for bytes that came with a detached signature, if they did. The signature is
    /// checked first, so that nothing of a component that somebody has changed is parsed.
    ///
    /// # Errors
    ///
    /// `plugin.signature-…` when there is a signature and it is not good for these bytes; else as
    /// [`Self::examine`].
    pub fn examine_signed(
        bytes: &[u8],
        signature: Option<&str>,
        signers: &Signers,
    ) -> Result<Self, ArtifactError> {
        let signed = match signature {
            Some(text) if Layer::Signature.on() => Some(signers.verify(bytes, text)?),
            _ => None,
        };
        let (signer, comment) = signed.map_or((None, None), |Signer { name, comment }| {
            (Some(name), Some(comment).filter(|comment| !comment.is_empty()))
        });
        Ok(Self { signer, signer_comment: comment, ..Self::examine(bytes)? })
    }

    /// Counts what the compiler would have to do, and refuses what no honest component asks of
    /// it. One pass over the bytes, done before they are compiled.
    ///
    /// # Errors
    ///
    /// `plugin.too-complex` with what was found and what is allowed, `plugin.malformed`.
    pub(crate) fn weigh(bytes: &[u8]) -> Result<Weight, ArtifactError> {
        complexity::weigh(bytes)
    }

    /// Checks every instruction and compares types. Of a stranger's bytes it may need any time
    /// and any depth of the stack, so only a process that may end does it to them.
    ///
    /// # Errors
    ///
    /// `plugin.malformed` with the place, `plugin.unsupported-feature` with its name.
    pub(crate) fn validate(bytes: &[u8]) -> Result<(), ArtifactError> {
        features::validate(bytes)
    }
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

/// The beginning of a name out of a file, which may be anything.
pub(crate) fn shown(name: &str) -> String {
    const CHARACTERS_MAX: usize = 80;
    let mut shown = String::new();
    for character in name.chars().take(CHARACTERS_MAX) {
        shown.extend(character.escape_debug());
    }
    if name.chars().nth(CHARACTERS_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn malformed(error: &wasmparser::BinaryReaderError) -> ArtifactError {
    ArtifactError::new(
        "plugin.malformed",
        format!("not a sound component: {} at byte {}", one_line(error.message()), error.offset()),
    )
}

/// The reader puts names out of the file, and its own context, on lines of their own.
pub(crate) fn one_line(message: &str) -> String {
    const CHARACTERS_MAX: usize = 400;
    message.chars().take(CHARACTERS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
