//! Fault 4: files of the journal are damaged, as a dying disk damages them.
//!
//! A run is interrupted in the middle of a write, then a page of the database or of its log is
//! torn, flipped or zeroed. Either nothing of it shows, or whoever goes on is told that the run or
//! the journal is damaged and what to do. Nobody ever goes on with a shorter story than was told.

use crate::ground::{Dice, Ground, RUN, rounds};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Bytes of a page of the database.
const PAGE: usize = 4096;

/// Bytes of the log before its first frame, and of a frame before its page.
const LOG_HEAD: usize = 32;
const FRAME_HEAD: usize = 24;

/// What is done to a file. The number chooses the place.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// One bit is another.
    Flip,
    /// A page holds nothing.
    Zero,
    /// A sector of a page is as it was before the page was written: here, nothing.
    Tear,
    /// A page stands where another one should.
    Misplace,
    /// The file ends in the middle of a page.
    Shorten,
    /// The newest pages are not there.
    Lose,
}

const DAMAGES: [Damage; 6] =
    [Damage::Flip, Damage::Zero, Damage::Tear, Damage::Misplace, Damage::Shorten, Damage::Lose];

impl Damage {
    /// Does it to a file whose pages follow each other from `head` on, each behind `frame` bytes.
    fn strikes(self, bytes: &mut Vec<u8>, head: usize, frame: usize, dice: &mut Dice) -> String {
        let step = frame + PAGE;
        let pages = bytes.len().saturating_sub(head) / step;
        // Most pages hold nothing but the bodies of answers, so others are struck on purpose: the
        // newest one, and those that tell a story.
        let tells = |page: &usize| {
            let start = head + page * step;
            bytes[start..start + step].windows(7).any(|text| text == b"\"event\"")
        };
        let telling: Vec<usize> = (0..pages).filter(tells).collect();
        let page = match dice.below(4) {
            0 => pages - 1,
            1 | 2 if !telling.is_empty() => telling[dice.below(telling.len())],
            _ => dice.below(pages),
        };
        let start = head + page * step;
        let body = start + frame;
        match self {
            Self::Flip => {
                let at = start + dice.below(step);
                bytes[at] ^= 1 << dice.below(8);
                return format!("{self:?} at {at}");
            }
            Self::Zero => bytes[body..body + PAGE].fill(0),
            Self::Tear => {
                let sector = body + 512 * dice.below(8);
                bytes[sector..sector + 512].fill(0);
            }
            Self::Misplace => {
                let other = head + dice.below(pages) * step + frame;
                bytes.copy_within(other..other + PAGE, body);
            }
            Self::Shorten => bytes.truncate(start + 1 + dice.below(step - 1)),
            Self::Lose => bytes.truncate(start),
        }
        format!("{self:?} page {page} of {pages}")
    }
}

/// What people see of all runs.
fn seen(ground: &Ground) -> Vec<Vec<Value>> {
    let runs = ground.runs();
    let events = |run: &Value| ground.events(run["run"].as_str().expect("a name"));
    runs.iter().map(events).chain([runs.clone()]).collect()
}

/// How a case came out.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Unharmed,
    /// The interrupted run went on as it should, and the check tells of other damage.
    Told,
    Refused,
}

