//! A write that may be repeated: look, decide, write on a condition, and look again when the answer
//! is not a plain yes.
//!
//! For writes whose second time does no harm. What must not happen twice has its own way.

use crate::session::{Session, Target};
use crate::wording;
use bowline_sdk::kubernetes::{PatchKind, WriteOptions};
use bowline_sdk::{ConnectError, Failure, Reason, log, retry};
use serde_json::Value;
use std::time::Duration;

/// The most writes.
const WRITES_MAX: u32 = 6;

/// What a look at the object comes to.
pub(crate) enum Plan {
    /// The object is as it should be.
    Nothing,
    /// This patch.
    Patch(PatchKind, Value),
}

/// How to change an object.
pub(crate) struct Change<'a> {
    /// How kubectl begins the line when the write is refused; empty for none.
    pub(crate) doing: &'a str,
    /// `scale`, or none.
    pub(crate) subresource: Option<&'a str>,
    /// Whether the object must have the version that was looked at.
    pub(crate) same_version: bool,
    /// Whether a conflict is final: the caller asked for a certain version.
    pub(crate) once: bool,
}

/// What became of it.
pub(crate) struct Changed {
    /// Whether something was written.
    pub(crate) changed: bool,
    /// The object now, as far as it is known.
    pub(crate) object: Value,
}

/// Changes an object by what `plan` decides at each look. A look after a lost answer that shows
/// nothing left to do counts as done. So does one after a conflict: a write that took effect before
/// a crash and is asked for again finds another version of the object, its own.
pub(crate) fn change(
    session: &Session<'_>,
    target: &Target,
    how: &Change<'_>,
    seen: Value,
    plan: &dyn Fn(&Value) -> Result<Plan, Failure>,
) -> Result<Changed, Failure> {
    let mut wire = session.wire(target);
    wire.subresource = how.subresource.map(str::to_owned);
    let mut seen = seen;
    let mut writes = 0;
    loop {
        let (kind, patch) = match plan(&seen)? {
            Plan::Nothing => return Ok(Changed { changed: writes > 0, object: seen }),
            Plan::Patch(kind, patch) => (kind, patch),
        };
        writes += 1;
        let version = &seen["metadata"]["resourceVersion"];
        let options = WriteOptions {
            if_version: version.as_str().filter(|_| how.same_version).map(str::to_owned),
            ..session.options(&seen)
        };
        let write = || session.cluster.patch(&wire, kind, &patch, &options);
        let error = match retry::write(session.ctx, write) {
            Ok(written) => return Ok(Changed { changed: true, object: written.object }),
            Err(error) => error,
        };
        let doubtful = error.in_doubt || is_remote(&error, 500..600);
        if !(doubtful || is_conflict(&error) && !how.once) || writes >= WRITES_MAX {
            return Err(refused(session, how, error));
        }
        log::warn!("looking at {} again: {}", target.label(), wording::said(&error));
        let uid = seen["metadata"]["uid"].clone();
        seen = session.get(target).map_err(|blind| {
            if !error.in_doubt {
                return blind;
            }
            let text = format!(
                "nobody can tell whether {} was changed: the write got no answer ({}), and looking \
                 failed ({blind}). The step can be run again",
                target.label(),
                wording::said(&error)
            );
            Failure::permanent("ambiguous", text).with_detail("inDoubt", true)
        })?;
        if seen["metadata"]["uid"] != uid {
            return Err(made_anew(target));
        }
        // Different for each try; the status settles meanwhile.
        session.ctx.sleep(Duration::from_millis(150 * u64::from(writes)));
    }
}

pub(crate) fn made_anew(target: &Target) -> Failure {
    let text =
        format!("{} was deleted and made anew meanwhile; it is left as it is", target.label());
    Failure::permanent("conflict", text)
}

fn is_remote(error: &ConnectError, range: std::ops::Range<u16>) -> bool {
    error.reason == Reason::Remote && error.status.is_some_and(|status| range.contains(&status))
}

pub(crate) fn is_conflict(error: &ConnectError) -> bool {
    error.code == "kubernetes.conflict" || is_remote(error, 409..410)
}

fn refused(session: &Session<'_>, how: &Change<'_>, error: ConnectError) -> Failure {
    if how.doing.is_empty() {
        wording::first_look(error, &session.remedy)
    } else {
        wording::later(error, how.doing, &session.remedy)
    }
}
