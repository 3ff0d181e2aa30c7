//! `scale`: sets how many replicas are wanted, through the subresource that is made for it.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::{Call, DryRun};
use crate::change::{Change, Plan, change};
use crate::members::nest;
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::waiting::{self, Deadline};
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log, retry};
use serde_json::Value;
use std::cell::Cell;

/// This command.
pub const COMMAND: Command = Command {
    words: &["scale"],
    flags: &[
        "replicas",
        "current-replicas",
        "resource-version",
        "dry-run",
        "wait",
        "timeout",
        "selector",
        "all",
        "allow-empty",
    ],
    reads_documents: false,
    needs: Needs { subresource: "scale", ..Needs::only(&["get"]) },
    run: Run::Each { check, one: scale },
};

fn check(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    match call.number("replicas")? {
        None => return Err(Failure::config("required flag(s) \"replicas\" not set")),
        Some(replicas) if !(0..=i64::from(i32::MAX)).contains(&replicas) => {
            return Err(Failure::config(
                "The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0",
            ));
        }
        Some(_) => (),
    }
    call.number("current-replicas")?;
    only_objects(call)
}

fn scale(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let call = session.call;
    let wanted = call.number("replicas")?.unwrap_or_default();
    let current = call.number("current-replicas")?.filter(|current| *current >= 0);
    let version = call.flag("resource-version").filter(|version| !version.is_empty());
    if matches!(target.kind.name.as_str(), "DaemonSet" | "Pod") {
        let text = format!("{} can't be scaled: its kind has no replicas", target.quoted());
        return Err(Failure::config(text));
    }
    let object = session.get(target)?;
    let message = format!("{} scaled{}", target.label(), session.dry_run.suffix());
    // With a condition the count is read where it is written. Another attempt may find its own work.
    let conditional = current.is_some() || version.is_some();
    let seen = match conditional {
        true => {
            let mut wire = session.wire(target);
            wire.subresource = Some("scale".to_owned());
            retry::read(session.ctx, || session.cluster.get(&wire))
                .map_err(|error| crate::wording::first_look(error, &session.remedy))?
        }
        false => object,
    };
    let looks = Cell::new(u32::from(session.ctx.attempt() > 1));
    let plan = |seen: &Value| {
        let again = looks.replace(looks.get() + 1) > 0;
        let now = seen["spec"]["replicas"].as_i64();
        if let Some(expected) = current.filter(|expected| now != Some(*expected)) {
            if again && now == Some(wanted) {
                log::info!(
                    "it has {wanted} replicas already; an earlier attempt may have done that"
                );
                return Ok(Plan::Nothing);
            }
            let now = now.unwrap_or_default();
            let text = format!("Expected replicas to be {expected}, was {now}");
            return Err(Failure::permanent("conflict.replicas", text));
        }
        let found = seen["metadata"]["resourceVersion"].as_str();
        if let Some(expected) = version.filter(|expected| found != Some(*expected)) {
            if again && now == Some(wanted) {
                return Ok(Plan::Nothing);
            }
            let text = format!(
                "Expected resource version to be {}, was {}",
                bowline_sdk::shown(expected),
                found.unwrap_or_default()
            );
            return Err(Failure::permanent("conflict.version", text));
        }
        if now == Some(wanted) {
            return Ok(Plan::Nothing);
        }
        Ok(Plan::Patch(PatchKind::Merge, nest(&["spec", "replicas"], wanted.into())))
    };
    if session.dry_run == DryRun::Client {
        plan(&seen)?;
        return Ok(Done::new(false, message).with("replicas", wanted));
    }
    let how =
        Change { doing: "", subresource: Some("scale"), same_version: conditional, once: false };
    let after = change(session, target, &how, seen, &plan)?;
    let changed = after.changed && session.dry_run == DryRun::None;
    if call.waits()? || call.timeout()?.is_some() && session.dry_run == DryRun::None {
        wait(session, target, wanted)
            .map_err(|failure| waiting::after_change(call, &message, failure))?;
    }
    Ok(Done::new(changed, message).with("replicas", wanted))
}

/// Waits until there are as many replicas as are wanted.
fn wait(session: &Session<'_>, target: &Target, wanted: i64) -> Result<(), Failure> {
    let deadline = Deadline::new(session.ctx, session.call.timeout()?);
    let mut judge = |seen: Option<&Value>| {
        let gone = || Failure::permanent("not-found", "object has been deleted");
        let seen = seen.ok_or_else(gone)?;
        let status = |name: &str| seen["status"][name].as_i64().unwrap_or_default();
        let unseen =
            seen["metadata"]["generation"].as_i64() > seen["status"]["observedGeneration"].as_i64();
        let there = status("replicas") == wanted && !unseen;
        Ok(there.then(String::new))
    };
    match waiting::until(session, target, deadline, &mut judge)? {
        Some(_) => Ok(()),
        None => {
            let text = format!("timed out waiting for \"{}\" to be synced", target.name);
            Err(Failure::permanent("timeout", text))
        }
    }
}
