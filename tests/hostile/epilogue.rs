//! What must hold after every case, whatever it was: the host lives and serves the next plugin as
//! before, nothing leaked, and no credential is in anything that was written.

use crate::stage::{Normal, Stage};
use std::fs;
use std::time::{Duration, Instant};
use tests::canary::{Found, Scanner};

/// How far the memory of the process may stay above what it was.
const RSS_BYTES_MAX: u64 = 32 << 20;

/// How long what a case started may take to go away: connections that are being closed, threads
/// that notice that they are not needed.
const SETTLE_TIME_MAX: Duration = Duration::from_secs(3);

/// The same for memory, which goes at once or is kept.
const MEMORY_SETTLE_TIME_MAX: Duration = Duration::from_millis(300);

/// The process before a case.
pub(crate) struct Before {
    rss: u64,
    files: usize,
}

impl Before {
    pub(crate) fn look() -> Self {
        drop(crate::record::take());
        Self { rss: rss(), files: open_files() }
    }
}

/// Checks all of it, and takes the stage down. Gives how much more memory the process has than
/// before, when that is more than it may be: what leaks does so again when the case is repeated,
/// and what the allocator keeps for later is used then.
pub(crate) fn check(mut stage: Stage, before: &Before, normal: &Normal) -> Result<(), u64> {
    stage.honest_step_succeeds(normal);
    stage.stop_servers();
    let settled = |what: &str, holds: &dyn Fn() -> Result<(), String>| {
        let began = Instant::now();
        while let Err(why) = holds() {
            assert!(began.elapsed() < SETTLE_TIME_MAX, "{what}: {why}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    stage.close();
    settled("tasks are left", &|| match stage.tasks() {
        0 => Ok(()),
        count => Err(format!("{count}")),
    });
    scan(&stage);
    drop(stage);
    settled("open files are left", &|| match open_files() {
        now if now <= before.files => Ok(()),
        now => Err(format!("{now}, before {}: {:?}", before.files, open_file_names())),
    });
    let began = Instant::now();
    loop {
        match rss().saturating_sub(before.rss) {
            more if more <= RSS_BYTES_MAX => return Ok(()),
            more if began.elapsed() > MEMORY_SETTLE_TIME_MAX => return Err(more),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// No credential in what the case has left behind: files, the host's own log, what people saw.
fn scan(stage: &Stage) {
    let scanner = Scanner::new();
    let mut found = Found::default();
    scanner.folder(stage.folder(), &|path| stage.is_key(path), &mut found);
    scanner.folder(&crate::stage::cache(), &|path| stage.is_old(path), &mut found);
    scanner.bytes("the host's log", &crate::record::take(), &mut found);
    for (place, text) in stage.shown() {
        scanner.bytes(place, text.as_bytes(), &mut found);
    }
    assert!(found.hits.is_empty(), "a credential got out: {:#?}", found.hits);
    assert!(found.bytes > 0, "nothing was searched");
}

/// Resident bytes of this process.
fn rss() -> u64 {
    let text = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

fn open_file_names() -> Vec<String> {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|path| path.display().to_string())
        .collect()
}
