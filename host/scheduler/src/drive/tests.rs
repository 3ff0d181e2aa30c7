//! Driving with a scripted runner: what is written, in which order, and what a crash changes.

use super::*;
use async_trait::async_trait;
use journal::{MemoryJournal, Recorded, SqliteJournal};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use workflow::{PlannedStep, PluginPin, StepKind};

/// What a step of the script does.
#[derive(Clone, Copy, Debug)]
enum Act {
    Gives(i64),
    Fails,
    Panics,
    /// Until it is asked to stop.
    Waits,
    /// For ever.
    Ignores,
    /// Until so many steps are at this point.
    Meets(usize),
    /// The first time for ever, then it gives this.
    HangsOnce(i64),
}

#[derive(Default)]
struct Scripted {
    acts: BTreeMap<&'static str, Act>,
    invoked: Mutex<Vec<StepInvocation>>,
    running: AtomicUsize,
    stopped: AtomicUsize,
}

impl Scripted {
    fn new(acts: &[(&'static str, Act)]) -> Arc<Self> {
        Arc::new(Self { acts: acts.iter().copied().collect(), ..Self::default() })
    }

    fn invoked(&self, step: &str) -> Vec<StepInvocation> {
        let all = self.invoked.lock().expect("no panic");
        all.iter().filter(|invocation| invocation.step.as_str() == step).cloned().collect()
    }
}

fn output(value: i64) -> StepOutcome {
    Ok(Map::from_iter([("x".to_owned(), json!(value))]))
}

#[async_trait]
impl StepRunner for Scripted {
    async fn run_step(
        &self,
        invocation: StepInvocation,
        recorder: StepRecorder,
        stop: CancellationToken,
    ) -> StepOutcome {
        let attempt = invocation.attempt;
        let act = self.acts.get(invocation.step.as_str()).copied().unwrap_or(Act::Gives(0));
        recorder.log(journal::Level::Info, format!("attempt {attempt}"), Vec::new());
        let again = !self.invoked(invocation.step.as_str()).is_empty();
        self.invoked.lock().expect("no panic").push(invocation);
        self.running.fetch_add(1, Ordering::SeqCst);
        let forever = || async {
            let count = scopeguard(|| self.stopped.fetch_add(1, Ordering::SeqCst));
            pending::<()>().await;
            drop(count);
        };
        match act {
            Act::Gives(value) => output(value),
            Act::Fails => Err(Failure::permanent("test.failure", "it broke")),
            Act::Panics => panic!("secret text"),
            Act::Waits => {
                stop.cancelled().await;
                self.stopped.fetch_add(1, Ordering::SeqCst);
                let failure = Failure::permanent("step.cancelled", "stopped");
                Err(Failure { disposition: Disposition::Cancelled, ..failure })
            }
            Act::HangsOnce(value) if again => output(value),
            Act::Ignores | Act::HangsOnce(_) => {
                forever().await;
                output(0)
            }
            Act::Meets(count) => {
                while self.running.load(Ordering::SeqCst) < count {
                    tokio::task::yield_now().await;
                }
                output(0)
            }
        }
    }
}

/// Does `last` when it is dropped, which also happens to a task that is aborted.
fn scopeguard<T>(last: impl FnOnce() -> T) -> impl Drop {
    struct Guard<F: FnOnce() -> T, T>(Option<F>);
    impl<F: FnOnce() -> T, T> Drop for Guard<F, T> {
        fn drop(&mut self) {
            if let Some(last) = self.0.take() {
                last();
            }
        }
    }
    Guard(Some(last))
}

fn name(text: &str) -> StepName {
    text.parse().expect("a name")
}

/// Each step with what it comes after; the outputs `x` of those are its inputs.
fn plan(steps: &[(&str, &[&str])]) -> Plan {
    let step = |(own, after): &(&str, &[&str])| PlannedStep {
        name: name(own),
        kind: if own.ends_with('?') { StepKind::Approval } else { StepKind::Container },
        image: None,
        plugin: Some(PluginPin {
            name: "p".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:0".to_owned(),
            signer: None,
        }),
        after: after.iter().map(|step| name(step)).collect(),
        when: after.iter().map(|step| json!(format!("${{steps.'{step}'.succeeded}}"))).collect(),
        spec: after
            .iter()
            .map(|step| ((*step).to_owned(), json!({"$type": "Output", "from": step, "name": "x"})))
            .collect::<Map<_, _>>()
            .into(),
        extras: workflow::StepExtras::default(),
    };
    Plan {
        workflow: "w".to_owned(),
        source: "w.yaml".to_owned(),
        source_digest: "sha256:0".to_owned(),
        extras: Default::default(),
        parameters: BTreeMap::new(),
        steps: steps.iter().map(step).collect(),
    }
}

fn owner(pid: u32) -> Owner {
    Owner { boot: "b".to_owned(), pid, started: 1 }
}

/// A run that was started and claimed, with what drives it.
struct Scene {
    run: RunId,
    claim: Claim,
    journal: Arc<dyn Journal>,
    stop: CancellationToken,
}

async fn scene_in(journal: Arc<dyn Journal>, plan: Plan) -> Scene {
    let run = RunId::fresh();
    let context = RunContext::default();
    let claim = start(&run, plan, "eric", false, context, journal.as_ref(), &owner(1)).await;
    let claim = claim.expect("start").claim;
    Scene { run, claim, journal, stop: CancellationToken::new() }
}

async fn scene(steps: &[(&str, &[&str])]) -> Scene {
    scene_in(Arc::new(MemoryJournal::default()), plan(steps)).await
}

impl Scene {
    /// Drives to the end, for a minute at most: a hang is red too.
    async fn drive(&self, runner: &Arc<Scripted>) -> Result<RunStatus, DriveError> {
        let (journal, runner) = (Arc::clone(&self.journal), Arc::clone(runner));
        let options = DriveOptions::default();
        let driven = async {
            let ready = take_up(self.claim.clone(), &*journal).await?;
            drive(ready, Arc::clone(&journal), runner, self.stop.clone(), options).await
        };
        timeout(Duration::from_secs(60), driven).await.expect("end in time")
    }

    async fn claimed_again(mut self) -> Self {
        self.claim = self.journal.claim(&self.run, &owner(2), &|_| true).await.expect("claim");
        self
    }

    async fn events(&self) -> Vec<Recorded> {
        self.journal.events(&self.run, 0, usize::MAX).await.expect("read")
    }

    /// The events in short, without lines and outputs.
    async fn told(&self) -> Vec<String> {
        let events = self.events().await;
        events.iter().filter_map(|recorded| short(&recorded.event)).collect()
    }
}

fn short(event: &Event) -> Option<String> {
    Some(match event {
        Event::StepLogged { .. } => return None,
        Event::StepStarted { step, attempt } => format!("started {step} {attempt}"),
        Event::StepSucceeded { step, attempt, .. } => format!("succeeded {step} {attempt}"),
        Event::StepFailed { step, attempt, failure } => {
            format!("failed {step} {attempt} {}", failure.code)
        }
        Event::StepSkipped { step, .. } => format!("skipped {step}"),
        Event::StepInterrupted { step, attempt } => format!("interrupted {step} {attempt}"),
        Event::StepResumed { step, attempt, .. } => format!("resumed {step} {attempt}"),
        Event::ApprovalAsked { step, .. } => format!("asked {step}"),
        Event::RunStarted { .. } => "run started".to_owned(),
        Event::CancelRequested { by } => format!("cancelled by {by}"),
        Event::RunFinished { status } => format!("run {}", status.as_str()),
        other => format!("{other:?}"),
    })
}

fn ok(status: Result<RunStatus, DriveError>) -> RunStatus {
    status.expect("drive")
}

#[tokio::test]
async fn a_run_is_written_step_by_step_and_given_up_at_its_end() {
    let scene = scene(&[("a", &[]), ("b", &["a"])]).await;
    let runner = Scripted::new(&[("a", Act::Gives(7))]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);

    assert_eq!(
        scene.told().await,
        [
            "run started",
            "started a 1",
            "succeeded a 1",
            "started b 1",
            "succeeded b 1",
            "run success"
        ]
    );
    assert_eq!(runner.invoked("b")[0].inputs, json!({"a": 7}));
    let next = scene.journal.claim(&scene.run, &owner(2), &|_| false).await;
    assert!(next.is_ok(), "nobody holds it: {next:?}");
}

#[tokio::test]
async fn independent_steps_are_in_the_runner_at_the_same_time() {
    let scene = scene(&[("a", &[]), ("b", &[]), ("c", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Meets(3)), ("b", Act::Meets(3)), ("c", Act::Meets(3))]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);
}

#[tokio::test]
async fn a_failure_skips_dependants_and_leaves_others() {
    let scene = scene(&[("a", &[]), ("b", &["a"]), ("c", &["b"]), ("d", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Fails)]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Failure);

    let told: BTreeSet<String> = scene.told().await.into_iter().collect();
    for line in ["failed a 1 test.failure", "skipped b", "skipped c", "succeeded d 1"] {
        assert!(told.contains(line), "{line} in {told:?}");
    }
}

#[tokio::test]
async fn a_panic_is_the_failure_of_its_step() {
    let scene = scene(&[("a", &[]), ("b", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Panics)]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Failure);

    let told = scene.told().await;
    assert!(told.contains(&"failed a 1 host.panic".to_owned()), "{told:?}");
    assert!(told.contains(&"succeeded b 1".to_owned()), "{told:?}");
    assert!(!format!("{:?}", scene.events().await).contains("secret text"));
}

#[tokio::test]
async fn the_token_stops_running_steps_and_starts_no_more() {
    let scene = scene(&[("a", &[]), ("b", &["a"])]).await;
    let runner = Scripted::new(&[("a", Act::Waits)]);
    let (stop, seen) = (scene.stop.clone(), Arc::clone(&runner));
    let stopper = async move {
        while seen.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    };

    let (status, ()) = tokio::join!(scene.drive(&runner), stopper);

    assert_eq!(ok(status), RunStatus::Cancelled);
    assert_eq!(
        scene.told().await,
        [
            "run started",
            "started a 1",
            "cancelled by an interrupt",
            "failed a 1 step.cancelled",
            "run cancelled"
        ]
    );
}

#[tokio::test]
async fn a_run_that_is_stopped_before_it_begins_runs_nothing() {
    let scene = scene(&[("a", &[])]).await;
    scene.stop.cancel();

    assert_eq!(ok(scene.drive(&Scripted::new(&[])).await), RunStatus::Cancelled);

    assert_eq!(scene.told().await, ["run started", "cancelled by an interrupt", "run cancelled"]);
}

#[tokio::test]
async fn another_process_may_ask_to_stop() {
    let scene = scene(&[("a", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Waits)]);
    let asker = async {
        while runner.running.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let request = Request::Cancel { by: "ana".to_owned() };
        scene.journal.ask(&scene.run, request).await.expect("ask");
    };

    let (status, ()) = tokio::join!(scene.drive(&runner), asker);

    assert_eq!(ok(status), RunStatus::Cancelled);
    assert!(scene.told().await.contains(&"cancelled by ana".to_owned()));
    assert_eq!(runner.stopped.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_does_not_stop_is_ended_after_a_while() {
    let scene = scene(&[("a", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Ignores)]);
    let stop = scene.stop.clone();
    let stopper = async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    let began = Instant::now();

    let (status, ()) = tokio::join!(scene.drive(&runner), stopper);

    assert_eq!(ok(status), RunStatus::Cancelled);
    assert_eq!(began.elapsed().as_secs(), 1 + STOP_MAX.as_secs());
    assert!(scene.told().await.contains(&"failed a 1 step.abandoned".to_owned()));
    assert_eq!(runner.stopped.load(Ordering::SeqCst), 1, "the task is gone");
}

#[tokio::test]
async fn a_run_that_waits_for_a_person_can_be_driven_again_and_cancelled() {
    let scene = scene(&[("a", &[]), ("sure?", &["a"]), ("b", &["sure?"])]).await;
    let runner = Scripted::new(&[]);
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Waiting);
    let before = scene.told().await;
    assert_eq!(before[1..], ["started a 1", "succeeded a 1", "asked sure?", "run waiting"]);

    let scene = scene.claimed_again().await;
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Waiting);
    assert_eq!(scene.told().await, before, "nothing new to tell");

    let scene = scene.claimed_again().await;
    let request = Request::Cancel { by: "ana".to_owned() };
    scene.journal.ask(&scene.run, request).await.expect("ask");
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Cancelled);
    assert_eq!(scene.told().await[before.len()..], ["cancelled by ana", "run cancelled"]);
}

#[tokio::test]
async fn a_run_that_is_over_is_left_as_it_is() {
    let scene = scene(&[("a", &[])]).await;
    let runner = Scripted::new(&[]);
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);
    let before = scene.events().await;

