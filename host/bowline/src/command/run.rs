//! `bowline run WORKFLOW`: everything that can be wrong is found before anything is touched, then
//! the run is driven and shown.

use super::check::check_file;
use super::drill::practise;
use crate::arguments::RunArguments;
use crate::exit::Exit;
use crate::live::{Form, follow};
use crate::lock::{self, Asking, Lock};
use crate::output::{Output, visible};
use crate::permits;
use crate::tap::Tap;
use crate::{signals, wiring};
use anyhow::{Context as _, bail};
use connections::{Connections, Refused, Settings};
use drill::{Drill, Options};
use journal::{Journal, RunId};
use sandbox::{Catalog, Reference, Sandbox, WorkflowFolder, artifact};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use views::RunView;
use workflow::{CheckOptions, Plan, PluginPin, SourceFile, Workflow};

pub(crate) async fn run(arguments: RunArguments, output: &Output) -> anyhow::Result<Exit> {
    let mut settings = wiring::settings(&arguments.config, Some(&arguments.workflow))?;
    let drill = match arguments.drill {
        true => Some(Drill::start(Options::default()).await?),
        false => None,
    };
    if let Some(drill) = &drill {
        settings = practise(settings, drill)?;
    }
    let known = settings.clone();
    let set_under = |connection: &str| {
        let (kind, name) = connection.split_once('/').unwrap_or((connection, ""));
        known.set_under(kind, name).to_owned()
    };
    let prepared = match prepare(&arguments, settings, output).await? {
        Ready::Go(prepared) => *prepared,
        Ready::Stop(exit) => return Ok(exit),
    };
    let before = drill.as_ref().map(Drill::picture);
    let view = execute(prepared, &arguments, output).await?;
    if !arguments.json {
        output.text(&views::text::summary(&view, &output.look()));
        for remedy in views::remedy::of_run(&view, &set_under) {
            output.note(&visible(&remedy));
        }
        if let (Some(drill), Some(before)) = (&drill, before) {
            let changes = drill.picture().changes_since(&before);
            output.line("\nwhat this changed on the practice services:");
            for change in &changes {
                output.line(&format!("  {}", visible(change)));
            }
            if changes.is_empty() {
                output.line("  nothing");
            }
        }
    }
    Ok(Exit::of_run(&view))
}

/// Everything that a run needs, checked.
struct Prepared {
    plan: Plan,
    sandbox: Sandbox,
    journal: Arc<dyn Journal>,
}

/// Whether a run can begin.
enum Ready {
    Go(Box<Prepared>),
    /// It can't; what is wrong was shown.
    Stop(Exit),
}

/// Checks it all.
async fn prepare(
    arguments: &RunArguments,
    settings: Settings,
    output: &Output,
) -> anyhow::Result<Ready> {
    let path = &arguments.workflow;
    let source = wiring::read_workflow(path)?;
    let checked = check_file(&source, path, &settings, Some(&settings), CheckOptions::default())?;
    output.diagnostics(&checked.diagnostics, &source);
    let Some(workflow) = checked.workflow else {
        output.error(&format!("`{}` can't be run; nothing was started", path.display()));
        return Ok(Ready::Stop(Exit::Usage));
    };
    let plan = plan(&workflow, &source, arguments)?;
    let mut catalog = wiring::catalog(&settings)?;
    let images = plan.steps.iter().filter_map(|step| step.image.as_deref());
    catalog.resolve(images, path.parent().unwrap_or(Path::new("")));
    let limits = wiring::limits(&settings);
    let journal = wiring::journal(&settings)?;
    let lock = Lock::read(&settings, Some(path))?;
    let connections = Connections::new(settings)?;
    let connections = match arguments.drill {
        true => connections.accepting_all(),
        false => connections.accepting(lock.accepted.clone()),
    };
    let connections = match permit(&plan, &catalog, connections, lock, arguments, output)? {
        Ok(connections) => Arc::new(connections),
        Err(exit) => {
            output.error("nothing was started");
            return Ok(Ready::Stop(exit));
        }
    };
    for used in workflow::connections(&workflow) {
        let reference = Reference { kind: used.kind.clone(), name: used.name.clone() };
        connections.try_open(&reference).await.with_context(|| {
            let at = source.position(used.span.start);
            format!("{}:{}:{}: step `{}`", path.display(), at.line, at.column, used.step)
        })?;
    }
    let (sandbox, warning) = wiring::sandbox(connections, limits)?;
    let sandbox = sandbox.with_files(Arc::new(WorkflowFolder::of(path)));
    if let Some(warning) = warning {
        output.note(&format!("warning: {}", visible(&warning)));
    }
    let mut digests: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| step.plugin.as_ref())
        .map(|plugin| plugin.digest.clone())
        .collect();
    digests.sort();
    digests.dedup();
    if let Err((digest, error)) = sandbox.prepare(&catalog, &digests) {
        let plugins = plan.steps.iter().filter_map(|step| step.plugin.as_ref());
        let name = plugins.clone().find(|plugin| plugin.digest == digest).map(|p| p.name.as_str());
        bail!(
            "the plugin `{}` can't be run: {error}; nothing was started",
            name.unwrap_or(&digest)
        );
    }
    Ok(Ready::Go(Box::new(Prepared { plan, sandbox, journal })))
}

