//! The place in which one case is played: a host of its own, as the program wires it, with a
//! folder, a journal on disk, small limits, and servers on loopback.
//!
//! Everything is what the program uses; only the connections' far side is the test's.

use crate::probe;
use crate::run::Run;
use crate::server::{Answer, Authority, Certificate, Received, Reply, Server};
use crate::silent::Silent;
use connections::policy::Accepted;
use connections::{Connections, Settings};
use journal::{Journal, Owner, RunContext, RunId, RunStatus, Seed, SqliteJournal, chain};
use sandbox::{
    ArtifactError, Catalog, ChildProgram, CodeCache, CompileLimits, Compiler, Entry, Limits,
    Sandbox, Signers,
};
use scheduler::DriveOptions;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tempfile::TempDir;
use tests::canary::CANARY;
use tests::guest;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use views::{Look, RunView};
use workflow::{CheckOptions, Retry, SourceFile};

/// The file in which the operator keeps the credential.
const KEY_FILE: &str = "operator.key";

/// How an honest step runs on this machine when nothing else happens.
#[derive(Clone, Debug)]
pub(crate) struct Normal {
    honest: Duration,
}

/// A host, and what is around it.
pub(crate) struct Stage {
    folder: TempDir,
    runtime: Runtime,
    /// Small ones; a case may change them before its first run.
    pub(crate) limits: Limits,
    /// The operator's connections by type and name, as in `bowline.yaml`.
    pub(crate) connections: BTreeMap<String, Map<String, Value>>,
    /// The operator's policy, as in `bowline.yaml`: everything that is asked for, unless a case
    /// says otherwise.
    pub(crate) policy: Value,
    /// What the operator has accepted: `bowline.lock`.
    accepted: Accepted,
    /// What the probe's manifest asks for, by slot.
    pub(crate) needs: Map<String, Value>,
    /// Inputs of the probe besides its orders.
    pub(crate) inputs: Map<String, Value>,
    /// Cancels the run after this time.
    pub(crate) cancel_after: Option<Duration>,
    /// Cancels it once more, a moment later.
    pub(crate) cancel_twice: bool,
    /// Ends the host after this time, in the middle of whatever it does.
    pub(crate) die_after: Option<Duration>,
    authority: Authority,
    servers: Vec<Arc<Server>>,
    host: Option<Host>,
    shown: Vec<(&'static str, String)>,
    began: SystemTime,
}

/// The program's rooms, wired.
struct Host {
    sandbox: Arc<Sandbox>,
    catalog: Catalog,
    journal: Arc<dyn Journal>,
}

impl Normal {
    /// Runs an honest step and the probe a few times: whatever is made once is made then.
    pub(crate) fn measure() -> Self {
        let mut stage = Stage::new();
        stage.ask(json!([]));
        let mut times: Vec<Duration> = (0..5).map(|_| stage.run_plugin("honest").elapsed).collect();
        times.sort();
        Self { honest: times[2] }
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("make a folder");
        let began = fs::metadata(folder.path()).and_then(|folder| folder.modified());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("start a runtime");
        let stage = Self {
            folder,
            runtime,
            limits: small_limits(),
            connections: BTreeMap::new(),
            policy: json!({"default": "allow"}),
            accepted: Accepted::none(),
            needs: Map::new(),
            inputs: Map::new(),
            cancel_after: None,
            cancel_twice: false,
            die_after: None,
            authority: Authority::new(),
            servers: Vec::new(),
            host: None,
            shown: Vec::new(),
            began: began.expect("know when the folder was made"),
        };
        stage.write("ca.pem", &stage.authority.pem);
        stage.write(KEY_FILE, CANARY);
        stage.write(
            "plugins/honest.wasm",
            guest::component(guest::NO_OP, &guest::manifest("honest")),
        );
        stage
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(crate) fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Writes a file of the operator's, with the folders that lead to it.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("make its folder");
        fs::write(path, content).expect("write a file");
    }

    /// What stands in a file of the operator's.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).expect("read a file")
    }

