//! `rollout status`: says how far a rollout is, and waits for its end.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::Call;
use crate::outcome::Done;
use crate::rollout::status::{Progress, progress};
use crate::session::{Session, Target};
use crate::waiting;
use bowline_sdk::Failure;

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "status"],
    flags: &["watch", "timeout", "revision", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs { watches: true, ..Needs::only(&["get"]) },
    run: Run::Each { check, one: status },
};

fn check(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    call.truth("watch", true)?;
    revision(call)?;
    only_objects(call)
}

/// `--revision`, 0 when absent.
pub(crate) fn revision(call: &Call<'_>) -> Result<i64, Failure> {
    match call.number("revision")?.unwrap_or_default() {
        revision if revision < 0 => {
            Err(Failure::config(format!("revision must be a positive integer: {revision}")))
        }
        revision => Ok(revision),
    }
}

fn status(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let revision = revision(session.call)?;
    if !target.kind.rolls_out() {
        let kind = &target.kind.name;
        let text = format!("no status viewer has been implemented for {kind}");
        return Err(Failure::config(text));
    }
    if session.call.truth("watch", true)? {
        // The first look is that of the wait, but a namespace may be missing.
        session.get(target)?;
        let message = waiting::rollout(session, target, None, revision)?;
        return Ok(Done::new(false, message).with("done", true));
    }
    let object = session.get(target)?;
    match progress(&target.kind.name, &object, revision) {
        Progress::Done(message) => Ok(Done::new(false, message).with("done", true)),
        Progress::Going(message) => Ok(Done::new(false, message).with("done", false)),
        Progress::Failed(code, message) => {
            let failure = Failure::permanent(code, message);
            Err(match code {
                "rollout-failed" => waiting::explained(session, target, failure, &object),
                _ => failure,
            })
        }
    }
}
