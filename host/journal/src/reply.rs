//! What a step was told, kept so that it can be told the same again.
//!
//! Kept beside the events and not in them: an event holds its digest, so that a body is in no view
//! and no audit, and so that bodies can go when nobody needs them any more, without a gap in the
//! chain.

/// What a call came to, as the step saw it: free of credentials, in a form that only those who
/// made it read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// `blake3:` of the bytes.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// Of these bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { digest: digest(&bytes), bytes }
    }

    /// Whether these bytes are those that the digest was made of.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        digest(&self.bytes) == self.digest
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("blake3:{}", blake3::hash(bytes).to_hex())
}