    /// An HTTPS server on loopback that the operator's connections trust.
    pub(crate) fn serve(
        &mut self,
        handler: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Arc<Server> {
        self.serve_with(move |received| handler(received).into())
    }

    /// The same, with answers that have headers of their own.
    pub(crate) fn serve_with(
        &mut self,
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Arc<Server> {
        let certificate = Certificate::default();
        let started = Server::start_with(&self.authority, &certificate, handler);
        let server = Arc::new(self.runtime.block_on(started));
        self.servers.push(Arc::clone(&server));
        server
    }

    /// A server that takes requests and never answers one.
    pub(crate) fn serve_nothing(&mut self) -> Silent {
        Silent::start(&self.runtime, self.authority.acceptor())
    }

    /// The operator sets a connection `http/SLOT` that leads to `url` with the canary as its
    /// token, and the probe's manifest asks for it with these rules.
    pub(crate) fn http(&mut self, slot: &str, url: &str, allow: Value) {
        let settings = json!({
            "baseUrl": url, "certificateAuthority": {"file": "ca.pem"},
            "token": {"file": KEY_FILE},
        });
        self.connection("http", slot, settings, allow);
    }

    /// The same for a connection `kubernetes/SLOT`.
    pub(crate) fn cluster(&mut self, slot: &str, url: &str, allow: Value) {
        let settings = json!({
            "server": url, "certificateAuthority": {"file": "ca.pem"},
            "token": {"file": KEY_FILE},
        });
        self.connection("kubernetes", slot, settings, allow);
    }

    /// The operator sets a connection like this, and the probe's manifest asks for it.
    pub(crate) fn connection(&mut self, kind: &str, slot: &str, settings: Value, allow: Value) {
        self.connections.entry(kind.to_owned()).or_default().insert(slot.to_owned(), settings);
        let need = json!({
            "type": kind, "from": [format!("/{slot}")], "reason": "to attack it", "allow": allow,
        });
        self.needs.insert(slot.to_owned(), need);
        self.host = None;
    }

    /// Adds a plugin to the operator's folder.
    pub(crate) fn plugin(&mut self, name: &str, component: impl AsRef<[u8]>) {
        self.write(&format!("plugins/{name}.wasm"), component);
        self.host = None;
    }

    /// Adds a plugin that is one core module in text form.
    pub(crate) fn module(&mut self, name: &str, module: &str) {
        self.plugin(name, guest::component(module, &guest::manifest(name)));
    }

    /// Whether this host can run these bytes as a plugin: what `plugin check` asks.
    pub(crate) fn install(&mut self, bytes: &[u8]) -> Result<(), ArtifactError> {
        self.write("candidate.wasm", bytes);
        let entry = Entry::of_file(&self.candidate(), &Signers::default());
        self.host().sandbox.try_out(&entry)
    }

    /// A further host without connections, that keeps compiled code in `cache`.
    pub(crate) fn sandbox(&self, cache: CodeCache) -> Sandbox {
        let _inside = self.runtime.enter();
        let connections = Connections::new(Settings::default()).expect("no connections");
        Sandbox::new(Arc::new(connections), cache, self.limits).expect("a sandbox")
    }

    /// The file that is offered as a plugin.
    pub(crate) fn candidate(&self) -> PathBuf {
        self.folder.path().join("candidate.wasm")
    }

    /// The host is made anew: what it keeps in memory is gone.
    pub(crate) fn restart(&mut self) {
        self.host = None;
    }

    /// The slots that these bytes ask for and can't use.
    pub(crate) fn asks_too_much(&mut self, bytes: &[u8]) -> Vec<String> {
        self.write("candidate.wasm", bytes);
        let entry = Entry::of_file(&self.candidate(), &Signers::default());
        self.host().sandbox.asks_too_much(&entry).into_iter().collect()
    }

    /// Lets the probe do `orders` with all the connections that it asks for.
    pub(crate) fn ask(&mut self, orders: Value) -> Run {
        let manifest = probe::manifest("probe", &self.needs);
        self.ask_as(&manifest, orders)
    }

    /// The probe's manifest, asking for what it asks for now.
    pub(crate) fn manifest(&self) -> Value {
        probe::manifest("probe", &self.needs)
    }

    /// The operator accepts the plugin of this name as it is in the folder now.
    pub(crate) fn accept(&mut self, name: &str) {
        let entry = self.entry(name);
        let pin = entry.pin().expect("a plugin");
        let manifest = entry.artifact.expect("a plugin").manifest;
        self.accepted.accept(&pin, &manifest, "tester", &[]);
        self.host = None;
    }

    /// What the plugin of this name asks for and the one that was accepted did not.
    pub(crate) fn change(&mut self, name: &str) -> Value {
        let entry = self.entry(name);
        let pin = entry.pin().expect("a plugin");
        let manifest = entry.artifact.expect("a plugin").manifest;
        let change = self.accepted.change(&pin, &manifest).expect("one of its name was accepted");
        serde_json::to_value(&change.more).expect("rules")
    }

    fn entry(&self, name: &str) -> Entry {
        let path = self.folder.path().join(format!("plugins/{name}.wasm"));
        Entry::of_file(&path, &Signers::default())
    }

    /// Adds the probe under another name, asking for what it asks for now.
    pub(crate) fn probe_named(&mut self, name: &str) {
        let manifest = probe::manifest(name, &self.needs);
        self.plugin(name, probe::component(&manifest));
    }

    /// The same with a manifest of its own.
    pub(crate) fn ask_as(&mut self, manifest: &Value, orders: Value) -> Run {
        let component = probe::component(manifest);
        if fs::read(self.folder.path().join("plugins/probe.wasm")).ok().as_ref() != Some(&component)
        {
            self.plugin("probe", component);
        }
        let (text, parameters) = self.probe_step(orders);
        self.flow(&text, parameters)
    }

    /// A workflow of one step, the probe with these orders, and its parameters.
    pub(crate) fn probe_step(&self, orders: Value) -> (String, Map<String, Value>) {
        let mut parameters = self.inputs.clone();
        let mut spec = String::from("    do: !Parameter do\n");
        for name in self.inputs.keys() {
            spec.push_str(&format!("    {name}: !Parameter {name}\n"));
        }
        for (slot, need) in &self.needs {
            let kind = need["type"].as_str().unwrap_or_default();
            if self.connections.get(kind).is_some_and(|named| named.contains_key(slot)) {
                spec.push_str(&format!("    {slot}: !Connection {{type: {kind}, name: {slot}}}\n"));
            }
        }
        parameters.insert("do".to_owned(), orders);
        let declared: Vec<String> = parameters.keys().map(|name| format!("{name}: {{}}")).collect();
        let text = format!(
            "parameters: {{{}}}\nsteps:\n- name: probe\n  image: probe\n  spec:\n{spec}",
            declared.join(", ")
        );
        (text, parameters)
    }

    /// Runs one plugin without inputs, as a step of the same name.
    pub(crate) fn run_plugin(&mut self, name: &str) -> Run {
        self.flow(&format!("steps:\n- name: {name}\n  image: {name}\n"), Map::new())
    }

    /// Runs several plugins side by side, each as a step of the same name.
    pub(crate) fn run_plugins(&mut self, names: &[&str]) -> Run {
        let steps: String =
            names.iter().map(|name| format!("- name: {name}\n  image: {name}\n")).collect();
        self.flow(&format!("steps:\n{steps}"), Map::new())
    }

    /// Runs a workflow to its end.
    ///
    /// # Panics
    ///
    /// When the workflow can't be started.
    #[track_caller]
    pub(crate) fn flow(&mut self, text: &str, parameters: Map<String, Value>) -> Run {
        self.try_flow(text, parameters).unwrap_or_else(|why| panic!("{why}\n{text}"))
    }

    /// Runs a workflow to its end, or says why it can't be started.
    pub(crate) fn try_flow(
        &mut self,
        text: &str,
        parameters: Map<String, Value>,
    ) -> Result<Run, String> {
        let host = self.host();
        let mut plan = plan(&mut host.catalog, text, parameters)?;
        // One try shows what an attack comes to.
        plan.extras.retry = Some(Retry { attempts: Some(1), ..Retry::default() });
        let mut digests: Vec<String> = plan
            .steps
            .iter()
            .filter_map(|step| Some(step.plugin.as_ref()?.digest.clone()))
            .collect();
        digests.sort();
        digests.dedup();
        let prepared = host.sandbox.prepare(&host.catalog, &digests);
        prepared.map_err(|(_, error)| error.to_string())?;
        let (journal, sandbox) = (Arc::clone(&host.journal), Arc::clone(&host.sandbox));
        let run = RunId::fresh();
        let id = run.clone();
        self.drive(run, move |stop| async move {
            let owner = Owner::this_process().expect("know this process");
            let context = RunContext { seed: Some(Seed::new([7; 32])), ..RunContext::default() };
            let ready =
                scheduler::start(&id, plan, "tester", false, context, &*journal, &owner).await;
            let ready = ready.map_err(|error| error.to_string())?;
            let driven =
                scheduler::drive(ready, journal, sandbox, stop, DriveOptions::default()).await;
            driven.map_err(|error| error.to_string())
        })
    }

    /// Another host takes the newest run over, whose own died, and drives it to its end.
    pub(crate) fn take_over(&mut self) -> Run {
        let host = self.host();
        let (journal, sandbox) = (Arc::clone(&host.journal), Arc::clone(&host.sandbox));
        let newest = self.runtime.block_on(journal.runs(None, 1)).expect("list the runs");
        let run = newest[0].run.clone();
        let id = run.clone();
        let driven = self.drive(run, move |stop| async move {
            let owner = Owner::this_process().expect("know this process");
            let claim = journal.claim(&id, &owner, &|_| true).await;
            let claim = claim.map_err(|error| error.to_string())?;
            let ready = scheduler::take_up(claim, &*journal).await;
            let ready = ready.map_err(|error| error.to_string())?;
            let driven =
                scheduler::drive(ready, journal, sandbox, stop, DriveOptions::default()).await;
            driven.map_err(|error| error.to_string())
        });
        driven.expect("the run goes on")
    }

    /// Drives a run in a task of its own, as the program does, and reads what was written.
    fn drive<F: Future<Output = Result<RunStatus, String>> + Send + 'static>(
        &mut self,
        run: RunId,
        driving: impl FnOnce(CancellationToken) -> F,
    ) -> Result<Run, String> {
        let stop = CancellationToken::new();
        let driving = driving(stop.clone());
        let (cancel_after, twice, die_after) =
            (self.cancel_after, self.cancel_twice, self.die_after);
        let began = Instant::now();
        let status = self.runtime.block_on(async move {
            let mut tasks = JoinSet::new();
            tasks.spawn(driving);
            if let Some(after) = cancel_after {
                tokio::time::sleep(after).await;
                stop.cancel();
            }
            if twice {
                tokio::time::sleep(Duration::from_millis(20)).await;
                stop.cancel();
            }
            if let Some(after) = die_after {
                tokio::time::sleep(after).await;
                tasks.shutdown().await;
                return Ok(RunStatus::Running);
            }
            tasks.join_next().await.expect("one task").expect("the host lives")
        })?;
        let elapsed = began.elapsed();
        let written = Arc::clone(&self.host().journal);
        let events = self.runtime.block_on(written.events(&run, 0, 100_000));
        let events = events.map_err(|error| error.to_string())?;
        // Whatever the guest did, what was written down hangs together.
        let sealed = self.runtime.block_on(written.sealed(&run, 0, 100_000));
        let sealed = sealed.map_err(|error| error.to_string())?;
        let examined = chain::examine(run.as_str(), 0, sealed.clone());
        assert_eq!((examined.breach, examined.records), (None, events.len() as u64));
        let seen = seen(&events);
        self.shown.push(("what people saw", seen.clone()));
        Ok(Run { id: run, events, sealed, status, elapsed, seen })
    }

    /// Everything that people saw so far.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.shown.iter().map(|(place, text)| (*place, text.as_str()))
    }

