//! What the status of a Deployment says about a rollout: counts and conditions.
//!
//! Computed from the ReplicaSets and from what the status said before; writes nothing itself.

use super::super::object::{self, at, number, put, text};
use super::deployment::{Set, Sets, unavailable};
use super::{counted, put_count, replicas};
use crate::clock::{self, seconds_between};
use jiff::Timestamp;
use serde_json::{Value, json};

const TIMED_OUT: &str = "ProgressDeadlineExceeded";
const COMPLETE: &str = "NewReplicaSetAvailable";

struct Condition {
    kind: &'static str,
    holds: &'static str,
    reason: &'static str,
    message: String,
}

/// Whether the rollout is over: everything is new, available, and nothing else is left.
pub(super) fn is_complete(deployment: &Value, sets: &Sets) -> bool {
    let desired = replicas(deployment);
    let new = |key| sets.new.as_ref().map_or(0, |set: &Set| set.counted(key));
    new("replicas") == desired
        && new("availableReplicas") == desired
        && sets.sum(|set| set.counted("replicas")) == desired
}

/// The status as it should be now.
pub(super) fn status(deployment: &Value, sets: &Sets, now: Timestamp) -> Value {
    let total = sets.sum(|set| set.counted("replicas"));
    let available = sets.sum(|set| set.counted("availableReplicas"));
    let updated = sets.new.as_ref().map_or(0, |set| set.counted("replicas"));
    let mut status = json!({});
    put(&mut status, &["observedGeneration"], at(deployment, &["metadata", "generation"]).clone());
    put_count(&mut status, "replicas", total);
    put_count(&mut status, "updatedReplicas", updated);
    put_count(&mut status, "readyReplicas", sets.sum(|set| set.counted("readyReplicas")));
    put_count(&mut status, "availableReplicas", available);
    // As the real one: what is missing of all the pods that should be there.
    let wanted = sets.sum(Set::wanted);
    put_count(&mut status, "unavailableReplicas", (wanted - available).max(0));
    let mut conditions = at(deployment, &["status", "conditions"]).clone();
    set_condition(&mut conditions, availability(deployment, available), now, false);
    progress(deployment, sets, &status, &mut conditions, now);
    replica_failure(sets, &mut conditions, now);
    put(&mut status, &["conditions"], conditions);
    status
}

/// Notes that the new ReplicaSet was made, or found when nothing was known about progress.
pub(super) fn note_new_set(deployment: &mut Value, set: &str, is_made: bool, now: Timestamp) {
    let mut conditions = at(deployment, &["status", "conditions"]).clone();
    let known = find(&conditions, "Progressing").is_some();
    let (reason, verb) = match (is_made, known) {
        (true, _) => ("NewReplicaSetCreated", "Created new"),
        (false, false) => ("FoundNewReplicaSet", "Found new"),
        (false, true) => return,
    };
    let message = format!("{verb} replica set {set:?}");
    let condition = Condition { kind: "Progressing", holds: "True", reason, message };
    set_condition(&mut conditions, condition, now, true);
    put(deployment, &["status", "conditions"], conditions);
}

fn availability(deployment: &Value, available: i64) -> Condition {
    if available >= replicas(deployment) - unavailable(deployment) {
        Condition {
            kind: "Available",
            holds: "True",
            reason: "MinimumReplicasAvailable",
            message: "Deployment has minimum availability.".to_owned(),
        }
    } else {
        Condition {
            kind: "Available",
            holds: "False",
            reason: "MinimumReplicasUnavailable",
            message: "Deployment does not have minimum availability.".to_owned(),
        }
    }
}

fn progress(
    deployment: &Value,
    sets: &Sets,
    status: &Value,
    conditions: &mut Value,
    now: Timestamp,
) {
    let set = sets.new.as_ref().map_or("", |set| object::name(&set.object));
    let progressing =
        |holds, reason, message| Condition { kind: "Progressing", holds, reason, message };
    if at(deployment, &["spec", "paused"]) == true {
        let message = "Deployment is paused".to_owned();
        let paused = progressing("Unknown", "DeploymentPaused", message);
        set_condition(conditions, paused, now, false);
        return;
    }
    let current = find(conditions, "Progressing").map(|current| {
        (text(current, &["reason"]).to_owned(), text(current, &["lastUpdateTime"]).to_owned())
    });
    let reason = current.as_ref().map(|(reason, _)| reason.as_str()).unwrap_or_default();
    let after = |key: &str| number(status, &[key]).unwrap_or(0);
    // A rollout that was over stays over, unless pods of another template appear.
    if reason == COMPLETE && after("replicas") == after("updatedReplicas") {
        return;
    }
    if is_complete(deployment, sets) {
        let message = format!("ReplicaSet {set:?} has successfully progressed.");
        set_condition(conditions, progressing("True", COMPLETE, message), now, true);
    } else if has_moved(deployment, status) {
        let message = format!("ReplicaSet {set:?} is progressing.");
        let updated = progressing("True", "ReplicaSetUpdated", message);
        set_condition(conditions, updated, now, true);
    } else if reason != TIMED_OUT && is_late(deployment, current.as_ref(), now) {
        let message = format!("ReplicaSet {set:?} has timed out progressing.");
        set_condition(conditions, progressing("False", TIMED_OUT, message), now, true);
    }
}

