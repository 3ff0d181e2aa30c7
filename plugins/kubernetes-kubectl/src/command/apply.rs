//! `apply`: makes the cluster have the objects that are written down, by server-side apply.
//!
//! The server merges, so a repeat does no harm, and it says which fields belong to somebody else.
//! All documents are looked at before the first is sent.

use super::{Command, Needs, Run, wait};
use crate::arguments::{Call, DryRun};
use crate::documents::{self, Document};
use crate::kinds::{self, Type};
use crate::members::{items, put, text, without};
use crate::outcome::{self, Done, say};
use crate::session::{Session, Target};
use crate::{Outputs, wording};
use bowline_sdk::kubernetes::{PatchKind, WriteOptions};
use bowline_sdk::{ConnectError, Failure, log, retry};
use serde_json::Value;

/// This command.
pub const COMMAND: Command = Command {
    words: &["apply"],
    flags: &["server-side", "force-conflicts", "validate", "dry-run", "wait", "timeout"],
    reads_documents: true,
    needs: Needs::only(&["get", "patch"]),
    run: Run::Whole(apply),
};

fn apply(mut session: Session<'_>) -> Result<Outputs, Failure> {
    let call = session.call;
    if let Some(word) = call.words.first() {
        let word = bowline_sdk::shown(word);
        return Err(Failure::config(format!(
            "Unexpected args: [{word}]; give the objects as `manifest` or `file`"
        )));
    }
    if call.truth("server-side", false)? && session.dry_run == DryRun::Client {
        return Err(Failure::config(
            "--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)",
        ));
    }
    let (waits, _) = (call.waits()?, call.timeout()?);
    strict(call)?;
    call.truth("force-conflicts", false)?;
    let found = documents::read(call.inputs, "apply")?;
    let found = targets(&session, &found)?;
    let mut names: Vec<Target> = Vec::new();
    for (target, _) in &found {
        names.push(target.clone());
    }
    session.narrow(&COMMAND.needs, &names, waits);
    let mut results: Vec<(Target, Result<Done, Failure>)> = Vec::new();
    for (target, object) in found {
        let result = one(&session, &target, &object);
        if let Ok(done) = &result {
            say(&done.message);
        }
        results.push((target, result));
    }
    if waits {
        for (target, result) in &mut results {
            wait(&session, target, result);
        }
    }
    outcome::outputs(call.namespace, results)
}

/// `--validate`: whether the server refuses what its schema does not know.
fn strict(call: &Call<'_>) -> Result<bool, Failure> {
    match call.flag("validate") {
        Some("strict") => Ok(true),
        Some("warn" | "ignore") => Ok(false),
        _ => call.truth("validate", true),
    }
}

/// What each document is about, and the object as it is sent.
pub(crate) fn targets(
    session: &Session<'_>,
    found: &[Document],
) -> Result<Vec<(Target, Value)>, Failure> {
    let mut targets: Vec<(Target, Value)> = Vec::new();
    for document in found {
        let kind = kind(session, document)?;
        let name = document.name().to_owned();
        let target = Target { kind, name };
        if targets.iter().any(|(other, _)| *other == target) {
            let text = format!("{}: {} stands there twice", document.place(), target.label());
            return Err(Failure::config(text));
        }
        let object = placed(session.call, &target.kind, document)?;
        targets.push((target, object));
    }
    Ok(targets)
}

fn kind(session: &Session<'_>, document: &Document) -> Result<Type, Failure> {
    let (version, kind) = (document.text("apiVersion"), document.text("kind"));
    if let Some(known) = kinds::known_manifest(version, kind) {
        return Ok(known);
    }
    kinds::served_manifest(version, kind, session.served()?).ok_or_else(|| {
        Failure::config(format!(
            "{}: no matches for kind \"{}\" in version \"{}\"; if a CustomResourceDefinition brings \
             it, apply that in a step before",
            document.place(),
            bowline_sdk::shown(kind),
            bowline_sdk::shown(version)
        ))
    })
}

/// The object in the step's namespace, without what only the server writes.
fn placed(call: &Call<'_>, kind: &Type, document: &Document) -> Result<Value, Failure> {
    let mut object = without(&document.object, &["status"]);
    let namespace = document.object["metadata"]["namespace"].as_str().unwrap_or_default();
    if kind.namespaced && !namespace.is_empty() && namespace != call.namespace {
        let namespace = bowline_sdk::shown(namespace);
        return Err(Failure::config(format!(
            "the namespace from the provided object \"{namespace}\" does not match the namespace \
             \"{}\". You must pass '--namespace={namespace}' to perform this operation. ({}: set \
             `namespace` of the step)",
            call.namespace,
            document.place()
        )));
    }
    let written =
        ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "namespace"];
    object["metadata"] = without(&object["metadata"], &written);
    if let Some(metadata) = object["metadata"].as_object_mut().filter(|_| kind.namespaced) {
        put(metadata, "namespace", call.namespace);
    }
    Ok(object)
}

