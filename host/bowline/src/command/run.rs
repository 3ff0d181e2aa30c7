//! `bowline run WORKFLOW`: everything that can be wrong is found before anything is touched, then
//! the run is driven and shown.

use super::check::check_file;
use super::drill::practise;
use super::resume;
use crate::arguments::{RunArguments, WorkflowArguments};
use crate::driving::{self, Begin, Ride};
use crate::exit::Exit;
use crate::live::Form;
use crate::lock::Asking;
use crate::output::{Output, visible};
use crate::planned;
use crate::stage::{self, Setting, Staged};
use crate::wiring;
use anyhow::{Context as _, bail};
use connections::Settings;
use drill::{Drill, Options};
use journal::{Journal, RunId};
use sandbox::{Reference, Sandbox, artifact};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use workflow::{CheckOptions, Plan, SourceFile, Workflow};

pub(crate) async fn run(arguments: RunArguments, output: &Output) -> anyhow::Result<Exit> {
    let what = &arguments.what;
    let mut settings = wiring::settings(&what.config, Some(&what.workflow))?;
    let drill = match what.drill {
        true => Some(Drill::start(Options::default()).await?),
        false => None,
    };
    if let Some(drill) = &drill {
        settings = practise(settings, drill)?;
    }
    let bound = arguments.plan_file.as_deref().map(planned::read).transpose()?;
    let known = settings.clone();
    let prepared = match prepare(what, settings.clone(), false, output).await? {
        Ready::Go(prepared) => *prepared,
        Ready::Stop(exit) => return Ok(exit),
    };
    let Prepared { plan, sandbox } = prepared;
    let journal = wiring::journal(&settings)?;
    let mut context = driving::context(&what.workflow, &settings)?;
    let mut run = RunId::fresh();
    if let Some(bound) = bound {
        bound.fits(&plan, what.drill)?;
        run = bound.run;
        if journal.run(&run).await?.is_some() {
            bail!(
                "this plan was carried out already, by run {run}; plan anew. Nothing was started"
            );
        }
        context.seed = bound.seed.or(context.seed);
        context.bound = Some(bound.writes);
    }
    let companions = match arguments.no_resume || what.drill {
        true => Vec::new(),
        false => resume::left_behind(&journal, output).await?,
    };
    let before = drill.as_ref().map(Drill::picture);
    let begin = Begin::New { plan: Box::new(plan), context, drill: what.drill };
    let options = driving::options(&settings);
    let ride = Ride { run, begin, sandbox, options };
    let journal: Arc<dyn Journal> = journal;
    let ridden = driving::ride(ride, companions, journal, form(what.json, output), output).await;
    let view = match ridden {
        Ok(Some(view)) => view,
        Ok(None) => return Ok(Exit::Cancelled),
        // Something was started, so it is no usage error any more.
        Err(error) => {
            output.error(&format!("{error:#}"));
            return Ok(Exit::Failure);
        }
    };
    if !what.json {
        output.text(&views::text::summary(&view, &output.look()));
        remedies(&view, &known, output);
        if let (Some(drill), Some(before)) = (&drill, before) {
            changes(drill, &before, output);
        }
    }
    Ok(Exit::of_run(&view))
}

/// In which form a run is shown.
pub(crate) fn form(json: bool, output: &Output) -> Form {
    match json {
        true => Form::Json,
        false if output.is_live() => Form::Tree,
        false => Form::Lines,
    }
}

/// What to do next, as far as the run's end tells.
pub(crate) fn remedies(view: &views::RunView, settings: &Settings, output: &Output) {
    let set_under = |connection: &str| {
        let (kind, name) = connection.split_once('/').unwrap_or((connection, ""));
        settings.set_under(kind, name).to_owned()
    };
    for remedy in views::remedy::of_run(view, &set_under) {
        output.note(&visible(&remedy));
    }
}

/// What a run has changed on the practice services.
pub(crate) fn changes(drill: &Drill, before: &drill::Picture, output: &Output) {
    let changes = drill.picture().changes_since(before);
    output.line("\nwhat this changed on the practice services:");
    for change in &changes {
        output.line(&format!("  {}", visible(change)));
    }
    if changes.is_empty() {
        output.line("  nothing");
    }
}

/// Everything that a run needs, checked.
pub(crate) struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) sandbox: Sandbox,
}

/// Whether a run can begin.
pub(crate) enum Ready {
    Go(Box<Prepared>),
    /// It can't; what is wrong was shown.
    Stop(Exit),
}

/// Checks it all.
pub(crate) async fn prepare(
    what: &WorkflowArguments,
    settings: Settings,
    plan_only: bool,
    output: &Output,
) -> anyhow::Result<Ready> {
    let path = &what.workflow;
    let source = wiring::read_workflow(path)?;
    let checked = check_file(&source, path, &settings, Some(&settings), CheckOptions::default())?;
    output.diagnostics(&checked.diagnostics, &source);
    let Some(workflow) = checked.workflow else {
        output.error(&format!("`{}` can't be run; nothing was started", path.display()));
        return Ok(Ready::Stop(Exit::Usage));
    };
    let plan = plan(&workflow, &source, what)?;
    let asking = match (what.yes, what.json) {
        (true, _) => Asking::Yes,
        (false, true) => Asking::Nobody,
        (false, false) => Asking::Terminal,
    };
    let setting = Setting { workflow: path, drill: what.drill, asking, plan_only };
    let place = |step: &str, reference: &Reference| {
        let used = workflow::connections(&workflow)
            .iter()
            .find(|used| used.kind == reference.kind && used.name == reference.name);
        match used {
            Some(used) => {
                let at = source.position(used.span.start);
                format!("{}:{}:{}: step `{}`", path.display(), at.line, at.column, used.step)
            }
            None => format!("{}: step `{step}`", path.display()),
        }
    };
    Ok(match stage::set(&plan, settings, setting, &place, output).await? {
        Staged::Ready(sandbox) => Ready::Go(Box::new(Prepared { plan, sandbox: *sandbox })),
        Staged::Stopped(exit) => {
            output.error("nothing was started");
            Ready::Stop(exit)
        }
    })
}

fn plan(
    workflow: &Workflow,
    source: &SourceFile,
    what: &WorkflowArguments,
) -> anyhow::Result<Plan> {
    let mut given = match &what.params_file {
        Some(path) => read_parameters(path)?,
        None => BTreeMap::new(),
    };
    for text in &what.parameters {
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
