//! A small store of objects that answers as the recorded server did: it holds the objects, and it
//! refuses what was refused.

use crate::patches;
use bowline_sdk::ConnectError;
use bowline_sdk::kubernetes::{Kind, PatchKind, Target, WriteOptions};
use bowline_sdk::testing::{Call, remote, unreachable};
use kubernetes_kubectl::kinds;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Where an object lives: `/apis/apps/v1/namespaces/default/deployments` and `nginx`.
type Place = (String, String);

/// Objects, and the recorded refusals by verb and path.
pub(crate) struct Store {
    objects: BTreeMap<Place, Value>,
    version: u64,
    refusals: BTreeMap<String, VecDeque<(u16, Value, Option<u64>)>>,
    /// Refusals that the server stayed with.
    lasting: BTreeMap<String, bool>,
    tables: BTreeMap<String, Value>,
    events: Vec<Value>,
    finishes: bool,
    outage: Option<ConnectError>,
}

fn exchanges(recording: &Value) -> impl Iterator<Item = (&Value, &Value)> {
    let all = recording["kubectl_1_36_3"]["requests"].as_array().expect("requests");
    all.iter().map(|exchange| (&exchange["request"], &exchange["response"]))
}

fn is_watch(request: &Value) -> bool {
    request["query"].as_array().is_some_and(|it| it.contains(&json!(["watch", "true"])))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Store {
    /// The objects before, and what the server refused.
    pub(crate) fn new(recording: &Value) -> Self {
        let mut store = Self {
            objects: BTreeMap::new(),
            version: 1001,
            refusals: BTreeMap::new(),
            lasting: BTreeMap::new(),
            tables: BTreeMap::new(),
            events: Vec::new(),
            finishes: recording["kubectl_1_36_3"]["exit_code"] == 0,
            outage: None,
        };
        for object in recording["initial_objects"].as_array().into_iter().flatten() {
            let mut object = object.clone();
            object["metadata"]["resourceVersion"] = "1001".into();
            store.objects.insert(place_of(&object), object);
        }
        for (request, response) in exchanges(recording) {
            store.note(request, response);
        }
        let stderr = text(&recording["kubectl_1_36_3"]["stderr"]);
        if exchanges(recording).next().is_none() {
            if ["nable to connect", "was refused", "x509", "no such host"]
                .iter()
                .any(|it| stderr.contains(it))
            {
                store.outage = Some(unreachable("kubernetes"));
            } else if stderr.contains("provide credentials") || stderr.contains("logged in") {
                let status =
                    json!({"reason": "Unauthorized", "message": "Unauthorized", "code": 401});
                store.outage = Some(remote("kubernetes", 401, &status));
            }
        }
        store
    }

    fn note(&mut self, request: &Value, response: &Value) {
        let path = text(&request["path"]);
        let verb = if is_watch(request) { "WATCH" } else { text(&request["method"]) };
        let key = format!("{verb} {path}");
        let status =
            response["status"].as_u64().and_then(|it| u16::try_from(it).ok()).unwrap_or(500);
        if verb == "WATCH" {
            let events = response["events"].as_array().into_iter().flatten();
            self.events.extend(events.map(|kind| json!({"type": kind, "path": path})));
        }
        if response["body"]["kind"] == "Table" {
            self.tables.insert(path.to_owned(), response["body"].clone());
        }
        self.lasting.insert(key.clone(), status >= 400);
        // What is not there, the store says by itself.
        if status >= 400 && status != 404 && !self.is_replacing_nothing(request) {
            let mut body = response["body"].clone();
            if !body.is_object() {
                // What a client makes of a proxy's page.
                body = json!({"reason": "ServiceUnavailable", "message": format!(
                    "the server is currently unable to handle the request (patch {})", quoted(path).replace('"', ""))});
            }
            let wait = text(&response["headers"]["Retry-After"]).parse().ok();
            self.refusals.entry(key).or_default().push_back((status, body, wait));
        }
    }

    /// Whether a JSON patch replaces a member that is not there: the refusal is about that patch.
    fn is_replacing_nothing(&self, request: &Value) -> bool {
        let (collection, name, _) = split(text(&request["path"]));
        let object = self.objects.get(&(collection.to_owned(), name.to_owned()));
        let operations = request["body"].as_array().into_iter().flatten();
        operations.into_iter().any(|operation| {
            operation["op"] == "replace"
                && object.is_some_and(|it| it.pointer(text(&operation["path"])).is_none())
        })
    }

    /// The objects after what kubectl wrote.
    pub(crate) fn after_kubectl(recording: &Value) -> Vec<Value> {
        let mut store = Self::new(recording);
        store.refusals.clear();
        for (request, response) in exchanges(recording) {
            let good = response["status"].as_u64().is_some_and(|status| status < 300);
            let dry = request["query"].to_string().contains("dryRun")
                || !request["body"]["dryRun"].is_null();
            if !good || dry {
                continue;
            }
            let (collection, name, subresource) = split(text(&request["path"]));
            let (body, how) = (&request["body"], text(&request["headers"]["Content-Type"]));
            let place = (collection.to_owned(), name.to_owned());
            match text(&request["method"]) {
                "PATCH" => drop(store.patched(&place, subresource, how, body, false)),
                "PUT" => drop(store.patched(
                    &place,
                    subresource,
                    "application/merge-patch+json",
                    &json!({"spec": body["spec"]}),
                    false,
                )),
                "POST" => {
                    let mut object = body.clone();
                    let (_, namespace) =
                        collection.rsplit_once("/namespaces/").unwrap_or(("", "default/"));
                    object["metadata"]["namespace"] = namespace.split('/').next().into();
                    store.objects.insert(
                        (collection.to_owned(), text(&body["metadata"]["name"]).to_owned()),
                        object,
                    );
                }
                "DELETE" => drop(store.objects.remove(&place)),
                _ => (),
            }
        }
        store.events.retain(|event| event["type"] != "ERROR");
        store.play_events();
        store.objects()
    }

    /// The objects without what is different in every run: versions, managers, times, and
    /// the annotation that only client-side apply needs.
    pub(crate) fn objects(&self) -> Vec<Value> {
        self.objects.values().map(|object| normal(object, "")).collect()
    }

    fn refusal(&mut self, verb: &str, path: &str) -> Option<ConnectError> {
        if let Some(outage) = &self.outage {
            return Some(outage.clone());
        }
        let key = format!("{verb} {path}");
        let lasting = self.lasting.get(&key) == Some(&true);
        let queue = self.refusals.get_mut(&key)?;
        let (status, body, wait) = if queue.len() == 1 && lasting {
            queue.front().cloned()?
        } else {
            queue.pop_front()?
        };
        let mut error = remote("kubernetes", status, &body);
        error.retry_after_ms = wait.map(|wait| wait * 1000);
        Some(error)
    }

    /// Answers one call of the step.
    pub(crate) fn answer(&mut self, call: &Call) -> Result<Value, ConnectError> {
        match call {
            Call::Get { target } => {
                let (place, path) = (place(target), path(target));
                self.refusal("GET", &path).map_or(Ok(()), Err)?;
                self.read(&place, target.subresource.as_deref())
            }
            Call::List { kind, namespace, query } => {
                let path = collection(kind, namespace.as_deref());
                self.refusal("GET", &path).map_or(Ok(()), Err)?;
                let selector = query.label_selector.as_deref().unwrap_or_default();
                let here = self.objects.iter().filter(|(place, object)| {
                    place.0 == path && matches(selector, &object["metadata"]["labels"])
                });
                Ok(json!({"metadata": {}, "items": here.map(|it| it.1).collect::<Vec<_>>()}))
            }
            Call::Table { kind, namespace, name, .. } => {
                let mut path = collection(kind, namespace.as_deref());
                if let Some(name) = name {
                    path = format!("{path}/{name}");
                }
                self.refusal("GET", &path).map_or(Ok(()), Err)?;
                Ok(self.tables.get(&path).cloned().unwrap_or_else(|| {
                    json!({
                    "columnDefinitions": [{"name": "Name"}], "rows": [{"cells": [name]}]})
                }))
            }
            Call::Discover => {
                Ok(json!([{"group": "argoproj.io", "version": "v1alpha1", "preferred": true,
                "resource": "rollouts", "singular": "rollout", "kind": "Rollout", "shortNames": ["ro"],
                "namespaced": true}]))
            }
            Call::Watch { kind, namespace, .. } => {
                let path = collection(kind, namespace.as_deref());
                self.refusal("WATCH", &path).map_or(Ok(()), Err)?;
                Ok(self.play_events().into())
            }
            Call::Patch { target, how, patch, options } => {
                self.refusal("PATCH", &path(target)).map_or(Ok(()), Err)?;
                self.check(target, options)?;
                let how = match how {
                    PatchKind::JsonPatch => "application/json-patch+json",
                    PatchKind::Merge => "application/merge-patch+json",
                    _ => "application/strategic-merge-patch+json",
                };
                self.patched(
                    &place(target),
                    target.subresource.as_deref(),
                    how,
                    patch,
                    options.dry_run,
                )
            }
            Call::Delete { target, options, .. } => {
                self.refusal("DELETE", &path(target)).map_or(Ok(()), Err)?;
                self.check(target, options)?;
                if !options.dry_run {
                    self.objects.remove(&place(target));
                }
                Ok(json!({"kind": "Status", "status": "Success"}))
            }
            other => panic!("the step must not ask for {other:?}"),
        }
    }

    fn check(&self, target: &Target, options: &WriteOptions) -> Result<(), ConnectError> {
        let Some(object) = self.objects.get(&place(target)) else { return Ok(()) };
        let metadata = &object["metadata"];
        let differs = |wanted: &Option<String>, name: &str| {
            wanted.is_some() && wanted.as_deref() != metadata[name].as_str()
        };
        if differs(&options.if_version, "resourceVersion") || differs(&options.if_uid, "uid") {
            let message = format!(
                "Operation cannot be fulfilled on {}: the object has been modified; please apply \
                 your changes to the latest version and try again",
                quoted(&path(target))
            );
            return Err(remote(
                "kubernetes",
                409,
                &json!({"reason": "Conflict", "message": message}),
            ));
        }
        Ok(())
    }

    fn read(&self, place: &Place, subresource: Option<&str>) -> Result<Value, ConnectError> {
        let namespaces = "/api/v1/namespaces";
        let known = self.objects.get(place).cloned();
        let known = known.or_else(|| {
            // A namespace is there unless the recorded server said otherwise.
            let gone = self.lasting.get(&format!("GET {namespaces}/{}", place.1)) == Some(&true);
            (place.0 == namespaces && !gone).then(|| json!({"metadata": {"name": place.1}}))
        });
        let Some(object) = known else {
            let what = quoted(&format!("{}/{}", place.0, place.1));
            let status = json!({"reason": "NotFound", "message": format!("{what} not found"), "details": {"name": place.1}});
            return Err(remote("kubernetes", 404, &status));
        };
        match subresource {
            None => Ok(object),
            Some(_) => Ok(json!({"kind": "Scale", "metadata": object["metadata"],
                "spec": {"replicas": object["spec"]["replicas"]}})),
        }
    }

    fn patched(
        &mut self,
        place: &Place,
        subresource: Option<&str>,
        how: &str,
        patch: &Value,
        dry_run: bool,
    ) -> Result<Value, ConnectError> {
        let mut object = self.objects.get(place).cloned().unwrap_or_else(|| json!({}));
        let before = object.clone();
        patches::apply(&mut object, how, patch);
        if object != before {
            self.version += 1;
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
        }
        if !dry_run {
            self.objects.insert(place.clone(), object.clone());
        }
        match subresource {
            Some(_) if !dry_run => self.read(place, subresource),
            _ => Ok(object),
        }
    }

    /// The recorded events with objects in them: the recordings keep only their kinds. The last
    /// change of a wait that ended well is the one that ended it.
    fn play_events(&mut self) -> Vec<Value> {
        let events = std::mem::take(&mut self.events);
        let count = events.len();
        let mut played = Vec::new();
        for (number, event) in events.into_iter().enumerate() {
            let path = text(&event["path"]).to_owned();
            let Some((place, object)) = self.objects.iter().find(|(place, _)| place.0 == path)
            else {
                continue;
            };
            let (place, mut object) = (place.clone(), object.clone());
            match text(&event["type"]) {
                "DELETED" => drop(self.objects.remove(&place)),
                "ERROR" => object = json!({"code": 410, "reason": "Expired", "message": "too old"}),
                _ if number + 1 == count && self.finishes => {
                    finish(&mut object);
                    self.objects.insert(place, object.clone());
                }
                _ => (),
            }
            played.push(json!({"type": event["type"], "object": object}));
        }
        played
    }
}

/// Brings the status of a workload to where its rollout ends.
fn finish(object: &mut Value) {
    let replicas = object["spec"]["replicas"].clone();
    let generation = object["metadata"]["generation"].clone();
    let status = &mut object["status"];
    status["observedGeneration"] = generation;
    for name in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        status[name] = replicas.clone();
    }
    let wanted = status["desiredNumberScheduled"].clone();
    for name in ["updatedNumberScheduled", "numberAvailable"] {
        status[name] = wanted.clone();
    }
}

