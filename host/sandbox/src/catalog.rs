//! Which plugins there are, and what an `image:` of a workflow leads to.
//!
//! First-party plugins travel inside the program; the operator can add folders. A name is only
//! ever looked up in what a scan found, never used as a path.

use crate::artifact::{self, Artifact, ArtifactError, Links, read_bounded};
use crate::signature::{BUILT_IN_SIGNER, SIGNATURE_BYTES_MAX, SIGNATURE_EXTENSION, Signers};
use effects::Layer;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use workflow::{PluginPin, Resolution, Signature, Signatures};

/// Plugins in one folder.
const FILES_MAX: usize = 10_000;

/// The names under which Relay published its steps as container images, and ours for them.
///
/// A published workflow names the image; it runs unchanged because the component behind our
/// name takes the same `spec`.
const RELAY_IMAGES: &[(&str, &str)] = &[
    ("relaysh/datadog-step-event-post", "datadog-event-post"),
    ("relaysh/datadog-step-incident-create", "datadog-incident-create"),
    ("relaysh/datadog-step-incident-extract-id", "datadog-incident-extract-id"),
    ("relaysh/datadog-step-incident-timeline-update", "datadog-incident-timeline-update"),
    ("relaysh/kubernetes-step-kubectl", "kubernetes-kubectl"),
    ("relaysh/pagerduty-step-change-event-send", "pagerduty-event"),
    ("relaysh/slack-step-message-send", "slack-message"),
];

/// A plugin inside the program.
#[derive(Clone, Copy, Debug)]
pub struct Embedded {
    /// The file's name without the ending.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Inside the program.
    BuiltIn,
    /// A file.
    File(PathBuf),
}

/// One plugin that was found, or a file that was refused.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The manifest's name; of a refused file its own name.
    pub name: String,
    /// Where it is.
    pub origin: Origin,
    /// What it is, or why not.
    pub artifact: Result<Artifact, ArtifactError>,
    bytes: Option<&'static [u8]>,
}

/// All plugins that were found.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: Vec<Entry>,
    signers: Signers,
}

impl Catalog {
    /// Those inside the program and those in `folders`. Of two with one name, a folder's goes
    /// before a built-in one, and an earlier folder's before a later one's. Two different ones
    /// with one name in one folder are both refused: which of them was meant, nobody can tell.
    /// Signatures beside the files are checked with the keys of `signers`.
    ///
    /// # Errors
    ///
    /// A folder that can't be listed. A file in it that is no plugin becomes an entry that says
    /// why.
    pub fn scan(
        embedded: &[Embedded],
        folders: &[PathBuf],
        signers: &Signers,
    ) -> Result<Self, ArtifactError> {
        let mut entries = Vec::new();
        for folder in folders {
            entries.extend(scan_folder(folder, signers)?);
        }
        entries.extend(embedded.iter().map(|plugin| Entry {
            name: plugin.name.to_owned(),
            origin: Origin::BuiltIn,
            artifact:
                Artifact::examine(plugin.bytes).map(|artifact| Artifact {
                    signer: Some(BUILT_IN_SIGNER.to_owned()),
                    ..artifact
                }),
            bytes: Some(plugin.bytes),
        }));
        Ok(Self { entries, signers: signers.clone() })
    }

    /// All entries, those that win a name first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The names of all plugins that can be used, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let good = self.entries.iter().filter(|entry| entry.artifact.is_ok());
        let mut names: Vec<String> = good.map(|entry| entry.name.clone()).collect();
        let images =
            RELAY_IMAGES.iter().filter(|(_, name)| names.iter().any(|known| known == name));
        let images: Vec<String> = images.map(|(image, _)| (*image).to_owned()).collect();
        names.extend(images);
        names.sort();
        names.dedup();
        names
    }

    /// The entry of a pinned plugin.
    #[must_use]
    pub fn pinned(&self, digest: &str) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.artifact.as_ref().is_ok_and(|artifact| artifact.digest == digest))
    }

    /// What each of `images` leads to. `beside` is the folder that relative `file:` paths start
    /// from: that of the workflow.
    pub fn resolve<'a>(
        &mut self,
        images: impl IntoIterator<Item = &'a str>,
        beside: &Path,
    ) -> Signatures {
        let mut signatures = BTreeMap::new();
        for image in images {
            if !signatures.contains_key(image) {
                signatures.insert(image.to_owned(), self.resolve_one(image, beside));
            }
        }
        signatures
    }

    fn resolve_one(&mut self, image: &str, beside: &Path) -> Resolution {
        if let Some(path) = image.strip_prefix("file:") {
            let path = beside.join(path.trim_start_matches("//"));
            let entry = examine_file(&path, Links::Follow, &self.signers);
            let resolution = resolution(&entry);
            self.entries.push(entry);
            return resolution;
        }
        let (name, digest) = asked_for(image);
        match self.entries.iter().find(|entry| entry.name == name) {
            Some(entry) => match mismatch(entry, digest) {
                Some(error) => refused(&error),
                None => resolution(entry),
            },
            None => Resolution::Missing { known: self.known() },
        }
    }

    /// Every text that would be found.
    fn known(&self) -> Vec<String> {
        let names = || self.entries.iter().filter(|entry| entry.artifact.is_ok());
        let relay = RELAY_IMAGES
            .iter()
            .filter(|(_, ours)| names().any(|entry| entry.name == *ours))
            .map(|(image, _)| (*image).to_owned());
        names().map(|entry| entry.name.clone()).chain(relay).collect()
    }
}

