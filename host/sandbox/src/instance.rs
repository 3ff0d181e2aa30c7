//! Runs attempts: a fresh store for each, made from a plugin that was prepared once.

use crate::artifact::ArtifactError;
use crate::compiled::CodeCache;
use crate::compiler::Compiler;
use crate::engine::{Clockwork, TICK, spinner_is_stopped};
use crate::imports::runtime::Context;
use crate::plugin::{Plugin, Workshop};
use crate::state::{Facts, StepState, idempotency_key};
use crate::turns::Next;
use crate::{
    Asking, Catalog, Connector, Entry, Grants, Limits, NoFiles, Opened, Reference, Slot,
    WorkflowFiles, bindings, documents, imports, outcome,
};
use async_trait::async_trait;
use effects::{Attempt, AttemptOptions, Bound, Grant, Layer, Mode, Redactor};
use journal::{Disposition, Failure, StepRecord, StepRecorder};
use scheduler::{StepInvocation, StepOutcome, StepRunner};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{HasSelf, Linker};
use wasmtime::{Store, UpdateDeadline};

/// Bytes of a step's inputs, as JSON.
const INPUTS_BYTES_MAX: usize = 1 << 20;

/// Runs steps.
pub struct Sandbox {
    clockwork: Clockwork,
    linker: Linker<StepState>,
    cache: CodeCache,
    compiler: Compiler,
    /// Whether the clock stops guests: found out before the first plugin is made.
    clock_proof: OnceLock<Result<(), ArtifactError>>,
    connector: Arc<dyn Connector>,
    limits: Limits,
    files: Arc<dyn WorkflowFiles>,
    plugins: RwLock<HashMap<String, Arc<Plugin>>>,
    plan_only: bool,
}

impl Sandbox {
    /// One that keeps compiled code in `cache`, gets connections from `connector`, and compiles
    /// in this process: see [`Self::with_compiler`] for components that are not known.
    ///
    /// # Errors
    ///
    /// The engine can't be set up on this machine.
    pub fn new(
        connector: Arc<dyn Connector>,
        cache: CodeCache,
        limits: Limits,
    ) -> wasmtime::Result<Self> {
        let clockwork = Clockwork::start()?;
        let mut linker = Linker::new(&clockwork.engine);
        bindings::types::add_to_linker::<_, HasSelf<StepState>>(&mut linker, |state| state)?;
        bindings::runtime::add_to_linker::<_, HasSelf<StepState>>(&mut linker, |state| state)?;
        bindings::log::add_to_linker::<_, HasSelf<StepState>>(&mut linker, |state| state)?;
        imports::wasi::link(&mut linker)?;
        imports::sockets::link(&mut linker)?;
        connector.link(&mut linker)?;
        let plugins = RwLock::default();
        let files = Arc::new(NoFiles);
        let (compiler, clock_proof) = (Compiler::here(), OnceLock::new());
        Ok(Self {
            clockwork,
            linker,
            cache,
            compiler,
            clock_proof,
            connector,
            limits,
            files,
            plugins,
            plan_only: false,
        })
    }

    /// The same, for a plan: steps run, and their writes are shown and not made.
    #[must_use]
    pub fn plan_only(self) -> Self {
        Self { plan_only: true, ..self }
    }

