//! `set image`: gives containers of a pod template other images.

use super::{Command, Needs, Run, objects_and_changes};
use crate::arguments::{Call, DryRun};
use crate::change::{Change, Plan, change};
use crate::members::{items, nest, put};
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::undo::template;
use bowline_sdk::kubernetes::PatchKind;
use bowline_sdk::{Failure, log, shown};
use serde_json::{Map, Value};

/// This command.
pub const COMMAND: Command = Command {
    words: &["set", "image"],
    flags: &["dry-run", "wait", "timeout", "selector", "all", "allow-empty", "record"],
    reads_documents: false,
    needs: Needs { fields: &["/spec", "/metadata/annotations"], ..Needs::only(&["get", "patch"]) },
    run: Run::Each { check, one: set_image },
};

/// The longest name of an image that is sent.
const IMAGE_MAX: usize = 1000;

fn check(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    let (objects, changes) = objects_and_changes(call, "image", false)?;
    for change in changes {
        let (container, image) = pair(change);
        let odd = |c: char| c.is_ascii_whitespace() || c.is_ascii_control();
        if container.is_empty()
            || image.is_empty()
            || image.len() > IMAGE_MAX
            || image.contains(odd)
        {
            return Err(Failure::config(format!(
                "`{}` is no image change; write CONTAINER=IMAGE, as `web=nginx:1.24`",
                shown(change)
            )));
        }
    }
    if call.truth("record", false)? {
        log::warn!("Flag --record has been deprecated, --record will be removed in the future");
    }
    Ok(objects.to_vec())
}

fn pair(change: &str) -> (&str, &str) {
    change.split_once('=').unwrap_or((change, ""))
}

/// Where a kind keeps its pod spec.
fn path(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job" => &["spec", "template", "spec"],
        _ => return None,
    })
}

fn set_image(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let kind = target.kind.name.as_str();
    let Some(path) = path(kind) else {
        let text = format!("{} has no pod template whose images could be set", target.quoted());
        return Err(Failure::config(text));
    };
    let call = session.call;
    let (_, changes) = objects_and_changes(call, "image", false)?;
    let cause = call.truth("record", false)?.then(|| format!("{} --record=true", call.typed()));
    let plan = |seen: &Value| {
        let patch = images(path.iter().fold(seen, |at, name| &at[*name]), changes)?;
        if patch.is_empty() {
            return Ok(Plan::Nothing);
        }
        let mut patch = nest(path, patch.into());
        if let (Some(cause), Some(patch)) = (&cause, patch.as_object_mut()) {
            let names = ["annotations", "kubernetes.io/change-cause"];
            put(patch, "metadata", nest(&names, cause.as_str().into()));
        }
        Ok(Plan::Patch(PatchKind::StrategicMerge, patch))
    };
    let seen = session.get(target)?;
    let outcome = |changed: bool, word: &str, object: &Value| {
        let message = format!("{} image {word}{}", target.label(), session.dry_run.suffix());
        let spec = path.iter().fold(object, |at, name| &at[*name]);
        let images = template::images(&nest(&["spec"], spec.clone()));
        Done::new(changed, message).with("images", images).at(object)
    };
    if matches!(plan(&seen)?, Plan::Nothing) {
        return Ok(outcome(false, "unchanged", &seen));
    }
    if session.dry_run == DryRun::Client {
        return Ok(outcome(false, "updated", &seen));
    }
    let doing = "failed to patch image update to pod template";
    let how = Change { doing, subresource: None, same_version: true, once: false };
    let after = change(session, target, &how, seen, &plan)?;
    let changed = after.changed && session.dry_run == DryRun::None;
    Ok(outcome(changed, "updated", &after.object))
}

/// The part of a pod spec that has to change; empty when nothing has to.
fn images(spec: &Value, changes: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut patch = Map::new();
    let mut found = vec![false; changes.len()];
    for list in ["initContainers", "containers"] {
        let mut changed = Vec::new();
        for container in items(&spec[list]) {
            let name = container["name"].as_str().unwrap_or_default();
            let mut image = None;
            for (place, change) in changes.iter().enumerate() {
                let (wanted, new) = pair(change);
                if wanted == "*" || wanted == name {
                    found[place] = true;
                    image = Some(new);
                }
            }
            if let Some(image) = image.filter(|image| container["image"] != *image) {
                let mut item = Map::new();
                put(&mut item, "name", name);
                put(&mut item, "image", image);
                changed.push(Value::Object(item));
            }
        }
        if !changed.is_empty() {
            put(&mut patch, list, changed);
        }
    }
    let mut missing = Vec::new();
    for (place, change) in changes.iter().enumerate() {
        if !found[place] {
            let name = shown(pair(change).0);
            missing.push(format!("unable to find container named \"{name}\""));
        }
    }
    match missing.is_empty() {
        true => Ok(patch),
        false => Err(Failure::permanent("not-found.container", missing.join("; "))),
    }
}