fn has_moved(deployment: &Value, status: &Value) -> bool {
    let before = |key: &str| counted(deployment, key);
    let after = |key: &str| number(status, &[key]).unwrap_or(0);
    let old_pods = |count: &dyn Fn(&str) -> i64| count("replicas") - count("updatedReplicas");
    after("updatedReplicas") > before("updatedReplicas")
        || old_pods(&after) < old_pods(&before)
        || after("readyReplicas") > before("readyReplicas")
        || after("availableReplicas") > before("availableReplicas")
}

fn is_late(deployment: &Value, current: Option<&(String, String)>, now: Timestamp) -> bool {
    let Some((_, since)) = current else { return false };
    let deadline = number(deployment, &["spec", "progressDeadlineSeconds"]).unwrap_or(600);
    since.parse::<Timestamp>().is_ok_and(|since| seconds_between(since, now) > deadline)
}

fn replica_failure(sets: &Sets, conditions: &mut Value, now: Timestamp) {
    let failing = sets.all().find_map(|set| {
        let conditions = at(&set.object, &["status", "conditions"]);
        Some(text(find(conditions, "ReplicaFailure")?, &["message"]).to_owned())
    });
    match (failing, conditions.as_array_mut()) {
        (Some(message), _) => {
            let (kind, reason) = ("ReplicaFailure", "FailedCreate");
            let condition = Condition { kind, holds: "True", reason, message };
            set_condition(conditions, condition, now, false);
        }
        (None, Some(list)) => list.retain(|known| text(known, &["type"]) != "ReplicaFailure"),
        (None, None) => {}
    }
}

fn find<'a>(conditions: &'a Value, kind: &str) -> Option<&'a Value> {
    conditions.as_array()?.iter().find(|condition| text(condition, &["type"]) == kind)
}

/// Sets a condition. When nothing but the time would change it is left alone, unless
/// `is_news`: then its `lastUpdateTime` is now.
fn set_condition(conditions: &mut Value, condition: Condition, now: Timestamp, is_news: bool) {
    if !conditions.is_array() {
        *conditions = json!([]);
    }
    let known = find(conditions, condition.kind).cloned().unwrap_or(Value::Null);
    let same_status = text(&known, &["status"]) == condition.holds;
    let same = same_status
        && text(&known, &["reason"]) == condition.reason
        && text(&known, &["message"]) == condition.message;
    if same && !is_news {
        return;
    }
    let time = clock::seconds(now);
    let since =
        if same_status { text(&known, &["lastTransitionTime"]).to_owned() } else { time.clone() };
    let new = json!({
        "type": condition.kind,
        "status": condition.holds,
        "reason": condition.reason,
        "message": condition.message,
        "lastUpdateTime": time,
        "lastTransitionTime": since,
    });
    let Some(list) = conditions.as_array_mut() else { return };
    match list.iter_mut().find(|known| text(known, &["type"]) == condition.kind) {
        Some(place) => *place = new,
        None => list.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_the_time_of_its_last_change() {
        let early: Timestamp = "2026-07-01T00:00:00Z".parse().expect("a time");
        let late: Timestamp = "2026-07-01T01:00:00Z".parse().expect("a time");
        let condition = |holds, reason| Condition {
            kind: "Progressing",
            holds,
            reason,
            message: "text".to_owned(),
        };
        let mut conditions = Value::Null;

        set_condition(&mut conditions, condition("True", "A"), early, false);
        set_condition(&mut conditions, condition("True", "A"), late, false);
        assert_eq!(conditions[0]["lastUpdateTime"], "2026-07-01T00:00:00Z");

        set_condition(&mut conditions, condition("True", "B"), late, false);
        assert_eq!(conditions[0]["lastUpdateTime"], "2026-07-01T01:00:00Z");
        assert_eq!(conditions[0]["lastTransitionTime"], "2026-07-01T00:00:00Z");

        set_condition(&mut conditions, condition("False", "C"), late, false);
        assert_eq!(conditions[0]["lastTransitionTime"], "2026-07-01T01:00:00Z");
        assert_eq!(conditions.as_array().map(Vec::len), Some(1));
    }
}
