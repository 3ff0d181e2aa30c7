//! The write of a rollback, and what to do when its answer is not a plain yes.
//!
//! The goal was chosen before and never changes here. Each try holds only for the version of the
//! object that was looked at; between two tries stands a look.

use super::{Undo, outputs, template_of};
use crate::arguments::DryRun;
use crate::change;
use crate::outcome::Done;
use crate::undo::history::Chosen;
use crate::undo::{patch, template};
use crate::wording;
use bowline_sdk::kubernetes::WriteOptions;
use bowline_sdk::{ConnectError, Failure, Reason, log, retry};
use serde_json::Value;
use std::time::Duration;

/// The most writes. During a rollout the status changes several times a second, and each change
/// is a new version.
const WRITES_MAX: u32 = 6;

/// What the answer to a write means.
enum Verdict {
    /// The object is another version now: somebody was faster, or this very write was made before
    /// a crash and is asked for again.
    Conflict,
    /// Nobody knows whether it took effect.
    InDoubt,
    /// It was refused for good.
    Refused,
}

/// What a look after a failed write shows.
enum Found {
    /// The write took effect, and this is the object.
    Done(Value),
    /// All that matters is as it was: the same write again.
    Unchanged(Value),
}

/// Brings `before` to `chosen`.
pub(super) fn write(
    undo: &Undo<'_>,
    before: Value,
    from: Option<i64>,
    chosen: &Chosen,
) -> Result<Done, Failure> {
    let mut seen = before.clone();
    let mut writes = 0;
    loop {
        writes += 1;
        let error = match send(undo, &seen, chosen) {
            Ok(after) => return Ok(done(undo, from, chosen, &after)),
            Err(error) => error,
        };
        let verdict = judge(&error);
        if matches!(verdict, Verdict::Refused) {
            return Err(refused(undo, error));
        }
        log::warn!("looking at {} again: {}", undo.named(), wording::said(&error));
        match look(undo, &before, chosen, &error, &verdict)? {
            Found::Done(after) => return Ok(done(undo, from, chosen, &after)),
            Found::Unchanged(_) if writes >= WRITES_MAX => return Err(refused(undo, error)),
            Found::Unchanged(now) if is_own_fault(&error, &seen, &now) => {
                return Err(refused(undo, error));
            }
            Found::Unchanged(now) => seen = now,
        }
        // Different for each try; the status settles meanwhile.
        undo.session.ctx.sleep(Duration::from_millis(150 * u64::from(writes)));
    }
}

fn version_of(object: &Value) -> Option<String> {
    object["metadata"]["resourceVersion"].as_str().map(str::to_owned)
}

fn send(undo: &Undo<'_>, seen: &Value, chosen: &Chosen) -> Result<Value, ConnectError> {
    let (how, patch) = patch::patch(seen, chosen);
    let options = WriteOptions { if_version: version_of(seen), ..undo.session.options(seen) };
    let target = undo.session.wire(undo.target);
    let send = || undo.session.cluster.patch(&target, how, &patch, &options);
    retry::write(undo.session.ctx, send).map(|written| written.object)
}

fn judge(error: &ConnectError) -> Verdict {
    let remote = error.reason == Reason::Remote;
    match error.status {
        _ if error.in_doubt => Verdict::InDoubt,
        _ if change::is_conflict(error) => Verdict::Conflict,
        // A condition that did not hold comes as a bare 422 from some servers.
        Some(422) if remote && !has_causes(error) => Verdict::Conflict,
        Some(500..) if remote => Verdict::InDoubt,
        _ => Verdict::Refused,
    }
}

fn has_causes(error: &ConnectError) -> bool {
    let answer = error.answer();
    !answer["details"]["causes"].is_null() || answer["reason"] == "Invalid"
}

/// A bare 422 although the version was right: the patch itself was refused.
fn is_own_fault(error: &ConnectError, seen: &Value, now: &Value) -> bool {
    error.status == Some(422)
        && error.code != "kubernetes.conflict"
        && version_of(seen) == version_of(now)
}

/// Looks at the object and compares: with the target, then with what it was before.
fn look(
    undo: &Undo<'_>,
    before: &Value,
    chosen: &Chosen,
    error: &ConnectError,
    verdict: &Verdict,
) -> Result<Found, Failure> {
    let session = undo.session;
    let now = match retry::read(session.ctx, || session.cluster.get(&session.wire(undo.target))) {
        Ok(now) => now,
        Err(blind) if matches!(verdict, Verdict::InDoubt) && session.dry_run == DryRun::None => {
            return Err(unknown(undo, chosen, error, &blind));
        }
        Err(blind) => return Err(wording::first_look(blind, &session.remedy)),
    };
    if now["metadata"]["uid"] != before["metadata"]["uid"] {
        return Err(change::made_anew(undo.target));
    }
    if template::same(template_of(&now), &chosen.template) {
        return Ok(Found::Done(now));
    }
    undo.refuse_paused(&now)?;
    if template::same(template_of(&now), template_of(before)) {
        return Ok(Found::Unchanged(now));
    }
    Err(Failure::permanent(
        "conflict",
        format!(
            "{} was changed by someone else meanwhile ({}); it is left as it is, look at it and run \
             the step again if it is still needed",
            undo.named(),
            template::images_in_words(template_of(&now))
        ),
    ))
}

fn done(undo: &Undo<'_>, from: Option<i64>, chosen: &Chosen, after: &Value) -> Done {
    let dry_run = undo.session.dry_run;
    let message = format!("{} rolled back{}", undo.target.label(), dry_run.suffix());
    outputs(dry_run == DryRun::None, from, chosen, message).at(after)
}

fn refused(undo: &Undo<'_>, error: ConnectError) -> Failure {
    let doing = format!("failed restoring revision {}", undo.wanted);
    wording::later(error, &doing, &undo.session.remedy)
}

/// The answer was lost, and so is the sight of the object.
fn unknown(
    undo: &Undo<'_>,
    chosen: &Chosen,
    error: &ConnectError,
    blind: &ConnectError,
) -> Failure {
    Failure::permanent(
        "ambiguous",
        format!(
            "nobody can tell whether {} was rolled back to revision {}: the write got no \
             answer ({}), and looking failed ({}). Compare its template with that of revision {} \
             ({}); another attempt in this run is safe, since it asks for the same write on the \
             same condition",
            undo.named(),
            chosen.revision,
            wording::said(error),
            wording::said(blind),
            chosen.revision,
            template::images_in_words(&chosen.template)
        ),
    )
    .with_detail("inDoubt", true)
    .with_detail("toRevision", chosen.revision)
}
