//! `bowline runs list|show|logs|cancel`: what the journal knows.

use crate::arguments::{ConfigArguments, RunsCommand};
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring;
use anyhow::{Context as _, bail};
use journal::{Event, Journal, Recorded, Request, RunId, RunSummary};
use std::sync::Arc;
use views::RunView;
use workflow::StepName;

/// Events read at a time.
const EVENTS_AT_ONCE: usize = 1_000;

/// Runs looked through for the beginning of a name.
const RUNS_AT_ONCE: usize = 500;

pub(crate) async fn run(command: &RunsCommand, output: &Output) -> anyhow::Result<Exit> {
    match command {
        RunsCommand::List { config, limit, json } => {
            let runs = open(config)?.runs(None, (*limit).max(1)).await?;
            list(&runs, *json, output);
        }
        RunsCommand::Show { run, config, json } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            show(&*journal, &run, *json, output).await?;
        }
        RunsCommand::Logs { run, step, config, json } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            logs(&*journal, &run, step.as_deref(), *json, output).await?;
        }
        RunsCommand::Cancel { run, config } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            cancel(&*journal, &run, output).await?;
        }
    }
    Ok(Exit::Success)
}

fn open(config: &ConfigArguments) -> anyhow::Result<Arc<dyn Journal>> {
    wiring::journal(&wiring::settings(config, None)?)
}

fn list(runs: &[RunSummary], as_json: bool, output: &Output) {
    if as_json {
        for run in runs {
            output.line(&views::json::summary(run));
        }
    } else if runs.is_empty() {
        output.note("no runs yet; `bowline run WORKFLOW` makes one");
    } else {
        let now = jiff::Timestamp::now().as_millisecond();
        output.text(&views::runs::table(runs, now, &output.look()));
    }
}

async fn show(
    journal: &dyn Journal,
    run: &RunId,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<()> {
    let events = events(journal, run).await?;
    let view = RunView::from_events(&events).with_context(|| format!("run {run} has no start"))?;
    if !as_json {
        output.text(&views::show::page(&view, &output.look()));
        return Ok(());
    }
    for recorded in &events {
        output.line(&views::json::line(&view, recorded));
    }
    Ok(())
}

async fn logs(
    journal: &dyn Journal,
    run: &RunId,
    step: Option<&str>,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<()> {
    let events = events(journal, run).await?;
    let view = RunView::from_events(&events).with_context(|| format!("run {run} has no start"))?;
    let step: Option<StepName> = match step {
        Some(name) => {
            let known = view.steps.iter().find(|step| step.name.as_str() == name);
            let names: Vec<&str> = view.steps.iter().map(|step| step.name.as_str()).collect();
            let known = known.with_context(|| {
                format!(
                    "run {run} has no step `{}`; there are {}",
                    name.escape_debug(),
                    names.join(", ")
                )
            })?;
            Some(known.name.clone())
        }
        None => None,
    };
    if !as_json {
        output.text(&views::logs::lines(&events, step.as_ref(), &output.look()));
        return Ok(());
    }
    for recorded in &events {
        let wanted = match &recorded.event {
            Event::StepLogged { step: of, .. } => step.as_ref().is_none_or(|step| step == of),
            _ => false,
        };
        if wanted {
            output.line(&views::json::line(&view, recorded));
        }
    }
    Ok(())
}

async fn cancel(journal: &dyn Journal, run: &RunId, output: &Output) -> anyhow::Result<()> {
    let summary = journal.run(run).await?.with_context(|| format!("there is no run {run}"))?;
    if summary.finished_at.is_some() {
        bail!("run {run} has ended already: {}", summary.status.as_str());
    }
    journal.ask(run, Request::Cancel { by: wiring::user() }).await?;
    output.note(&format!("run {run} was asked to stop"));
    Ok(())
}

async fn events(journal: &dyn Journal, run: &RunId) -> anyhow::Result<Vec<Recorded>> {
    let mut all = Vec::new();
    loop {
        let some = journal.events(run, all.len() as u64, EVENTS_AT_ONCE).await?;
        let last = some.len() < EVENTS_AT_ONCE;
        all.extend(some);
        if last {
            return Ok(all);
        }
    }
}

/// A run by its name, by the beginning of its name, or the newest (`@latest`).
pub(crate) async fn find(journal: &dyn Journal, text: &str) -> anyhow::Result<RunId> {
    if text == "@latest" {
        let newest = journal.runs(None, 1).await?;
        return newest.into_iter().next().map(|run| run.run).context("there are no runs yet");
    }
    let named: RunId = text.parse()?;
    if journal.run(&named).await?.is_some() {
        return Ok(named);
    }
    let mut found = Vec::new();
    let mut before: Option<RunId> = None;
    loop {
        let page = journal.runs(before.as_ref(), RUNS_AT_ONCE).await?;
        let last = page.len() < RUNS_AT_ONCE;
        before = page.last().map(|run| run.run.clone());
        found.extend(
            page.into_iter().map(|run| run.run).filter(|run| run.as_str().starts_with(text)),
        );
        if last || found.len() > 1 {
            break;
        }
    }
    match found.as_slice() {
        [run] => Ok(run.clone()),
        [] => bail!("there is no run `{text}`; `bowline runs list` shows those that there are"),
        _ => bail!("several runs begin with `{text}`; write more of the name"),
    }
}
