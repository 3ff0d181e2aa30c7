//! Where a run's records stop following from each other, and what was most likely done there.
//!
//! A hash says *that* something is wrong. What was done is found by asking where each record
//! would fit: one that fits elsewhere was moved, one that fits nowhere was changed or added.
//! Pure, and it keeps a handful of hashes however long the run is.

use super::{Hash, Sealed, seal};
use std::collections::VecDeque;

/// How many records back an added one is looked for: whoever adds records and chains them
/// among themselves breaks the chain only behind the last of them.
const ADDED_MAX: usize = 64;

/// How many removed records are recognised when those behind them were numbered anew.
const REMOVED_MAX: u64 = 64;

/// The first thing that is wrong with a run's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The record is not what was written there, or it and its hash were replaced together with
    /// the record before it.
    Changed {
        /// Which.
        position: u64,
    },
    /// The record is what was written there, its hash is not.
    HashChanged {
        /// Which.
        position: u64,
    },
    /// Records are gone.
    Removed {
        /// The first of them.
        position: u64,
        /// How many.
        count: u64,
    },
    /// The record stands somewhere else now.
    Moved {
        /// Where it was written.
        position: u64,
        /// Where it is.
        now: u64,
    },
    /// Records were put in.
    Added {
        /// The first of them.
        position: u64,
        /// How many, as far as it can be told.
        count: u64,
    },
}

/// What a run's records came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    /// All that were there.
    pub records: u64,
    /// Those before the breach.
    pub sound: u64,
    /// Of the sound ones, those that were written before there was a chain.
    pub unchained: u64,
    /// The hash of the last sound one; [`Hash::ORIGIN`] if it has none.
    pub head: Hash,
    /// The first thing that is wrong.
    pub breach: Option<Breach>,
}

/// Examines the records of the run of that name, which must come in the order of their positions.
/// Those before `chained_from` need no hash.
pub fn examine(
    run: &str,
    chained_from: u64,
    records: impl IntoIterator<Item = Sealed>,
) -> Examined {
    let mut examination = Examination::new(run, chained_from);
    for record in records {
        examination.take(&record);
    }
    examination.finish()
}

/// [`examine`], record by record.
#[derive(Debug)]
pub struct Examination<'a> {
    run: &'a str,
    chained_from: u64,
    records: u64,
    next: u64,
    unchained: u64,
    previous: Hash,
    /// The last positions that were sound, with the hash before each.
    recent: VecDeque<(u64, Hash)>,
    suspicion: Option<Suspicion>,
}

impl<'a> Examination<'a> {
    /// For the run of that name; records before `chained_from` need no hash.
    #[must_use]
    pub fn new(run: &'a str, chained_from: u64) -> Self {
        Self {
            run,
            chained_from,
            records: 0,
            next: 0,
            unchained: 0,
            previous: Hash::ORIGIN,
            recent: VecDeque::with_capacity(ADDED_MAX),
            suspicion: None,
        }
    }

