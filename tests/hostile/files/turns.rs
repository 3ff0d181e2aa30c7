//! C3, C12, C13: steps that compute beside others, compilations beside others, and the clock that
//! all of it rests on.

use crate::run::Run;
use crate::stage::{Stage, cache};
use crate::table::Case;
use effects::Layer;
use journal::Event;
use serde_json::Map;
use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tests::guest;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("C3", "eight endless loops beside an honest step", &[Layer::Turns], starving),
        Case::new("C12", "many steps and many compilations at once", &[], crowd),
        Case::new("C13", "a clock that does not stop anybody", &[], clock),
    ]
}

/// The share of its time alone that an honest step may take beside spinners.
const SLOWER_MAX: f64 = 3.0;

/// Honest steps, one after the other: so few that the spinners outlive them, even the slow ones.
const HONEST: usize = 3;

/// How often it is tried.
const ROUNDS: usize = 3;

fn starving(stage: &mut Stage) -> String {
    stage.limits.cpu_time_max = Duration::from_secs(1);
    stage.limits.attempt_time_max = Duration::from_millis(1_500);
    stage.module("spin", &guest::module("", "(loop $l (br $l)) (unreachable)"));
    // Some 40 ms of computing.
    let count = "(loop $l (local.set $i (i64.add (local.get $i) (i64.const 1)))
        (br_if $l (i64.lt_u (local.get $i) (i64.const 60000000)))) (i32.const 64)";
    let honest = guest::NO_OP
        .replace("(result i32) (i32.const 64))", &format!("(result i32) (local $i i64) {count})"));
    stage.module("computing", &honest);
    let chain: String = (0..HONEST)
        .map(|step| {
            let after = step.checked_sub(1).map(|before| format!("  dependsOn: h{before}\n"));
            format!("- name: h{step}\n  image: computing\n{}", after.unwrap_or_default())
        })
        .collect();
    let spinners: String =
        (0..8).map(|spinner| format!("- name: s{spinner}\n  image: spin\n")).collect();
    // The first time compiles.
    stage.flow(&format!("steps:\n{chain}"), Map::new());

    // What else this machine does makes steps slower and never faster, so the fastest counts.
    let alone = times(&stage.flow(&format!("steps:\n{chain}"), Map::new()))[0];
    let mut slowest = 0.0_f64;
    // Without turns an honest step is lucky now and then, and shares its thread with few.
    for _ in 0..ROUNDS {
        let run = stage.flow(&format!("steps:\n{spinners}{chain}"), Map::new());
        let beside = times(&run)[HONEST / 2];
        let slower = beside.as_secs_f64() / alone.as_secs_f64();
        assert!(slower < SLOWER_MAX, "{beside:?} beside spinners, {alone:?} alone: {slower:.1}×");
        slowest = slowest.max(slower);
    }
    format!("{slowest:.1} times as long as alone ({alone:?})")
}

/// How long the honest steps of a run took, each from its start to its end, the fastest first.
fn times(run: &Run) -> Vec<Duration> {
    let mut began = BTreeMap::new();
    let mut times = Vec::new();
    for recorded in &run.events {
        match &recorded.event {
            Event::StepStarted { step, .. } => {
                began.insert(step.as_str().to_owned(), recorded.at);
            }
            Event::StepSucceeded { step, .. } if step.as_str().starts_with('h') => {
                times.push(recorded.at - began[step.as_str()]);
            }
            _ => {}
        }
    }
    assert_eq!(times.len(), HONEST, "all honest steps succeed");
    times.sort_unstable();
    let time =
        |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or_default().max(1));
    times.into_iter().map(time).collect()
}

fn crowd(stage: &mut Stage) -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let names: Vec<String> = (0..20).map(|plugin| format!("cold-{plugin}")).collect();
    for name in &names {
        let mut manifest = guest::manifest(name);
        manifest["summary"] = format!("made at {now}").into();
        stage.plugin(name, guest::component(guest::NO_OP, &manifest));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (done, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                most.fetch_max(children(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let run = stage.run_plugins(&names);
        done.store(true, Ordering::Relaxed);
        assert!(names.iter().all(|name| run.outputs_of(name).is_empty()));
    });
    let (most, cores) = (most.into_inner(), std::thread::available_parallelism());
    let cores = cores.map_or(1, usize::from);
    assert!((1..=cores).contains(&most), "{most} compilers at once on {cores} cores");
    // A hundred steps of one plugin share its code, and each has a memory of its own.
    let steps: String =
        (0..100).map(|step| format!("- name: x{step}\n  image: cold-0\n")).collect();
    let run = stage.flow(&format!("steps:\n{steps}"), Map::new());
    assert!((0..100).all(|step| run.outputs_of(&format!("x{step}")).is_empty()));
    format!("20 compilations, {most} at once; 100 steps at once")
}

/// Processes that this one has started and that live.
fn children() -> usize {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    tasks
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .map(|children| children.split_whitespace().count())
        .sum()
}

/// The proof that the clock works is made once, sealed, and made again when somebody forged it. A
/// clock that does not work is the matter of a test in the sandbox itself.
fn clock(stage: &mut Stage) -> String {
    stage.run_plugin("honest").outputs_of("honest");
    let files = fs::read_dir(cache()).expect("list the cache").flatten();
    let mut paths = files.map(|file| file.path());
    let note =
        paths.find(|path| path.to_string_lossy().contains("spinner")).expect("the proof is kept");
    let sealed = fs::read(&note).expect("read it");
    assert_eq!(sealed.len(), 32);
    for forged in [vec![0; 32], Vec::new(), vec![b'1'; 64]] {
        fs::write(&note, &forged).expect("forge it");
        stage.restart();
        stage.run_plugin("honest").outputs_of("honest");
        assert_eq!(fs::read(&note).expect("it was made again"), sealed);
    }
    "proven once, and again after a forgery".into()
}
