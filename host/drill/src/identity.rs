//! Names and ids that look like the real ones.
//!
//! What is there at the start is numbered the same way at every start, so that a rehearsal can
//! be compared with the one before; what is made later is different each time.

use std::fmt::Write as _;
use uuid::Uuid;

/// The letters that Kubernetes uses in generated names: no vowels, nothing that looks alike.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// A source of ids.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    /// The ids that every start begins with.
    pub(crate) fn seeded() -> Self {
        Self { state: 0x0b0e_1135 }
    }

    /// From here on, ids that no other start gives.
    pub(crate) fn unpredictable(&mut self) {
        let fresh = Uuid::new_v4().as_u128();
        self.state ^= u64::try_from(fresh & u128::from(u64::MAX)).unwrap_or_default();
    }

    /// A UUID of version 4.
    pub(crate) fn uuid(&mut self) -> Uuid {
        let (high, low) = (self.next(), self.next());
        let bytes = (u128::from(high) << 64) | u128::from(low);
        uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
    }

    /// The end of a generated name: `length` letters.
    pub(crate) fn suffix(&mut self, length: usize) -> String {
        (0..length).map(|_| letter(self.next())).collect()
    }

    /// A positive number that a double can't hold exactly.
    pub(crate) fn large_number(&mut self) -> u64 {
        (self.next() >> 2) | (1 << 60) | 1
    }

    // splitmix64: short, well spread, and enough where nothing depends on secrecy.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A short name for `text`: the same text gives the same name, in the letters of Kubernetes.
pub(crate) fn short_hash(text: &str, collisions: u64) -> String {
    let mut hash: u32 = 0x811c_9dc5;
    for byte in text.bytes().chain(collisions.to_le_bytes().into_iter().filter(|_| collisions > 0))
    {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    let mut digits = String::new();
    // Writing into a string can't fail.
    let _ = write!(digits, "{hash}");
    digits.bytes().map(|digit| letter(u64::from(digit))).collect()
}

fn letter(number: u64) -> char {
    let index = usize::try_from(number % LETTERS.len() as u64).unwrap_or_default();
    char::from(LETTERS[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_start_begins_with_the_same_ids_and_goes_on_with_others() {
        let (mut one, mut two) = (Ids::seeded(), Ids::seeded());
        assert_eq!(one.uuid(), two.uuid());

        one.unpredictable();
        two.unpredictable();

        assert_ne!(one.uuid(), two.uuid());
        assert_eq!(one.uuid().get_version_num(), 4);
        assert_eq!(one.suffix(5).len(), 5);
        assert!(one.large_number() > 1 << 53);
    }

    #[test]
    fn a_collision_gives_another_hash() {
        assert_eq!(short_hash("template", 0), short_hash("template", 0));
        assert_ne!(short_hash("template", 0), short_hash("template", 1));
        assert_ne!(short_hash("template", 0), short_hash("another", 0));
    }
}