    /// The same, with components compiled by `compiler`.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler, ..self }
    }

    /// The same, with the files that steps may be given the documents of.
    #[must_use]
    pub fn with_files(self, files: Arc<dyn WorkflowFiles>) -> Self {
        Self { files, ..self }
    }

    /// Makes the plugins with these digests ready to run, several at a time: loads their code,
    /// compiles what was never compiled. Blocks; milliseconds when the code is kept, seconds
    /// when it is not.
    ///
    /// # Errors
    ///
    /// The first plugin that can't be run, with its digest.
    pub fn prepare(
        &self,
        catalog: &Catalog,
        digests: &[String],
    ) -> Result<(), (String, ArtifactError)> {
        let missing: Vec<&String> =
            digests.iter().filter(|digest| self.plugin(digest).is_none()).collect();
        let prepared: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = missing
                .iter()
                .map(|digest| scope.spawn(|| self.prepare_one(catalog, digest)))
                .collect();
            threads.into_iter().map(|thread| thread.join()).collect()
        });
        for (digest, result) in missing.into_iter().zip(prepared) {
            let result = result.unwrap_or_else(|_panic| {
                Err(ArtifactError::new("plugin.malformed", "the compiler could not deal with it"))
            });
            result.map_err(|error| (digest.clone(), error))?;
        }
        Ok(())
    }

    /// Whether this host can run a plugin: compiles and links it, and runs nothing of it. Takes
    /// the time to look at all of a component whose manifest is missing or wrong.
    ///
    /// # Errors
    ///
    /// Why not.
    pub fn try_out(&self, entry: &Entry) -> Result<(), ArtifactError> {
        if let Err(error) = &entry.artifact {
            let error = error.clone();
            return Err(match entry.bytes() {
                Ok(bytes) => self.workshop().closer_reason(error, &bytes),
                Err(_) => error,
            });
        }
        self.make(entry).map(|_plugin| ())
    }

    /// The connections that a plugin asks for and can't use, since it does not import what they
    /// are used through. They are never opened; whoever looks at it should be told.
    #[must_use]
    pub fn asks_too_much(&self, entry: &Entry) -> BTreeSet<String> {
        entry
            .artifact
            .as_ref()
            .map(|artifact| self.workshop().unusable(artifact))
            .unwrap_or_default()
    }

    fn prepare_one(&self, catalog: &Catalog, digest: &str) -> Result<(), ArtifactError> {
        let entry = catalog.pinned(digest).ok_or_else(|| {
            let message = format!("no plugin with the digest {digest} is there any more");
            ArtifactError::new("plugin.missing", message)
        })?;
        let plugin = Arc::new(self.make(entry)?);
        let mut plugins = self.plugins.write().unwrap_or_else(PoisonError::into_inner);
        plugins.insert(digest.to_owned(), plugin);
        Ok(())
    }

    fn make(&self, entry: &Entry) -> Result<Plugin, ArtifactError> {
        self.clock_proof.get_or_init(|| self.prove_clock()).clone()?;
        let artifact = entry.artifact.as_ref().map_err(Clone::clone)?;
        self.workshop().make(artifact, || entry.bytes())
    }

    fn workshop(&self) -> Workshop<'_> {
        Workshop {
            engine: &self.clockwork.engine,
            linker: &self.linker,
            cache: &self.cache,
            compiler: &self.compiler,
            connector: &*self.connector,
        }
    }

    /// Nothing is run by a host that could not stop it. Proven once for each engine, because a
    /// warm start has no milliseconds to spare.
    fn prove_clock(&self) -> Result<(), ArtifactError> {
        const FACT: &str = "a-spinner-is-stopped";
        let engine = &self.clockwork.engine;
        if self.cache.knows(engine, FACT) {
            return Ok(());
        }
        let took = spinner_is_stopped(&self.clockwork)
            .map_err(|reason| ArtifactError::new("host.clock", reason))?;
        tracing::debug!(?took, "a loop without end was stopped");
        self.cache.learn(engine, FACT);
        Ok(())
    }

    fn plugin(&self, digest: &str) -> Option<Arc<Plugin>> {
        self.plugins.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// The limits for one step: what its plugin asks for, up to what the host allows; what the
    /// operator sets for the plugin; and never more than the step itself says.
    fn limits_for(&self, plugin: &Plugin, invocation: &StepInvocation) -> Limits {
        let wanted = &plugin.manifest.limits;
        let mut limits = self.limits;
        if let Some(seconds) = wanted.attempt_seconds {
            limits.attempt_time_max = Duration::from_secs(seconds.clamp(1, ATTEMPT_SECONDS_MAX));
        }
        if let Some(bytes) = wanted.memory_bytes {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            limits.memory_bytes_max = bytes.min(MEMORY_BYTES_MAX);
        }
        // What the operator says goes before what a plugin wishes.
        let limits = limits.set(&self.connector.limits(&invocation.plugin));
        limits.least(&limits.set(&invocation.extras.limits))
    }

    async fn attempt(
        &self,
        invocation: StepInvocation,
        recorder: StepRecorder,
        stop: CancellationToken,
    ) -> StepOutcome {
        let plugin = self.plugin(&invocation.plugin.digest).ok_or_else(|| {
            let message = format!("the plugin {} was not made ready", invocation.plugin.name);
            Failure::permanent("host.plugin", message)
        })?;
        let mut limits = self.limits_for(&plugin, &invocation);
        if let Some(left) = invocation.time_left {
            limits.attempt_time_max = limits.attempt_time_max.min(left);
        }
        let mut invocation = invocation;
        let inputs = std::mem::take(&mut invocation.inputs);
        let inputs = prepare_inputs(&plugin, inputs, &*self.files)?;
        let opened = self.open_connections(&plugin, &inputs, &invocation).await?;
        if let Some(before) = recorder.before() {
            same_places(before, &opened)?;
        }
        let mode = match invocation.bound.take() {
            _ if self.plan_only => Mode::Plan,
            Some(writes) => Mode::Bound(Bound::new(writes)),
            None => Mode::Act,
        };
        let needles = opened.values().map(|(_, opened)| Arc::clone(&opened.needles)).collect();
        let attempt = Arc::new(Attempt::new(AttemptOptions {
            stop: stop.child_token(),
            deadline: Instant::now() + limits.attempt_time_max,
            limits: limits.budget,
            redactor: Redactor::new(needles),
            recorder,
            mode,
            last_word: limits.grace / 3,
        }));
        let slots = opened.into_iter().map(|(name, (id, opened))| {
            let Opened { scope, calls_max, service, address, .. } = opened;
            let grant = Grant::new(Arc::clone(&attempt), &name, &id, scope, calls_max, address);
            (name, Slot { grant, service })
        });
        let grants = Grants::new(slots.collect());
        let facts = Facts {
            run: invocation.run.as_str().to_owned(),
            step: invocation.step.as_str().to_owned(),
            attempt: invocation.attempt,
            seed: invocation.seed.take(),
        };
        let state = StepState::new(facts, grants, Arc::clone(&attempt), limits);
        let _ticking = self.clockwork.tick();
        let running = self.guest(&plugin, &limits, state, inputs);
        let outcome = tokio::select! {
            outcome = running => outcome,
            failure = out_of_time(&attempt, &limits, &stop) => Err(failure),
        };
        attempt.revoke();
        judged(&attempt, outcome)
    }

    /// Reads the connections out of the inputs, at the places that the manifest names. Only those
    /// that the invocation lists count: the workflow's author wrote them, while a value of a parameter or an
    /// output that merely looks like one came from somebody else.
    async fn open_connections(
        &self,
        plugin: &Plugin,
        inputs: &Value,
        invocation: &StepInvocation,
    ) -> Result<BTreeMap<String, (String, Opened)>, Failure> {
        let mut opened = BTreeMap::new();
        let key = idempotency_key(invocation.run.as_str(), invocation.step.as_str());
        let needs = plugin.manifest.connections.iter();
        for (slot, need) in needs.filter(|(slot, _)| !plugin.unusable.contains(*slot)) {
            let found = need
                .from
                .iter()
                .find_map(|pointer| inputs.pointer(pointer).and_then(Reference::from_input));
            match found {
                Some(Reference { kind, name })
                    if Layer::Written.on()
                        && !invocation.connections.contains(&(kind.clone(), name.clone())) =>
                {
                    return Err(forged_connection(slot));
                }
                Some(reference) => {
                    let id = reference.id();
                    let asking = Asking {
                        plugin: &invocation.plugin,
                        run: invocation.run.as_str(),
                        step: invocation.step.as_str(),
                        key: &key,
                        slot,
                        grants: invocation.extras.grants.get(slot).map(Vec::as_slice),
                    };
                    let ready = self.connector.open(&reference, need, inputs, &asking).await?;
                    opened.insert(slot.clone(), (id, ready));
                }
                None if need.optional => {}
                None => return Err(missing_connection(slot, need)),
            }
        }
        Ok(opened)
    }

    /// Instantiates and calls the guest, and makes sense of how it ended.
    async fn guest(
        &self,
        plugin: &Plugin,
        limits: &Limits,
        state: StepState,
        inputs: Value,
    ) -> StepOutcome {
        let mut store = self.store(plugin, state, limits);
        let answer = async {
            let step = plugin.pre.instantiate_async(&mut store).await?;
            let context = store.data_mut().table.push(Context::new())?;
            step.bowline_plugin_step().call_run(&mut store, context, &inputs.to_string()).await
        };
        let answer = answer.await;
        let state = store.data_mut();
        let printed = last_words(state);
        match answer {
            Ok(Ok(returned)) => outcome::outputs(state, plugin, &returned),
            Ok(Err(failure)) => Err(outcome::reported(state, failure)),
            Err(error) => Err(outcome::trapped(state, limits, &error, &printed)),
        }
    }

    fn store(&self, plugin: &Plugin, state: StepState, limits: &Limits) -> Store<StepState> {
        let mut store = Store::new(&self.clockwork.engine, state);
        store.limiter(|state| &mut state.limiter);
        if Layer::HostcallBytes.on() {
            store.set_hostcall_fuel(limits.hostcall_bytes_max);
        }
        if Layer::Handles.on() {
            store.set_max_component_handles(limits.handles_max);
        }
        // The first tick may come at once; a whole one has passed with the second.
        store.set_epoch_deadline(2);
        let ticks_max = limits.cpu_time_max.as_millis() / TICK.as_millis();
        let (turns, digest) = (Arc::clone(&self.clockwork.turns), Arc::clone(&plugin.digest));
        let threads = tokio::runtime::Handle::current().metrics().num_workers();
        let mut turn = None;
        store.epoch_deadline_callback(move |mut store| {
            let state = store.data_mut();
            state.cpu_ticks += 1;
            if u128::from(state.cpu_ticks) > ticks_max && Layer::Cpu.on() {
                return Ok(UpdateDeadline::Interrupt);
            }
            if !Layer::Turns.on() {
                return Ok(UpdateDeadline::Yield(1));
            }
            let turn = turn.get_or_insert_with(|| turns.join(Arc::clone(&digest)));
            Ok(match turn.ticked(threads) {
                // Another step may need the thread.
                Next::GoOn => UpdateDeadline::Yield(1),
                Next::Wait(called) => {
                    let wait = async move {
                        // Whoever would call is gone with the host.
                        let _ = called.await;
                    };
                    UpdateDeadline::YieldCustom(1, Box::pin(wait))
                }
            })
        });
        store
    }
}

