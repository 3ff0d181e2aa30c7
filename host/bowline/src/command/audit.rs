//! `bowline audit RUN` and `bowline audit verify`: the journal as the record of decisions, and
//! whether it is still what was written.

use crate::arguments::{AuditArguments, AuditCommand, ConfigArguments};
use crate::command::runs;
use crate::exit::Exit;
use crate::output::Output;
use crate::wiring;
use anyhow::Context as _;
use journal::audit::{Audited, Finding, Which, verify};
use journal::{Journal, JournalError, Recorded, RunId};
use std::path::Path;
use views::audit::{Audit, Proof};
use views::verdict;

/// Events read at a time.
const EVENTS_AT_ONCE: usize = 1_000;

pub(crate) async fn run(arguments: &AuditArguments, output: &Output) -> anyhow::Result<Exit> {
    match (&arguments.command, &arguments.run) {
        (Some(AuditCommand::Verify { run, config, json }), _) => {
            check(run.as_deref(), config, *json, output)
        }
        (None, run) => {
            let run = run.as_deref().context("which run? `bowline runs list` shows them")?;
            record(run, &arguments.config, arguments.json, output).await
        }
    }
}

/// Prints each finding as it comes, and what was checked.
fn check(
    run: Option<&str>,
    config: &ConfigArguments,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let which = match run {
        None => Which::All,
        Some("@latest") => Which::Latest,
        Some(name) => Which::Named(name.parse()?),
    };
    let path = wiring::store_path(&wiring::settings(config, None)?)?;
    let look = output.look();
    let done = verify(&path, &which, &mut |finding| {
        if as_json {
            output.line(&verdict::finding_json(&finding));
        } else {
            output.text(&verdict::finding(&finding, &look));
        }
    })?;
    if as_json {
        output.line(&verdict::summary_json(&done));
    } else {
        output.text(&verdict::summary(&done, &look));
    }
    Ok(if done.findings == 0 { Exit::Success } else { Exit::Failure })
}

/// Prints the decisions of one run, as far as its events can be read. Fails if something is wrong
/// with its chain.
async fn record(
    run: &str,
    config: &ConfigArguments,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let settings = wiring::settings(config, None)?;
    let path = wiring::store_path(&settings)?;
    let journal = wiring::journal(&settings)?;
    let run = runs::find(&*journal, run).await?;
    let (events, damage) = events(&*journal, &run).await;
    let Some(audit) = Audit::from_events(&events) else {
        let damage = damage.map_or_else(|| anyhow::anyhow!("it has no start"), Into::into);
        return Err(damage.context(format!("nothing of run {run} can be read")));
    };
    let (done, finding) = proof(&path, &run).await?;
    let proof = Proof { done: &done, finding: finding.as_ref() };
    if as_json {
        for line in views::audit::lines(&audit, Some(proof)) {
            output.line(&line);
        }
    } else {
        output.text(&views::audit::page(&audit, Some(proof), &output.look()));
    }
    if let Some(damage) = damage {
        output.error(&format!("the record ends here: {:#}", anyhow::Error::from(damage)));
        return Ok(Exit::Failure);
    }
    Ok(if finding.is_none() { Exit::Success } else { Exit::Failure })
}

/// The events up to the first that can't be read, and why that can't.
async fn events(journal: &dyn Journal, run: &RunId) -> (Vec<Recorded>, Option<JournalError>) {
    let mut all = Vec::new();
    let mut most = EVENTS_AT_ONCE;
    loop {
        match journal.events(run, all.len() as u64, most).await {
            Ok(some) => {
                let last = some.len() < most;
                all.extend(some);
                if last {
                    return (all, None);
                }
            }
            Err(damage) if most == 1 => return (all, Some(damage)),
            // Somewhere in this page; one by one what is before it can be read.
            Err(_) => most = 1,
        }
    }
}

async fn proof(path: &Path, run: &RunId) -> anyhow::Result<(Audited, Option<Finding>)> {
    let (path, which) = (path.to_owned(), Which::Named(run.clone()));
    let checked = tokio::task::spawn_blocking(move || {
        let mut first = None;
        let done = verify(&path, &which, &mut |finding| {
            first.get_or_insert(finding);
        });
        done.map(|done| (done, first))
    });
    Ok(checked.await.context("the check of the chain broke off")??)
}
