//! What a step has read of the world between two calls: clocks, in the order of reading.
//!
//! A step that is run again must read the same, or it would ask for something else than it did.

use serde::{Deserialize, Serialize};

/// The most different readings that are kept between two calls. A step that does nothing but look
/// at a clock of a millisecond for a minute stays below.
const READINGS_MAX: usize = 1 << 16;

/// Readings, each with how often it came in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Readings(Vec<(u64, u32)>);

impl Readings {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no other value can be taken in.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.len() >= READINGS_MAX
    }

    /// The value that came last.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|(value, _)| *value)
    }

    /// Takes a value in.
    pub fn push(&mut self, value: u64) {
        match self.0.last_mut() {
            Some((last, times)) if *last == value && *times < u32::MAX => *times += 1,
            _ => self.0.push((value, 1)),
        }
    }

    /// Puts those of `other` behind these.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Each value, in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().flat_map(|(value, times)| (0..*times).map(move |_| *value))
    }

    /// Takes them out.
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::take(self)
    }
}

impl IntoIterator for Readings {
    type Item = (u64, u32);
    type IntoIter = std::vec::IntoIter<(u64, u32)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_read_again_in_its_order() {
        let mut readings = Readings::default();
        for value in [5, 5, 5, 6, 5] {
            readings.push(value);
        }
        let kept = serde_json::to_string(&readings).expect("serialize");
        assert_eq!(kept, "[[5,3],[6,1],[5,1]]");
        let read: Readings = serde_json::from_str(&kept).expect("read");
        assert_eq!(read.iter().collect::<Vec<_>>(), [5, 5, 5, 6, 5]);
        assert_eq!(read.last(), Some(5));
    }
}
