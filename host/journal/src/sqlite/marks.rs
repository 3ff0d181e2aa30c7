//! How far each run had come, kept in a small file beside the journal.
//!
//! A database that lost its newest pages looks like an older one and says nothing; a mark that is
//! ahead of it says so. One record of a fixed size per run, written in place behind each commit
//! and seldom flushed: a mark that is behind is normal, and a journal without marks still works,
//! so nothing here ever stops a write. Never lowers a mark and never takes another run's place.

use crate::chain::Hash;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a record. A power of two, so that no record crosses a sector or a page.
const RECORD: usize = 128;

/// The longest name of a run, see `RunId`.
const NAME_MAX: usize = 64;

/// The most runs that are marked: 2 GiB of records.
const SLOTS_MAX: i64 = 1 << 24;

/// What the file begins with, in the place of record 0, which no run has.
const MAGIC: &[u8; 16] = b"bowline marks 1\n";

/// How long marks of ended runs wait for being flushed, while others are written.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// A record that is being written is looked at again after this time.
const AGAIN_WAIT: Duration = Duration::from_millis(1);

/// How far a run had come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The run's name.
    pub(super) run: String,
    /// Of its newest event.
    pub(super) position: u64,
    /// Of that event.
    pub(super) hash: Hash,
    /// The run was forgotten since, on purpose.
    pub(super) forgotten: bool,
}

/// What stands in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Nothing was written there.
    Empty,
    /// Not what was written there.
    Damaged,
    /// How far a run had come.
    Taken(Mark),
}

/// Where the marks of the journal at `journal` are.
pub(super) fn path_beside(journal: &Path) -> PathBuf {
    let mut name = OsString::from(journal);
    name.push(".marks");
    PathBuf::from(name)
}

/// A run's newest event in a transaction.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The run's name.
    pub(super) run: String,
    /// Of the first event that the transaction wrote.
    pub(super) first: u64,
    /// Of the newest.
    pub(super) position: u64,
    /// Of the newest.
    pub(super) hash: Hash,
    /// Whether the run has come to its end.
    pub(super) ended: bool,
}

/// The marks, for the one who writes.
pub(super) struct Marks {
    path: PathBuf,
    file: Option<File>,
    /// What stands in the file is not ours.
    foreign: bool,
    /// The runs that were written here and have not ended, and whether they may be marked.
    open: HashMap<i64, bool>,
    /// Since when marks of ended runs wait for being flushed.
    unflushed: Option<Instant>,
}

impl Marks {
    /// Beside the journal at `journal`. Touches nothing until the first mark.
    pub(super) fn beside(journal: &Path) -> Self {
        Self {
            path: path_beside(journal),
            file: None,
            foreign: false,
            open: HashMap::new(),
            unflushed: None,
        }
    }

    /// The number of the last place that was ever taken; a new run must be behind it, so that a
    /// deleted run's mark stays.
    pub(super) fn last_slot(&self) -> i64 {
        let length = match &self.file {
            Some(file) => file.metadata(),
            None => std::fs::metadata(&self.path),
        };
        let slots = length.map_or(0, |file| file.len() / RECORD as u64);
        i64::try_from(slots).unwrap_or(0).saturating_sub(1).clamp(0, SLOTS_MAX)
    }

    /// Marks what was committed. `hash_at` tells the hash of a run's event as the journal has it.
    pub(super) fn note(
        &mut self,
        heads: &HashMap<i64, Head>,
        hash_at: impl Fn(i64, u64) -> Option<Hash>,
    ) {
        for (&slot, head) in heads {
            if !(1..=SLOTS_MAX).contains(&slot) || head.run.len() > NAME_MAX {
                continue;
            }
            let Some(file) = self.file() else { return };
            let may = match self.open.get(&slot) {
                Some(may) => *may,
                None => agrees(&read(&file, slot), head, |position| hash_at(slot, position)),
            };
            if may {
                // A full disk must not stop a run; the mark is behind then, and the check says so.
                let _ = file.write_all_at(&encode(head), offset(slot));
            }
            if head.ended {
                self.open.remove(&slot);
                self.unflushed.get_or_insert_with(Instant::now);
            } else {
                self.open.insert(slot, may);
            }
            self.file = Some(file);
        }
    }

    /// Notes that these runs are about to be forgotten on purpose, before they are.
    pub(super) fn forget(&mut self, slots: &[i64]) {
        if slots.is_empty() {
            return;
        }
        let Some(file) = self.file() else { return };
        for &slot in slots {
            if let Slot::Taken(mark) = read(&file, slot) {
                let _ = file.write_all_at(&encode_forgotten(&mark), offset(slot));
            }
            self.open.remove(&slot);
        }
        let _ = file.sync_data();
        self.file = Some(file);
    }

    /// Whether marks of ended runs wait for being flushed.
    pub(super) fn wants_flush(&self) -> bool {
        self.unflushed.is_some()
    }

    /// Flushes them if they have waited for long.
    pub(super) fn flush_if_due(&mut self) {
        if self.unflushed.is_some_and(|since| since.elapsed() >= FLUSH_WAIT) {
            self.flush();
        }
    }

