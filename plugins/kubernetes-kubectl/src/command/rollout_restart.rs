//! `rollout restart`: replaces all pods, by a new annotation in their template.
//!
//! The annotation holds a time that is read once. A step that is run again after a crash reads the
//! same time, so it knows its own restart by it and makes no second one.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::DryRun;
use crate::change::{Change, Plan, change};
use crate::members::nest;
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::when;
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log};
use serde_json::Value;

/// The annotation by which the pods are replaced; kubectl's own.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "restart"],
    flags: &["dry-run", "wait", "timeout", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs { fields: &["/spec/template"], ..Needs::only(&["get", "patch"]) },
    run: Run::Each { check: only_objects, one: restart },
};

fn restart(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    if !target.kind.rolls_out() {
        let text = format!("{} restarting is not supported", target.quoted());
        return Err(Failure::config(text));
    }
    // One value for all tries, so that a try that is repeated restarts nothing a second time.
    let now = when::now();
    let plan = |seen: &Value| {
        if seen["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT] == now.as_str() {
            return Ok(Plan::Nothing);
        }
        if seen["spec"]["paused"] == true {
            let text = format!(
                "{} can't restart paused deployment (run rollout resume first)",
                target.quoted()
            );
            return Err(Failure::permanent("conflict.paused", text));
        }
        let path = &["spec", "template", "metadata", "annotations", RESTARTED_AT];
        Ok(Plan::Patch(PatchKind::StrategicMerge, nest(path, now.as_str().into())))
    };
    let seen = session.get(target)?;
    if matches!(plan(&seen)?, Plan::Nothing) {
        log::info!("it was restarted in this very second already; nothing is sent");
    }
    let message = format!("{} restarted{}", target.label(), session.dry_run.suffix());
    if session.dry_run == DryRun::Client {
        return Ok(Done::new(false, message));
    }
    let how =
        Change { doing: "failed to patch", subresource: None, same_version: true, once: false };
    let after = change(session, target, &how, seen, &plan)?;
    let changed = after.changed && session.dry_run == DryRun::None;
    Ok(Done::new(changed, message).at(&after.object))
}
