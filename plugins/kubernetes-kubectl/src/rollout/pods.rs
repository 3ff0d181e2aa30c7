//! Why pods do not become ready: what a person would look for with `describe`.

use crate::undo::history::controller;
use serde_json::Value;

/// The most pods that are told of.
const TOLD_MAX: usize = 5;

/// The longest message of a reason, in characters.
const MESSAGE_MAX: usize = 200;

/// What the pods controlled by `owner` wait for, one line each.
#[must_use]
pub fn reasons(pods: &[Value], owner: Option<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for pod in pods.iter().filter(|pod| owner.is_some() && controller(pod) == owner) {
        if let Some(reason) = reason(pod).filter(|_| found.len() < TOLD_MAX) {
            found.push(format!("pod {}: {reason}", name(pod)));
        }
    }
    found
}

/// What a ReplicaSet's or Deployment's controller was refused, a quota most often.
#[must_use]
pub fn refused(object: &Value) -> Option<String> {
    let mut conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let failure = conditions.find(|it| it["type"] == "ReplicaFailure" && it["status"] == "True")?;
    let text = |name: &str| failure[name].as_str().unwrap_or_default();
    Some(format!("no pod can be made: {} ({})", text("reason"), cut(text("message"))))
}

/// The first pod that is broken and has an older revision than `newest`: a StatefulSet that
/// replaces one pod after the other waits for it for ever.
#[must_use]
pub fn stuck<'a>(
    pods: &'a [Value],
    owner: Option<&str>,
    newest: &str,
) -> Option<(&'a str, String)> {
    let found = pods.iter().find(|pod| {
        let revision = pod["metadata"]["labels"]["controller-revision-hash"].as_str();
        controller(pod) == owner
            && revision.is_some_and(|revision| revision != newest)
            && broken(pod).is_some()
    })?;
    Some((name(found), broken(found)?))
}

fn name(pod: &Value) -> &str {
    pod["metadata"]["name"].as_str().unwrap_or_default()
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let list = |name: &str| pod["status"][name].as_array().into_iter().flatten();
    list("initContainerStatuses").chain(list("containerStatuses"))
}

/// A container that does not start by itself.
fn broken(pod: &Value) -> Option<String> {
    for container in containers(pod) {
        let waiting = &container["state"]["waiting"];
        let called = container["name"].as_str().unwrap_or_default();
        match waiting["reason"].as_str() {
            None | Some("ContainerCreating" | "PodInitializing") => (),
            Some(reason) => {
                let mut text = format!("container {called} is waiting: {reason}");
                if let Some(message) = waiting["message"].as_str() {
                    text = format!("{text} ({})", cut(message));
                }
                if let Some(code) = container["lastState"]["terminated"]["exitCode"].as_i64() {
                    text = format!("{text}, it ended with exit code {code}");
                }
                return Some(text);
            }
        }
    }
    None
}

fn reason(pod: &Value) -> Option<String> {
    if let Some(broken) = broken(pod) {
        return Some(broken);
    }
    let conditions = || pod["status"]["conditions"].as_array().into_iter().flatten();
    if let Some(found) =
        conditions().find(|it| it["type"] == "PodScheduled" && it["status"] == "False")
    {
        let message = cut(found["message"].as_str().unwrap_or_default());
        return Some(format!("unschedulable: {message}"));
    }
    let container = containers(pod).find(|it| it["ready"] == false)?;
    let called = container["name"].as_str().unwrap_or_default();
    Some(match container["state"]["terminated"]["exitCode"].as_i64() {
        Some(code) => format!("container {called} ended with exit code {code}"),
        None if container["state"]["running"].is_object() => {
            format!("container {called} runs and is not ready; see its readiness probe")
        }
        None => format!("container {called} is being started"),
    })
}

fn cut(text: &str) -> String {
    let short: String = text.chars().take(MESSAGE_MAX).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, status: Value) -> Value {
        json!({"metadata": {"name": name, "labels": {"controller-revision-hash": "old"},
            "ownerReferences": [{"controller": true, "uid": "u"}]}, "status": status})
    }

    fn container(state: Value, last: Value) -> Value {
        json!({"containerStatuses": [{"name": "c", "ready": false, "state": state, "lastState": last}]})
    }

    #[test]
    fn k42_each_reason_is_named() {
        let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "back-off"}});
        let cases = [
            (
                container(waiting("ImagePullBackOff"), json!({})),
                "container c is waiting: ImagePullBackOff (back-off)",
            ),
            (
                container(waiting("CrashLoopBackOff"), json!({"terminated": {"exitCode": 3}})),
                "container c is waiting: CrashLoopBackOff (back-off), it ended with exit code 3",
            ),
            (container(waiting("ContainerCreating"), json!({})), "container c is being started"),
            (
                container(json!({"running": {}}), json!({})),
                "container c runs and is not ready; see its readiness probe",
            ),
            (
                container(json!({"terminated": {"exitCode": 1}}), json!({})),
                "container c ended with exit code 1",
            ),
            (
                json!({"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/3 nodes"}]}),
                "unschedulable: 0/3 nodes",
            ),
        ];
        for (status, expected) in cases {
            let found = reasons(&[pod("p", status)], Some("u"));
            assert_eq!(found, [format!("pod p: {expected}")]);
        }
        let fine =
            json!({"containerStatuses": [{"name": "c", "ready": true, "state": {"running": {}}}]});
        assert_eq!(reasons(&[pod("p", fine)], Some("u")), [""; 0]);
        let many: Vec<Value> =
            (0..9).map(|_| pod("p", container(waiting("X"), json!({})))).collect();
        assert_eq!(reasons(&many, Some("u")).len(), TOLD_MAX);
        assert!(reasons(&many, Some("other")).is_empty() && reasons(&many, None).is_empty());
        let quota = json!({"status": {"conditions": [{"type": "ReplicaFailure", "status": "True",
            "reason": "FailedCreate", "message": "exceeded quota"}]}});
        assert_eq!(
            refused(&quota).as_deref(),
            Some("no pod can be made: FailedCreate (exceeded quota)")
        );
    }

    #[test]
    fn k26_the_pod_that_holds_everything_up_is_named() {
        let broken =
            pod("db-2", container(json!({"waiting": {"reason": "ErrImagePull"}}), json!({})));
        let pods = [pod("db-1", json!({})), broken];
        assert_eq!(stuck(&pods, Some("u"), "new").map(|it| it.0), Some("db-2"));
        assert_eq!(stuck(&pods, Some("u"), "old"), None);
    }
}