    let scene = scene.claimed_again().await;
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);

    assert_eq!(scene.events().await, before);
}

#[tokio::test]
async fn a_drive_that_is_dropped_goes_on_with_another_attempt() {
    let scene = scene(&[("a", &[]), ("b", &["a"])]).await;
    let runner = Scripted::new(&[("a", Act::Gives(3)), ("b", Act::HangsOnce(4))]);
    let cut = timeout(Duration::from_millis(200), scene.drive(&runner)).await;
    assert!(cut.is_err(), "{cut:?}");
    tokio::task::yield_now().await;
    assert_eq!(runner.stopped.load(Ordering::SeqCst), 1, "its step does not outlive it");

    let scene = scene.claimed_again().await;
    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);

    assert_eq!(
        scene.told().await[3..],
        ["started b 1", "interrupted b 1", "resumed b 1", "succeeded b 1", "run success"]
    );
    let attempts = runner.invoked("b");
    assert_eq!(attempts[0].inputs, attempts[1].inputs);
    assert_eq!(runner.invoked("a").len(), 1, "what is done is not done again");
}

#[tokio::test]
async fn now_is_the_time_at_which_the_step_before_ended() {
    let mut plan = plan(&[("a", &[]), ("b", &["a"])]);
    plan.steps[1].spec = json!({"at": {"$fn.now": []}});
    let scene = scene_in(Arc::new(MemoryJournal::default()), plan).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    let runner = Scripted::new(&[]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success);

    let events = scene.events().await;
    let ended = events
        .iter()
        .find(|recorded| short(&recorded.event).as_deref() == Some("succeeded a 1"))
        .expect("it ended");
    let now = runner.invoked("b")[0].inputs["at"].as_str().map(str::to_owned);
    let now: jiff::Timestamp = now.expect("a text").parse().expect("a time");
    assert_eq!(now.as_millisecond(), ended.at);
    assert!(ended.at > events[0].at);
}