    /// Takes in the record behind the last one. True if it is sound.
    pub fn take(&mut self, record: &Sealed) -> bool {
        self.records += 1;
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.consider(self.run, record);
            return false;
        }
        let sound = record.position == self.next && self.follows(record);
        if !sound {
            self.suspicion = Some(self.suspect(record));
        }
        sound
    }

    /// What it came to.
    #[must_use]
    pub fn finish(self) -> Examined {
        Examined {
            records: self.records,
            sound: self.next,
            unchained: self.unchained,
            head: self.previous,
            breach: self.suspicion.map(|suspicion| suspicion.breach),
        }
    }

    fn follows(&mut self, record: &Sealed) -> bool {
        if self.next < self.chained_from {
            if record.hash.is_some() {
                return false;
            }
            self.unchained += 1;
        } else {
            let hash = seal(self.run, self.previous, self.next, record.at, &record.body);
            if record.hash != Some(hash) {
                return false;
            }
            if self.recent.len() == ADDED_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back((self.next, self.previous));
            self.previous = hash;
        }
        self.next += 1;
        true
    }

    /// Whether `record` is one of the last that were sound, once more.
    fn is_known(&self, record: &Sealed) -> bool {
        let before_each = self.recent.iter().map(|(_, previous)| *previous);
        before_each.chain([self.previous]).any(|hash| record.hash == Some(hash))
    }

    /// What `record`, the first that does not follow, looks like by itself.
    fn suspect(&self, record: &Sealed) -> Suspicion {
        let position = self.next;
        let fits = |at, previous| {
            record.hash == Some(seal(self.run, previous, at, record.at, &record.body))
        };
        let (breach, settled) = if position < self.chained_from && record.position == position {
            (Breach::HashChanged { position }, true)
        } else if record.position < position {
            (Breach::Added { position: record.position, count: 1 }, true)
        } else if record.position > position {
            if fits(position, self.previous) {
                (Breach::Moved { position, now: record.position }, true)
            } else {
                (Breach::Removed { position, count: record.position - position }, false)
            }
        } else if let Some((first, _)) = self.recent.iter().find(|(at, hash)| fits(*at, *hash)) {
            // This one belongs where a sound one stands. Either it is a copy of that one, or what
            // begins there was put in.
            let first = if self.is_known(record) { position } else { *first };
            (Breach::Added { position: first, count: (position - first).max(1) }, true)
        } else {
            (Breach::Changed { position }, false)
        };
        Suspicion {
            breach,
            settled,
            position,
            previous: self.previous,
            last: record.hash,
            record: record.clone(),
            is_successor: record.position == position,
        }
    }
}

/// The breach as it looks so far, and what is needed to judge it by the records behind it.
#[derive(Debug)]
struct Suspicion {
    breach: Breach,
    /// Nothing that comes later can change it.
    settled: bool,
    /// Where the chain breaks.
    position: u64,
    /// The hash before that place.
    previous: Hash,
    /// What stands there, or behind a gap.
    record: Sealed,
    /// The hash of the record that was considered last.
    last: Option<Hash>,
    /// Whether the next record to be considered stands right behind the suspect.
    is_successor: bool,
}

impl Suspicion {
    fn consider(&mut self, run: &str, later: &Sealed) {
        if self.settled {
            return;
        }
        if self.is_successor && later.position == self.position + 1 {
            self.breach = self.judged_by_successor(run, later);
        }
        self.is_successor = false;
        // Does what was written at the breach stand here?
        let hash = seal(run, self.previous, self.position, later.at, &later.body);
        if later.hash == Some(hash) || self.record.hash == Some(hash) {
            self.settle(run, later);
        }
        self.last = later.hash;
    }

    /// The record that was written at the breach is `later`. Was it moved, or was another one
    /// put in before it?
    fn settle(&mut self, run: &str, later: &Sealed) {
        let (position, suspect) = (self.position, &self.record);
        let belongs = |at: u64, previous: Option<Hash>| {
            let Some(previous) = previous else { return false };
            let hash = Some(seal(run, previous, at, suspect.at, &suspect.body));
            hash == suspect.hash || hash == later.hash
        };
        let gap = suspect.position > position;
        let exchanged = [self.last, suspect.hash, later.hash]
            .into_iter()
            .any(|previous| belongs(later.position, previous));
        let moved = gap || exchanged || belongs(position + 1, later.hash);
        self.breach = if moved {
            Breach::Moved { position, now: later.position }
        } else {
            Breach::Added { position, count: later.position.saturating_sub(position).max(1) }
        };
        self.settled = true;
    }

    fn judged_by_successor(&self, run: &str, later: &Sealed) -> Breach {
        let position = self.position;
        let follows = |previous: Hash, at: u64| {
            later.hash == Some(seal(run, previous, at, later.at, &later.body))
        };
        let suspect = &self.record;
        let written = seal(run, self.previous, position, suspect.at, &suspect.body);
        if follows(written, later.position) {
            return Breach::HashChanged { position };
        }
        let Some(hash) = suspect.hash.filter(|hash| !follows(*hash, later.position)) else {
            return Breach::Changed { position };
        };
        // Both come from behind a gap that was closed by numbering them anew.
        let removed = (1..=REMOVED_MAX).find(|count| follows(hash, later.position + count));
        removed.map_or(Breach::Changed { position }, |count| Breach::Removed { position, count })
    }
}

#[cfg(test)]
mod tests;
