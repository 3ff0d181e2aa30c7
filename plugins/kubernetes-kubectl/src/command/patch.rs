//! `patch`: changes a part of an object by a patch that the author wrote.

use super::{Command, Needs, Run, only_objects};
use crate::arguments::{Call, DryRun};
use crate::change::{Change, Plan, change};
use crate::outcome::Done;
use crate::session::{Session, Target};
use bowline_sdk::Failure;
use bowline_sdk::kubernetes::PatchKind;
use serde_json::Value;
use std::cell::Cell;

/// This command.
pub const COMMAND: Command = Command {
    words: &["patch"],
    flags: &["patch", "type", "dry-run", "wait", "timeout", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs::only(&["get", "patch"]),
    run: Run::Each {
        check: |call| {
            read(call)?;
            only_objects(call)
        },
        one: patch,
    },
};

fn read(call: &Call<'_>) -> Result<(PatchKind, Value), Failure> {
    let Some(text) = call.flag("patch") else {
        return Err(Failure::config(
            "must specify --patch: set `patch` to an object, or for `patch_type: json` to a list",
        ));
    };
    let kind = match call.flag("type") {
        None | Some("strategic") => PatchKind::StrategicMerge,
        Some("merge") => PatchKind::Merge,
        Some("json") => PatchKind::JsonPatch,
        Some(other) => {
            let other = bowline_sdk::shown(other);
            return Err(Failure::config(format!(
                "--type must be one of [json merge strategic], not \"{other}\""
            )));
        }
    };
    let patch: Value = serde_json::from_str(text).map_err(|error| {
        Failure::config(format!(
            "unable to parse the patch as JSON: {error}; as a key of the spec, `patch` may be an \
             object or a list"
        ))
    })?;
    let fits = match kind {
        PatchKind::JsonPatch => patch.is_array(),
        _ => patch.is_object(),
    };
    if !fits {
        return Err(Failure::config(
            "the patch does not fit its type: `json` takes a list of operations, `merge` and \
             `strategic` take an object",
        ));
    }
    Ok((kind, patch))
}

fn patch(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let (kind, patch) = read(session.call)?;
    let seen = session.get(target)?;
    let message = format!("{} patched{}", target.label(), session.dry_run.suffix());
    if session.dry_run == DryRun::Client {
        return Ok(Done::new(false, message));
    }
    // Operations may add up, so they are sent to one version only, and never into doubt.
    let is_json = kind == PatchKind::JsonPatch;
    let version = seen["metadata"]["resourceVersion"].clone();
    let before = version.clone();
    let sent = Cell::new(false);
    let plan = |now: &Value| {
        if is_json && sent.replace(true) && now["metadata"]["resourceVersion"] != version {
            let text = format!(
                "{} has changed since it was read, by this patch or by someone else; look at it, \
                 and run the step again if the patch is still needed",
                target.label()
            );
            return Err(Failure::permanent("ambiguous", text).with_detail("inDoubt", true));
        }
        Ok(Plan::Patch(kind, patch.clone()))
    };
    let how = Change { doing: "", subresource: None, same_version: is_json, once: is_json };
    let after = change(session, target, &how, seen, &plan)?.object;
    // A dry run answers with the version that is there, whatever would change.
    let real = session.dry_run == DryRun::None;
    let same = real && after["metadata"]["resourceVersion"] == before && !before.is_null();
    let changed = real && !same;
    let message = if same { format!("{} patched (no change)", target.label()) } else { message };
    Ok(Done::new(changed, message).at(&after))
}