#[tokio::test]
async fn an_outdated_claim_ends_the_drive_and_its_steps() {
    let scene = scene(&[("a", &[]), ("b", &[])]).await;
    let runner = Scripted::new(&[("a", Act::Ignores), ("b", Act::Meets(3))]);
    let thief = async {
        while runner.running.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        scene.journal.claim(&scene.run, &owner(2), &|_| true).await.expect("claim");
        runner.running.fetch_add(1, Ordering::SeqCst);
    };

    let (driven, _) = tokio::join!(scene.drive(&runner), thief);

    let outdated =
        matches!(driven, Err(DriveError::Journal { source: JournalError::Outdated { .. }, .. }));
    assert!(outdated, "{driven:?}");
    tokio::task::yield_now().await;
    assert_eq!(runner.stopped.load(Ordering::SeqCst), 1);
    assert_eq!(scene.told().await, ["run started", "started a 1", "started b 1"]);
}

#[tokio::test]
async fn a_plan_that_contradicts_itself_is_not_started() {
    let journal = MemoryJournal::default();
    for steps in [&[("a", &["b"][..])][..], &[("a", &[]), ("a", &[])]] {
        let run = RunId::fresh();
        let (plan, context) = (plan(steps), RunContext::default());
        let started = start(&run, plan, "eric", false, context, &journal, &owner(1)).await;
        assert!(matches!(started, Err(DriveError::Plan { .. })), "{started:?}");
        assert_eq!(journal.run(&run).await.expect("read"), None);
    }
}

