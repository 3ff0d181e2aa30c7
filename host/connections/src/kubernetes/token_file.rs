//! A token in a file that somebody else keeps fresh: the service account's of a pod, for one.
//!
//! Read again as it is rotated, and learned by the redactor before it is first sent.

use crate::secret_source::{SecretError, read_file};
use effects::{Needles, Secret};
use http::HeaderValue;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long what was read is believed. Tokens are rotated minutes before they end.
const BELIEVED: Duration = Duration::from_secs(10);

/// What the file holds, for people.
const WHAT: &str = "the cluster's token";

/// The file, and what was last read from it.
pub(crate) struct TokenFile {
    path: PathBuf,
    needles: Arc<Needles>,
    believed: Duration,
    held: Mutex<Option<(HeaderValue, Instant)>>,
}

/// There is no token in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenFileError {
    /// It can't be read.
    #[error(transparent)]
    Read(#[from] SecretError),
    /// It holds something else.
    #[error("the file `{path}` holds no token that a header can carry")]
    Malformed {
        /// Which file.
        path: PathBuf,
    },
}

impl TokenFile {
    /// One at `path`, read for the first time when a header is wanted.
    pub(crate) fn new(path: PathBuf, needles: Arc<Needles>) -> Self {
        Self { path, needles, believed: BELIEVED, held: Mutex::default() }
    }

    /// The header to send now.
    pub(crate) fn header(&self) -> Result<HeaderValue, TokenFileError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((header, read)) = &*held
            && read.elapsed() < self.believed
        {
            return Ok(header.clone());
        }
        match (self.read(), &*held) {
            (Ok(header), _) => {
                *held = Some((header.clone(), Instant::now()));
                Ok(header)
            }
            // A file that is being replaced may be away for a moment.
            (Err(_), Some((header, _))) => Ok(header.clone()),
            (Err(error), None) => Err(error),
        }
    }

    fn read(&self) -> Result<HeaderValue, TokenFileError> {
        let malformed = || TokenFileError::Malformed { path: self.path.clone() };
        let token = Secret::new(read_file(&self.path, WHAT)?);
        if token.is_empty() {
            return Err(malformed());
        }
        self.needles.learn([&token]);
        let text = zeroize::Zeroizing::new(format!("Bearer {}", token.reveal()));
        let mut header = HeaderValue::from_str(&text).map_err(|_| malformed())?;
        header.set_sensitive(true);
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use effects::Redactor;

    #[test]
    fn a_rotated_token_is_read_again_and_is_a_needle_before_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let needles = Arc::new(Needles::new([]));
        let mut file = TokenFile::new(path.clone(), Arc::clone(&needles));
        assert!(file.header().is_err(), "there is none yet");
        std::fs::write(&path, "CANARY-first\n").unwrap();
        assert_eq!(file.header().unwrap(), "Bearer CANARY-first");
        std::fs::write(&path, "CANARY-second\n").unwrap();
        assert_eq!(file.header().unwrap(), "Bearer CANARY-first", "believed for a while");

        file.believed = Duration::ZERO;

        assert_eq!(file.header().unwrap(), "Bearer CANARY-second");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file.header().unwrap(), "Bearer CANARY-second", "better than none");
        let redactor = Redactor::new(vec![needles]);
        assert_eq!(redactor.text("CANARY-first CANARY-second"), "*** ***");
        std::fs::write(&path, "two\nlines").unwrap();
        assert!(TokenFile::new(path, Arc::new(Needles::new([]))).header().is_err());
    }
}