impl Entry {
    /// The file at `path`, whatever it is, with the signature beside it, if there is one.
    #[must_use]
    pub fn of_file(path: &Path, signers: &Signers) -> Self {
        examine_file(path, Links::Follow, signers)
    }

    /// Which plugin it is exactly; None for a file that was refused.
    #[must_use]
    pub fn pin(&self) -> Option<PluginPin> {
        let artifact = self.artifact.as_ref().ok()?;
        Some(PluginPin {
            name: artifact.manifest.name.clone(),
            version: artifact.manifest.version.clone(),
            digest: artifact.digest.clone(),
            signer: artifact.signer.clone(),
        })
    }

    /// The component's bytes, read again. Whoever compiles them compares their digest with what
    /// was looked at.
    ///
    /// # Errors
    ///
    /// The file can't be read any more.
    pub fn bytes(&self) -> Result<Vec<u8>, ArtifactError> {
        match (&self.origin, self.bytes) {
            (Origin::File(path), _) => artifact::read_file(path, Links::Follow),
            (Origin::BuiltIn, Some(bytes)) => Ok(bytes.to_vec()),
            (Origin::BuiltIn, None) => {
                Err(ArtifactError::new("plugin.unreadable", "it is not inside the program"))
            }
        }
    }
}

/// The plugin's name for an image, and the digest that is wanted of it. Tags and digests of
/// Relay's container images don't matter, since the component is not that image; a digest behind
/// one of our own names is that of the component.
fn asked_for(image: &str) -> (&str, Option<&str>) {
    let image = image.strip_prefix("docker.io/").unwrap_or(image);
    let (image, digest) = match image.split_once('@') {
        Some((image, digest)) => (image, Some(digest)),
        None => (image, None),
    };
    let untagged = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    };
    match RELAY_IMAGES.iter().find(|(relay, _)| *relay == untagged) {
        Some((_, ours)) => (ours, None),
        None => (untagged, digest),
    }
}

/// Why an entry is not the one with the wanted digest.
fn mismatch(entry: &Entry, digest: Option<&str>) -> Option<ArtifactError> {
    let (wanted, found) = (digest?, &entry.artifact.as_ref().ok()?.digest);
    (wanted != found).then(|| {
        let message = format!(
            "`{}` has the digest {found}, and the workflow wants `{}`; look at what has changed \
             and write the new digest, or bring the old plugin back",
            entry.name,
            artifact::shown(wanted)
        );
        ArtifactError::new("plugin.digest-mismatch", message)
    })
}

fn refused(error: &ArtifactError) -> Resolution {
    Resolution::Refused { code: error.code.to_owned(), message: error.message.clone() }
}

fn resolution(entry: &Entry) -> Resolution {
    match (&entry.artifact, entry.pin()) {
        (Ok(artifact), Some(pin)) => {
            let manifest = artifact.manifest.clone();
            Resolution::Found(Box::new(Signature { pin, manifest }))
        }
        (Err(error), _) => refused(error),
        (Ok(_), None) => Resolution::Missing { known: Vec::new() },
    }
}

fn scan_folder(folder: &Path, signers: &Signers) -> Result<Vec<Entry>, ArtifactError> {
    let unreadable = |error: std::io::Error| {
        let place = folder.display();
        ArtifactError::new(
            "plugin.folder",
            format!("can't list the plugin folder `{place}`: {error}"),
        )
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)?.take(FILES_MAX) {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut entries: Vec<Entry> =
        paths.iter().map(|path| examine_file(path, Links::Refuse, signers)).collect();
    refuse_twins(&mut entries);
    Ok(entries)
}

/// Refuses all but those whose name stands for one digest.
fn refuse_twins(entries: &mut [Entry]) {
    let mut digests: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in entries.iter() {
        if let Ok(artifact) = &entry.artifact {
            digests.entry(entry.name.clone()).or_default().insert(artifact.digest.clone());
        }
    }
    for entry in entries {
        if entry.artifact.is_ok() && digests[&entry.name].len() > 1 {
            entry.artifact = Err(ArtifactError::new(
                "plugin.name-twice",
                format!(
                    "{} different plugins in this folder are called `{}`; keep one of them here",
                    digests[&entry.name].len(),
                    entry.name
                ),
            ));
        }
    }
}

/// Reads the file once: what is hashed, verified and parsed are the same bytes.
fn examine(path: &Path, links: Links, signers: &Signers) -> Result<Artifact, ArtifactError> {
    let bytes = artifact::read_file(path, links)?;
    let signature = if Layer::Signature.on() { read_signature(path, links)? } else { None };
    Artifact::examine_signed(&bytes, signature.as_deref(), signers)
}

/// The text of the signature beside a plugin. One that is there and can't be read is not a
/// missing one.
fn read_signature(plugin: &Path, links: Links) -> Result<Option<String>, ArtifactError> {
    let mut path = plugin.as_os_str().to_owned();
    path.push(".");
    path.push(SIGNATURE_EXTENSION);
    let bytes = read_bounded(Path::new(&path), links, SIGNATURE_BYTES_MAX).map_err(|error| {
        let message = format!("its signature can't be read: {}", error.message);
        ArtifactError::new("plugin.signature-malformed", message)
    })?;
    let Some(bytes) = bytes else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|_| {
        let message = "its signature file is not text; sign it again with `minisign -S`";
        ArtifactError::new("plugin.signature-malformed", message)
    })
}

