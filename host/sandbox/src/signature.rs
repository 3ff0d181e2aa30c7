//! Detached signatures of plugins, in minisign's format: `NAME.wasm.minisig` beside `NAME.wasm`.
//!
//! Works on bytes and text alone, offline, with the keys that the operator lists. A signature
//! that is there and not good refuses the plugin; what a missing one means is for the policy.

use crate::artifact::ArtifactError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{PublicKey, Signature};
use std::collections::BTreeMap;

/// What a signature's file is called: the plugin's and this.
pub const SIGNATURE_EXTENSION: &str = "minisig";

/// Bytes of a signature's file. One has about 300.
pub(crate) const SIGNATURE_BYTES_MAX: u64 = 8 << 10;

/// The signer of what is inside the program.
pub const BUILT_IN_SIGNER: &str = "bowline";

/// Whoever has signed a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// The operator's name for the key.
    pub name: String,
    /// The comment that the signature vouches for.
    pub comment: String,
}

/// The keys that the operator trusts, by name.
#[derive(Clone, Debug, Default)]
pub struct Signers(BTreeMap<String, SignerKey>);

#[derive(Clone, Debug)]
struct SignerKey {
    key: PublicKey,
    id: KeyId,
}

/// A key's number, as minisign writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeyId([u8; 8]);

impl std::fmt::Display for KeyId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The text is not a signature in minisign's format.
    #[error(
        "its signature file is not a minisign signature: {0}; sign it again with `minisign -S`"
    )]
    Malformed(&'static str),
    /// Not over a hash: the old form of minisign.
    #[error(
        "its signature has minisign's old form, which is not over a hash; sign it again with \
         minisign 0.10 or later"
    )]
    Legacy,
    /// Signed with a key that is not listed.
    #[error("it is signed with the key {found}, and the settings list {listed} under `signers`")]
    UnknownKey {
        /// The key's number.
        found: String,
        /// The names and numbers of those that are.
        listed: String,
    },
    /// The signature is not over these bytes, or its comment was changed.
    #[error(
        "its signature was made by `{signer}` (key {key}) for other bytes, or its comment was \
         changed; get file and signature again from where they come from"
    )]
    Mismatch {
        /// The operator's name for the key.
        signer: String,
        /// The key's number.
        key: String,
    },
    /// A key in the settings that is none.
    #[error(
        "`signers.{name}` is not a minisign public key: {reason}; it is the second line of `minisign.pub`"
    )]
    Key {
        /// The operator's name for it.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl SignatureError {
    /// The code under which it is told.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "plugin.signature-malformed",
            Self::Legacy => "plugin.signature-algorithm",
            Self::UnknownKey { .. } => "plugin.signature-unknown-key",
            Self::Mismatch { .. } => "plugin.signature-mismatch",
            Self::Key { .. } => "settings.signers",
        }
    }
}