/// A file of the journal: what its name ends with, and what is in it.
type File = (&'static str, Vec<u8>);

/// The files of the journal.
fn files(ground: &Ground) -> Vec<File> {
    let read = |behind| Some((behind, fs::read(ground.file(behind)).ok()?));
    ["", "-wal", ".marks"].into_iter().filter_map(read).collect()
}

/// One case: a journal with a run that has ended and one that was interrupted, damaged.
fn damaged(
    ground: &mut Ground,
    ended: &[File],
    round: usize,
    of_log: bool,
    dice: &mut Dice,
) -> Outcome {
    let folder = ground.begin_in(&format!("case-{round}"));
    for (behind, bytes) in ended {
        fs::write(ground.file(behind), bytes).expect("lay the journal");
    }
    ground.dies_at(["after-send:1", "after-send:2"][round % 2]);
    let effects = ground.services.effects();
    // A power cut leaves no index of the log.
    fs::remove_file(ground.file("-shm")).expect("remove it");
    if !of_log {
        let database = rusqlite::Connection::open(ground.file("")).expect("open");
        database
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .expect("move the log into the database");
    }
    let kept = files(ground);
    // Looking makes changes of its own, such as moving the log: what is damaged is a copy.
    let undamaged = seen(ground);
    let run = undamaged.last().expect("a list")[0]["run"].as_str().expect("a name").to_owned();
    // What is behind the mark was written in the very moment of the kill: nobody has heard of it.
    let marked = ground.run(&["audit", "verify", &run, "--json"]).ends(0).json();
    let marked = marked[0]["markedRecords"].as_u64().and_then(|count| usize::try_from(count).ok());
    let before = &undamaged[0][..marked.expect("a count")];
    for behind in ["", "-wal", "-shm", ".marks"] {
        let _ = fs::remove_file(ground.file(behind));
    }
    let mut how = String::new();
    for (behind, mut bytes) in kept {
        if behind == if of_log { "-wal" } else { "" } {
            let (head, frame) = if of_log { (LOG_HEAD, FRAME_HEAD) } else { (0, 0) };
            how = DAMAGES[(round / 2) % DAMAGES.len()].strikes(&mut bytes, head, frame, dice);
        }
        fs::write(ground.file(behind), bytes).expect("lay the damaged copy");
    }
    let case = format!("case {round}, {} of {}", how, if of_log { "log" } else { "database" });

    let resumed = ground.run(&["runs", "resume", &run, "--config", "drill.yaml", "--json"]);

    let outcome = if resumed.code != 0 {
        // Damage that shows only when its page is written to stops the run there.
        let amid = resumed.stderr.contains("can't go on without its journal");
        let (patches, posts) = ground.writes();
        assert!(patches <= 1 && posts <= 1, "{case}: done twice");
        assert!(amid || ground.services.effects() == effects, "{case}: it was refused and went on");
        says_what_to_do(&case, &resumed.stderr, &run, ground.store());
        Outcome::Refused
    } else {
        resumed.ends(0);
        let after = ground.events(&run);
        assert_eq!(&after[..before.len()], before, "{case}: another story goes on");
        assert_eq!(ground.writes(), (1, 1), "{case}");
        let sound = ground.run(&["audit", "verify", "--json"]);
        if sound.code == 0 {
            let others = |all: &[Vec<Value>]| all[1..all.len() - 1].to_vec();
            assert_eq!(others(&seen(ground)), others(&undamaged), "{case}: unnoticed");
            Outcome::Unharmed
        } else {
            let found = sound.ends(1).json();
            assert!(found.iter().any(|line| line["finding"].is_string()), "{case}: {found:?}");
            Outcome::Told
        }
    };
    println!("{case}: {outcome:?} {}", resumed.stderr.trim());
    fs::remove_dir_all(folder).expect("clear up");
    outcome
}

/// A refusal names the run or the journal, and what to do.
fn says_what_to_do(case: &str, said: &str, run: &str, store: &Path) {
    let store = store.display().to_string();
    assert!(said.contains(run) || said.contains(&store), "{case}: says not of what: {said}");
    assert!(said.contains("backup"), "{case}: says not what to do: {said}");
}

fn all_are_told(of_log: bool, seed: u64) {
    let mut ground = Ground::new();
    let mut dice = Dice::new(seed);
    let wanted = rounds("BOWLINE_DAMAGES", 60).div_ceil(4);
    ground.begin_in("ended");
    ground.run(RUN).ends(0);
    let ended = files(&ground);
    let mut outcomes = Vec::new();
    for round in 0..wanted {
        outcomes.push(damaged(&mut ground, &ended, round, of_log, &mut dice));
    }
    let count = |wanted| outcomes.iter().filter(|outcome| **outcome == wanted).count();
    let refused = count(Outcome::Refused);
    println!(
        "{refused} were refused, {} told elsewhere, {} unharmed",
        count(Outcome::Told),
        count(Outcome::Unharmed)
    );
    assert!(refused > 0, "no damage was found: the cases prove nothing");
}

#[test]
fn f04_a_damaged_database_is_never_driven_on_unnoticed() {
    all_are_told(false, 41);
}

#[test]
fn f04_a_damaged_database_is_never_driven_on_unnoticed_again() {
    all_are_told(false, 42);
}

#[test]
fn f04_a_damaged_log_is_never_driven_on_unnoticed() {
    all_are_told(true, 43);
}

#[test]
fn f04_a_damaged_log_is_never_driven_on_unnoticed_again() {
    all_are_told(true, 44);
}
