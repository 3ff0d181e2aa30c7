//! Waiting for an object to become what it should be: by watching, or by looking again where
//! watching is not allowed.
//!
//! One deadline stands over everything. Stopping to wait changes nothing in the cluster.

use crate::arguments::Call;
use crate::members::in_a_row;
use crate::rollout::pods;
use crate::rollout::status::{Progress, progress};
use crate::session::{Session, Target};
use crate::undo::{history, selector, template};
use crate::wording;
use bowline_sdk::kubernetes::{Change, Query, everything};
use bowline_sdk::{ConnectError, Context, Failure, Reason, log};
use serde_json::Value;
use std::cell::{Cell, RefCell};
use std::time::Duration;

/// What is kept at the end of the attempt, to find out and say why the wait was in vain.
const RESERVE: Duration = Duration::from_secs(5);

/// The longest wait for one event; the end of the run is noticed in between.
const EVENT_WAIT: Duration = Duration::from_secs(2);

/// The time between two looks where watching is not possible.
const LOOK_AGAIN: Duration = Duration::from_secs(4);

/// Says of an object, or of its absence, whether the wait is over: with a text, or with a failure.
pub type Judge<'a> = &'a mut dyn FnMut(Option<&Value>) -> Result<Option<String>, Failure>;

/// The end of a wait, as the time that the attempt has left then.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Duration);

impl Deadline {
    /// `timeout` from now, or as long as the attempt has time.
    #[must_use]
    pub fn new(ctx: &Context, timeout: Option<Duration>) -> Self {
        let left = ctx.remaining();
        let most = left.saturating_sub(RESERVE);
        Self(left - timeout.map_or(most, |timeout| timeout.min(most)))
    }

    fn left(self, ctx: &Context) -> Duration {
        ctx.remaining().saturating_sub(self.0)
    }
}

/// Looks at the object whenever it changes, until `judge` has an answer. None when the time is
/// over. `judge` gets nothing when the object is gone.
///
/// # Errors
///
/// What `judge` says, the server's refusal, or `cancelled`.
pub fn until(
    session: &Session<'_>,
    target: &Target,
    deadline: Deadline,
    judge: Judge<'_>,
) -> Result<Option<String>, Failure> {
    let ctx = session.ctx;
    let mut told = false;
    loop {
        let seen = session.peek(target)?;
        if let Some(answer) = judge(seen.as_ref())? {
            return Ok(Some(answer));
        }
        let version = seen.as_ref().and_then(|it| it["metadata"]["resourceVersion"].as_str());
        match events(session, target, version, deadline, judge) {
            Ok(Some(answer)) => return Ok(Some(answer)),
            Ok(None) => (),
            Err(Ended::Judged(failure)) => return Err(failure),
            Err(Ended::Watch(error)) if is_forbidden(&error) => {
                if !told {
                    log::warn!(
                        "watching is not allowed, so looking again and again: {}",
                        error.message
                    );
                    told = true;
                }
                pause(ctx, deadline, LOOK_AGAIN);
            }
            Err(Ended::Watch(error)) if error.status == Some(410) || error.worth_repeating() => {
                log::debug!("the watch ended, looking again: {}", error.message);
                pause(ctx, deadline, Duration::from_secs(1));
            }
            Err(Ended::Watch(error)) => return Err(wording::first_look(error, &session.remedy)),
        }
        if ctx.cancelled() {
            return Err(Failure::cancelled("stopped waiting, since the run is being stopped"));
        }
        if deadline.left(ctx).is_zero() {
            return Ok(None);
        }
    }
}

fn pause(ctx: &Context, deadline: Deadline, wait: Duration) {
    ctx.sleep(wait.min(deadline.left(ctx)));
}

fn is_forbidden(error: &ConnectError) -> bool {
    error.status == Some(403) || error.reason == Reason::Denied
}

enum Ended {
    Judged(Failure),
    Watch(ConnectError),
}

/// Follows one watch until there is an answer, the time is over, or the watch ends.
fn events(
    session: &Session<'_>,
    target: &Target,
    version: Option<&str>,
    deadline: Deadline,
    judge: Judge<'_>,
) -> Result<Option<String>, Ended> {
    let field_selector = Some(format!("metadata.name={}", target.name));
    let query = Query { field_selector, ..everything() };
    let namespace = session.namespace(&target.kind);
    let watcher = session.cluster.watch(&target.kind.api, namespace, &query, version);
    let watcher = watcher.map_err(Ended::Watch)?;
    while !deadline.left(session.ctx).is_zero() && !session.ctx.cancelled() {
        let wait = deadline.left(session.ctx).min(EVENT_WAIT);
        let wait = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let seen = match watcher.next(wait).map_err(Ended::Watch)? {
            None | Some((Change::Bookmark, _)) => continue,
            Some((_, object)) if object["metadata"]["name"] != target.name.as_str() => continue,
            Some((Change::Deleted, _)) => None,
            Some((_, object)) => Some(object),
        };
        if let Some(answer) = judge(seen.as_ref()).map_err(Ended::Judged)? {
            return Ok(Some(answer));
        }
    }
    Ok(None)
}

/// The failure of a wait whose time is over.
#[must_use]
pub fn timed_out() -> Failure {
    Failure::permanent("timeout", "timed out waiting for the condition")
}