/// How long an attempt whose time is over may still hear from a call that it is in: the call ends
/// with the same deadline, and how it ended must be on record before the attempt is.
const SETTLE: Duration = Duration::from_millis(150);

/// The longest attempt that a manifest can ask for: a day, so that a forgotten one ends.
const ATTEMPT_SECONDS_MAX: u64 = 86_400;

/// The most memory that a manifest can ask for.
const MEMORY_BYTES_MAX: usize = 512 << 20;

#[async_trait]
impl StepRunner for Sandbox {
    async fn run_step(
        &self,
        invocation: StepInvocation,
        recorder: StepRecorder,
        stop: CancellationToken,
    ) -> StepOutcome {
        self.attempt(invocation, recorder, stop).await
    }
}

/// Comes when the attempt may not go on: its time is over, or the run was stopped and the grace
/// that it had to clean up has passed.
async fn out_of_time(attempt: &Attempt, limits: &Limits, stop: &CancellationToken) -> Failure {
    tokio::select! {
        () = async { tokio::time::sleep(attempt.remaining()).await; tokio::time::sleep(SETTLE).await } => Failure {
            disposition: Disposition::Retryable,
            ..Failure::permanent(
                Failure::OUT_OF_TIME,
                format!(
                    "the step ran for {:?} and was stopped; {:?} are allowed",
                    limits.attempt_time_max + SETTLE,
                    limits.attempt_time_max
                ),
            )
        },
        () = async { stop.cancelled().await; tokio::time::sleep(limits.grace).await } => Failure {
            disposition: Disposition::Cancelled,
            ..Failure::permanent("run.cancelled", "stopped because the run was cancelled")
        },
    }
}

