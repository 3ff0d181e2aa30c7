//! Drives a run in this process and shows it; beside it, runs that an earlier process left behind.

use crate::approvals::OperatorsApprovals;
use crate::live::{Form, follow};
use crate::output::Output;
use crate::tap::Tap;
use crate::{person, signals, wiring};
use anyhow::Context as _;
use connections::Settings;
use journal::{Claim, Journal, Owner, RunContext, RunId, Seed};
use sandbox::Sandbox;
use scheduler::DriveOptions;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use views::RunView;
use workflow::Plan;

/// A run that is about to be driven.
pub(crate) struct Ride {
    pub(crate) run: RunId,
    pub(crate) begin: Begin,
    pub(crate) sandbox: Sandbox,
    pub(crate) options: DriveOptions,
}

/// Where it begins.
pub(crate) enum Begin {
    /// At its start.
    New { plan: Box<Plan>, context: RunContext, drill: bool },
    /// Where another process has left it.
    Again {
        claim: Claim,
        view: Box<RunView>,
        /// How many events it has.
        events: u64,
    },
}

/// A run of another process that goes on beside the own one.
pub(crate) struct Companion {
    pub(crate) run: RunId,
    pub(crate) workflow: String,
    pub(crate) ride: Ride,
}

/// What a run needs to be driven on by another process.
pub(crate) fn context(workflow: &Path, settings: &Settings) -> anyhow::Result<RunContext> {
    let absolute = |path: &Path| -> anyhow::Result<String> {
        let path = std::path::absolute(path)
            .with_context(|| format!("can't tell where `{}` is", path.display()))?;
        Ok(path.display().to_string())
    };
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        anyhow::anyhow!("the system gives no random numbers, and steps need some: {error}")
    })?;
    Ok(RunContext {
        seed: Some(Seed::new(bytes)),
        workflow: Some(absolute(workflow)?),
        settings: settings.path.as_deref().map(absolute).transpose()?,
        bound: None,
    })
}

/// How runs with these settings are driven.
pub(crate) fn options(settings: &Settings) -> DriveOptions {
    let approvals = Arc::new(OperatorsApprovals(settings.approvals.clone()));
    DriveOptions { approvals, ..DriveOptions::default() }
}

/// Drives the run to its end, shows it in `form`, and gives what is known then; None when somebody
/// did not want to wait for that. Companions go on beside it, without being shown, and are waited
/// for.
pub(crate) async fn ride(
    ride: Ride,
    companions: Vec<Companion>,
    journal: Arc<dyn Journal>,
    form: Form,
    output: &Output,
) -> anyhow::Result<Option<RunView>> {
    let owner = wiring::owner()?;
    let stop = CancellationToken::new();
    let run = ride.run.clone();
    let (position, seen) = match &ride.begin {
        Begin::New { .. } => (0, None),
        Begin::Again { view, events, .. } => (*events, Some((**view).clone())),
    };
    let (tap, heard) = Tap::new(Arc::clone(&journal), position);
    // A task of its own: the thread that waits here would have to be woken for each event.
    let mut own = JoinSet::new();
    own.spawn(drive(ride, Arc::new(tap), owner.clone(), stop.clone()));
    let mut beside = JoinSet::new();
    for Companion { run, workflow, ride } in companions {
        output.note(&format!(
            "run {run} of {workflow} was interrupted before; it goes on beside this one"
        ));
        let (journal, owner, stop) = (Arc::clone(&journal), owner.clone(), stop.clone());
        beside.spawn(async move { (run, drive(ride, journal, owner, stop).await) });
    }
    let driving = async {
        let driven = own.join_next().await.context("the run was not driven")??;
        if !beside.is_empty() {
            output.note("waiting for the runs that go on beside this one (Ctrl-C stops them)");
        }
        while let Some(joined) = beside.join_next().await {
            let (run, driven) = joined?;
            output.note(&match driven {
                Ok(status) => format!("run {run} ended: {}", status.as_str()),
                Err(error) => format!("run {run} could not go on: {error:#}"),
            });
        }
        driven.map(|_status| ())
    };
    // The listener ends when the last one who writes is gone, so nothing that was written is
    // left unshown.
    let shown = async { tokio::join!(driving, follow(heard, form, output, seen)) };
    let (driven, view) = tokio::select! {
        shown = shown => shown,
        () = signals::watch(&stop, output) => {
            output.error(&format!(
                "stopped at once; run {run} may have been in the middle of a step: `bowline runs \
                 show {run}` tells what is known, `bowline runs resume {run}` brings it to its end"
            ));
            return Ok(None);
        }
    };
    driven?;
    view.map(Some).context("the run wrote nothing")
}

async fn drive(
    ride: Ride,
    journal: Arc<dyn Journal>,
    owner: Owner,
    stop: CancellationToken,
) -> anyhow::Result<journal::RunStatus> {
    let ready = match ride.begin {
        Begin::Again { claim, .. } => scheduler::take_up(claim, &*journal).await?,
        Begin::New { plan, context, drill } => {
            let by = person::name();
            scheduler::start(&ride.run, *plan, &by, drill, context, &*journal, &owner).await?
        }
    };
    Ok(scheduler::drive(ready, journal, Arc::new(ride.sandbox), stop, ride.options).await?)
}