#[tokio::test]
async fn a_run_that_nobody_knows_can_not_be_driven() {
    let mut scene = scene(&[]).await;
    scene.claim = Claim { run: RunId::fresh(), epoch: 1 };

    let driven = scene.drive(&Scripted::new(&[])).await;

    let expected = matches!(driven, Err(DriveError::Plan { source: PlanError::NoStart, .. }));
    assert!(expected, "{driven:?}");
}

#[tokio::test]
async fn hundreds_of_steps_end() {
    let names: Vec<String> = (0..400).map(|number| format!("s{number}")).collect();
    let mut steps: Vec<(&str, Vec<&str>)> = vec![(&names[0], Vec::new())];
    for pair in names.windows(2) {
        let after = if pair[1].ends_with('5') { Vec::new() } else { vec![pair[0].as_str()] };
        steps.push((&pair[1], after));
    }
    let steps: Vec<(&str, &[&str])> =
        steps.iter().map(|(name, after)| (*name, after.as_slice())).collect();
    let scene = scene(&steps).await;

    assert_eq!(ok(scene.drive(&Scripted::new(&[])).await), RunStatus::Success);

    assert_eq!(scene.told().await.len(), 802);
}

#[tokio::test]
async fn a_run_in_a_file_ends_like_one_in_memory() {
    let folder = tempfile::tempdir().expect("make a folder");
    let journal = SqliteJournal::open(&folder.path().join("runs.db")).expect("open");
    let scene = scene_in(Arc::new(journal), plan(&[("a", &[]), ("b", &["a"])])).await;
    let runner = Scripted::new(&[("a", Act::Fails)]);

    assert_eq!(ok(scene.drive(&runner).await), RunStatus::Failure);

    assert_eq!(
        scene.told().await,
        ["run started", "started a 1", "failed a 1 test.failure", "skipped b", "run failure"]
    );
    let summary = scene.journal.run(&scene.run).await.expect("read").expect("be there");
    assert_eq!(summary.status, RunStatus::Failure);
}