/// The inputs as the guest gets them: defaults filled in, checked, documents parsed, of bounded
/// size.
fn prepare_inputs(
    plugin: &Plugin,
    inputs: Value,
    files: &dyn WorkflowFiles,
) -> Result<Value, Failure> {
    let mut object = match inputs {
        Value::Object(object) => object,
        Value::Null => Map::new(),
        _ => return Err(Failure::permanent("step.inputs", "the inputs are not a mapping")),
    };
    plugin.inputs.fill_defaults(&mut object);
    let mut inputs = Value::Object(object);
    plugin.inputs.check(&inputs, "step.inputs", "inputs")?;
    if let Value::Object(object) = &mut inputs {
        documents::resolve(&plugin.manifest, object, files)?;
    }
    let bytes = inputs.to_string().len();
    if bytes > INPUTS_BYTES_MAX {
        let message = format!("the inputs have {bytes} bytes, and {INPUTS_BYTES_MAX} are allowed");
        return Err(Failure::permanent("step.inputs", message));
    }
    Ok(inputs)
}

/// How the attempt ended, with what the host itself knows of it.
fn judged(attempt: &Attempt, outcome: StepOutcome) -> StepOutcome {
    if let Some(failure) = attempt.ended_by_host() {
        return Err(failure);
    }
    match outcome {
        Ok(outputs) => attempt.ends_as_recorded().map(|()| outputs),
        Err(failure) if attempt.is_withheld() => Err(Failure {
            code: Failure::WITHHELD.to_owned(),
            message: format!("a plan can't follow it any further: {}", failure.message),
            ..failure
        }),
        Err(failure) => Err(failure),
    }
}