    /// The next plugin in the same host runs as if nothing had been.
    pub(crate) fn honest_step_succeeds(&mut self, normal: &Normal) {
        (self.cancel_after, self.cancel_twice, self.die_after) = (None, false, None);
        let run = self.run_plugin("honest");
        run.outputs_of("honest");
        let allowed = normal.honest * 10 + Duration::from_millis(300);
        assert!(run.elapsed <= allowed, "an honest step took {:?}, before {normal:?}", run.elapsed);
    }

    pub(crate) fn stop_servers(&mut self) {
        self.servers.clear();
    }

    /// Takes the host down: its tasks must end by themselves now.
    pub(crate) fn close(&mut self) {
        self.host = None;
    }

    /// Tasks that still run.
    pub(crate) fn tasks(&self) -> usize {
        self.runtime.metrics().num_alive_tasks()
    }

    /// Whether the operator keeps a credential in this file.
    pub(crate) fn is_key(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| name == KEY_FILE)
    }

    /// Whether a file was there before this case.
    pub(crate) fn is_old(&self, path: &Path) -> bool {
        let modified = fs::metadata(path).and_then(|file| file.modified());
        modified.is_ok_and(|modified| modified < self.began)
    }

    fn host(&mut self) -> &mut Host {
        if self.host.is_none() {
            let _inside = self.runtime.enter();
            let settings = json!({ "connections": self.connections, "policy": self.policy });
            let accepted = self.accepted.clone();
            self.host = Some(Host::new(self.folder.path(), &settings, accepted, self.limits));
        }
        self.host.as_mut().expect("it was just made")
    }
}

