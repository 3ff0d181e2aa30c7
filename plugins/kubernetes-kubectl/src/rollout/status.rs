//! How far the rollout of a Deployment, StatefulSet or DaemonSet is, in kubectl's words.

use crate::undo::{REVISION, annotation};
use serde_json::Value;

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not finished.
    Going(String),
    /// Finished.
    Done(String),
    /// It will not finish: the failure's code and text.
    Failed(&'static str, String),
}

/// Where the rollout of an object of `kind` stands. `wanted` is the revision that it must be at;
/// 0 for any.
#[must_use]
pub fn progress(kind: &str, object: &Value, wanted: i64) -> Progress {
    match kind {
        "Deployment" => deployment(object, wanted),
        "StatefulSet" => stateful_set(object),
        "DaemonSet" => daemon_set(object),
        _ => {
            Progress::Failed("config", format!("no status viewer has been implemented for {kind}"))
        }
    }
}

fn number(object: &Value, part: &str, name: &str) -> i64 {
    object[part][name].as_i64().unwrap_or_default()
}

/// Whether the controller has not seen the object as it is now.
fn is_unseen(object: &Value) -> bool {
    number(object, "metadata", "generation") > number(object, "status", "observedGeneration")
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn deployment(object: &Value, wanted: i64) -> Progress {
    let name = name(object);
    let status = |field| number(object, "status", field);
    let running = annotation(object, REVISION).unwrap_or("0");
    if wanted > 0 && running.parse() != Ok(wanted) {
        let text = format!(
            "desired revision ({wanted}) is different from the running revision ({running})"
        );
        return Progress::Failed("conflict.revision", text);
    }
    if is_unseen(object) {
        return Progress::Going("Waiting for deployment spec update to be observed...".to_owned());
    }
    let late = object["status"]["conditions"].as_array().into_iter().flatten().any(|condition| {
        condition["type"] == "Progressing" && condition["reason"] == "ProgressDeadlineExceeded"
    });
    if late {
        let text = format!("deployment \"{name}\" exceeded its progress deadline");
        return Progress::Failed("rollout-failed", text);
    }
    let (updated, replicas) = (status("updatedReplicas"), status("replicas"));
    let available = status("availableReplicas");
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or_default();
    let going = if updated < wanted {
        format!("{updated} out of {wanted} new replicas have been updated")
    } else if replicas > updated {
        format!("{} old replicas are pending termination", replicas - updated)
    } else if available < updated {
        format!("{available} of {updated} updated replicas are available")
    } else {
        return Progress::Done(format!("deployment \"{name}\" successfully rolled out"));
    };
    Progress::Going(format!("Waiting for deployment \"{name}\" rollout to finish: {going}..."))
}

fn is_rolling(object: &Value) -> bool {
    object["spec"]["updateStrategy"]["type"].as_str().unwrap_or("RollingUpdate") == "RollingUpdate"
}

fn not_rolling() -> Progress {
    let text = "rollout status is only available for RollingUpdate strategy type";
    Progress::Failed("config", text.to_owned())
}

fn stateful_set(object: &Value) -> Progress {
    let status = |field| number(object, "status", field);
    if !is_rolling(object) {
        return not_rolling();
    }
    if status("observedGeneration") == 0 || is_unseen(object) {
        return Progress::Going("Waiting for statefulset spec update to be observed...".to_owned());
    }
    let replicas = object["spec"]["replicas"].as_i64();
    let unready = replicas.unwrap_or_default() - status("readyReplicas");
    if unready > 0 {
        return Progress::Going(format!("Waiting for {unready} pods to be ready..."));
    }
    let updated = status("updatedReplicas");
    let rolling = &object["spec"]["updateStrategy"]["rollingUpdate"];
    if rolling.is_object() {
        if let (Some(replicas), Some(partition)) = (replicas, rolling["partition"].as_i64())
            && updated < replicas - partition
        {
            return Progress::Going(format!(
                "Waiting for partitioned roll out to finish: {updated} out of {} new pods have been \
                 updated...",
                replicas - partition
            ));
        }
        return Progress::Done(format!(
            "partitioned roll out complete: {updated} new pods have been updated..."
        ));
    }
    let revision = |field: &str| object["status"][field].as_str().unwrap_or_default();
    let (update, current) = (revision("updateRevision"), revision("currentRevision"));
    if update != current {
        return Progress::Going(format!(
            "waiting for statefulset rolling update to complete {updated} pods at revision {update}..."
        ));
    }
    let count = status("currentReplicas");
    Progress::Done(format!(
        "statefulset rolling update complete {count} pods at revision {current}..."
    ))
}

fn daemon_set(object: &Value) -> Progress {
    let status = |field| number(object, "status", field);
    if !is_rolling(object) {
        return not_rolling();
    }
    if is_unseen(object) {
        return Progress::Going("Waiting for daemon set spec update to be observed...".to_owned());
    }
    let name = name(object);
    let wanted = status("desiredNumberScheduled");
    let (updated, available) = (status("updatedNumberScheduled"), status("numberAvailable"));
    let going = if updated < wanted {
        format!("{updated} out of {wanted} new pods have been updated")
    } else if available < wanted {
        format!("{available} of {wanted} updated pods are available")
    } else {
        return Progress::Done(format!("daemon set \"{name}\" successfully rolled out"));
    };
    Progress::Going(format!("Waiting for daemon set \"{name}\" rollout to finish: {going}..."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(kind: &str, object: &Value, wanted: i64) -> String {
        match progress(kind, object, wanted) {
            Progress::Going(text) => format!("going: {text}"),
            Progress::Done(text) => format!("done: {text}"),
            Progress::Failed(code, text) => format!("{code}: {text}"),
        }
    }

    #[test]
    fn a_deployment_is_judged_as_kubectl_does() {
        let at = |generation: i64,
                  replicas: i64,
                  total: i64,
                  updated: i64,
                  available: i64,
                  reason: &str| {
            json!({
                "metadata": {"name": "web", "generation": generation,
                    "annotations": {"deployment.kubernetes.io/revision": "3"}},
                "spec": {"replicas": replicas},
                "status": {"observedGeneration": 3, "replicas": total, "updatedReplicas": updated,
                    "availableReplicas": available,
                    "conditions": [{"type": "Progressing", "reason": reason}]},
            })
        };
        let finish = "going: Waiting for deployment \"web\" rollout to finish:";
        let late = "ProgressDeadlineExceeded";
        let cases = [
            (at(3, 3, 3, 3, 3, "x"), 0, "done: deployment \"web\" successfully rolled out".to_owned()),
            (at(3, 3, 3, 3, 3, "x"), 3, "done: deployment \"web\" successfully rolled out".to_owned()),
            (at(3, 3, 3, 3, 3, "x"), 2, "conflict.revision: desired revision (2) is different from the running revision (3)".to_owned()),
            (at(4, 3, 3, 3, 3, "x"), 0, "going: Waiting for deployment spec update to be observed...".to_owned()),
            (at(3, 3, 4, 1, 3, late), 0, "rollout-failed: deployment \"web\" exceeded its progress deadline".to_owned()),
            (at(3, 3, 4, 1, 3, "x"), 0, format!("{finish} 1 out of 3 new replicas have been updated...")),
            (at(3, 3, 5, 3, 3, "x"), 0, format!("{finish} 2 old replicas are pending termination...")),
            (at(3, 3, 3, 3, 2, "x"), 0, format!("{finish} 2 of 3 updated replicas are available...")),
        ];
        for (object, wanted, expected) in cases {
            assert_eq!(text("Deployment", &object, wanted), expected);
        }
        let pod = text("Pod", &json!({}), 0);
        assert_eq!(pod, "config: no status viewer has been implemented for Pod");
    }

    #[test]
    fn k41_a_stale_deadline_is_ignored_until_the_change_was_seen() {
        let stale = json!({"metadata": {"name": "web", "generation": 5}, "status": {"observedGeneration": 4,
            "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}});
        assert!(matches!(progress("Deployment", &stale, 0), Progress::Going(_)));
    }

    #[test]
    fn k47_zero_replicas_are_done_at_once() {
        let none = json!({"metadata": {"name": "web", "generation": 1}, "spec": {"replicas": 0},
            "status": {"observedGeneration": 1}});
        assert_eq!(
            text("Deployment", &none, 0),
            "done: deployment \"web\" successfully rolled out"
        );
    }

    #[test]
    fn stateful_sets_and_daemon_sets_have_words_of_their_own() {
        let set = |ready: i64, updated: i64, rolling: Value, update: &str| {
            json!({
                "metadata": {"name": "db", "generation": 2},
                "spec": {"replicas": 3, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
                "status": {"observedGeneration": 2, "readyReplicas": ready, "updatedReplicas": updated,
                    "currentReplicas": 3, "currentRevision": "db-1", "updateRevision": update},
            })
        };
        let cases = [
            (set(1, 0, Value::Null, "db-1"), "going: Waiting for 2 pods to be ready..."),
            (
                set(3, 1, json!({"partition": 1}), "db-2"),
                "going: Waiting for partitioned roll out to finish: 1 out of 2 new pods have been updated...",
            ),
            (
                set(3, 2, json!({"partition": 1}), "db-2"),
                "done: partitioned roll out complete: 2 new pods have been updated...",
            ),
            (
                set(3, 1, Value::Null, "db-2"),
                "going: waiting for statefulset rolling update to complete 1 pods at revision db-2...",
            ),
            (
                set(3, 3, Value::Null, "db-1"),
                "done: statefulset rolling update complete 3 pods at revision db-1...",
            ),
        ];
        for (object, expected) in cases {
            assert_eq!(text("StatefulSet", &object, 0), expected);
        }
        let agent = |updated: i64, available: i64| {
            json!({
                "metadata": {"name": "agent", "generation": 1},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 3,
                    "updatedNumberScheduled": updated, "numberAvailable": available},
            })
        };
        let finish = "Waiting for daemon set \"agent\" rollout to finish:";
        let cases = [
            (agent(1, 1), format!("going: {finish} 1 out of 3 new pods have been updated...")),
            (agent(3, 2), format!("going: {finish} 2 of 3 updated pods are available...")),
            (agent(3, 3), "done: daemon set \"agent\" successfully rolled out".to_owned()),
        ];
        for (object, expected) in cases {
            assert_eq!(text("DaemonSet", &object, 0), expected);
        }
    }

    #[test]
    fn k26_what_does_not_roll_by_itself_is_said_at_once() {
        let object = json!({"spec": {"updateStrategy": {"type": "OnDelete"}}});
        for kind in ["StatefulSet", "DaemonSet"] {
            let actual = text(kind, &object, 0);
            assert_eq!(
                actual,
                "config: rollout status is only available for RollingUpdate strategy type"
            );
        }
    }
}
