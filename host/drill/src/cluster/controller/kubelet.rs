//! The one node of the practice cluster: starts the containers of pods, or fails to.
//!
//! There is no registry. Whether an image can be pulled is read from its tag: one that contains
//! `broken`, `bad`, `missing` or `nope` can't; one that contains `crash` starts and falls over.

use super::super::World;
use super::super::object::{at, name, namespace, put, text, uid};
use super::super::store::{Key, weight};
use crate::clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The name of the node.
pub(crate) const NODE: &str = "practice-node";
/// Words in a tag that can't be pulled.
const UNPULLABLE: &[&str] = &["broken", "bad", "missing", "nope"];
/// A word in a tag that starts and falls over.
const CRASHING: &str = "crash";
/// Events of one namespace; the oldest make room.
const EVENTS_MAX: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Runs,
    NoSuchImage,
    BadName,
    Crashes,
}

/// Ready and all containers of a pod.
pub(crate) fn readiness(pod: &Value) -> (usize, usize) {
    let all = at(pod, &["spec", "containers"]).as_array().map_or(0, Vec::len);
    let ready = at(pod, &["status", "containerStatuses"])
        .as_array()
        .into_iter()
        .flatten()
        .filter(|container| at(container, &["ready"]) == true)
        .count();
    (ready, all)
}

/// Starts the containers of a new pod, and those whose image was changed.
pub(super) fn step(world: &mut World, key: &Key, pod: &Arc<Value>, now: Timestamp) {
    let seen: Vec<&str> = at(pod, &["status", "containerStatuses"])
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| text(container, &["image"]))
        .collect();
    let containers = at(pod, &["spec", "containers"]).as_array();
    let wanted: Vec<&str> =
        containers.into_iter().flatten().map(|container| text(container, &["image"])).collect();
    if seen == wanted && !at(pod, &["status", "conditions"]).is_null() {
        return;
    }
    let mut started = Value::clone(pod);
    let status = status(pod, containers.map(Vec::as_slice).unwrap_or_default(), now);
    put(&mut started, &["status"], status);
    world.store.put(key.clone(), started);
    for container in containers.into_iter().flatten() {
        let image = text(container, &["image"]);
        let (reason, message) = match fate(image) {
            Fate::Runs => continue,
            Fate::NoSuchImage => ("Failed", pull_failure(image)),
            Fate::BadName => ("InspectFailed", format!("couldn't parse image name {image:?}")),
            Fate::Crashes => ("BackOff", "Back-off restarting failed container".to_owned()),
        };
        tell(world, pod, reason, &message, now);
    }
}

fn status(pod: &Value, containers: &[Value], now: Timestamp) -> Value {
    let time = clock::seconds(now);
    let listed: Vec<Value> =
        containers.iter().map(|container| container_status(container, &time)).collect();
    let all_run =
        containers.iter().all(|container| fate(text(container, &["image"])) == Fate::Runs);
    let waiting: Vec<&str> = containers
        .iter()
        .filter(|container| fate(text(container, &["image"])) != Fate::Runs)
        .map(|container| text(container, &["name"]))
        .collect();
    let condition = |kind: &str, holds: bool| {
        let mut condition = json!({
            "type": kind,
            "status": if holds { "True" } else { "False" },
            "lastProbeTime": null,
            "lastTransitionTime": time,
        });
        if !holds {
            let message = format!("containers with unready status: [{}]", waiting.join(" "));
            put(&mut condition, &["reason"], json!("ContainersNotReady"));
            put(&mut condition, &["message"], json!(message));
        }
        condition
    };
    json!({
        "phase": if all_run || crashes_only(containers) { "Running" } else { "Pending" },
        "conditions": [
            condition("Initialized", true),
            condition("Ready", all_run),
            condition("ContainersReady", all_run),
            condition("PodScheduled", true),
        ],
        "hostIP": "192.0.2.1",
        "podIP": address(uid(pod)),
        "startTime": time,
        "containerStatuses": listed,
        "qosClass": "BestEffort",
    })
}

fn crashes_only(containers: &[Value]) -> bool {
    let fates = containers.iter().map(|container| fate(text(container, &["image"])));
    !fates.into_iter().any(|fate| matches!(fate, Fate::NoSuchImage | Fate::BadName))
}

