//! Each event is chained to the one before it, so that a record which was touched later shows.
//!
//! Pure: texts and numbers in, hashes out. The chain has no key, so it proves that records belong
//! together in this order, and not who wrote them: whoever may write to the journal can make a
//! new chain. See decision 0010 for what finds that.

mod breach;

pub use breach::{Breach, Examination, Examined, examine};
use std::fmt;

/// Keeps these hashes apart from all others that anyone makes of the same bytes.
const DOMAIN: &[u8] = b"bowline journal event 1\0";

/// The hash of an event and of everything before it in its run: BLAKE3, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

/// An event as it is kept: what the chain is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Counts up from 0 without gaps.
    pub position: u64,
    /// Milliseconds since 1970, UTC.
    pub at: i64,
    /// The event as JSON, byte for byte as it is kept.
    pub body: Vec<u8>,
    /// None for an event that was written before there was a chain.
    pub hash: Option<Hash>,
}

impl Hash {
    /// What stands before the first link.
    pub const ORIGIN: Self = Self([0; 32]);

    /// None unless these are 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The hash of the event at `position` of the run of that name, which follows `previous`.
///
/// Each part has a fixed length or tells its own, so that no two different events share a text.
#[must_use]
pub fn seal(run: &str, previous: Hash, position: u64, at: i64, body: &[u8]) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN);
    hasher.update(&(run.len() as u64).to_le_bytes());
    hasher.update(run.as_bytes());
    hasher.update(&previous.0);
    hasher.update(&position.to_le_bytes());
    hasher.update(&at.to_le_bytes());
    hasher.update(body);
    Hash(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_makes_another_hash() {
        let other = Hash([1; 32]);
        let hashes = [
            seal("a", Hash::ORIGIN, 0, 0, b"x"),
            seal("b", Hash::ORIGIN, 0, 0, b"x"),
            seal("ax", Hash::ORIGIN, 0, 0, b""),
            seal("a", other, 0, 0, b"x"),
            seal("a", Hash::ORIGIN, 1, 0, b"x"),
            seal("a", Hash::ORIGIN, 0, 1, b"x"),
            seal("a", Hash::ORIGIN, 0, 0, b"y"),
            seal("a", Hash::ORIGIN, 0, 0, b""),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..index].contains(hash), "{index}");
        }
    }

    #[test]
    fn the_hash_of_a_version_never_changes() {
        // Journals that exist hold such hashes: another result here would call them all forged.
        let hash = seal("0192f0c1", Hash::ORIGIN, 3, 1_795_356_181_000, b"{\"event\":\"x\"}");
        assert_eq!(
            hash.to_string(),
            "9b4525edebdc97f191771c5fa840648ec7686275803fb9c2349e670ea9acce1a"
        );
        assert_eq!(Hash::from_bytes(hash.as_bytes()), Some(hash));
        assert_eq!(Hash::from_bytes(&[0; 31]), None);
    }
}
