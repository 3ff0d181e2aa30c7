//! `delete`: removes the object that was looked at, and no other of its name.

use super::{Command, Needs, Run, each};
use crate::arguments::{Call, DryRun};
use crate::change::{is_conflict, made_anew};
use crate::members::{items, joined, put, text};
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::waiting::{self, Deadline};
use crate::{Outputs, command::apply, documents, wording};
use bowline_sdk::{Failure, log, retry};
use serde_json::{Map, Value};

/// This command.
pub const COMMAND: Command = Command {
    words: &["delete"],
    flags: &[
        "ignore-not-found",
        "wait",
        "timeout",
        "dry-run",
        "grace-period",
        "force",
        "now",
        "cascade",
        "selector",
        "field-selector",
        "all",
        "allow-empty",
    ],
    reads_documents: true,
    needs: Needs { watches: true, ..Needs::only(&["get", "delete"]) },
    run: Run::Whole(delete),
};

/// The most deletions that are sent when answers are lost.
const WRITES_MAX: u32 = 4;

fn delete(mut session: Session<'_>) -> Result<Outputs, Failure> {
    let call = session.call;
    options(call)?;
    call.timeout()?;
    call.truth("wait", true)?;
    let written = !call.inputs["manifest"].is_null() || !call.inputs["file"].is_null();
    let targets = match written {
        true if !call.words.is_empty() => {
            return Err(Failure::config("name objects or give `manifest` or `file`, not both"));
        }
        true => {
            let found = documents::read(call.inputs, "delete")?;
            let mut targets = Vec::new();
            for (target, _) in apply::targets(&session, &found)? {
                targets.push(target);
            }
            targets
        }
        false => session.targets(&call.words)?,
    };
    each(&mut session, targets, one)
}

/// What goes into the request.
fn options(call: &Call<'_>) -> Result<Value, Failure> {
    let mut options = Map::new();
    let policy = match call.flag("cascade") {
        None | Some("background" | "true") => "Background",
        Some("foreground") => "Foreground",
        Some("orphan" | "false") => "Orphan",
        Some(other) => {
            let other = bowline_sdk::shown(other);
            return Err(Failure::config(format!(
                "invalid cascade value ({other}). Must be \"background\", \"foreground\", or \"orphan\""
            )));
        }
    };
    put(&mut options, "propagationPolicy", policy);
    let force = call.truth("force", false)?;
    let grace = match (call.number("grace-period")?, call.truth("now", false)?) {
        (Some(_), true) => {
            return Err(Failure::config("--now and --grace-period cannot be specified together"));
        }
        (None, true) => Some(1),
        (None, false) if force => Some(0),
        (Some(0), false) if !force => Some(1),
        (given, _) => given.filter(|seconds| *seconds >= 0),
    };
    if let Some(grace) = grace {
        put(&mut options, "gracePeriodSeconds", grace);
    }
    Ok(options.into())
}

fn one(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let call = session.call;
    let force = call.truth("force", false)?;
    let label = target.kind.label();
    let place = match session.namespace(&target.kind) {
        Some(namespace) => format!(" from {namespace} namespace"),
        None => String::new(),
    };
    let word = if force { "force deleted" } else { "deleted" };
    let suffix = session.dry_run.suffix();
    let message = format!("{label} \"{}\" {word}{place}{suffix}", target.name);
    let tolerant = call
        .truth("ignore-not-found", call.truth("all", false)? || call.flag("selector").is_some())?;
    let seen = match tolerant || session.ctx.attempt() > 1 {
        true => session.peek(target)?,
        false => Some(session.get(target)?),
    };
    let Some(seen) = seen else {
        log::info!("{} is not there", target.label());
        return Ok(Done::new(false, ""));
    };
    if session.dry_run == DryRun::Client {
        return Ok(Done::new(false, message));
    }
    if force {
        log::warn!(
            "Warning: Immediate deletion does not wait for confirmation that the running resource \
             has been terminated. The resource may continue to run on the cluster indefinitely."
        );
    }
    send(session, target, &seen)?;
    if session.dry_run == DryRun::Server {
        return Ok(Done::new(false, message));
    }
    if call.truth("wait", true)? && !force {
        gone(session, target, &seen).map_err(|it| waiting::after_change(call, &message, it))?;
    }
    Ok(Done::new(true, message))
}

/// Sends the deletion of the very object that was seen.
fn send(session: &Session<'_>, target: &Target, seen: &Value) -> Result<(), Failure> {
    let options = options(session.call)?;
    let (wire, conditions) = (session.wire(target), session.options(seen));
    let mut writes = 0;
    loop {
        writes += 1;
        let delete = || session.cluster.delete(&wire, Some(&options), &conditions);
        let error = match retry::write(session.ctx, delete) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let doubtful = error.in_doubt || error.status.is_some_and(|status| status >= 500);
        match session.peek(target) {
            // Somebody else was faster, or the answer was lost.
            Ok(None) if doubtful || error.status == Some(404) => return Ok(()),
            Ok(Some(now)) if now["metadata"]["uid"] != seen["metadata"]["uid"] => {
                if doubtful {
                    return Ok(());
                }
                return Err(made_anew(target));
            }
            Ok(Some(now)) if doubtful && !now["metadata"]["deletionTimestamp"].is_null() => {
                return Ok(());
            }
            Ok(_) if (doubtful || is_conflict(&error)) && writes < WRITES_MAX => (),
            Err(blind) if error.in_doubt => {
                let text = format!(
                    "nobody can tell whether {} was deleted: the request got no answer ({}), and \
                     looking failed ({blind}). The step can be run again",
                    target.label(),
                    wording::said(&error)
                );
                return Err(Failure::permanent("ambiguous", text).with_detail("inDoubt", true));
            }
            _ => return Err(wording::first_look(error, &session.remedy)),
        }
    }
}

/// Waits until the object that was deleted is not there any more.
fn gone(session: &Session<'_>, target: &Target, seen: &Value) -> Result<(), Failure> {
    let deadline = Deadline::new(session.ctx, session.call.timeout()?);
    let mut judge = |now: Option<&Value>| {
        let left = now.is_some_and(|now| now["metadata"]["uid"] == seen["metadata"]["uid"]);
        Ok((!left).then(String::new))
    };
    match waiting::until(session, target, deadline, &mut judge)? {
        Some(_) => Ok(()),
        None => {
            let finalizers = items(&seen["metadata"]["finalizers"]);
            let names = joined(&mut finalizers.iter().map(|it| text(it).to_owned()), ", ");
            let failure = waiting::timed_out();
            let message = match names.is_empty() {
                true => format!("{failure}: {} is still there", target.label()),
                false => {
                    format!("{failure}: {} waits for its finalizers {}", target.label(), names)
                }
            };
            Err(failure.with_message(message))
        }
    }
}
