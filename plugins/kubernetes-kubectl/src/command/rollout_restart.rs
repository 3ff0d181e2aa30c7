//! `rollout restart`: replaces all pods, by a new annotation in their template.
//!
//! Each run of kubectl restarts again. Here the write carries the step's mark, so that another
//! attempt of the same step does not.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::DryRun;
use crate::change::{Change, Plan, change};
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::undo::annotation;
use crate::when;
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log};
use serde_json::Value;

/// The annotation by which the pods are replaced; kubectl's own.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// The annotation that holds this step's mark.
const MARK: &str = "bowline/restart";

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "restart"],
    flags: &["dry-run", "wait", "timeout", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs {
        fields: &["/spec/template", "/metadata/annotations"],
        ..Needs::only(&["get", "patch"])
    },
    run: Run::Each { check: only_objects, one: restart },
};

fn restart(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    if !target.kind.rolls_out() {
        let text = format!("{} restarting is not supported", target.quoted());
        return Err(Failure::config(text));
    }
    let key = session.ctx.idempotency_key();
    let mark = format!("key={key} run={}", session.ctx.run_id());
    // One value for all tries, so that a try that is repeated restarts nothing a second time.
    let now = when::now();
    let plan = |seen: &Value| {
        if annotation(seen, MARK) == Some(mark.as_str()) {
            return Ok(Plan::Nothing);
        }
        if seen["spec"]["paused"] == true {
            let text = format!(
                "{} can't restart paused deployment (run rollout resume first)",
                target.quoted()
            );
            return Err(Failure::permanent("conflict.paused", text));
        }
        let patch = format!(
            r#"{{"metadata":{{"annotations":{{"{MARK}":"{mark}"}}}},"spec":{{"template":{{"metadata":{{"annotations":{{"{RESTARTED_AT}":"{now}"}}}}}}}}}}"#
        );
        // The texts are ours and hold nothing that JSON would have to escape.
        Ok(Plan::Patch(PatchKind::StrategicMerge, serde_json::from_str(&patch).unwrap_or_default()))
    };
    let seen = session.get(target)?;
    let done_before = matches!(plan(&seen)?, Plan::Nothing);
    if done_before {
        log::info!("an earlier attempt of this step has restarted it already; nothing is sent");
    }
    let message = format!("{} restarted{}", target.label(), session.dry_run.suffix());
    if session.dry_run == DryRun::Client {
        return Ok(Done::new(false, message));
    }
    let how =
        Change { doing: "failed to patch", subresource: None, same_version: true, once: false };
    let after = change(session, target, &how, seen, &plan)?;
    let changed = (after.changed || done_before) && session.dry_run == DryRun::None;
    Ok(Done::new(changed, message).at(&after.object))
}