fn examine_file(path: &Path, links: Links, signers: &Signers) -> Entry {
    let artifact = examine(path, links, signers);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = match &artifact {
        Ok(artifact) => artifact.manifest.name.clone(),
        Err(_) => stem.unwrap_or_default(),
    };
    Entry { name, origin: Origin::File(path.to_owned()), artifact, bytes: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_and_the_names_they_stand_for() {
        let cases = [
            ("relaysh/kubernetes-step-kubectl", "kubernetes-kubectl", None),
            ("relaysh/kubernetes-step-kubectl:latest", "kubernetes-kubectl", None),
            ("docker.io/relaysh/kubernetes-step-kubectl:v3", "kubernetes-kubectl", None),
            (
                "relaysh/datadog-step-incident-extract-id@sha256:00",
                "datadog-incident-extract-id",
                None,
            ),
            ("kubernetes-kubectl", "kubernetes-kubectl", None),
            ("kubernetes-kubectl@sha256:00", "kubernetes-kubectl", Some("sha256:00")),
            ("mine:v1@sha256:00", "mine", Some("sha256:00")),
            ("mine@", "mine", Some("")),
            ("host:5000/x/y", "host:5000/x/y", None),
            ("alpine:3", "alpine", None),
        ];
        for (image, name, digest) in cases {
            assert_eq!(asked_for(image), (name, digest), "{image}");
        }
    }

    #[test]
    fn a_digest_behind_a_name_is_that_of_the_component_or_the_plugin_is_refused() {
        let bytes = wat::parse_str("(component)").unwrap();
        let manifest =
            r#"{"schema":1,"name":"mine","version":"1","summary":"s","inputs":{},"outputs":{}}"#;
        let mut bytes = bytes;
        wasm_encoder::ComponentSection::append_to_component(
            &wasm_encoder::CustomSection {
                name: artifact::MANIFEST_SECTION.into(),
                data: manifest.as_bytes().into(),
            },
            &mut bytes,
        );
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.wasm"), &bytes).unwrap();
        let mut catalog =
            Catalog::scan(&[], &[folder.path().to_owned()], &Signers::default()).unwrap();
        let right = format!("mine@{}", artifact::digest(&bytes));
        let wrong = format!("mine@sha256:{}", "0".repeat(64));

        let found = catalog.resolve(["mine", &right, &wrong, "mine@"], folder.path());

        assert!(matches!(found["mine"], Resolution::Found(_)));
        assert!(matches!(found[&right], Resolution::Found(_)));
        for image in [wrong.as_str(), "mine@"] {
            let Resolution::Refused { code, message } = &found[image] else {
                panic!("{image}: {:?}", found[image])
            };
            assert_eq!(code, "plugin.digest-mismatch");
            assert!(message.contains(&artifact::digest(&bytes)), "{message}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_without_doubles() {
        assert!(RELAY_IMAGES.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_missing_plugin_names_what_there_is_and_a_bad_file_says_why() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("bad.wasm"), b"<html>").unwrap();
        std::fs::create_dir(folder.path().join("folder.wasm")).unwrap();
        let mut catalog =
            Catalog::scan(&[], &[folder.path().to_owned()], &Signers::default()).unwrap();

        let found = catalog.resolve(["nope", "bad", "folder", "file:gone.wasm"], folder.path());

        assert!(matches!(found["nope"], Resolution::Missing { .. }));
        let code = |image: &str| match &found[image] {
            Resolution::Refused { code, .. } => code.clone(),
            other => format!("{other:?}"),
        };
        assert_eq!(code("bad"), "plugin.malformed");
        assert_eq!(code("folder"), "plugin.not-a-file");
        assert_eq!(code("file:gone.wasm"), "plugin.unreadable");
    }
}
