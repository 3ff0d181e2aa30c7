//! Ten thousand runs in one store: they end, memory stays bounded, the list is quick, and space
//! comes back.
//!
//! `BOWLINE_RUNS` sets how many; without it 2,000 in a debug build, where each takes ten times as
//! long, and 10,000 in a release build.

use async_trait::async_trait;
use journal::{Journal, Owner, RunContext, RunId, RunStatus, SqliteJournal, StepRecorder};
use scheduler::{DriveOptions, StepInvocation, StepOutcome, StepRunner, drive, start};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use workflow::{Plan, PlannedStep, PluginPin, RunExtras, StepExtras, StepKind};

/// Runs at the same time; the others wait.
const AT_ONCE: usize = 64;

/// Steps of one run, behind one another.
const STEPS: usize = 3;

/// Takes 10 ms and gives a number.
struct Mocked;

#[async_trait]
impl StepRunner for Mocked {
    async fn run_step(
        &self,
        _invocation: StepInvocation,
        recorder: StepRecorder,
        _stop: CancellationToken,
    ) -> StepOutcome {
        recorder.log(journal::Level::Info, "working", Vec::new());
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(Map::from_iter([("x".to_owned(), json!(1))]))
    }
}

fn plan() -> Plan {
    let name = |number: usize| format!("s{number}").parse().expect("a name");
    let step = |number: usize| PlannedStep {
        name: name(number),
        kind: StepKind::Container,
        image: None,
        plugin: Some(PluginPin {
            name: "p".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:0".to_owned(),
            signer: None,
        }),
        after: number.checked_sub(1).map(name).into_iter().collect(),
        when: Vec::new(),
        spec: json!({}),
        extras: StepExtras::default(),
    };
    Plan {
        workflow: "w".to_owned(),
        source: "w.yaml".to_owned(),
        source_digest: "sha256:0".to_owned(),
        extras: RunExtras::default(),
        parameters: BTreeMap::new(),
        steps: (0..STEPS).map(step).collect(),
    }
}

/// Bytes of this process in memory.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("read /proc");
    let pages: u64 = statm.split(' ').nth(1).expect("a field").parse().expect("a number");
    pages * 4096
}

async fn run_many(journal: &Arc<dyn Journal>, count: usize) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for _ in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.expect("a place");
        let journal = Arc::clone(journal);
        tasks.spawn(async move {
            let (run, owner) = (RunId::fresh(), Owner::this_process().expect("this process"));
            let context = RunContext::default();
            let claim = start(&run, plan(), "ann", false, context, &*journal, &owner).await;
            let stop = CancellationToken::new();
            let options = DriveOptions::default();
            let driven = drive(claim.expect("start"), journal, Arc::new(Mocked), stop, options);
            assert_eq!(driven.await.expect("drive"), RunStatus::Success);
            drop(place);
        });
        while let Some(joined) = tasks.try_join_next() {
            joined.expect("no panic");
        }
    }
    while let Some(joined) = tasks.join_next().await {
        joined.expect("no panic");
    }
}

/// How many runs whoever starts this wants.
#[expect(clippy::disallowed_methods, reason = "how long to try is said by who starts the tests")]
fn asked() -> Option<usize> {
    std::env::var("BOWLINE_RUNS").ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f13_ten_thousand_runs_in_one_store() {
    let count: usize = asked().unwrap_or(if cfg!(debug_assertions) { 2_000 } else { 10_000 });
    let folder = tempfile::tempdir().expect("make a folder");
    let path = folder.path().join("runs.db");
    let journal: Arc<dyn Journal> = Arc::new(SqliteJournal::open(&path).expect("open"));
    run_many(&journal, 200).await;
    let before = resident();
    let began = Instant::now();

    run_many(&journal, count - 200).await;

    let (took, grown) = (began.elapsed(), resident().saturating_sub(before));
    let mut list = Duration::MAX;
    for _ in 0..10 {
        let began = Instant::now();
        let runs = journal.runs(None, 50).await.expect("list");
        list = list.min(began.elapsed());
        assert_eq!(runs.len(), 50);
        assert!(runs.iter().all(|run| run.status == RunStatus::Success));
    }
    let size = || {
        let of = |end: &str| std::fs::metadata(format!("{}{end}", path.display()));
        ["", "-wal"].iter().filter_map(|end| Some(of(end).ok()?.len())).sum::<u64>()
    };
    let full = size();
    let pruned = journal.prune(i64::MAX, false).await.expect("prune");
    let left = size();
    println!(
        "{count} runs of {STEPS} steps: {took:?}, memory grew by {} KiB; the list of 50 takes \
         {list:?}; {} KiB on disk, {} KiB after pruning",
        grown / 1024,
        full / 1024,
        left / 1024
    );
    assert!(grown < 64 << 20, "memory grew by {grown} bytes");
    assert!(list < Duration::from_millis(50), "the list took {list:?}");
    assert_eq!(pruned.runs, count as u64);
    assert!(left * 10 < full, "{left} of {full} bytes are left");
}
