//! `bowline runs resume|retry|resolve RUN`: brings a run to its end that another process has begun.

use super::drill::practise;
use super::run::{changes, form, remedies};
use super::runs::{events, find};
use crate::arguments::{ConfigArguments, ResolveArguments, ResumeArguments, RetryArguments};
use crate::driving::{self, Begin, Companion, Ride};
use crate::exit::Exit;
use crate::lock::Asking;
use crate::output::Output;
use crate::stage::{self, Setting, Staged};
use crate::{person, wiring};
use anyhow::{Context as _, bail};
use connections::Settings;
use drill::{Drill, Options};
use journal::{
    Decided, Decision, Event, Journal, JournalError, Owner, Recorded, RunContext, RunId, RunStatus,
    Verdict,
};
use sandbox::Sandbox;
use scheduler::DriveOptions;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use views::RunView;
use workflow::{Plan, StepName};

/// The most runs that go on beside another one.
const COMPANIONS_MAX: usize = 16;

/// The most runs that are looked at for that: those that can't go on must not keep the others from
/// it.
const LOOKED_AT_MAX: usize = 256;

pub(crate) async fn resume(arguments: &ResumeArguments, output: &Output) -> anyhow::Result<Exit> {
    let journal = wiring::journal(&wiring::settings(&arguments.config, None)?)?;
    let run = find(&*journal, &arguments.run).await?;
    let known = all(&*journal, &run).await?;
    if known.view.status.is_final() {
        return Ok(show_end(&known.view, arguments.json, output));
    }
    let claim = claim(&*journal, &run).await?;
    go_on(journal, claim, &arguments.config, arguments.json, output).await
}

/// `bowline runs retry RUN --from STEP`: what is done stays done.
pub(crate) async fn retry(arguments: &RetryArguments, output: &Output) -> anyhow::Result<Exit> {
    let journal = wiring::journal(&wiring::settings(&arguments.config, None)?)?;
    let run = find(&*journal, &arguments.run).await?;
    // Looked at while nobody else can write to it: of two who try again at once, one does.
    let claim = claim(&*journal, &run).await?;
    if let Err(refused) = reopen(arguments, &*journal, &claim).await {
        journal.release(&claim).await?;
        return Err(refused);
    }
    go_on(journal, claim, &arguments.config, arguments.json, output).await
}

/// Opens a run again that has ended, if nothing speaks against it.
async fn reopen(
    arguments: &RetryArguments,
    journal: &dyn Journal,
    claim: &journal::Claim,
) -> anyhow::Result<()> {
    let run = &claim.run;
    let state = scheduler::replay(run, journal).await?;
    if !state.status().is_final() {
        bail!(
            "run {run} has not ended: `bowline runs resume {run}` goes on with it, \
             `bowline runs cancel {run}` ends it"
        );
    }
    let known = all(journal, run).await?;
    if known.view.drill {
        bail!("run {run} was a drill, and its practice services are gone; start it anew");
    }
    let from = arguments.from.as_deref().map(|name| step(&known.view, name)).transpose()?;
    let steps = state.behind(from.as_ref())?;
    if steps.is_empty() {
        bail!("no step of run {run} failed; `--from STEP` says which to try again");
    }
    if let Some(repeated) = repeated(&known.view, &steps).filter(|_| !arguments.repeat) {
        bail!(
            "this would do again what was done, or may have been: {repeated}. `--repeat` does so \
             all the same; nothing was started"
        );
    }
    let heard = journal.requests(run, 0).await?.last().map_or(0, |(number, _)| *number);
    let reopened = Event::RunReopened { by: person::name(), steps, heard };
    journal.append(claim, vec![reopened]).await?;
    Ok(())
}

/// `bowline runs resolve RUN STEP --outcome done|not-done`.
pub(crate) async fn resolve(arguments: &ResolveArguments, output: &Output) -> anyhow::Result<Exit> {
    let journal = wiring::journal(&wiring::settings(&arguments.config, None)?)?;
    let run = find(&*journal, &arguments.run).await?;
    let known = all(&*journal, &run).await?;
    let step = step(&known.view, &arguments.step)?;
    let state = scheduler::replay(&run, &*journal).await?;
    let question = match state.open_question(&step) {
        Some((question, Some(_call))) => question.clone(),
        Some((_, None)) => bail!(
            "`{step}` waits for an approval: `bowline approve {run} {step}` or `bowline deny \
             {run} {step}`"
        ),
        None => {
            bail!("nothing of `{step}` is in doubt; `bowline runs show {run}` tells how it stands")
        }
    };
    let verdict = match arguments.outcome {
        crate::arguments::Outcome::Done => Verdict::Done,
        crate::arguments::Outcome::NotDone => Verdict::NotDone,
    };
    let decision = Decision {
        step: step.clone(),
        digest: question.digest,
        verdict,
        by: person::name(),
        reason: arguments.reason.clone(),
    };
    match journal.decide(&run, decision).await? {
        Decided::Counted { .. } => {
            output.note(&format!("noted: {}", verdict.as_str()));
            output.note(&format!("`bowline runs resume {run}` goes on with the run"));
            Ok(Exit::Success)
        }
        Decided::Already { verdict, by } => {
            bail!("{by} has said so before: {}; it counts", verdict.as_str())
        }
        Decided::Changed | Decided::NotAsked => bail!(
            "the question is not open any more; `bowline runs show {run}` tells how it stands"
        ),
    }
}

