//! `rollout pause` and `rollout resume` of a Deployment.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::DryRun;
use crate::change::{Change, Plan, change};
use crate::members::nest;
use crate::outcome::Done;
use crate::session::{Session, Target};
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log};
use serde_json::Value;

const NEEDS: Needs = Needs { fields: &["/spec/paused"], ..Needs::only(&["get", "patch"]) };

/// `rollout pause`.
pub const PAUSE: Command = Command {
    words: &["rollout", "pause"],
    flags: &["dry-run", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: NEEDS,
    run: Run::Each { check: only_objects, one: |session, target| set(session, target, true) },
};

/// `rollout resume`.
pub const RESUME: Command = Command {
    words: &["rollout", "resume"],
    flags: &["dry-run", "wait", "timeout", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: NEEDS,
    run: Run::Each { check: only_objects, one: |session, target| set(session, target, false) },
};

fn set(session: &Session<'_>, target: &Target, paused: bool) -> Result<Done, Failure> {
    let (doing, done, already) = match paused {
        true => ("pausing", "paused", "is already paused"),
        false => ("resuming", "resumed", "is not paused"),
    };
    if target.kind.name != "Deployment" || target.kind.api.group != "apps" {
        return Err(Failure::config(format!("{} {doing} is not supported", target.quoted())));
    }
    let seen = session.get(target)?;
    let is_so = |object: &Value| (object["spec"]["paused"] == true) == paused;
    let message = format!("{} {done}{}", target.label(), session.dry_run.suffix());
    if is_so(&seen) {
        // An earlier attempt may have done it, and its answer was lost.
        if session.ctx.attempt() > 1 {
            log::info!("it {already}; an earlier attempt of this step may have done that");
            return Ok(Done::new(false, message).at(&seen));
        }
        let text = format!("{} {already}", target.quoted());
        return Err(Failure::permanent("conflict.paused", text));
    }
    if session.dry_run == DryRun::Client {
        return Ok(Done::new(false, message));
    }
    let plan = |seen: &Value| {
        if is_so(seen) {
            return Ok(Plan::Nothing);
        }
        let paused = if paused { true.into() } else { Value::Null };
        Ok(Plan::Patch(PatchKind::Merge, nest(&["spec", "paused"], paused)))
    };
    let how =
        Change { doing: "failed to patch", subresource: None, same_version: false, once: false };
    let after = change(session, target, &how, seen, &plan)?;
    let changed = after.changed && session.dry_run == DryRun::None;
    Ok(Done::new(changed, message).at(&after.object))
}