impl From<SignatureError> for ArtifactError {
    fn from(error: SignatureError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl Signers {
    /// The keys of the settings: a name, and a public key as minisign prints it, with or without
    /// the line of comment above it.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Key`] for a text that is no key, for two keys with one number, and for
    /// the name that what is inside the program is signed with.
    pub fn new(keys: &BTreeMap<String, String>) -> Result<Self, SignatureError> {
        let mut signers: BTreeMap<String, SignerKey> = BTreeMap::new();
        for (name, text) in keys {
            let wrong = |reason: String| SignatureError::Key { name: name.clone(), reason };
            if name == BUILT_IN_SIGNER {
                return Err(wrong("that name stands for what is inside the program".to_owned()));
            }
            let line = text.lines().map(str::trim).rfind(|line| !line.is_empty());
            let line = line.ok_or_else(|| wrong("it is empty".to_owned()))?;
            let key = PublicKey::from_base64(line).map_err(|error| wrong(error.to_string()))?;
            let id = key_id(line).ok_or_else(|| wrong("it is cut off".to_owned()))?;
            if let Some((other, _)) = signers.iter().find(|(_, known)| known.id == id) {
                return Err(wrong(format!("`signers.{other}` has the same key number {id}")));
            }
            signers.insert(name.clone(), SignerKey { key, id });
        }
        Ok(Self(signers))
    }

    /// Who has signed `bytes` with the signature `text`.
    ///
    /// # Errors
    ///
    /// Every reason for which it does not count.
    pub fn verify(&self, bytes: &[u8], text: &str) -> Result<Signer, SignatureError> {
        let signature = Signature::decode(text).map_err(|_| {
            SignatureError::Malformed("it needs four lines, as `minisign -S` writes them")
        })?;
        if text.lines().skip(4).any(|line| !line.trim().is_empty()) {
            return Err(SignatureError::Malformed("it goes on after its four lines"));
        }
        let line = text.lines().nth(1).unwrap_or_default();
        let id = key_id(line).ok_or(SignatureError::Malformed("its second line is cut off"))?;
        let Some((name, known)) = self.0.iter().find(|(_, known)| known.id == id) else {
            return Err(SignatureError::UnknownKey {
                found: id.to_string(),
                listed: self.listed(),
            });
        };
        match known.key.verify(bytes, &signature, false) {
            Ok(()) => {
                Ok(Signer { name: name.clone(), comment: signature.trusted_comment().to_owned() })
            }
            Err(minisign_verify::Error::UnexpectedAlgorithm) => Err(SignatureError::Legacy),
            Err(_) => Err(SignatureError::Mismatch { signer: name.clone(), key: id.to_string() }),
        }
    }

    /// All keys, for people.
    fn listed(&self) -> String {
        let keys: Vec<String> =
            self.0.iter().map(|(name, known)| format!("`{name}` (key {})", known.id)).collect();
        if keys.is_empty() { "no key".to_owned() } else { keys.join(", ") }
    }
}

/// The number in a line of base64: two bytes of algorithm, eight of number.
fn key_id(line: &str) -> Option<KeyId> {
    let bytes = STANDARD.decode(line.trim()).ok()?;
    Some(KeyId(bytes.get(2..10)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The public test vectors of the minisign verifiers.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const GOOD: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1556193335\tfile:test\n\
        y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==";
    const LEGACY: &str = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==";

    fn signers(keys: &[(&str, &str)]) -> Result<Signers, SignatureError> {
        let keys = keys.iter().map(|(name, key)| ((*name).to_owned(), (*key).to_owned()));
        Signers::new(&keys.collect())
    }

    #[test]
    fn a_signature_counts_for_its_bytes_its_key_and_its_comment_only() {
        let known = signers(&[("ops", KEY)]).unwrap();
        let none = Signers::default();
        let comment = GOOD.replace("file:test", "file:tent");
        let cut = GOOD.lines().take(3).collect::<Vec<_>>().join("\n");
        let more = format!("{GOOD}\nfile: another\n");
        let cases: Vec<(&str, &Signers, &[u8], &str, &str)> = vec![
            ("good", &known, b"test", GOOD, "ok"),
            ("other bytes", &known, b"tess", GOOD, "plugin.signature-mismatch"),
            ("no bytes", &known, b"", GOOD, "plugin.signature-mismatch"),
            ("comment", &known, b"test", &comment, "plugin.signature-mismatch"),
            ("nobody listed", &none, b"test", GOOD, "plugin.signature-unknown-key"),
            ("legacy", &known, b"test", LEGACY, "plugin.signature-algorithm"),
            ("cut off", &known, b"test", &cut, "plugin.signature-malformed"),
            ("empty", &known, b"test", "", "plugin.signature-malformed"),
            ("more", &known, b"test", &more, "plugin.signature-malformed"),
        ];
        for (name, signers, bytes, text, expected) in cases {
            let found = signers.verify(bytes, text);
            assert_eq!(
                found.as_ref().map_or_else(SignatureError::code, |_| "ok"),
                expected,
                "{name}"
            );
        }
        let signer = known.verify(b"test", GOOD).unwrap();
        assert_eq!(signer.name, "ops");
        assert_eq!(signer.comment, "timestamp:1556193335\tfile:test");
    }

    #[test]
    fn an_unknown_key_is_told_beside_those_that_are_known() {
        let bytes = STANDARD.decode(KEY).unwrap();
        let mut other = bytes.clone();
        other[2] ^= 1;
        let known = signers(&[("ops", &STANDARD.encode(other))]).unwrap();

        let error = known.verify(b"test", GOOD).unwrap_err();

        assert_eq!(
            error.to_string(),
            "it is signed with the key E7620F1842B4E81F, and the settings list `ops` (key \
             E7620F1842B4E81E) under `signers`"
        );
    }

    #[test]
    fn a_key_of_the_right_number_and_other_bytes_does_not_verify() {
        let mut bytes = STANDARD.decode(KEY).unwrap();
        bytes[20] ^= 1;
        let known = signers(&[("ops", &STANDARD.encode(bytes))]).unwrap();

        assert_eq!(known.verify(b"test", GOOD).unwrap_err().code(), "plugin.signature-mismatch");
    }

    #[test]
    fn every_single_changed_character_of_a_signature_is_noticed() {
        let known = signers(&[("ops", KEY)]).unwrap();
        let start = GOOD.find('\n').unwrap() + 1;
        for at in start..GOOD.len() {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let text = String::from_utf8(bytes).unwrap();
            if text.lines().count() == GOOD.lines().count() {
                assert!(known.verify(b"test", &text).is_err(), "character {at}");
            }
        }
    }

    #[test]
    fn keys_are_checked_when_they_are_listed() {
        let with_comment = format!("untrusted comment: minisign public key\n{KEY}\n");
        assert!(signers(&[("ops", &with_comment)]).is_ok());
        for (keys, part) in [
            (vec![("ops", "")], "empty"),
            (vec![("ops", "RWQ")], "signers.ops"),
            (vec![("ops", "not a key")], "signers.ops"),
            (vec![("a", KEY), ("b", KEY)], "same key number"),
            (vec![("bowline", KEY)], "inside the program"),
        ] {
            let error = signers(&keys).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert_eq!(error.code(), "settings.signers");
        }
    }
}
