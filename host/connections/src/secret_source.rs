//! Where the operator keeps a credential: the environment, a file, or (for tests) the text
//! itself.

use effects::Secret;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Bytes of a file that holds a credential or a certificate.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Where a credential is.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; relative paths start from the settings file's folder.
    File(PathBuf),
    /// The text itself. For tests and drills: a settings file is no place for a key.
    Value(String),
}

/// A credential can't be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretError {
    /// The variable is not set, or not text.
    #[error("the environment variable `{0}` is not set; it should hold {1}")]
    Env(String, String),
    /// The file can't be read.
    #[error("can't read the file `{path}`, which should hold {what}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What for.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("{place} is empty; it should hold {what}")]
    Empty {
        /// Where.
        place: String,
        /// What for.
        what: String,
    },
}

impl SecretSource {
    /// Reads it. `what` says for people what it holds; `folder` is where relative paths start.
    pub(crate) fn read(&self, what: &str, folder: &Path) -> Result<Secret, SecretError> {
        let text = match self {
            Self::Env(name) => read_environment(name)
                .ok_or_else(|| SecretError::Env(name.clone(), what.to_owned()))?,
            Self::File(path) => read_file(&folder.join(path), what)?,
            Self::Value(text) => text.clone(),
        };
        let secret = Secret::new(text);
        if secret.is_empty() {
            return Err(SecretError::Empty { place: self.place(), what: what.to_owned() });
        }
        Ok(secret)
    }

    /// Where it is, for people. Never the credential.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Env(name) => format!("the environment variable `{name}`"),
            Self::File(path) => format!("the file `{}`", path.display()),
            Self::Value(_) => "the value in the settings".to_owned(),
        }
    }
}

impl std::fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretSource({})", self.place())
    }
}

#[expect(clippy::disallowed_methods, reason = "the environment is where this source reads")]
fn read_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a small text file.
pub(crate) fn read_file(path: &Path, what: &str) -> Result<String, SecretError> {
    let failed =
        |source| SecretError::File { path: path.to_owned(), what: what.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > FILE_BYTES_MAX {
        return Err(failed(std::io::Error::other("it is not a regular file of at most 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_without_its_line_end_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "s3cret\n").unwrap();
        let source: SecretSource = serde_json::from_str(r#"{"file": "key"}"#).unwrap();

        let secret = source.read("a key", folder.path()).unwrap();

        assert_eq!(secret.reveal(), "s3cret");
        let inline = SecretSource::Value("s3cret".to_owned());
        assert!(!format!("{source:?} {inline:?} {secret:?}").contains("s3cret"));
    }

    #[test]
    fn what_is_missing_or_empty_is_said_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("empty"), "\n").unwrap();
        let cases = [
            (SecretSource::File("gone".into()), "gone"),
            (SecretSource::File("empty".into()), "empty"),
            (SecretSource::Env("BOWLINE_TEST_NOT_SET".into()), "BOWLINE_TEST_NOT_SET"),
        ];
        for (source, expected) in cases {
            let error = source.read("a key", folder.path()).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("a key"), "{error}");
        }
    }
}
