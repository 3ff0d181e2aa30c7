//! What both services hold, small enough to be told: the before and after of a rehearsal.
//!
//! A picture is taken when the controllers have come to rest, so that it does not depend on
//! when one looks. It only looks.

mod changes;

use crate::clock;
use crate::cluster::{REVISION, REVISION_HISTORY, Store, readiness};
use crate::cluster::{annotation, at, images, name, namespace, number, resource_version, text};
use crate::datadog::{Incident, State};
use crate::front::Front;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What both services hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// Deployments, StatefulSets and DaemonSets, sorted by namespace, kind and name.
    pub workloads: Vec<WorkloadPicture>,
    /// Versions of the other objects that clients make, by `kind namespace/name`.
    pub objects: BTreeMap<String, String>,
    /// Incidents that exist, oldest first.
    pub incidents: Vec<IncidentPicture>,
    /// The titles of the events that were posted, oldest first.
    pub events: Vec<String>,
    /// What Slack, PagerDuty and the HTTP API were told, oldest first.
    pub messages: Vec<String>,
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkloadPicture {
    /// `deployment`, `statefulset` or `daemonset`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Tells it from another one of the same name.
    pub uid: String,
    /// The number of its current revision; `None` when it has none yet.
    pub revision: Option<i64>,
    /// The number that the current template had before, when it came back.
    pub template_of: Option<i64>,
    /// The images of its template, in order.
    pub images: Vec<String>,
    /// Ready pods of the current template.
    pub ready: usize,
    /// Pods that there should be.
    pub desired: i64,
    /// Whether rollouts are paused.
    pub paused: bool,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IncidentPicture {
    /// The number that people say.
    pub public_id: u64,
    /// The id in requests.
    pub id: String,
    /// The title.
    pub title: String,
    /// The state.
    pub state: String,
    /// The severity.
    pub severity: String,
    /// Id and text of the markdown cells of its timeline, oldest first.
    pub cells: Vec<(String, String)>,
}

/// Takes a picture.
pub(crate) fn take(front: &Front) -> Picture {
    let (workloads, objects) =
        front.cluster.settled(clock::now(), |store| (workloads(store), objects(store)));
    let (incidents, events) = front.datadog.seen(|state| (incidents(state), events(state)));
    Picture { workloads, objects, incidents, events, messages: front.neighbours.told() }
}

fn workloads(store: &Store) -> Vec<WorkloadPicture> {
    let mut all: Vec<WorkloadPicture> = ["deployments", "statefulsets", "daemonsets"]
        .into_iter()
        .flat_map(|resource| store.list(resource, None))
        .map(|(_, object)| workload(store, object))
        .collect();
    all.sort_by(|one, two| {
        (&one.namespace, &one.kind, &one.name).cmp(&(&two.namespace, &two.kind, &two.name))
    });
    all
}

fn workload(store: &Store, object: &Value) -> WorkloadPicture {
    let kind = text(object, &["kind"]).to_lowercase();
    let (keeper, hash) = match kind.as_str() {
        "deployment" => current_set(store, object),
        _ => (None, current_hash(store, object)),
    };
    let revision = match kind.as_str() {
        "deployment" => annotation(object, REVISION).and_then(|text| text.parse().ok()),
        _ => newest_revision(store, object).map(|(_, number)| number),
    };
    let history = keeper.and_then(|set| annotation(set, REVISION_HISTORY));
    let owner = keeper.unwrap_or(object);
    let desired = match kind.as_str() {
        "daemonset" => number(object, &["status", "desiredNumberScheduled"]),
        _ => number(object, &["spec", "replicas"]),
    };
    WorkloadPicture {
        namespace: namespace(object).to_owned(),
        name: name(object).to_owned(),
        uid: text(object, &["metadata", "uid"]).to_owned(),
        revision,
        template_of: history.and_then(|text| text.rsplit(',').next()?.parse().ok()),
        images: images(at(object, &["spec", "template"])),
        ready: ready_pods(store, owner, hash.as_deref()),
        desired: desired.unwrap_or(1),
        paused: at(object, &["spec", "paused"]) == true,
        kind,
    }
}

/// The ReplicaSet of the current revision of a Deployment.
fn current_set<'a>(store: &'a Store, deployment: &'a Value) -> (Option<&'a Value>, Option<String>) {
    let revision = annotation(deployment, REVISION);
    let set = owned(store, "replicasets", deployment)
        .find(|set| revision.is_some() && annotation(set, REVISION) == revision);
    (set, None)
}

fn newest_revision(store: &Store, owner: &Value) -> Option<(String, i64)> {
    owned(store, "controllerrevisions", owner)
        .filter_map(|revision| Some((name(revision).to_owned(), number(revision, &["revision"])?)))
        .max_by_key(|(_, number)| *number)
}

fn current_hash(store: &Store, owner: &Value) -> Option<String> {
    let (name, _) = newest_revision(store, owner)?;
    name.rsplit('-').next().map(str::to_owned)
}

fn owned<'a>(
    store: &'a Store,
    resource: &'static str,
    owner: &'a Value,
) -> impl Iterator<Item = &'a Value> {
    let uid = text(owner, &["metadata", "uid"]);
    store
        .list(resource, Some(namespace(owner)))
        .map(|(_, object)| &**object)
        .filter(move |object| crate::cluster::controller_uid(object) == Some(uid))
}

fn ready_pods(store: &Store, owner: &Value, hash: Option<&str>) -> usize {
    owned(store, "pods", owner)
        .filter(|pod| {
            let label = text(pod, &["metadata", "labels", "controller-revision-hash"]);
            hash.is_none_or(|hash| hash == label)
        })
        .filter(|pod| matches!(readiness(pod), (ready, all) if ready == all && all > 0))
        .count()
}

fn objects(store: &Store) -> BTreeMap<String, String> {
    ["namespaces", "services", "configmaps", "secrets"]
        .into_iter()
        .flat_map(|resource| store.list(resource, None))
        .map(|(key, object)| {
            let kind = text(object, &["kind"]).to_lowercase();
            let place = match key.namespace.as_str() {
                "" => key.name.clone(),
                namespace => format!("{namespace}/{}", key.name),
            };
            (format!("{kind} {place}"), resource_version(object).to_owned())
        })
        .collect()
}

fn incidents(state: &State) -> Vec<IncidentPicture> {
    let shown = |incident: &Incident| IncidentPicture {
        public_id: incident.public_id,
        id: incident.id.to_string(),
        title: incident.title.clone(),
        state: incident.field("state").to_owned(),
        severity: incident.field("severity").to_owned(),
        cells: incident
            .timeline
            .iter()
            .filter(|cell| cell.kind == "markdown")
            .map(|cell| (cell.id.to_string(), cell.message.clone()))
            .collect(),
    };
    state.incidents.iter().filter(|incident| !incident.is_deleted).map(shown).collect()
}

fn events(state: &State) -> Vec<String> {
    state.events.titles().map(str::to_owned).collect()
}
