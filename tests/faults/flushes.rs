//! Fault 6: the disk refuses to flush.
//!
//! After that nobody knows what is on it, and a second flush that says yes proves nothing. So the
//! program stops at once, says why, and writes nothing more; what it had heard to be flushed
//! before is there for whoever goes on.

use crate::ground::{Ground, RESUME, RUN, rounds};
use crate::support::{Done, skipped};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What lets system calls of another program fail.
const STRACE: &str = "/usr/bin/strace";

/// The most flushes that one thread of a run makes; a run that makes more is not looked at whole.
const FLUSHES_MAX: usize = 60;

/// Runs the runbook with flushes failing: those of each thread from the number `from` on, or only
/// that one. Gives what it said, and what it did to files.
fn runs(ground: &Ground, from: usize, for_ever: bool) -> (Done, Vec<String>) {
    let trace = ground.place.path("trace");
    let when = format!("{from}{}", if for_ever { "+" } else { "" });
    let inner = ground.command(RUN);
    let mut command = Command::new(STRACE);
    command
        .args(["-f", "-y", "-qq", "-s", "0", "--seccomp-bpf"])
        .args(["-e", "trace=fsync,fdatasync,pwrite64,write,ftruncate,unlink"])
        .args(["-e", &format!("inject=fsync,fdatasync:error=EIO:when={when}")])
        .arg("-o")
        .arg(&trace)
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(inner.get_current_dir().expect("it has a folder"))
        .env_clear()
        .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done = command.output().expect("start strace").into();
    let trace = fs::read_to_string(trace).expect("read what it did");
    (done, trace.lines().map(str::to_owned).collect())
}

/// What was written to the journal after a flush of its log had failed.
fn written_after_it_failed(trace: &[String]) -> Vec<&String> {
    let failed = |line: &&String| line.contains("(INJECTED)") && line.contains("runs.db-wal>");
    let writes = |line: &&String| {
        ["pwrite64(", "write(", "ftruncate(", "unlink("].iter().any(|call| line.contains(call))
            && (line.contains("runs.db") && !line.contains("runs.db-shm"))
    };
    let Some(first) = trace.iter().position(|line| failed(&line)) else { return Vec::new() };
    trace[first..].iter().filter(writes).collect()
}

/// Whether strace can be used here: it needs leave to look at other processes.
fn can_trace() -> bool {
    let works = Path::new(STRACE).exists()
        && Command::new(STRACE)
            .args(["-f", "-qq", "--seccomp-bpf", "-e", "trace=fsync", "-o", "/dev/null", "true"])
            .status()
            .is_ok_and(|status| status.success());
    if !works {
        skipped("needs strace, and leave to use it");
    }
    works
}

fn each_flush_fails(for_ever: bool) {
    if !can_trace() {
        return;
    }
    let mut ground = Ground::new();
    ground.begin_in("warm");
    ground.run(RUN).ends(0);
    let (mut stopped, mut amid) = (0, 0);
    for from in 1..=rounds("BOWLINE_FLUSHES", FLUSHES_MAX) {
        ground.begin_in(&format!("flush-{from}"));
        // Makes the journal, so that the thread that writes makes the flushes that are counted.
        ground.runs();
        let case = format!("flush {from}, {}", if for_ever { "and all behind it" } else { "once" });

        let (done, trace) = runs(&ground, from, for_ever);

        if !trace.iter().any(|line| line.contains("(INJECTED)")) {
            done.ends(0);
            break;
        }
        let written = written_after_it_failed(&trace);
        assert!(written.is_empty(), "{case}: written after the flush failed: {written:#?}");
        match says_why(&case, &done) {
            true => stopped += 1,
            // Nothing of the run was left to be flushed.
            false => assert_eq!(ground.runs()[0]["status"], "success", "{case}"),
        }
        amid += usize::from(goes_on(&ground, &case));
    }
    println!("{stopped} runs were stopped, {amid} of them amid their steps");
    assert!(amid >= 3, "only {amid} flushes failed amid a run");
}

/// Whether the program failed; it says why then.
fn says_why(case: &str, done: &Done) -> bool {
    if done.code == 0 {
        return false;
    }
    assert!(matches!(done.code, 1 | 2), "{case}: {} {}", done.code, done.stderr);
    for part in ["the journal at", "I/O error"] {
        assert!(done.stderr.contains(part), "{case}: `{part}` is not in {}", done.stderr);
    }
    true
}

/// The disk works again. Whether there is a run that can go on; it does.
fn goes_on(ground: &Ground, case: &str) -> bool {
    let runs = ground.runs();
    let Some(run) = runs.first() else {
        assert_eq!(ground.writes(), (0, 0), "{case}: the run is lost");
        return false;
    };
    ground.holds(&format!("{case}, not resumed"));
    let amid = run["status"] != "success";
    if amid {
        ground.run(RESUME).ends(0);
    }
    ground.holds(case);
    assert_eq!(ground.writes(), (1, 1), "{case}");
    amid
}

#[test]
fn f06_a_disk_that_never_flushes_again_stops_the_program_and_nothing_acknowledged_is_lost() {
    each_flush_fails(true);
}

#[test]
fn f06_a_disk_that_fails_to_flush_once_is_not_trusted_again() {
    each_flush_fails(false);
}

#[test]
fn f06_a_journal_that_can_not_be_made_is_told_and_nothing_is_started() {
    if !can_trace() {
        return;
    }
    let mut ground = Ground::new();
    for from in 1..=3 {
        ground.begin_in(&format!("flush-{from}"));
        let case = format!("flush {from} of a new journal");

        let (done, trace) = runs(&ground, from, true);

        assert!(trace.iter().any(|line| line.contains("(INJECTED)")), "{case}: nothing failed");
        assert!(says_why(&case, &done), "{case}: it went on");
        assert_eq!(ground.writes(), (0, 0), "{case}");
        assert!(!goes_on(&ground, &case), "{case}: there is a run");
    }
}