/// Decides whether each plugin may do what it is here for, and asks where nobody has decided yet.
/// How the program ends when the answer is no.
fn permit(
    plan: &Plan,
    catalog: &Catalog,
    connections: Connections,
    mut lock: Lock,
    arguments: &RunArguments,
    output: &Output,
) -> anyhow::Result<Result<Connections, Exit>> {
    let mut plugins: Vec<&PluginPin> = Vec::new();
    for plugin in plan.steps.iter().filter_map(|step| step.plugin.as_ref()) {
        if !plugins.contains(&plugin) {
            plugins.push(plugin);
        }
    }
    let used: Vec<&str> = plugins.iter().map(|plugin| plugin.digest.as_str()).collect();
    let mut worst = None;
    for &pin in &plugins {
        match connections.standing(pin) {
            Ok(()) => {}
            Err(Refused::Unaccepted { .. }) => {
                let entry = catalog.pinned(&pin.digest).context("a plugin is gone")?;
                let manifest = &entry.artifact.as_ref().map_err(Clone::clone)?.manifest;
                let asking = match (arguments.yes, arguments.json) {
                    (true, _) => Asking::Yes,
                    (false, true) => Asking::Nobody,
                    (false, false) => Asking::Terminal,
                };
                if !lock::accept(&mut lock, pin, manifest, &used, asking, output)? {
                    return Ok(Err(Exit::Denied));
                }
            }
            Err(refused) => {
                output.error(&format!("{refused} ({})", refused.code()));
                worst = Some(Exit::Denied);
            }
        }
    }
    let connections = match arguments.drill {
        true => connections,
        false => connections.accepting(lock.accepted),
    };
    let permits = permits::of_steps(&plan.steps, &plan.parameters, catalog, &connections);
    for permit in permits {
        let (Err(refused), Some(words)) = (&permit.granted, permit.refusal()) else { continue };
        output.error(&words);
        if refused.is_denial() {
            worst = Some(Exit::Denied);
        }
        worst = worst.or(Some(Exit::Usage));
    }
    Ok(match worst {
        Some(exit) => Err(exit),
        None => Ok(connections),
    })
}

fn plan(
    workflow: &Workflow,
    source: &SourceFile,
    arguments: &RunArguments,
) -> anyhow::Result<Plan> {
    let mut given = match &arguments.params_file {
        Some(path) => read_parameters(path)?,
        None => BTreeMap::new(),
    };
    for text in &arguments.parameters {
        let (name, value) = text.split_once('=').with_context(|| {
            format!("`-p {}` is not of the form NAME=VALUE", text.escape_debug())
        })?;
        given.insert(name.to_owned(), Value::String(value.to_owned()));
    }
    let digest = artifact::digest(source.text().as_bytes());
    workflow::plan::plan(workflow, digest, given).map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}; nothing was started", errors.join("; "))
    })
}

fn read_parameters(path: &Path) -> anyhow::Result<BTreeMap<String, Value>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("can't read the parameters `{shown}`"))?;
    let read: Option<Map<String, Value>> = serde_saphyr::from_str(&text)
        .with_context(|| format!("`{shown}` is not a mapping of names to values"))?;
    Ok(read.unwrap_or_default().into_iter().collect())
}

/// Starts, drives and shows the run.
async fn execute(
    prepared: Prepared,
    arguments: &RunArguments,
    output: &Output,
) -> anyhow::Result<RunView> {
    let Prepared { plan, sandbox, journal } = prepared;
    let form = match arguments.json {
        true => Form::Json,
        false if output.is_live() => Form::Tree,
        false => Form::Lines,
    };
    let (tap, heard) = Tap::new(journal);
    let journal: Arc<dyn Journal> = Arc::new(tap);
    let run = RunId::fresh();
    let owner = wiring::owner()?;
    let stop = CancellationToken::new();
    let (drill, asked) = (arguments.drill, stop.clone());
    let mut task = JoinSet::new();
    let started = run.clone();
    // A task of its own: the thread that waits here would have to be woken for each event.
    task.spawn(async move {
        let by = wiring::user();
        let claim = scheduler::start(&started, plan, &by, drill, &*journal, &owner).await?;
        scheduler::drive(claim, journal, Arc::new(sandbox), asked).await
    });
    let driving = async {
        tokio::select! {
            Some(driven) = task.join_next() => driven?.map(|_status| ()).map_err(anyhow::Error::from),
            () = signals::watch(&stop, output) => bail!(
                "stopped at once; run {run} may have been in the middle of a step, \
                 `bowline runs show {run}` tells what is known"
            ),
        }
    };
    // The listener ends when the last one who writes is gone, so nothing that was written is
    // left unshown.
    let (driven, view) = tokio::join!(driving, follow(heard, form, output));
    drop(task);
    driven?;
    view.context("the run wrote nothing")
}
