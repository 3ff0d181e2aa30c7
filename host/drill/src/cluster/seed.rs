//! What the practice cluster holds at the start, and how it came to be.
//!
//! History is made by the controllers themselves: good versions were rolled out days ago and a
//! bad one half an hour ago, so revisions, conditions and times fit together.

use super::controller;
use super::object::{at, put};
use super::store::{Key, Store};
use super::{World, defaults, kinds, managed_fields};
use crate::clock::{before, seconds};
use crate::identity::Ids;
use jiff::Timestamp;
use serde_json::{Value, json};

const DAY: i64 = 86_400;
const MINUTE: i64 = 60;
/// Enough for every rollout of the seed.
const STEPS_MAX: usize = 500;

/// A workload and its versions, oldest first: image tag and what was said about it.
struct Practice {
    resource: &'static str,
    namespace: &'static str,
    name: &'static str,
    replicas: i64,
    image: &'static str,
    versions: &'static [(&'static str, &'static str)],
}

const WORKLOADS: &[Practice] = &[
    Practice {
        resource: "deployments",
        namespace: "default",
        name: "nginx-deployment",
        replicas: 3,
        image: "nginx",
        versions: &[("1.25", "deploy nginx 1.25"), ("1.99-broken", "deploy nginx 1.99")],
    },
    Practice {
        resource: "deployments",
        namespace: "web",
        name: "storefront",
        replicas: 2,
        image: "storefront",
        versions: &[
            ("2.3", "release 2.3"),
            ("2.4", "release 2.4"),
            ("2.5-crash", "release 2.5"),
            ("2.6-broken", "hotfix 2.6"),
        ],
    },
    Practice {
        resource: "statefulsets",
        namespace: "web",
        name: "sessions",
        replicas: 2,
        image: "redis",
        versions: &[("7.2", "redis 7.2"), ("7.4", "redis 7.4")],
    },
    Practice {
        resource: "daemonsets",
        namespace: "web",
        name: "log-agent",
        replicas: 0,
        image: "log-agent",
        versions: &[("1.0", "agent 1.0"), ("1.1", "agent 1.1")],
    },
    Practice {
        resource: "deployments",
        namespace: "kube-system",
        name: "coredns",
        replicas: 2,
        image: "coredns",
        versions: &[("1.11.3", "cluster set-up")],
    },
];

/// A world as it is at `now` when nobody has rehearsed in it yet.
pub(super) fn world(now: Timestamp, start: u64) -> World {
    let mut world = World { store: Store::new(), ids: Ids::seeded(), start };
    surroundings(&mut world, before(now, 30 * DAY));
    for workload in WORKLOADS {
        make(&mut world, workload, now);
    }
    // The deadline of every rollout that got stuck has passed by now.
    controller::settle(&mut world, now, STEPS_MAX);
    world.ids.unpredictable();
    world
}

fn make(world: &mut World, workload: &Practice, now: Timestamp) {
    let place = key(workload.resource, workload.namespace, workload.name);
    let count = i64::try_from(workload.versions.len()).unwrap_or(i64::MAX);
    for (index, (tag, cause)) in (0_i64..).zip(workload.versions) {
        let is_last = index + 1 == count;
        let age = if is_last && count > 1 { 30 * MINUTE } else { (count - index) * 3 * DAY };
        let time = before(now, age);
        let image = format!("{}:{tag}", workload.image);
        match world.store.get(&place).cloned() {
            None => {
                let object = first(world, workload, &image, cause, time);
                world.store.put(place.clone(), object);
            }
            Some(old) => {
                let new = next(workload, &old, &image, cause, time);
                world.store.put(place.clone(), new);
            }
        }
        controller::settle(world, time, STEPS_MAX);
    }
}

fn first(
    world: &mut World,
    workload: &Practice,
    image: &str,
    cause: &str,
    time: Timestamp,
) -> Value {
    let labels = json!({"app": workload.name});
    let kind = kinds::known(workload.resource);
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind.kind,
        "metadata": {
            "name": workload.name,
            "namespace": workload.namespace,
            "uid": world.ids.uuid().to_string(),
            "generation": 1,
            "creationTimestamp": seconds(time),
            "labels": labels,
            "annotations": {"kubernetes.io/change-cause": cause},
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{
                    "name": workload.image,
                    "image": image,
                    "ports": [{"containerPort": 8080}],
                }]},
            },
        },
        "status": {},
    });
    if workload.resource != "daemonsets" {
        put(&mut object, &["spec", "replicas"], json!(workload.replicas));
    }
    if workload.resource == "statefulsets" {
        put(&mut object, &["spec", "serviceName"], json!(workload.name));
    }
    defaults::fill(kind, &mut object);
    managed_fields::track(kind, None, &mut object, "release-pipeline", "", time);
    object
}

fn next(workload: &Practice, old: &Value, image: &str, cause: &str, time: Timestamp) -> Value {
    let mut new = old.clone();
    let containers =
        new.pointer_mut("/spec/template/spec/containers").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten() {
        put(container, &["image"], json!(image));
    }
    put(&mut new, &["metadata", "annotations", "kubernetes.io/change-cause"], json!(cause));
    let generation = at(old, &["metadata", "generation"]).as_i64().unwrap_or(0) + 1;
    put(&mut new, &["metadata", "generation"], json!(generation));
    let kind = kinds::known(workload.resource);
    managed_fields::track(kind, Some(old), &mut new, "release-pipeline", "", time);
    new
}

/// Namespaces, the node, and a few objects besides workloads.
fn surroundings(world: &mut World, time: Timestamp) {
    for name in ["default", "kube-system", "web"] {
        let namespace = json!({"metadata": {"labels": {"kubernetes.io/metadata.name": name}}});
        add(world, "namespaces", "", name, namespace, time);
    }
    let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    add(world, "nodes", "", "practice-node", json!({"spec": {}, "status": ready}), time);
    let service = |app: &str| json!({"spec": {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}});
    add(world, "services", "default", "nginx", service("nginx-deployment"), time);
    add(world, "services", "web", "storefront", service("storefront"), time);
    let settings = json!({"data": {"greeting": "hello", "checkout": "on"}});
    add(world, "configmaps", "web", "storefront-settings", settings, time);
    // The words "practice only" in base64: there is no secret in a practice cluster.
    let secret = json!({"data": {"password": "cHJhY3RpY2Ugb25seQ=="}});
    add(world, "secrets", "web", "storefront-database", secret, time);
}

fn add(
    world: &mut World,
    resource: &'static str,
    namespace: &str,
    name: &str,
    mut object: Value,
    time: Timestamp,
) {
    let kind = kinds::known(resource);
    put(&mut object, &["apiVersion"], json!(kind.api_version()));
    put(&mut object, &["kind"], json!(kind.kind));
    put(&mut object, &["metadata", "name"], json!(name));
    if kind.namespaced {
        put(&mut object, &["metadata", "namespace"], json!(namespace));
    }
    put(&mut object, &["metadata", "uid"], json!(world.ids.uuid().to_string()));
    put(&mut object, &["metadata", "creationTimestamp"], json!(seconds(time)));
    defaults::fill(kind, &mut object);
    world.store.put(key(resource, namespace, name), object);
}

fn key(resource: &'static str, namespace: &str, name: &str) -> Key {
    Key { resource, namespace: namespace.to_owned(), name: name.to_owned() }
}
