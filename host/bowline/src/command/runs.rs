//! `bowline runs list|show|logs|watch|cancel|report|prune`: what the journal knows.

use super::resume;
use crate::arguments::{ConfigArguments, RunsCommand};
use crate::exit::Exit;
use crate::live::{Form, follow};
use crate::output::Output;
use crate::{person, signals, wiring};
use anyhow::{Context as _, bail};
use async_trait::async_trait;
use journal::{
    Event, Failure, Journal, JournalError, Owner, Recorded, Request, RunId, RunSummary,
    StepRecorder,
};
use scheduler::{DriveOptions, StepInvocation, StepOutcome, StepRunner};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;
use views::RunView;
use workflow::StepName;

/// How often the journal is asked for news of a run in another process: a person does not feel it.
const NEWS_EVERY: Duration = Duration::from_millis(100);

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
        RunsCommand::Logs { run, step, config, follow, json } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            logs(&*journal, &run, step.as_deref(), (*json, *follow), output).await?;
        }
        RunsCommand::Watch { run, config, json } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            return watch(&*journal, &run, *json, output).await;
        }
        RunsCommand::Resume(arguments) => return resume::resume(arguments, output).await,
        RunsCommand::Retry(arguments) => return resume::retry(arguments, output).await,
        RunsCommand::Resolve(arguments) => return resume::resolve(arguments, output).await,
        RunsCommand::Report { run, config } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            let events = events(&*journal, &run).await?;
            let view = view(&run, &events)?;
            output.text(&views::report::markdown(&view, &events));
        }
        RunsCommand::Prune { older_than, dry_run, config } => {
            prune(&*open(config)?, *older_than, *dry_run, output).await?;
        }
        RunsCommand::Cancel { run, config } => {
            let journal = open(config)?;
            let run = find(&*journal, run).await?;
            cancel(journal, &run, output).await?;
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
    let view = view(run, &events)?;
    if !as_json {
        let driven = is_driven(journal, run).await?;
        output.text(&views::show::page_of(&view, Some(driven), &output.look()));
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
    (as_json, follow): (bool, bool),
    output: &Output,
) -> anyhow::Result<()> {
    let mut page = events(journal, run).await?;
    let mut view = view(run, &page)?;
    let step = step.map(|name| resume::step(&view, name)).transpose()?;
    let mut read = page.len() as u64;
    loop {
        print_logs(&view, &page, step.as_ref(), as_json, output);
        // Looked at before the next page, so that the last lines of a run that ends are in it.
        let goes_on = follow && is_driven(journal, run).await?;
        if !goes_on {
            page = events_from(journal, run, read).await?;
            print_logs(&view, &page, step.as_ref(), as_json, output);
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(NEWS_EVERY) => {}
            () = signals::interrupted() => return Ok(()),
        }
        page = events_from(journal, run, read).await?;
        read += page.len() as u64;
        page.iter().for_each(|recorded| view.apply(recorded));
    }
}

fn print_logs(
    view: &RunView,
    events: &[Recorded],
    step: Option<&StepName>,
    as_json: bool,
    output: &Output,
) {
    if !as_json {
        output.text(&views::logs::lines(events, step, &output.look()));
        return;
    }
    for recorded in events {
        let wanted = match &recorded.event {
            Event::StepLogged { step: of, .. } => step.is_none_or(|step| step == of),
            _ => false,
        };
        if wanted {
            output.line(&views::json::line(view, recorded));
        }
    }
}

/// Follows a run of another process until it ends, waits for a person, or nobody drives it.
async fn watch(
    journal: &dyn Journal,
    run: &RunId,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let (tell, heard) = unbounded_channel();
    // Owns `tell`: who listens hears that nothing more comes when this has ended.
    let reading = async move {
        tokio::select! {
            read = tell_news(journal, run, &tell) => read,
            () = signals::interrupted() => Ok(()),
        }
    };
    let form = match as_json {
        true => Form::Json,
        false if output.is_live() => Form::Tree,
        false => Form::Lines,
    };
    let (read, view) = tokio::join!(reading, follow(heard, form, output, None));
    read?;
    let view = view.with_context(|| format!("run {run} has no start"))?;
    if !view.status.is_final() && !is_driven(journal, run).await? && !as_json {
        output.text(&views::show::page_of(&view, Some(false), &output.look()));
    }
    Ok(Exit::of_run(&view))
}

/// Tells what is written of a run, until nobody drives it.
async fn tell_news(
    journal: &dyn Journal,
    run: &RunId,
    tell: &UnboundedSender<Recorded>,
) -> anyhow::Result<()> {
    let mut read = 0;
    loop {
        // Looked at before the page, so that the last events of a run that ends are in it.
        let driven = is_driven(journal, run).await?;
        let page = events_from(journal, run, read).await?;
        read += page.len() as u64;
        for recorded in page {
            // Nobody listens any more: nobody misses it.
            let _ = tell.send(recorded);
        }
        if !driven {
            return Ok(());
        }
        tokio::time::sleep(NEWS_EVERY).await;
    }
}

/// Whether a living process drives the run.
async fn is_driven(journal: &dyn Journal, run: &RunId) -> anyhow::Result<bool> {
    Ok(journal.owner(run).await?.is_some_and(|owner: Owner| owner.lives()))
}

async fn prune(
    journal: &dyn Journal,
    older_than: Duration,
    try_only: bool,
    output: &Output,
) -> anyhow::Result<()> {
    let now = jiff::Timestamp::now().as_millisecond();
    let age = i64::try_from(older_than.as_millis()).unwrap_or(i64::MAX);
    let pruned = journal.prune(now.saturating_sub(age), try_only).await?;
    let what = format!("{} runs with {} events", pruned.runs, pruned.events);
    output.note(&match (try_only, pruned.runs) {
        (_, 0) => "no run that has ended is that old".to_owned(),
        (true, _) => format!("would forget {what}"),
        (false, _) => format!("forgot {what}; {} KiB were given back", pruned.bytes / 1024),
    });
    Ok(())
}

fn view(run: &RunId, events: &[Recorded]) -> anyhow::Result<RunView> {
    RunView::from_events(events).with_context(|| format!("run {run} has no start"))
}

async fn cancel(journal: Arc<dyn Journal>, run: &RunId, output: &Output) -> anyhow::Result<()> {
    let summary = journal.run(run).await?.with_context(|| format!("there is no run {run}"))?;
    if summary.finished_at.is_some() {
        bail!("run {run} has ended already: {}", summary.status.as_str());
    }
    journal.ask(run, Request::Cancel { by: person::name() }).await?;
    if is_driven(&*journal, run).await? {
        output.note(&format!("run {run} was asked to stop"));
        return Ok(());
    }
    // Nobody else would end it, and ending it needs no plugin and no connection.
    let gone = |owner: &Owner| !owner.lives();
    let claim = match journal.claim(run, &wiring::owner()?, &gone).await {
        Ok(claim) => claim,
        Err(JournalError::Held { .. }) => {
            output.note(&format!("run {run} was asked to stop"));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let (stop, options) = (CancellationToken::new(), DriveOptions::default());
    let ready = scheduler::take_up(claim, &*journal).await?;
    scheduler::drive(ready, Arc::clone(&journal), Arc::new(Nobody), stop, options).await?;
    output.note(&format!("nobody drove run {run}; it is cancelled"));
    Ok(())
}

/// Runs nothing: for a run that only has to be ended.
struct Nobody;

#[async_trait]
impl StepRunner for Nobody {
    async fn run_step(
        &self,
        _invocation: StepInvocation,
        _recorder: StepRecorder,
        _stop: CancellationToken,
    ) -> StepOutcome {
        Err(Failure::permanent("run.cancelled", "the run is being cancelled"))
    }
}

pub(crate) async fn events(journal: &dyn Journal, run: &RunId) -> anyhow::Result<Vec<Recorded>> {
    events_from(journal, run, 0).await
}

async fn events_from(
    journal: &dyn Journal,
    run: &RunId,
    from: u64,
) -> anyhow::Result<Vec<Recorded>> {
    let mut all = Vec::new();
    loop {
        let some = journal.events(run, from + all.len() as u64, EVENTS_AT_ONCE).await?;
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
