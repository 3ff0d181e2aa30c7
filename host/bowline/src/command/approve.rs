//! `bowline approve RUN STEP` and `bowline deny RUN STEP`: what a person says, under the name that
//! the system knows.

use super::resume::step;
use super::runs::{events, find};
use crate::arguments::ApprovalArguments;
use crate::exit::Exit;
use crate::output::Output;
use crate::{person, wiring};
use anyhow::{Context as _, bail};
use connections::approvals::may_answer;
use journal::{Decided, Decision, Verdict};
use views::{RunView, StepStatus};

pub(crate) async fn run(
    arguments: &ApprovalArguments,
    verdict: Verdict,
    output: &Output,
) -> anyhow::Result<Exit> {
    let journal = wiring::journal(&wiring::settings(&arguments.config, None)?)?;
    let run = find(&*journal, &arguments.run).await?;
    let events = events(&*journal, &run).await?;
    let view = RunView::from_events(&events).with_context(|| format!("run {run} has no start"))?;
    let step = step(&view, &arguments.step)?;
    let state = scheduler::replay(&run, &*journal).await?;
    let question = match state.open_question(&step) {
        Some((question, None)) => question.clone(),
        Some((_, Some(_call))) => bail!(
            "`{step}` does not wait for an approval: nobody knows what came of one of its writes; \
             `bowline runs show {run}` tells which, `bowline runs resolve {run} {step}` settles it"
        ),
        None => {
            let over = view.approvals().filter(|(of, _)| of.name == step).last();
            if let Some((_, over)) = over {
                bail!(
                    "{} has answered before: {}; that counts",
                    over.by.join(", "),
                    over.verdict.as_str()
                );
            }
            if view.steps.iter().any(|of| of.name == step && of.status == StepStatus::Waiting) {
                bail!(
                    "an earlier version wrote down that `{step}` waits, and not what it asks; \
                     `bowline runs resume {run}` asks it again, then answer"
                );
            }
            bail!(
                "`{step}` waits for no approval; `bowline runs show {run}` tells how the run stands"
            )
        }
    };
    let me = person::who_am_i();
    if let Err(why) = may_answer(&question, &me) {
        output.error(&why);
        return Ok(Exit::Denied);
    }
    let (digest, by, reason) = (question.digest, me.name, arguments.reason.clone());
    let decision = Decision { step: step.clone(), digest, verdict, by, reason };
    match journal.decide(&run, decision).await? {
        Decided::Counted { missing: 0 } => {
            output.note(&format!("`{step}` is {}", verdict.as_str()));
            let lives = journal.run(&run).await?.is_some_and(|run| run.finished_at.is_none());
            if lives {
                output.note(&format!(
                    "if no process drives the run, `bowline runs resume {run}` goes on with it"
                ));
            }
        }
        Decided::Counted { missing } => {
            output.note(&format!("noted; {missing} more must approve `{step}`"));
        }
        Decided::Already { verdict: Verdict::Expired, .. } => {
            bail!("the time for an answer is over; `{step}` counts as rejected")
        }
        Decided::Already { verdict, by } => {
            bail!("{by} has answered before: {}; that counts", verdict.as_str())
        }
        Decided::Changed => bail!(
            "something else is asked now than when this was looked at; look again: \
             `bowline runs show {run}`"
        ),
        Decided::NotAsked => bail!("`{step}` waits for no approval any more"),
    }
    Ok(Exit::Success)
}