fn matches(selector: &str, labels: &Value) -> bool {
    selector.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
        Some((name, value)) => labels[name] == value.trim_start_matches('='),
        None => !labels[part].is_null(),
    })
}

fn collection(kind: &Kind, namespace: Option<&str>) -> String {
    let root = match kind.group.as_str() {
        "" => format!("/api/{}", kind.version),
        group => format!("/apis/{group}/{}", kind.version),
    };
    let middle = namespace.map(|it| format!("/namespaces/{it}")).unwrap_or_default();
    format!("{root}{middle}/{}", kind.resource)
}

fn place(target: &Target) -> Place {
    (collection(&target.kind, target.namespace.as_deref()), target.name.clone())
}

fn path(target: &Target) -> String {
    let (collection, name) = place(target);
    let sub = target.subresource.as_ref().map(|it| format!("/{it}")).unwrap_or_default();
    format!("{collection}/{name}{sub}")
}

fn place_of(object: &Value) -> Place {
    let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    let known = kinds::known_manifest(version, kind);
    let collection = match known {
        Some(known) => collection(&known.api, known.namespaced.then_some(namespace)),
        None => format!("/apis/{version}/namespaces/{namespace}/{}s", kind.to_lowercase()),
    };
    (collection, text(&object["metadata"]["name"]).to_owned())
}