/// Runs that could go on and that nobody drives, ready to be driven beside another one. Those that
/// can't be are named.
pub(crate) async fn left_behind(
    journal: &Arc<dyn Journal>,
    output: &Output,
) -> anyhow::Result<Vec<Companion>> {
    let mut ready = Vec::new();
    let mut left_over = 0;
    for summary in journal.reap(&|owner: &Owner| !owner.lives(), LOOKED_AT_MAX).await? {
        let run = summary.run;
        if ready.len() == COMPANIONS_MAX {
            left_over += 1;
            continue;
        }
        match companion(journal, &run, output).await {
            Ok(Some(ride)) => {
                let workflow = summary.workflow;
                ready.push(Companion { run, workflow, ride });
            }
            Ok(None) => {}
            Err(error) => output.note(&format!(
                "run {run} of {} was interrupted and can't go on by itself: {error:#}; \
                 `bowline runs resume {run}` tries again",
                crate::output::visible(&summary.workflow)
            )),
        }
    }
    if left_over > 0 {
        output.note(&format!(
            "{left_over} more runs were interrupted; the next `bowline run` goes on with them"
        ));
    }
    Ok(ready)
}

async fn companion(
    journal: &Arc<dyn Journal>,
    run: &RunId,
    output: &Output,
) -> anyhow::Result<Option<Ride>> {
    let known = all(&**journal, run).await?;
    // A drill's services are gone, and whoever wants it can start it anew.
    if known.view.drill {
        return Ok(None);
    }
    let Some(settings) = &known.context.settings else {
        bail!("it is not known with which settings it was started");
    };
    // Whoever starts a run lets it use the credentials of the own environment, and of nobody else's.
    if known.view.by != person::name() {
        bail!("{} has started it", crate::output::visible(&known.view.by));
    }
    refuse_others(Path::new(settings))?;
    let settings = Settings::read(Path::new(settings))?;
    let Some(sandbox) = set(&known, settings.clone(), false, output).await? else {
        bail!("it is denied what it needs");
    };
    let held = match claim(&**journal, run).await {
        Ok(held) => held,
        Err(error) if was_faster(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let ridden = ride(&**journal, held.clone(), sandbox, &settings, true).await;
    if ridden.is_err() {
        // Why it can't go on is told; that it stays held until this process ends is not needed.
        let _ = journal.release(&held).await;
    }
    ridden.map(Some)
}

/// Whether a claim failed only because another process holds the run.
fn was_faster(error: &anyhow::Error) -> bool {
    let known = error.downcast_ref::<JournalError>();
    known.is_some_and(|error| matches!(error, JournalError::Held { .. }))
}

/// Drives a claimed run to its end. Whoever can't leaves it free, at the latest when this process
/// ends.
async fn go_on(
    journal: Arc<dyn Journal>,
    claim: journal::Claim,
    config: &ConfigArguments,
    json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    // Nothing of this is read or run for a run that somebody else drives.
    let known = all(&*journal, &claim.run).await?;
    if known.view.status.is_final() {
        journal.release(&claim).await?;
        return Ok(show_end(&known.view, json, output));
    }
    let mut settings = settings_of(&known, config)?;
    let drill = match known.view.drill {
        true => Some(Drill::start(Options::default()).await?),
        false => None,
    };
    if let Some(drill) = &drill {
        output.note("this run is a drill; its practice services start fresh");
        settings = practise(settings, drill)?;
    }
    let Some(sandbox) = set(&known, settings.clone(), drill.is_some(), output).await? else {
        output.error("nothing was done");
        journal.release(&claim).await?;
        return Ok(Exit::Denied);
    };
    let ride = ride(&*journal, claim, sandbox, &settings, drill.is_none()).await?;
    let before = drill.as_ref().map(Drill::picture);
    let ridden = driving::ride(ride, Vec::new(), journal, form(json, output), output).await;
    let view = match ridden {
        Ok(Some(view)) => view,
        Ok(None) => return Ok(Exit::Cancelled),
        Err(error) => {
            output.error(&format!("{error:#}"));
            return Ok(Exit::Failure);
        }
    };
    if json && view.status == known.view.status && view.status == RunStatus::Waiting {
        // It waited before and still does, so no event came that would say so.
        output.line(&views::json::finished(&view));
    }
    if !json {
        output.text(&views::text::summary(&view, &output.look()));
        remedies(&view, &settings, output);
        if let (Some(drill), Some(before)) = (&drill, before) {
            changes(drill, &before, output);
        }
    }
    Ok(Exit::of_run(&view))
}

fn show_end(view: &RunView, json: bool, output: &Output) -> Exit {
    if json {
        output.line(&views::json::finished(view));
    } else {
        output.note(&format!("run {} has ended already", view.run));
        output.text(&views::text::summary(view, &output.look()));
    }
    Exit::of_run(view)
}

async fn ride(
    journal: &dyn Journal,
    claim: journal::Claim,
    sandbox: Sandbox,
    settings: &Settings,
    replays: bool,
) -> anyhow::Result<Ride> {
    // Read again: whoever had it before may have written until it was claimed.
    let known = all(journal, &claim.run).await?;
    let resumed_by = Some(person::name());
    let options = DriveOptions { resumed_by, replays, ..driving::options(settings) };
    let (run, events) = (claim.run.clone(), known.events);
    let begin = Begin::Again { claim, view: Box::new(known.view), events };
    Ok(Ride { run, begin, sandbox, options })
}

/// What the journal knows of a run.
struct Known {
    view: RunView,
    plan: Plan,
    context: RunContext,
    events: u64,
}

async fn all(journal: &dyn Journal, run: &RunId) -> anyhow::Result<Known> {
    let events: Vec<Recorded> = events(journal, run).await?;
    let view = RunView::from_events(&events).with_context(|| format!("run {run} has no start"))?;
    let (plan, context) = match events.first().map(|recorded| &recorded.event) {
        Some(Event::RunStarted { plan, context, .. }) => ((**plan).clone(), (**context).clone()),
        _ => bail!("run {run} has no start"),
    };
    Ok(Known { view, plan, context, events: events.len() as u64 })
}

async fn claim(journal: &dyn Journal, run: &RunId) -> anyhow::Result<journal::Claim> {
    let gone = |owner: &Owner| !owner.lives();
    Ok(journal.claim(run, &wiring::owner()?, &gone).await?)
}

/// The settings of then, unless others are named now.
fn settings_of(known: &Known, config: &ConfigArguments) -> anyhow::Result<Settings> {
    let then = known.context.settings.as_ref().map(PathBuf::from);
    match (&config.config, then) {
        (None, Some(then)) => {
            let read = refuse_others(&then).and_then(|()| Ok(Settings::read(&then)?));
            read.with_context(|| {
                format!(
                    "run {} was started with these settings; name others with --config",
                    known.view.run
                )
            })
        }
        (_, _) => {
            let workflow = workflow_of(known);
            wiring::settings(config, Some(&workflow))
        }
    }
}

/// Settings say where credentials of this user's environment are sent, so those that another user
/// has written are taken only if they are named.
fn refuse_others(settings: &Path) -> anyhow::Result<()> {
    let owner = std::fs::metadata(settings).map(|file| file.uid());
    let others = owner.is_ok_and(|owner| owner != 0 && owner != nix::unistd::getuid().as_raw());
    if others {
        bail!("`{}` belongs to another user", settings.display());
    }
    Ok(())
}

fn workflow_of(known: &Known) -> PathBuf {
    known.context.workflow.as_ref().unwrap_or(&known.plan.source).into()
}

async fn set(
    known: &Known,
    settings: Settings,
    drill: bool,
    output: &Output,
) -> anyhow::Result<Option<Sandbox>> {
    let workflow = workflow_of(known);
    let asking = Asking::Nobody;
    let setting = Setting { workflow: &workflow, drill, asking, plan_only: false };
    let place = |step: &str, _: &sandbox::Reference| format!("step `{step}`");
    Ok(match stage::set(&known.plan, settings, setting, &place, output).await? {
        Staged::Ready(sandbox) => Some(*sandbox),
        Staged::Stopped(_exit) => None,
    })
}

/// A step of the run by its name.
pub(crate) fn step(view: &RunView, name: &str) -> anyhow::Result<StepName> {
    let known = view.steps.iter().find(|step| step.name.as_str() == name);
    let names: Vec<&str> = view.steps.iter().map(|step| step.name.as_str()).collect();
    let known = known.with_context(|| {
        let (run, name) = (&view.run, name.escape_debug());
        format!("run {run} has no step `{name}`; there are {}", names.join(", "))
    })?;
    Ok(known.name.clone())
}

/// What would be done a second time, in words: what steps have changed that are run from their
/// start. A step that failed is told again what it was told, up to its last change.
fn repeated(view: &RunView, steps: &[StepName]) -> Option<String> {
    let again = view.steps.iter().filter(|step| steps.contains(&step.name));
    let done = again.filter(|step| step.status == views::StepStatus::Success);
    let told: Vec<String> = done
        .filter_map(|step| {
            let changed = step.effects.iter().filter(|effect| effect.changed());
            let effects: Vec<&str> = changed
                .filter_map(|effect| effect.effect.as_ref())
                .map(|effect| effect.operation.as_str())
                .collect();
            (!effects.is_empty()).then(|| format!("`{}` {}", step.name, effects.join(", ")))
        })
        .collect();
    (!told.is_empty()).then(|| crate::output::visible(&told.join("; ")))
}