    /// Flushes them.
    pub(super) fn flush(&mut self) {
        if self.unflushed.take().is_some()
            && let Some(file) = &self.file
        {
            let _ = file.sync_data();
        }
    }

    /// The open file, made where it is missing. None if it can't be, or is another's.
    fn file(&mut self) -> Option<File> {
        if self.foreign {
            return None;
        }
        if let Some(file) = self.file.take() {
            return Some(file);
        }
        let file = open_or_make(&self.path).ok()?;
        let mut start = [0; MAGIC.len()];
        match file.read_at(&mut start, 0) {
            Ok(0) => file.write_all_at(&header(), 0).ok()?,
            Ok(_) if start == *MAGIC => {}
            Ok(_) | Err(_) => {
                self.foreign = true;
                return None;
            }
        }
        Some(file)
    }
}

/// The marks, for the one who checks.
pub(super) struct MarksReader {
    file: File,
}

impl MarksReader {
    /// Those beside the journal at `journal`; None if there are none.
    ///
    /// # Errors
    ///
    /// When the file is there and can't be read, or is something else.
    pub(super) fn beside(journal: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path_beside(journal)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut start = [0; MAGIC.len()];
        let read = file.read_at(&mut start, 0)?;
        if read == 0 {
            // Another process is making it.
            return Ok(None);
        }
        if start != *MAGIC {
            let what = "it does not begin as a file of marks does";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(Some(Self { file }))
    }

    /// The number of the last place; the first is 1.
    pub(super) fn last_slot(&self) -> i64 {
        let length = self.file.metadata().map_or(0, |file| file.len());
        i64::try_from(length / RECORD as u64).unwrap_or(0).saturating_sub(1).clamp(0, SLOTS_MAX)
    }

    /// What stands in a place.
    pub(super) fn slot(&self, slot: i64) -> Slot {
        if !(1..=SLOTS_MAX).contains(&slot) {
            return Slot::Empty;
        }
        for _ in 0..3 {
            match read(&self.file, slot) {
                Slot::Damaged => thread::sleep(AGAIN_WAIT),
                found => return found,
            }
        }
        Slot::Damaged
    }

    /// Whether a run of that name was marked, and not forgotten on purpose since.
    pub(super) fn remembers(&self, run: &str) -> bool {
        (1..=self.last_slot()).any(|slot| {
            matches!(self.slot(slot), Slot::Taken(mark) if mark.run == run && !mark.forgotten)
        })
    }
}

/// Whether the mark in the place of `head` may be replaced by it.
fn agrees(slot: &Slot, head: &Head, hash_at: impl Fn(u64) -> Option<Hash>) -> bool {
    match slot {
        Slot::Empty | Slot::Damaged => true,
        // A mark that contradicts the journal is evidence, and stays.
        Slot::Taken(mark) => {
            mark.run == head.run
                && mark.position < head.first
                && hash_at(mark.position) == Some(mark.hash)
        }
    }
}

fn open_or_make(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn offset(slot: i64) -> u64 {
    u64::try_from(slot).unwrap_or(0) * RECORD as u64
}

fn header() -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes
}

fn encode(head: &Head) -> [u8; RECORD] {
    written(&head.run, head.position, head.hash, false)
}

fn encode_forgotten(mark: &Mark) -> [u8; RECORD] {
    written(&mark.run, mark.position, mark.hash, true)
}

/// Length of the name, whether it was forgotten, position, hash, name, and the beginning of a hash
/// over all of them.
fn written(run: &str, position: u64, hash: Hash, forgotten: bool) -> [u8; RECORD] {
    let mut bytes = [0; RECORD];
    let name = run.as_bytes();
    bytes[0] = u8::try_from(name.len()).unwrap_or(0);
    bytes[1] = u8::from(forgotten);
    bytes[8..16].copy_from_slice(&position.to_le_bytes());
    bytes[16..48].copy_from_slice(hash.as_bytes());
    bytes[48..48 + name.len()].copy_from_slice(name);
    let sum = checksum(&bytes);
    bytes[112..].copy_from_slice(&sum);
    bytes
}

fn read(file: &File, slot: i64) -> Slot {
    let mut bytes = [0; RECORD];
    match file.read_exact_at(&mut bytes, offset(slot)) {
        Ok(()) => decode(&bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Slot::Empty,
        Err(_) => Slot::Damaged,
    }
}

fn decode(bytes: &[u8; RECORD]) -> Slot {
    if bytes.iter().all(|byte| *byte == 0) {
        return Slot::Empty;
    }
    let length = usize::from(bytes[0]);
    let name = bytes.get(48..48 + length.min(NAME_MAX)).map(std::str::from_utf8);
    let hash = Hash::from_bytes(&bytes[16..48]);
    let position = bytes[8..16].try_into().map(u64::from_le_bytes);
    match (name, hash, position) {
        (Some(Ok(name)), Some(hash), Ok(position)) if checksum(bytes) == bytes[112..] => {
            Slot::Taken(Mark { run: name.to_owned(), position, hash, forgotten: bytes[1] == 1 })
        }
        _ => Slot::Damaged,
    }
}

fn checksum(bytes: &[u8; RECORD]) -> [u8; 16] {
    let hash = blake3::hash(&bytes[..112]);
    let mut sum = [0; 16];
    sum.copy_from_slice(&hash.as_bytes()[..16]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn place() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("make a folder");
        let journal = folder.path().join("runs.db");
        (folder, journal)
    }

    fn hash(byte: u8) -> Hash {
        Hash::from_bytes(&[byte; 32]).expect("32 bytes")
    }

    fn head(run: &str, first: u64, position: u64) -> Head {
        Head { run: run.into(), first, position, hash: hash(position as u8), ended: false }
    }

    fn note(marks: &mut Marks, slot: i64, head: Head) {
        // The journal of these tests agrees with every mark that is written here.
        marks.note(&HashMap::from([(slot, head)]), |_, position| Some(hash(position as u8)));
    }

    fn marked(journal: &Path, slot: i64) -> Option<(String, u64)> {
        let reader = MarksReader::beside(journal).expect("read")?;
        match reader.slot(slot) {
            Slot::Taken(mark) => {
                assert_eq!(mark.hash, hash(mark.position as u8));
                Some((mark.run, mark.position))
            }
            Slot::Empty => None,
            Slot::Damaged => panic!("damaged"),
        }
    }

    #[test]
    fn a_mark_follows_its_run_and_no_other() {
        let (_folder, journal) = place();
        let mut marks = Marks::beside(&journal);
        assert_eq!(marks.last_slot(), 0);
        assert_eq!(marked(&journal, 1), None);

        note(&mut marks, 1, head("one", 0, 0));
        note(&mut marks, 3, head(&"x".repeat(64), 0, 7));
        note(&mut marks, 1, head("one", 1, 4));

        assert_eq!(marks.last_slot(), 3);
        assert_eq!(marked(&journal, 1), Some(("one".into(), 4)));
        assert_eq!(marked(&journal, 2), None);
        assert_eq!(marked(&journal, 3), Some(("x".repeat(64), 7)));
        let mut another_process = Marks::beside(&journal);
        note(&mut another_process, 1, head("one", 5, 6));
        assert_eq!(marked(&journal, 1), Some(("one".into(), 6)));
    }

    #[test]
    fn a_mark_that_contradicts_the_journal_stays() {
        let (_folder, journal) = place();
        note(&mut Marks::beside(&journal), 1, head("one", 0, 8));

        let contradictions = [
            ("the journal is behind the mark", head("one", 5, 9)),
            ("the place belongs to another run", head("two", 9, 9)),
        ];
        for (why, head) in contradictions {
            let mut marks = Marks::beside(&journal);
            note(&mut marks, 1, head.clone());
            note(&mut marks, 1, Head { first: 10, position: 10, ..head });
            assert_eq!(marked(&journal, 1), Some(("one".into(), 8)), "{why}");
        }
        let mut marks = Marks::beside(&journal);
        marks.note(&HashMap::from([(1, head("one", 9, 9))]), |_, _| Some(hash(99)));
        assert_eq!(marked(&journal, 1), Some(("one".into(), 8)), "another event stands there");
    }

    #[test]
    fn places_that_no_file_should_have_are_left_out() {
        let (_folder, journal) = place();
        let mut marks = Marks::beside(&journal);
        for slot in [i64::MIN, -1, 0, SLOTS_MAX + 1, i64::MAX] {
            note(&mut marks, slot, head("one", 0, 0));
        }
        note(&mut marks, 1, head(&"x".repeat(65), 0, 0));
        assert!(!path_beside(&journal).exists());

        note(&mut marks, 1, head("one", 0, 0));
        let reader = MarksReader::beside(&journal).expect("read").expect("be there");
        assert_eq!(reader.slot(i64::MIN), Slot::Empty);
        assert_eq!(reader.slot(i64::MAX), Slot::Empty);
    }

    #[test]
    fn a_file_of_something_else_is_left_alone() {
        let (_folder, journal) = place();
        std::fs::write(path_beside(&journal), "shopping list").expect("write");

        note(&mut Marks::beside(&journal), 1, head("one", 0, 0));

        assert_eq!(std::fs::read(path_beside(&journal)).expect("read"), b"shopping list");
        assert!(MarksReader::beside(&journal).is_err());
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_seen() {
        let whole = encode(&head("0192f0c1-7c00-7000-8000-000000000001", 0, 3));
        assert!(matches!(decode(&whole), Slot::Taken(_)));
        for bit in 0..RECORD * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&bytes), Slot::Damaged, "bit {bit}");
        }
        assert_eq!(decode(&[0; RECORD]), Slot::Empty);
    }

    #[test]
    fn nobody_else_may_read_the_marks() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, journal) = place();
        note(&mut Marks::beside(&journal), 1, head("one", 0, 0));
        let mode = std::fs::metadata(path_beside(&journal)).expect("look").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