impl Host {
    fn new(folder: &Path, settings: &Value, accepted: Accepted, limits: Limits) -> Self {
        let text = settings.to_string();
        let settings = Settings::parse(&text, &folder.join("bowline.yaml")).expect("good settings");
        let connections = Connections::new(settings).expect("good connections").accepting(accepted);
        let (cache, warning) = CodeCache::open(&cache());
        assert_eq!(warning, None);
        let sandbox = Sandbox::new(Arc::new(connections), cache, limits)
            .expect("a sandbox")
            .with_compiler(Compiler::child(compiler(CompileLimits::default())));
        let catalog = Catalog::scan(&[], &[folder.join("plugins")], &Signers::default())
            .expect("find the plugins");
        let journal = SqliteJournal::open(&folder.join("runs.db")).expect("open a journal");
        Self { sandbox: Arc::new(sandbox), catalog, journal: Arc::new(journal) }
    }
}

/// Checks a workflow and makes its plan, as `run` does.
fn plan(
    catalog: &mut Catalog,
    text: &str,
    parameters: Map<String, Value>,
) -> Result<workflow::Plan, String> {
    let source = SourceFile::from_bytes("w.yaml".to_owned(), text.as_bytes());
    let source = source.map_err(|error| error.to_string())?;
    let parsed = workflow::parse(&source);
    let images = parsed.document.as_ref().map(workflow::images).unwrap_or_default();
    let signatures = catalog.resolve(images.iter().map(String::as_str), Path::new(""));
    let checked = workflow::check_parsed(&source, &parsed, &signatures, &CheckOptions::default());
    let Some(workflow) = checked.workflow else {
        let found: Vec<String> = checked.diagnostics.iter().map(|d| format!("{d:?}")).collect();
        return Err(found.join("\n"));
    };
    workflow::plan(&workflow, "sha256:0", parameters.into_iter().collect())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// All views of a run.
fn seen(events: &[journal::Recorded]) -> String {
    let Some(view) = RunView::from_events(events) else { return String::new() };
    let terminal = Look { color: true, width: 100, detail: true, ..Look::PLAIN };
    let plain = Look { detail: true, ..Look::PLAIN };
    let mut seen = Vec::new();
    for look in [terminal, plain] {
        seen.extend(events.iter().filter_map(|recorded| views::text::line(&view, recorded, &look)));
        seen.push(views::text::summary(&view, &look));
        seen.extend(views::tree::frame(&view, events.last().map_or(0, |last| last.at), &look));
        seen.push(views::logs::lines(events, None, &look));
        seen.push(views::show::page(&view, &look));
    }
    seen.extend(events.iter().map(|recorded| views::json::line(&view, recorded)));
    seen.push(views::json::finished(&view));
    seen.join("\n")
}

/// The program as it compiles, built beside this test.
pub(crate) fn compiler(limits: CompileLimits) -> ChildProgram {
    let mut program = std::env::current_exe().expect("know this test's path");
    program.pop();
    if program.ends_with("deps") {
        program.pop();
    }
    let program = program.join(format!("bowline{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not built; `make test` builds it", program.display());
    ChildProgram { program, arguments: vec!["__compile".into()], limits }
}

/// Compiled code is kept between the cases: it is made anew whenever the host or a plugin changes.
pub(crate) fn cache() -> PathBuf {
    let mut path = std::env::current_exe().expect("know this test's path");
    path.pop();
    path.join("hostile-cache")
}

/// A tenth or less of what the program allows, so that the suite is fast.
fn small_limits() -> Limits {
    Limits {
        attempt_time_max: Duration::from_secs(5),
        cpu_time_max: Duration::from_millis(100),
        memory_bytes_max: 4 << 20,
        grace: Duration::from_millis(300),
        ..Limits::default()
    }
}