/// Whether each connection leads where it led before: answers of one place must not be followed by
/// calls to another.
fn same_places(
    before: &StepRecord,
    opened: &BTreeMap<String, (String, Opened)>,
) -> Result<(), Failure> {
    for (slot, then) in &before.addresses {
        let Some((id, Opened { address: Some(now), .. })) = opened.get(slot) else { continue };
        if now != then {
            let message = format!(
                "the connection {id} led to {then} when this attempt began and leads to {now} now; \
                 go on with the settings of then (`--config`)"
            );
            return Err(Failure::permanent("connection.moved", message));
        }
    }
    Ok(())
}

fn forged_connection(slot: &str) -> Failure {
    Failure::permanent(
        "denied.connection",
        format!(
            "what stands in the place of the connection `{slot}` came out of a parameter or an \
             output; a connection is only granted where the workflow itself writes `!Connection`"
        ),
    )
}

fn missing_connection(slot: &str, need: &workflow::ConnectionNeed) -> Failure {
    let places: Vec<String> =
        need.from.iter().map(|pointer| pointer.trim_start_matches('/').replace('/', ".")).collect();
    Failure::permanent(
        "connection.missing",
        format!(
            "the step needs a connection `{slot}` of type `{kind}`; write \
             `!Connection {{type: {kind}, name: …}}` at `{}`",
            places.join("` or `"),
            kind = need.kind,
        ),
    )
}

/// What a guest left unsaid: progress that came too fast, lines that it printed, lines that did
/// not fit its budget. Gives what it printed, clean.
fn last_words(state: &mut StepState) -> String {
    if let Some((done, total, note)) = state.progress_held.take() {
        let note = state.note(&note);
        state.attempt.recorder().progress(done, total, note);
    }
    // As a whole and not line by line: it came in pieces of the guest's choosing.
    let (printed, lost) = state.printed.take();
    let printed = imports::log::escape_controls(&state.redact_cut(&printed, lost > 0));
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        state.log_pieces(journal::Level::Debug, line, "stdio");
    }
    if lost > 0 {
        let message = format!("{lost} more bytes that it printed did not fit the log's limit");
        state.attempt.recorder().log(journal::Level::Warn, message, vec![]);
    }
    if state.log_budget.dropped > 0 {
        let message =
            format!("{} more lines did not fit the log's limit", state.log_budget.dropped);
        state.attempt.recorder().log(journal::Level::Warn, message, vec![]);
    }
    printed
}