/// Waits until the rollout of an object is finished. `generation` is that of the change that is
/// waited for: what the controller said of an earlier one does not count.
///
/// # Errors
///
/// `rollout-failed`, `timeout`, `not-found`, `conflict.paused`, with what the pods wait for.
pub fn rollout(
    session: &Session<'_>,
    target: &Target,
    generation: Option<i64>,
    revision: i64,
) -> Result<String, Failure> {
    let deadline = Deadline::new(session.ctx, session.call.timeout()?);
    let last: RefCell<Value> = RefCell::default();
    let line = RefCell::new(String::new());
    let looked = Cell::new(false);
    let mut judge = |seen: Option<&Value>| {
        let gone = || Failure::permanent("not-found", "object has been deleted");
        let seen = seen.ok_or_else(gone)?;
        let before = last.replace(seen.clone());
        if before.is_object() && before["metadata"]["uid"] != seen["metadata"]["uid"] {
            return Err(gone());
        }
        let observed = seen["status"]["observedGeneration"].as_i64();
        let unseen = generation.is_some_and(|it| observed.is_some_and(|observed| observed < it));
        match progress(&target.kind.name, seen, revision) {
            Progress::Done(_) | Progress::Failed("rollout-failed", _) if unseen => Ok(None),
            Progress::Done(text) => Ok(Some(text)),
            Progress::Failed(code, text) => Err(Failure::permanent(code, text)),
            Progress::Going(text) => {
                if *line.borrow() != text {
                    log::info!("{text}");
                    line.replace(text);
                }
                refuse_endless(session, target, seen, &looked)?;
                Ok(None)
            }
        }
    };
    let outcome = until(session, target, deadline, &mut judge);
    let failure = match outcome {
        Ok(Some(text)) => return Ok(text),
        Ok(None) => timed_out(),
        Err(failure) if matches!(failure.code(), "rollout-failed") => failure,
        Err(failure) => return Err(failure),
    };
    Err(explained(session, target, failure, &last.borrow()))
}

/// Adds to the failure of a rollout what the newest pods wait for.
pub(crate) fn explained(
    session: &Session<'_>,
    target: &Target,
    failure: Failure,
    object: &Value,
) -> Failure {
    let reasons = describe(session, target, object);
    if reasons.is_empty() {
        return failure;
    }
    for reason in &reasons {
        log::warn!("{reason}");
    }
    let text = format!("{}: {}", failure.message(), reasons.join("; "));
    failure.with_message(text).with_detail("reasons", reasons)
}

/// Refuses to wait for what can never come.
fn refuse_endless(
    session: &Session<'_>,
    target: &Target,
    seen: &Value,
    looked: &Cell<bool>,
) -> Result<(), Failure> {
    if seen["spec"]["paused"] == true {
        let text = format!(
            "{} is paused, so its rollout can never finish; resume it with `rollout resume`",
            target.quoted()
        );
        return Err(Failure::permanent("conflict.paused", text));
    }
    let ordered =
        target.kind.name == "StatefulSet" && seen["spec"]["podManagementPolicy"] != "Parallel";
    let observed = seen["status"]["observedGeneration"] == seen["metadata"]["generation"];
    if !ordered || !observed || looked.replace(true) {
        return Ok(());
    }
    let newest = seen["status"]["updateRevision"].as_str().unwrap_or_default();
    let found = pods_of(session, seen);
    match pods::stuck(&found, seen["metadata"]["uid"].as_str(), newest) {
        None => Ok(()),
        Some((pod, why)) => Err(Failure::permanent(
            "rollout-failed",
            format!(
                "{} replaces one pod after the other and waits for pod {pod}, which is broken and \
                 has an older revision ({why}); delete that pod: `delete pod/{pod}`",
                target.quoted()
            ),
        )),
    }
}

fn pods_of(session: &Session<'_>, object: &Value) -> Vec<Value> {
    owned_list(session, "pods", object)
}

/// Objects that the object's selector matches. Nothing when they can't be read: this is only for
/// explanations.
fn owned_list(session: &Session<'_>, kind: &str, object: &Value) -> Vec<Value> {
    let Ok(Some(label_selector)) = selector::text(&object["spec"]["selector"]) else {
        return Vec::new();
    };
    let query = Query { label_selector: Some(label_selector), ..everything() };
    let found = session.kind(kind).and_then(|kind| session.list(&kind, &query));
    found.unwrap_or_else(|failure| {
        log::debug!("can't read {kind}: {failure}");
        Vec::new()
    })
}

/// Why the rollout does not go on: what the newest pods wait for.
fn describe(session: &Session<'_>, target: &Target, object: &Value) -> Vec<String> {
    let mut reasons: Vec<String> = pods::refused(object).into_iter().collect();
    let mut owner = object["metadata"]["uid"].as_str().map(str::to_owned);
    if target.kind.name == "Deployment" {
        let sets = owned_list(session, "replicasets", object);
        // The one with the Deployment's template is the last.
        let newest = history::owned(object, &sets)
            .pop()
            .filter(|set| template::same(&set["spec"]["template"], &object["spec"]["template"]));
        let refused = newest.and_then(pods::refused).filter(|_| reasons.is_empty());
        reasons.extend(refused);
        owner = newest.and_then(|set| set["metadata"]["uid"].as_str()).map(str::to_owned);
    }
    reasons.extend(pods::reasons(&pods_of(session, object), owner.as_deref()));
    reasons
}

/// Adds to the failure of a wait that the change itself was made.
pub(crate) fn after_change(call: &Call<'_>, message: &str, failure: Failure) -> Failure {
    let command = in_a_row(call.command.words, " ");
    let text = format!("{failure} (the change itself was made: {message})");
    // Another attempt would make the change again.
    failure
        .finally()
        .with_message(text)
        .with_detail("changed", true)
        .with_detail("command", command)
}