/// How each step ended at last, and the run.
fn ends(events: &[Recorded]) -> BTreeMap<String, String> {
    let mut ends = BTreeMap::new();
    for recorded in events {
        let (key, value) = match &recorded.event {
            Event::StepSucceeded { step, outputs, .. } => {
                (step.to_string(), Value::Object(outputs.clone()).to_string())
            }
            Event::StepFailed { step, failure, .. } => (step.to_string(), failure.code.clone()),
            Event::StepSkipped { step, reason } => (step.to_string(), reason.clone()),
            Event::RunFinished { status } => ("the run".to_owned(), status.as_str().to_owned()),
            _ => continue,
        };
        assert!(key == "the run" || !ends.contains_key(&key), "{key} ended twice: {events:?}");
        ends.insert(key, value);
    }
    ends
}

#[tokio::test]
async fn a_run_cut_after_any_event_reaches_the_same_end() {
    let plans: [&[(&str, &[&str])]; 4] = [
        &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])],
        &[("a", &[]), ("bad", &["a"]), ("c", &["bad"]), ("d", &["c"]), ("e", &["a"])],
        &[("a", &[]), ("sure?", &["a"]), ("b", &["sure?"]), ("c", &[])],
        &[("empty", &[]), ("b", &["empty"]), ("c", &["b"])],
    ];
    let acts = [("a", Act::Gives(1)), ("b", Act::Gives(2)), ("bad", Act::Fails)];
    for steps in plans {
        let uncut = scene(steps).await;
        let status = ok(uncut.drive(&Scripted::new(&acts)).await);
        let whole = uncut.events().await;

        for cut in 1..=whole.len() {
            let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
            let first = whole[0].event.clone();
            let claim = journal.create(&uncut.run, &owner(1), first).await.expect("create").claim;
            let rest = whole[1..cut].iter().map(|recorded| recorded.event.clone()).collect();
            journal.append(&claim, rest).await.expect("append");
            let scene = Scene { run: uncut.run.clone(), claim, journal, stop: uncut.stop.clone() };
            let scene = scene.claimed_again().await;
            let runner = Scripted::new(&acts);

            assert_eq!(ok(scene.drive(&runner).await), status, "{steps:?} cut after {cut}");

            assert_eq!(ends(&scene.events().await), ends(&whole), "{steps:?} cut after {cut}");
            let done = ends(&whole[..cut]);
            for invocation in runner.invoked.lock().expect("no panic").iter() {
                let step = invocation.step.as_str();
                assert!(!done.contains_key(step), "{step} was done at cut {cut}");
            }
        }
    }
}

/// A journal that fails at its `n`-th write, or does it and reports a failure all the same.
struct Faulty {
    journal: MemoryJournal,
    writes: AtomicUsize,
    fails_at: usize,
    after_writing: bool,
}

