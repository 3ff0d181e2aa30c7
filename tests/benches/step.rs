//! What a step costs, beside the floor: bare wasmtime, our scheduler with the journal in memory,
//! with SQLite that waits for the disk, many runs at once, and the article's runbook from the start
//! of the process.
//!
//! Prints tables with medians and ratios. `cargo bench -p tests`; the program must have been
//! built with `--release` before. `-- --steps` leaves the program out.

use async_trait::async_trait;
use journal::{Failure, Journal, MemoryJournal, Owner, RunId, SqliteJournal};
use sandbox::{
    Asking, Catalog, CodeCache, Connector, Limits, Opened, Reference, Sandbox, Signers, StepState,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::guest;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, ComponentType, Lift, Linker, Resource, ResourceType};
use wasmtime::{Config, Engine, Store};
use workflow::{ConnectionNeed, Plan, PlannedStep, PluginPin, StepKind};

/// How often each thing is measured; a batch is timed as a whole where one is too short.
const SAMPLES: usize = 30;
const BATCH: u32 = 200;

fn main() {
    // `cargo test --benches` and the like only ask whether it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("start a runtime");
    // In a task of its own, as the program drives its runs.
    runtime.block_on(async {
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async {
            measure_steps().await;
            measure_durable().await;
        });
        task.join_all().await;
    });
    if !std::env::args().any(|argument| argument == "--steps") {
        measure_program();
    }
}

/// Steps that are recorded durably: many runs at once, and one alone beside what its commits cost.
///
/// The disk of the goal takes 0.2 ms for one commit. Here is one that takes none (memory), made
/// slower by that, so that any machine can measure it; and the disk of this machine, as it is.
async fn measure_durable() {
    let component = guest::component(guest::NO_OP, &guest::manifest("no-op"));
    let ours = Arc::new(Ours::new(&component));
    println!(
        "\n| recorded steps (`synchronous=FULL`) | one commit | 64 runs at once | one run alone | in memory + 1.2 commits per write |"
    );
    println!("| --- | --- | --- | --- | --- |");
    let places = [
        ("a commit of 0.2 ms", Some("/dev/shm"), Duration::from_micros(140)),
        ("this machine's disk", None, Duration::ZERO),
    ];
    for (name, place, slower) in places {
        let folder = match place.filter(|place| Path::new(place).is_dir()) {
            Some(place) => tempfile::tempdir_in(place),
            None => tempfile::tempdir(),
        };
        let folder = folder.expect("make a folder");
        journal::kill_points::slow_commits(slower);
        let commit = one_commit(&folder.path().join("floor.db")).await;
        let journal: Arc<dyn Journal> =
            Arc::new(SqliteJournal::open(&folder.path().join("runs.db")).expect("open a journal"));
        let per_second = together(&ours, &journal, 64, 32).await;
        let (mut alone, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            alone.push(timed(10, || ours.step(&journal)).await);
            let none: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
            memory.push(timed(BATCH, || ours.step(&none)).await);
        }
        let bound = median(memory) + commit.mul_f64(1.2 * WRITES_OF_A_STEP);
        println!(
            "| {name} | {} | {per_second:.0} steps/s | {} | {} |",
            micros(commit),
            micros(median(alone)),
            micros(bound)
        );
        journal::kill_points::slow_commits(Duration::ZERO);
    }
}

/// What a run of one step writes durably: its start, the step's start, the end of both.
const WRITES_OF_A_STEP: f64 = 3.0;

/// One commit of one small event, by the journal's own writer with nobody else at it.
async fn one_commit(path: &Path) -> Duration {
    let journal = SqliteJournal::open(path).expect("open a journal");
    let (run, first) = journal::conformance::start("w");
    let owner = journal::conformance::owner(1);
    let claim = journal.create(&run, &owner, first).await.expect("create").claim;
    let mut times = Vec::new();
    for _ in 0..200 {
        let event = journal::Event::CancelRequested { by: "x".to_owned() };
        let began = Instant::now();
        journal.append(&claim, vec![event]).await.expect("append");
        times.push(began.elapsed());
    }
    median(times)
}

/// Steps per second of `runs` runs at once, each of `steps` steps behind one another.
async fn together(ours: &Arc<Ours>, journal: &Arc<dyn Journal>, runs: usize, steps: usize) -> f64 {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..runs {
        let (ours, journal) = (Arc::clone(ours), Arc::clone(journal));
        tasks.spawn(async move { ours.steps(&journal, steps).await });
    }
    tasks.join_all().await;
    (runs * steps) as f64 / began.elapsed().as_secs_f64()
}

