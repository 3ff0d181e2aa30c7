//! `bowline plan WORKFLOW`: the real steps with real reads; each write is shown and none is made.

use super::drill::practise;
use super::run::{Prepared, Ready, prepare};
use crate::arguments::{PlanArguments, WorkflowArguments};
use crate::driving;
use crate::exit::Exit;
use crate::output::Output;
use crate::planned::PlanFile;
use crate::{person, signals, wiring};
use anyhow::{Context as _, bail};
use drill::{Drill, Options};
use journal::{Journal, MemoryJournal, RunId};
use scheduler::DriveOptions;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use views::RunView;
use views::escape::shell_word;

pub(crate) async fn run(arguments: PlanArguments, output: &Output) -> anyhow::Result<Exit> {
    let what = &arguments.what;
    let mut settings = wiring::settings(&what.config, Some(&what.workflow))?;
    let drill = match what.drill {
        true => Some(Drill::start(Options::default()).await?),
        false => None,
    };
    if let Some(drill) = &drill {
        settings = practise(settings, drill)?;
    }
    let prepared = match prepare(what, settings.clone(), true, output).await? {
        Ready::Go(prepared) => *prepared,
        Ready::Stop(exit) => return Ok(exit),
    };
    let Prepared { plan, sandbox } = prepared;
    let context = driving::context(&what.workflow, &settings)?;
    let options = DriveOptions { plan_only: true, ..driving::options(&settings) };
    // Nothing of a plan is kept: it is no run.
    let journal: Arc<dyn Journal> = Arc::new(MemoryJournal::default());
    let (run, owner, stop) = (RunId::fresh(), wiring::owner()?, CancellationToken::new());
    let (by, planned, kept) = (person::name(), plan.clone(), context.clone());
    let ready = scheduler::start(&run, plan, &by, what.drill, context, &*journal, &owner).await?;
    let driving =
        scheduler::drive(ready, Arc::clone(&journal), Arc::new(sandbox), stop.clone(), options);
    tokio::select! {
        driven = driving => driven?,
        () = signals::watch(&stop, output) => bail!("stopped; nothing was changed"),
    };
    let events = super::runs::events(&*journal, &run).await?;
    let view = RunView::from_events(&events).context("the plan has no start")?;
    if let Some(path) = &arguments.out {
        PlanFile::of(&run, &planned, &kept, what.drill, &events).write(path)?;
    }
    if what.json {
        output.line(&views::escape::json(views::plan::json(&view).to_string()));
    } else {
        output.text(&views::plan::text(&view, &output.look()));
        if let Some(path) = &arguments.out {
            let run = run_of(what, path);
            output.note(&format!("to make these writes and no others, once: {run}"));
        }
    }
    Ok(Exit::of_plan(&view))
}

/// What carries the plan out that is kept at `plan`: said as it was said to make it.
fn run_of(what: &WorkflowArguments, plan: &Path) -> String {
    let file = |path: &Path| shell_word(&path.display().to_string()).into_owned();
    let mut words = vec!["bowline run".to_owned(), file(&what.workflow)];
    words.extend(what.drill.then(|| "--drill".to_owned()));
    for (name, path) in [("--config", &what.config.config), ("--params-file", &what.params_file)] {
        words.extend(path.iter().map(|path| format!("{name} {}", file(path))));
    }
    words.extend(what.parameters.iter().map(|given| format!("-p {}", shell_word(given))));
    words.push(format!("--plan-file {}", file(plan)));
    words.join(" ")
}
