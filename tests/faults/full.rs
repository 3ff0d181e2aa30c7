//! Fault 5: the disk that the journal is on becomes full in the middle of a run.

use crate::disk::Disk;
use crate::ground::{Ground, RESUME, RUN};
use crate::support::skipped;
use serde_json::json;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

/// Bytes of the disk.
const BYTES: u64 = 2 << 20;

/// What stands beside the journal to be given up on a full disk.
const BALLAST: &str = ".ballast";

/// A ground whose journal is on a small disk. None where this machine can't make one.
fn small() -> Option<(Ground, tempfile::TempDir)> {
    let mut ground = Ground::new();
    let folder = tempfile::tempdir().expect("make a folder");
    let Some(disk) = Disk::in_memory(&folder.path().join("disk"), BYTES) else {
        skipped("needs root and a file system in memory");
        return None;
    };
    ground.moves(disk, "");
    Some((ground, folder))
}

/// Fills the disk to its last byte. Gives the file that does.
fn fills(ground: &Ground) -> PathBuf {
    let path = ground.file(".filler");
    let mut file = File::options().create(true).append(true).open(&path).expect("make the filler");
    for bytes in [64 << 10, 4096, 1] {
        loop {
            match file.write(&vec![0; bytes]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("fill the disk: {error}"),
            }
        }
    }
    path
}

/// Both steps that begin wait for answers that take a while.
fn lets_answers_wait(ground: &Ground) {
    for (service, path) in [("kubernetes", "/apis/apps/v1/namespaces"), ("datadog", "/api/v2")] {
        let fault = json!({
            "service": service, "method": "GET", "path_prefix": path, "then": {"hang": {"seconds": 4}},
        });
        ground.services.fault(&fault);
    }
}

fn waits_for_both(ground: &Ground) {
    ground.waits_for_request("GET", "/apis/apps/v1/namespaces");
    ground.waits_for_request("GET", "/api/v2/incidents");
}

#[test]
fn f05_on_a_full_disk_the_ballast_lets_a_run_be_cancelled() {
    let Some((ground, _folder)) = small() else { return };
    lets_answers_wait(&ground);
    let started = ground.start(RUN);
    waits_for_both(&ground);
    assert!(ground.file(BALLAST).exists(), "it is made when a journal is opened");
    let filler = fills(&ground);

    ground.run(&["runs", "cancel", "@latest"]).ends(0).says(&["was asked to stop"]);
    let done = started.ends();

    done.ends(130);
    assert!(!ground.file(BALLAST).exists(), "it was given up");
    ground.holds("the disk is full");
    // The run that was cancelled has left room enough to be looked at, and none for another one.
    fills(&ground);
    ground.services.reset();
    let refused = ground.run(RUN);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(refused.stderr.contains("full"), "{}", refused.stderr);
    assert_eq!(ground.writes(), (0, 0));

    fs::remove_file(filler).expect("make room");
    ground.run(RUN).ends(0);
    assert!(ground.file(BALLAST).exists(), "there is room again");
    assert_eq!(ground.writes(), (1, 1));
    ground.run(&["audit", "verify"]).ends(0);
}

#[test]
fn f05_a_run_on_a_full_disk_says_so_and_ends_when_there_is_room() {
    let Some((ground, _folder)) = small() else { return };
    lets_answers_wait(&ground);
    let started = ground.start(RUN);
    waits_for_both(&ground);
    // As though it had been used up before.
    fs::remove_file(ground.file(BALLAST)).expect("take the ballast away");
    let filler = fills(&ground);

    let failed = started.ends();

    assert_eq!(failed.code, 1, "{}", failed.stderr);
    failed.says(&["can't go on without its journal", "disk is full"]);
    for arguments in [&["runs", "list"][..], &["runs", "cancel", "@latest"], RESUME] {
        let done = ground.run(arguments);
        assert!(done.code == 0 || done.stderr.contains("disk is full"), "{}", done.stderr);
    }
    assert!(ground.writes().0 <= 1 && ground.writes().1 <= 1);

    fs::remove_file(filler).expect("make room");
    ground.holds("there is room again");
    let resumed = ground.run(RESUME);
    // It may have been cancelled above, if there was room for that.
    assert!(matches!(resumed.code, 0 | 130), "{}", resumed.stderr);
    ground.holds("resumed");
    if resumed.code == 0 {
        assert_eq!(ground.writes(), (1, 1));
    }
    assert!(ground.file(BALLAST).exists());
}

#[test]
fn f05_the_ballast_is_given_up_and_the_run_ends_or_says_why_it_can_not() {
    let Some((ground, _folder)) = small() else { return };
    lets_answers_wait(&ground);
    let started = ground.start(RUN);
    waits_for_both(&ground);
    let ballast = fs::metadata(ground.file(BALLAST)).expect("it is there").len();
    assert_eq!(ballast, 256 << 10);
    fills(&ground);

    let done = started.ends();

    // The answers of this run are larger than the ballast, so it may as well say why it can't.
    if done.code != 0 {
        done.ends(1).says(&["disk is full"]);
    }
    assert!(!ground.file(BALLAST).exists());
    fs::remove_file(ground.file(".filler")).expect("make room");
    if done.code != 0 {
        ground.run(RESUME).ends(0);
    }
    ground.holds("there is room again");
    assert_eq!(ground.writes(), (1, 1));
}
