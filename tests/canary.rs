//! The search for credentials in everything that a test produced.
//!
//! Every credential that a test writes begins with the same seven letters; those that the program
//! makes are named. Beginnings are searched for, in all encodings, so that half a credential is
//! found as well as a whole one.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A credential of 40 characters. Some of them look different in each encoding.
pub const CANARY: &str = "CANARY-0a1b/2c3d+4e5f\"6g7h=8i9j%0k1l2m3n";

/// How each credential of the tests begins.
const BEGINNING: &str = "CANARY-";

/// Bytes of another credential that are searched for.
const PART: usize = 16;

/// Finds credentials.
#[derive(Debug)]
pub struct Scanner {
    forms: Vec<(&'static str, Vec<u8>)>,
    automaton: AhoCorasick,
}

/// What a search has found.
#[derive(Debug, Default)]
pub struct Found {
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Where a credential is, and in which encoding.
    pub hits: Vec<String>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// One for all encodings.
    ///
    /// # Panics
    ///
    /// Never: the forms are few and short.
    #[must_use]
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// One that looks for these credentials as well.
    ///
    /// # Panics
    ///
    /// If there are thousands.
    #[must_use]
    pub fn with(others: &[String]) -> Self {
        let parts = others.iter().map(|other| &other[..other.floor_char_boundary(PART)]);
        let forms: Vec<_> = [BEGINNING].into_iter().chain(parts).flat_map(forms).collect();
        let automaton = AhoCorasick::new(forms.iter().map(|(_, form)| form)).expect("few forms");
        Self { forms, automaton }
    }

    /// Looks at `bytes`, which came from `place`.
    pub fn bytes(&self, place: &str, bytes: &[u8], found: &mut Found) {
        found.bytes += bytes.len() as u64;
        let mut told = BTreeSet::new();
        for hit in self.automaton.find_iter(bytes) {
            let (encoding, _) = &self.forms[hit.pattern().as_usize()];
            if told.insert(*encoding) {
                let from = hit.start().saturating_sub(60);
                let around = String::from_utf8_lossy(&bytes[from..hit.start()]);
                found.hits.push(format!("{place}: {encoding}, behind `{}`", around.escape_debug()));
            }
        }
    }

    /// Looks at every file below `folder`, but not at those that `skip` names: the files in which
    /// the operator keeps the credentials.
    pub fn folder(&self, folder: &Path, skip: &dyn Fn(&Path) -> bool, found: &mut Found) {
        for path in files(folder) {
            // A file may go while it is looked for, such as a journal's log.
            if !skip(&path)
                && let Ok(bytes) = fs::read(&path)
            {
                self.bytes(&path.display().to_string(), &bytes, found);
            }
        }
    }
}

/// The regular files below `folder`. Links are not followed.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found
}

/// A beginning in all encodings.
fn forms(beginning: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = beginning.as_bytes();
    let each = |form: fn(u8) -> String| bytes.iter().map(|b| form(*b)).collect::<String>();
    let mut forms = vec![
        ("as it is", beginning.to_owned()),
        ("hexadecimal", each(|b| format!("{b:02x}"))),
        ("hexadecimal", each(|b| format!("{b:02X}"))),
        ("percent-encoded", beginning.replace('-', "%2D")),
        ("percent-encoded", beginning.replace('-', "%2d")),
        ("percent-encoded", each(|b| format!("%{b:02x}"))),
        ("percent-encoded", each(|b| format!("%{b:02X}"))),
        ("escaped for JSON", each(|b| format!("\\u{b:04x}"))),
        ("escaped for JSON", each(|b| format!("\\u{b:04X}"))),
    ];
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        // Only the characters that these bytes alone decide.
        let whole = padded.len() * 8 / 6;
        for (name, engine) in [("base64", &STANDARD_NO_PAD), ("base64url", &URL_SAFE_NO_PAD)] {
            forms.push((name, engine.encode(&padded)[skip..whole].to_owned()));
        }
    }
    forms.into_iter().map(|(name, form)| (name, form.into_bytes())).collect()
}