fn one(session: &Session<'_>, target: &Target, object: &Value) -> Result<Done, Failure> {
    let call = session.call;
    let before = session.peek(target)?;
    let suffix = session.dry_run.suffix();
    let line = |word: &str| format!("{} {word}{suffix}", target.label());
    if let Some(before) =
        before.as_ref().filter(|it| !it["metadata"]["deletionTimestamp"].is_null())
    {
        let name = before["metadata"]["name"].as_str().unwrap_or_default();
        log::warn!(
            "Warning: Detected changes to resource {name} which is currently being deleted."
        );
    }
    if session.dry_run == DryRun::Client {
        let word = match &before {
            None => "created",
            Some(before) if has(before, object) => "unchanged",
            Some(_) => "configured",
        };
        return Ok(Done::new(false, line(word)));
    }
    let options = WriteOptions {
        dry_run: session.dry_run == DryRun::Server,
        force: call.truth("force-conflicts", false)?,
        strict: strict(call)?,
        ..bowline_sdk::kubernetes::plainly()
    };
    let wire = session.wire(target);
    let send = || session.cluster.patch(&wire, PatchKind::Apply, object, &options);
    // What is applied again changes nothing, so a lost answer is no reason to stop.
    let mut outcome = retry::write(session.ctx, send);
    for tries in 1..4 {
        let Err(error) = &outcome else { break };
        if !error.in_doubt && error.status.is_none_or(|status| status < 500) {
            break;
        }
        log::warn!("applying {} again: {}", target.label(), wording::said(error));
        session.ctx.sleep(std::time::Duration::from_millis(500 * tries));
        outcome = retry::write(session.ctx, send);
    }
    let written = outcome.map_err(|error| refused(session, target, error))?;
    let version = |it: &Value| it["metadata"]["resourceVersion"].as_str().map(str::to_owned);
    // A dry run answers with the version that is there, whatever would change.
    let same = before.as_ref().is_some_and(|before| match session.dry_run {
        DryRun::None => version(before) == version(&written.object),
        _ => has(before, object),
    });
    let word = match before {
        _ if call.truth("server-side", false)? => "serverside-applied",
        None => "created",
        Some(_) if same => "unchanged",
        Some(_) => "configured",
    };
    let changed = !same && session.dry_run == DryRun::None;
    Ok(Done::new(changed, line(word)).at(&written.object))
}

/// Whether `object` has everything that `wanted` says.
fn has(object: &Value, wanted: &Value) -> bool {
    match (object, wanted) {
        (Value::Object(object), Value::Object(wanted)) => wanted
            .iter()
            .all(|(name, wanted)| object.get(name).is_some_and(|value| has(value, wanted))),
        (Value::Array(items), Value::Array(wanted)) => {
            items.len() == wanted.len()
                && items.iter().zip(wanted).all(|(it, wanted)| has(it, wanted))
        }
        (value, wanted) => value == wanted,
    }
}

fn refused(session: &Session<'_>, target: &Target, error: ConnectError) -> Failure {
    let answer = error.answer();
    let mut fields = Vec::new();
    for cause in items(&answer["details"]["causes"]) {
        if cause["reason"] == "FieldManagerConflict" {
            fields.push(format!("{}: {}", text(&cause["message"]), text(&cause["field"])));
        }
    }
    if error.status == Some(409) && !fields.is_empty() {
        let message = format!(
            "{}: {} ({}). These fields belong to somebody else; leave them out, or set \
             `force_conflicts: true` to take them over",
            target.label(),
            wording::said(&error),
            fields.join("; ")
        );
        return Failure::from(error).with_message(message);
    }
    if error.status == Some(415) {
        let text =
            format!("Server-side apply not available on the server: ({})", wording::said(&error));
        return Failure::from(error).with_message(text);
    }
    if error.status == Some(404) {
        return session.missing(target, error);
    }
    wording::first_look(error, &session.remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_there_already_is_recognised() {
        let object = json!({"a": 1, "b": {"c": [1, {"d": 2, "e": 3}]}});
        let cases = [
            (json!({}), true),
            (json!({"b": {"c": [1, {"d": 2}]}}), true),
            (json!({"b": {"c": [1]}}), false),
            (json!({"a": 2}), false),
            (json!({"x": null}), false),
        ];
        for (wanted, expected) in cases {
            assert_eq!(has(&object, &wanted), expected, "{wanted}");
        }
    }
}