impl Faulty {
    fn failure() -> JournalError {
        let source = "the disk is full".into();
        JournalError::Storage { action: "write to", path: "x".to_owned(), source }
    }
}

#[async_trait]
impl Journal for Faulty {
    async fn create(&self, run: &RunId, owner: &Owner, e: Event) -> Result<Created, JournalError> {
        self.journal.create(run, owner, e).await
    }

    async fn claim(
        &self,
        run: &RunId,
        owner: &Owner,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
    ) -> Result<Claim, JournalError> {
        self.journal.claim(run, owner, gone).await
    }

    async fn append_batch(&self, claim: &Claim, batch: Batch) -> Result<i64, JournalError> {
        let fails = self.writes.fetch_add(1, Ordering::SeqCst) == self.fails_at;
        if fails && !self.after_writing {
            return Err(Self::failure());
        }
        let at = self.journal.append_batch(claim, batch).await?;
        if fails { Err(Self::failure()) } else { Ok(at) }
    }

    fn queue_batch(&self, claim: &Claim, batch: Batch) {
        self.journal.queue_batch(claim, batch);
    }

    async fn heartbeat(&self, _: &Claim, _: u64) -> Result<Vec<(u64, Request)>, JournalError> {
        Err(Self::failure())
    }

    async fn reap(
        &self,
        gone: &(dyn for<'o> Fn(&'o Owner) -> bool + Send + Sync),
        most: usize,
    ) -> Result<Vec<journal::RunSummary>, JournalError> {
        self.journal.reap(gone, most).await
    }

    async fn reply(&self, run: &RunId, digest: &str) -> Result<Option<Vec<u8>>, JournalError> {
        self.journal.reply(run, digest).await
    }

    async fn decide(&self, run: &RunId, said: Said) -> Result<journal::Decided, JournalError> {
        self.journal.decide(run, said).await
    }

    async fn prune(&self, before: i64, try_only: bool) -> Result<journal::Pruned, JournalError> {
        self.journal.prune(before, try_only).await
    }

    async fn release(&self, claim: &Claim) -> Result<(), JournalError> {
        self.journal.release(claim).await
    }

    async fn events(&self, run: &RunId, f: u64, m: usize) -> Result<Vec<Recorded>, JournalError> {
        self.journal.events(run, f, m).await
    }

    async fn sealed(
        &self,
        run: &RunId,
        from: u64,
        most: usize,
    ) -> Result<Vec<journal::chain::Sealed>, JournalError> {
        self.journal.sealed(run, from, most).await
    }

    async fn runs(
        &self,
        before: Option<&RunId>,
        most: usize,
    ) -> Result<Vec<journal::RunSummary>, JournalError> {
        self.journal.runs(before, most).await
    }

    async fn owner(&self, run: &RunId) -> Result<Option<Owner>, JournalError> {
        self.journal.owner(run).await
    }

    async fn run(&self, run: &RunId) -> Result<Option<journal::RunSummary>, JournalError> {
        self.journal.run(run).await
    }

    async fn ask(&self, run: &RunId, request: Request) -> Result<u64, JournalError> {
        self.journal.ask(run, request).await
    }

    async fn requests(&self, _: &RunId, _: u64) -> Result<Vec<(u64, Request)>, JournalError> {
        Err(Self::failure())
    }
}

#[tokio::test]
async fn a_journal_that_fails_ends_the_drive_and_the_next_one_goes_on() {
    let steps: &[(&str, &[&str])] = &[("a", &[]), ("b", &["a"]), ("c", &["a"]), ("d", &["b", "c"])];
    for fails_at in 0..20 {
        for after_writing in [false, true] {
            let journal = MemoryJournal::default();
            let writes = AtomicUsize::new(0);
            let faulty = Arc::new(Faulty { journal, writes, fails_at, after_writing });
            let scene = scene_in(faulty, plan(steps)).await;
            let runner = Scripted::new(&[]);

            let first = scene.drive(&runner).await;

            if let Ok(status) = first {
                assert!(fails_at > 3, "the failure was passed over at write {fails_at}");
                assert_eq!(status, RunStatus::Success);
                continue;
            }
            let scene = scene.claimed_again().await;
            assert_eq!(ok(scene.drive(&runner).await), RunStatus::Success, "write {fails_at}");
            assert_eq!(ends(&scene.events().await).len(), 5);
        }
    }
}