/// The three ways of one no-op step, measured in turn so that a drifting machine hits all.
async fn measure_steps() {
    let component = guest::component(guest::NO_OP, &guest::manifest("no-op"));
    let floor = Floor::new(&component);
    let ours = Ours::new(&component);
    let folder = tempfile::tempdir().expect("make a folder");
    let sqlite: Arc<dyn Journal> =
        Arc::new(SqliteJournal::open(&folder.path().join("runs.db")).expect("open a journal"));
    let (mut bare, mut memory, mut disk) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        bare.push(timed(BATCH, || floor.step()).await);
        let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
        memory.push(timed(BATCH, || ours.step(&journal)).await);
        disk.push(timed(20, || ours.step(&sqlite)).await);
    }
    let (bare, memory, disk) = (median(bare), median(memory), median(disk));
    println!("| a step that does nothing | median | beside the floor |");
    println!("| --- | --- | --- |");
    println!("| bare wasmtime: fresh store, instantiate, run | {} | 1.0 |", micros(bare));
    for (name, time) in [
        ("a run of it, journal in memory", memory),
        ("a run of it, SQLite with synchronous=FULL", disk),
    ] {
        println!("| {name} | {} | {:.1} |", micros(time), time.as_secs_f64() / bare.as_secs_f64());
    }
}

/// The article's runbook in the drill, from the start of the process to its end.
fn measure_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join("target/release/bowline");
    if !program.exists() {
        println!("(the program is not built: `cargo build --release -p bowline`)");
        return;
    }
    let home = tempfile::tempdir().expect("make a home");
    let run = |arguments: &[&str]| {
        let started = Instant::now();
        let output = Command::new(&program)
            .args(arguments)
            .current_dir(&root)
            .env("HOME", home.path())
            .env_remove("XDG_CACHE_HOME")
            .env_remove("XDG_STATE_HOME")
            .output()
            .expect("start the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (started.elapsed(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let runbook = "workflows/datadog-k8s-rollback.yaml";
    let seed = ["run", runbook, "--drill", "-p", "public_id=117", "--json"];
    let (first, _) = run(&seed);
    let (mut whole, mut inside, mut start) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        let (elapsed, events) = run(&seed);
        let ran = ran_for(&events);
        whole.push(elapsed);
        inside.push(ran);
        start.push(elapsed.saturating_sub(ran));
    }
    let help: Vec<Duration> = (0..SAMPLES).map(|_| run(&["completions", "bash"]).0).collect();
    println!("\n| the program | median |");
    println!("| --- | --- |");
    println!(
        "| the article's runbook in the drill, process start to end | {} |",
        millis(median(whole))
    );
    println!("| of that, from the run's first event to its last | {} |", millis(median(inside)));
    println!(
        "| of that, before the first step and after the last (drill included) | {} |",
        millis(median(start))
    );
    println!("| the very first time, compiling three components | {} |", millis(first));
    println!("| a command that runs nothing | {} |", millis(median(help)));
}

/// From `run-started` to the last event with a time, as the events tell it.
fn ran_for(events: &str) -> Duration {
    let times: Vec<i64> = events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|event| millis_of(event["at"].as_str()?))
        .collect();
    let span = times.iter().max().zip(times.iter().min()).map_or(0, |(last, first)| last - first);
    Duration::from_millis(u64::try_from(span).unwrap_or(0))
}

/// The milliseconds of a day in an RFC 3339 time.
fn millis_of(text: &str) -> Option<i64> {
    let time = text.split('T').nth(1)?.trim_end_matches('Z');
    let mut parts = time.split(':');
    let hours: i64 = parts.next()?.parse().ok()?;
    let minutes: i64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "at most 60,000")]
    let milliseconds = (seconds * 1000.0).round() as i64;
    Some((hours * 60 + minutes) * 60_000 + milliseconds)
}

