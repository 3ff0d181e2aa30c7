//! The operator's file, `bowline.yaml`: connections, plugin folders, store, limits.
//!
//! Read once, at the start. Unknown keys are errors: a limit that is misspelt would not hold.

use crate::approvals::ApprovalPolicy;
use crate::policy::Policy;
use sandbox::BUILT_IN_SIGNER;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use workflow::StepLimits;

/// Bytes of a settings file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The name under `connections.TYPE` that stands for every name.
pub const ANY_NAME: &str = "*";

/// The operator's settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Settings {
    /// Type, name, and what the type wants to know.
    #[serde(default)]
    pub connections: BTreeMap<String, BTreeMap<String, Value>>,
    /// Folders with further plugins.
    #[serde(default)]
    pub plugins: Vec<PathBuf>,
    /// Whose signatures of plugins count: a name, and a minisign public key.
    #[serde(default)]
    pub signers: BTreeMap<String, String>,
    /// Files with further types of connections.
    #[serde(default)]
    pub profiles: Vec<PathBuf>,
    /// The journal's file.
    #[serde(default)]
    pub store: Option<PathBuf>,
    /// What an attempt may use up.
    #[serde(default)]
    pub limits: StepLimits,
    /// What plugins may do.
    #[serde(default)]
    pub policy: Policy,
    /// Who may approve.
    #[serde(default)]
    pub approvals: ApprovalPolicy,
    /// Where relative paths start: the folder of the file.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The file, if there was one.
    #[serde(skip)]
    pub path: Option<PathBuf>,
}

/// The settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error("can't read the settings `{path}`")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is not what it should be; says where.
    #[error("`{path}`: {message}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
}

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SettingsError`].
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let failed = |source| SettingsError::Read { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
            return Err(failed(std::io::Error::other("it is not a regular file of at most 1 MiB")));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file at `path`.
    ///
    /// # Errors
    ///
    /// [`SettingsError::Malformed`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let malformed = |message| SettingsError::Malformed { path: path.to_owned(), message };
        let mut settings: Self = if text.trim().is_empty() {
            Self::default()
        } else {
            serde_saphyr::from_str(text).map_err(|error| malformed(error.to_string()))?
        };
        settings.limits.check("limits").map_err(malformed)?;
        if settings.signers.contains_key(BUILT_IN_SIGNER) {
            let message =
                format!("`{BUILT_IN_SIGNER}` under `signers` means those inside the program");
            return Err(malformed(message));
        }
        let signers: Vec<&str> = settings.signers.keys().map(String::as_str).collect();
        settings.policy.check(&signers).map_err(malformed)?;
        settings.approvals.check().map_err(malformed)?;
        settings.folder = path.parent().unwrap_or(Path::new("")).to_owned();
        settings.path = Some(path.to_owned());
        Ok(settings)
    }

    /// What is set for a connection: under its own name, else under `*`.
    #[must_use]
    pub fn connection(&self, kind: &str, name: &str) -> Option<&Value> {
        let named = self.connections.get(kind)?;
        named.get(name).or_else(|| named.get(ANY_NAME))
    }

    /// The name under which a connection is set: its own, or `*`.
    #[must_use]
    pub fn set_under<'a>(&self, kind: &str, name: &'a str) -> &'a str {
        let own = self.connections.get(kind).is_some_and(|named| named.contains_key(name));
        if own { name } else { ANY_NAME }
    }

    /// The plugin folders as they are to be opened.
    #[must_use]
    pub fn plugin_folders(&self) -> Vec<PathBuf> {
        self.plugins.iter().map(|folder| self.folder.join(folder)).collect()
    }

    /// The files with further types of connections, as they are to be opened.
    #[must_use]
    pub fn profile_paths(&self) -> Vec<PathBuf> {
        self.profiles.iter().map(|path| self.folder.join(path)).collect()
    }

    /// The journal's file as it is to be opened, if it is set.
    #[must_use]
    pub fn store_path(&self) -> Option<PathBuf> {
        self.store.as_ref().map(|store| self.folder.join(store))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, Path::new("/etc/bowline/bowline.yaml")).map_err(|e| e.to_string())
    }

    #[test]
    fn names_win_over_the_star_and_paths_start_from_the_file() {
        let settings = parse(
            "connections:\n  kubernetes:\n    prod: {context: a}\n    '*': {context: b}\nplugins: [plugins]\nstore: runs.db\n",
        )
        .unwrap();

        assert_eq!(settings.connection("kubernetes", "prod").unwrap()["context"], "a");
        assert_eq!(settings.connection("kubernetes", "other").unwrap()["context"], "b");
        assert_eq!(settings.connection("datadog", "x"), None);
        assert_eq!(settings.plugin_folders(), [Path::new("/etc/bowline/plugins")]);
        assert_eq!(settings.store_path().unwrap(), Path::new("/etc/bowline/runs.db"));
    }

    #[test]
    fn mistakes_are_found_and_placed() {
        let cases = [
            ("conections: {}\n", "conections"),
            ("limits: {memoryMib: 0}\n", "memoryMib"),
            ("limits: {attemptSeconds: 100000}\n", "86400"),
            ("connections: [\n", "bowline.yaml"),
            ("a: &a [*a]\n", "bowline.yaml"),
            ("policy: {rules: [{plugin: x}]}\n", "policy.rules[0]"),
            ("policy: {default: maybe}\n", "default"),
            ("signers: {bowline: x}\n", "inside the program"),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(parse("").is_ok() && parse("# nothing\n").is_ok_and(|s| s.connections.is_empty()));
    }
}