fn container_status(container: &Value, time: &str) -> Value {
    let image = text(container, &["image"]);
    let waiting =
        |reason: &str, message: String| json!({"waiting": {"reason": reason, "message": message}});
    let (state, restarts) = match fate(image) {
        Fate::Runs => (json!({"running": {"startedAt": time}}), 0),
        Fate::NoSuchImage => {
            let message =
                format!("Back-off pulling image {image:?}: ErrImagePull: {}", pull_failure(image));
            (waiting("ImagePullBackOff", message), 0)
        }
        Fate::BadName => {
            let message = format!("Failed to apply default image tag {image:?}: invalid reference");
            (waiting("InvalidImageName", message), 0)
        }
        Fate::Crashes => {
            let name = text(container, &["name"]);
            let message = format!("back-off 5m0s restarting failed container={name}");
            (waiting("CrashLoopBackOff", message), 5)
        }
    };
    let runs = fate(image) == Fate::Runs;
    json!({
        "name": text(container, &["name"]),
        "image": image,
        "imageID": if runs { format!("practice.invalid/{image}") } else { String::new() },
        "ready": runs,
        "started": runs,
        "restartCount": restarts,
        "state": state,
        "lastState": {},
    })
}

fn fate(image: &str) -> Fate {
    let last = image.rsplit('/').next().unwrap_or(image);
    let (name, tag) = last.split_once([':', '@']).unwrap_or((last, "latest"));
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte);
    let is_name = !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
    if !is_name || tag.is_empty() || !last.bytes().all(letters) {
        Fate::BadName
    } else if UNPULLABLE.iter().any(|word| tag.contains(word)) {
        Fate::NoSuchImage
    } else if tag.contains(CRASHING) {
        Fate::Crashes
    } else {
        Fate::Runs
    }
}

fn pull_failure(image: &str) -> String {
    format!("failed to pull and unpack image {image:?}: failed to resolve reference: not found")
}

/// An address of the documentation range that stays with the pod.
fn address(uid: &str) -> String {
    let sum = uid.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("198.51.100.{}", sum % 253 + 1)
}

fn tell(world: &mut World, pod: &Value, reason: &str, message: &str, now: Timestamp) {
    let namespace = namespace(pod).to_owned();
    let time = clock::seconds(now);
    let name = format!("{}.{}", name(pod), world.ids.suffix(16));
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": world.ids.uuid().to_string(),
            "creationTimestamp": time,
        },
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "name": self::name(pod),
            "namespace": namespace,
            "uid": uid(pod),
        },
        "reason": reason,
        "message": message,
        "type": "Warning",
        "count": 1,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "source": {"component": "kubelet", "host": NODE},
        "reportingComponent": "kubelet",
        "reportingInstance": NODE,
    });
    make_room(world, &namespace);
    if world.store.has_room(weight(&event)) {
        world.store.put(Key { resource: "events", namespace, name }, event);
    }
}

fn make_room(world: &mut World, namespace: &str) {
    let version = |event: &Value| text(event, &["metadata", "resourceVersion"]).parse::<u64>().ok();
    let events: Vec<_> = world.store.list("events", Some(namespace)).collect();
    if events.len() < EVENTS_MAX {
        return;
    }
    let oldest =
        events.iter().min_by_key(|(_, event)| version(event)).map(|(key, _)| Key::clone(key));
    if let Some(oldest) = oldest {
        world.store.remove(&oldest);
    }
}

/// How many nodes there are.
pub(super) fn nodes(world: &World) -> i64 {
    i64::try_from(world.store.list("nodes", None).count()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_decides_what_becomes_of_a_container() {
        for (image, wanted) in [
            ("nginx:1.25", Fate::Runs),
            ("nginx", Fate::Runs),
            ("registry.example:5000/team/web:2", Fate::Runs),
            ("registry.example/bad/web:2", Fate::Runs),
            ("nginx:1.99-broken", Fate::NoSuchImage),
            ("nginx:does-not-exist-nope", Fate::NoSuchImage),
            ("web:2-crash", Fate::Crashes),
            ("Nginx:1", Fate::BadName),
            ("nginx:", Fate::BadName),
            ("nginx:a b", Fate::BadName),
            ("", Fate::BadName),
        ] {
            assert_eq!(fate(image), wanted, "{image}");
        }
    }

    #[test]
    fn a_container_that_falls_over_is_not_ready_and_was_restarted() {
        let containers = [json!({"name": "web", "image": "web:crash"})];
        let pod = json!({"spec": {"containers": containers}});
        let status = status(&pod, &containers, "2026-07-01T00:00:00Z".parse().expect("a time"));
        let pod = json!({"spec": {"containers": containers}, "status": status});

        assert_eq!(readiness(&pod), (0, 1));
        assert_eq!(pod["status"]["containerStatuses"][0]["restartCount"], 5);
        assert_eq!(pod["status"]["phase"], "Running");
    }
}
