//! Fault 3: the power is cut in the middle of a run.
//!
//! The journal is on a file system in a file, and what was not flushed has not reached that file.
//! The program is stopped at some instant, the file is copied, and the copy is all that is left.

use crate::disk::{Disk, makes_image};
use crate::ground::{Dice, Ground, RESUME, RUN, rounds, signals};
use crate::support::skipped;
use std::fs;
use std::time::{Duration, Instant};

/// The image's size.
const BYTES: u64 = 24 << 20;

/// How long whatever the disk is doing takes to come to rest once nobody asks it for more.
const REST: Duration = Duration::from_millis(50);

#[test]
fn f03_a_power_cut_loses_nothing_that_was_acknowledged_and_nothing_is_done_twice() {
    let mut ground = Ground::new();
    // Beside the place and not in it: the search for credentials reads the journal's own files.
    let folder = tempfile::tempdir().expect("make a folder");
    let (empty, image, copy) =
        (folder.path().join("empty"), folder.path().join("image"), folder.path().join("copy"));
    let point = folder.path().join("disk");
    let skip = || skipped("needs root and loop devices");
    let Some(()) = makes_image(&empty, BYTES) else { return skip() };
    fs::copy(&empty, &image).expect("copy");
    let Some(disk) = Disk::in_file(&point, &image) else { return skip() };
    ground.moves(disk, "store");
    ground.run(RUN).ends(0);
    ground.services.reset();
    let began = Instant::now();
    let mut started = ground.start(RUN);
    started.speaks();
    let start = began.elapsed();
    started.ends().ends(0);
    let rest = began.elapsed() - start;
    ground.loses_its_disk();
    let mut dice = Dice::new(3);
    let wanted = rounds("BOWLINE_POWER_CUTS", 20);
    let (mut before, mut amid, mut behind) = (0, 0, 0);

    for round in 0..wanted {
        fs::copy(&empty, &image).expect("copy");
        let disk = Disk::in_file(&point, &image).expect("mount");
        ground.moves(disk, "store");
        ground.services.reset();
        let mut started = ground.start(RUN);
        // The start is where least is going on; most cuts come behind it.
        let span = if round % 5 == 0 { start } else { rest };
        if round % 5 != 0 {
            started.speaks();
        }
        let thousandths = u32::try_from(dice.below(1000)).expect("small");
        let case = format!("cut {round}, at {thousandths} thousandths of {span:?}");
        std::thread::sleep(span * thousandths / 1000);
        signals(&started.pid(), "-STOP");
        std::thread::sleep(REST);
        fs::copy(&image, &copy).expect("copy");
        started.dies();
        let acknowledged = ground.services.effects();
        ground.loses_its_disk();

        ground.moves(Disk::in_file(&point, &copy).expect("mount"), "store");
        let runs = if ground.file("").exists() { ground.runs() } else { Vec::new() };
        match runs.first().map(|run| run["status"].clone()) {
            None => {
                assert_eq!(acknowledged, Vec::<String>::new(), "{case}: the run is lost");
                before += 1;
                continue;
            }
            Some(status) if status == "success" => behind += 1,
            Some(_) => {
                // Whatever the services were asked for is known before anybody goes on.
                ground.holds(&format!("{case}, not resumed"));
                ground.run(RESUME).ends(0);
                amid += 1;
            }
        }
        ground.holds(&case);
        assert_eq!(ground.writes(), (1, 1), "{case}: {:#?}", ground.services.effects());
    }
    println!("{before} before the run began, {amid} amid it, {behind} behind its end");
    assert!(amid * 4 >= wanted, "only {amid} of {wanted} cuts were amid a run");
}