async fn timed<F: Future<Output = ()>>(times: u32, mut once: impl FnMut() -> F) -> Duration {
    let started = Instant::now();
    for _ in 0..times {
        once().await;
    }
    started.elapsed() / times
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn micros(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1e6)
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// wasmtime and nothing of ours.
struct Floor {
    engine: Engine,
    pre: wasmtime::component::InstancePre<()>,
}

struct Token;

#[derive(ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only the host's side of an answer that is not given")]
enum Disposition {
    #[component(name = "permanent")]
    Permanent,
    #[component(name = "retryable")]
    Retryable,
    #[component(name = "cancelled")]
    Cancelled,
}

#[derive(ComponentType, Lift)]
#[component(record)]
#[expect(dead_code, reason = "only the host's side of an answer that is not given")]
struct Refusal {
    disposition: Disposition,
    code: String,
    message: String,
    #[component(name = "retry-after-ms")]
    retry_after_ms: Option<u64>,
    details: Option<String>,
}

impl Floor {
    fn new(component: &[u8]) -> Self {
        let mut config = Config::new();
        config.concurrency_support(false);
        let engine = Engine::new(&config).expect("an engine");
        let component = Component::from_binary(&engine, component).expect("compile");
        let mut linker = Linker::new(&engine);
        linker
            .instance("bowline:plugin/runtime@1.0.0")
            .and_then(|mut instance| {
                instance.resource("context", ResourceType::host::<Token>(), |_, _| Ok(()))
            })
            .expect("link the token");
        let pre = linker.instantiate_pre(&component).expect("link");
        Self { engine, pre }
    }

    async fn step(&self) {
        let mut store = Store::new(&self.engine, ());
        let instance = self.pre.instantiate_async(&mut store).await.expect("instantiate");
        let step = instance
            .get_export_index(&mut store, None, "bowline:plugin/step@1.0.0")
            .expect("the step");
        let run = instance.get_export_index(&mut store, Some(&step), "run").expect("run");
        let run = instance
            .get_typed_func::<(Resource<Token>, String), (Result<String, Refusal>,)>(
                &mut store, run,
            )
            .expect("its type");
        let arguments = (Resource::new_own(0), "{}".to_owned());
        let (answer,) = run.call_async(&mut store, arguments).await.expect("run");
        assert!(answer.is_ok());
    }
}

/// A whole run of one step, through the scheduler, the sandbox and a journal.
struct Ours {
    sandbox: Arc<Sandbox>,
    pin: PluginPin,
    owner: Owner,
}

/// No connections.
struct Alone;

#[async_trait]
impl Connector for Alone {
    fn link(&self, _linker: &mut Linker<StepState>) -> wasmtime::Result<()> {
        Ok(())
    }

    fn interface(&self, _kind: &str) -> Option<&'static str> {
        None
    }

    async fn open(
        &self,
        _reference: &Reference,
        _need: &ConnectionNeed,
        _inputs: &Value,
        _asking: &Asking<'_>,
    ) -> Result<Opened, Failure> {
        Err(Failure::permanent("connection.unknown", "there is none"))
    }
}

impl Ours {
    fn new(component: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("make a folder");
        std::fs::write(folder.path().join("no-op.wasm"), component).expect("write the component");
        let catalog =
            Catalog::scan(&[], &[folder.path().to_owned()], &Signers::default()).expect("find it");
        let sandbox =
            Sandbox::new(Arc::new(Alone), CodeCache::none(), Limits::default()).expect("a sandbox");
        let digest = sandbox::artifact::digest(component);
        sandbox.prepare(&catalog, std::slice::from_ref(&digest)).expect("prepare it");
        let pin = PluginPin {
            name: "no-op".to_owned(),
            version: "1.0.0".to_owned(),
            digest,
            signer: None,
        };
        let owner = Owner::this_process().expect("know this process");
        Self { sandbox: Arc::new(sandbox), pin, owner }
    }

    async fn step(&self, journal: &Arc<dyn Journal>) {
        self.steps(journal, 1).await;
    }

    /// A whole run of so many steps, each behind the one before it.
    async fn steps(&self, journal: &Arc<dyn Journal>, count: usize) {
        let name = |number: usize| format!("s{number}").parse().expect("a name");
        let plan = Plan {
            workflow: "bench".to_owned(),
            source: "bench.yaml".to_owned(),
            source_digest: "sha256:0".to_owned(),
            extras: Default::default(),
            parameters: BTreeMap::new(),
            steps: (0..count)
                .map(|number| PlannedStep {
                    name: name(number),
                    kind: StepKind::Container,
                    image: Some("no-op".to_owned()),
                    plugin: Some(self.pin.clone()),
                    after: number.checked_sub(1).map(name).into_iter().collect(),
                    when: Vec::new(),
                    spec: json!({}),
                    extras: workflow::StepExtras::default(),
                })
                .collect(),
        };
        let (run, context) = (RunId::fresh(), journal::RunContext::default());
        let owner = &self.owner;
        let ready = scheduler::start(&run, plan, "bench", false, context, &**journal, owner).await;
        let ready = ready.expect("start");
        let (sandbox, stop) = (Arc::clone(&self.sandbox), CancellationToken::new());
        let options = scheduler::DriveOptions::default();
        let status = scheduler::drive(ready, Arc::clone(journal), sandbox, stop, options).await;
        assert_eq!(status.expect("drive"), journal::RunStatus::Success);
    }
}