/// Collection, name and subresource of a path.
fn split(path: &str) -> (&str, &str, Option<&str>) {
    let (path, subresource) = match path.strip_suffix("/scale") {
        Some(path) => (path, Some("scale")),
        None => (path, None),
    };
    let (collection, name) = path.rsplit_once('/').unwrap_or((path, ""));
    (collection, name, subresource)
}

/// `deployments.apps "nginx"` of a path.
fn quoted(path: &str) -> String {
    let (collection, name, _) = split(path);
    let parts: Vec<&str> = collection.split('/').collect();
    let group =
        if parts.get(1) == Some(&"apis") { format!(".{}", parts[2]) } else { String::new() };
    format!("{}{group} \"{name}\"", parts.last().unwrap_or(&""))
}

fn normal(value: &Value, name: &str) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let left_out = matches!(
                    name.as_str(),
                    "resourceVersion"
                        | "managedFields"
                        | "generation"
                        | "kubectl.kubernetes.io/last-applied-configuration"
                );
                let value = normal(value, name);
                let empty = value.is_null() || value.as_object().is_some_and(Map::is_empty);
                if !left_out && !empty {
                    kept.insert(name.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => items.iter().map(|item| normal(item, "")).collect(),
        _ if name.ends_with("/restartedAt") => "a time".into(),
        other => other.clone(),
    }
}
