//! Orders about Kubernetes connections: `{"kubernetes": {"verb": "get", …}}`.

use crate::Held;
use crate::bindings::errors::ConnectError;
use crate::bindings::kubernetes::{self, Cluster, Kind, PatchKind, Query, Target, WriteOptions};
use crate::bindings::runtime;
use crate::script::{Order, ok, refused, unknown_handle};
use serde_json::{Value, json};

/// Does it, if it is one of these.
pub(crate) fn perform(
    context: &runtime::Context,
    held: &mut Held,
    verb: &str,
    order: Order<'_>,
) -> Option<Value> {
    (verb == "kubernetes").then(|| call(context, held, order))
}

fn call(context: &runtime::Context, held: &mut Held, order: Order<'_>) -> Value {
    let name = order.text("handle");
    match order.text("verb") {
        "open" => {
            let opened = Cluster::open(context, order.text("slot"));
            keep(opened, order, |name, cluster| drop(held.clusters.insert(name, cluster)))
        }
        "next" => {
            let Some(watcher) = held.watchers.get(name) else { return unknown_handle() };
            match watcher.next(order.small("timeout-ms").unwrap_or(1000)) {
                Ok(Some((change, object))) => {
                    ok(json!({ "change": format!("{change:?}"), "object": shown(&object, order) }))
                }
                Ok(None) => ok(Value::Null),
                Err(error) => refused(&error),
            }
        }
        "restrict" => {
            let Some(cluster) = held.clusters.get(name) else { return unknown_handle() };
            let weaker = cluster.restrict(&order.json("scope"));
            keep(weaker, order, |name, cluster| drop(held.clusters.insert(name, cluster)))
        }
        "watch" => {
            let Some(cluster) = held.clusters.get(name) else { return unknown_handle() };
            let version = order.text_maybe("from-version");
            let namespace = order.text_maybe("namespace");
            let opened = cluster.watch(
                &kind(order),
                namespace.as_deref(),
                &query(order),
                version.as_deref(),
            );
            keep(opened, order, |name, watcher| drop(held.watchers.insert(name, watcher)))
        }
        verb => match held.clusters.get(name) {
            Some(cluster) => read_or_write(cluster, verb, order),
            None => unknown_handle(),
        },
    }
}

fn read_or_write(cluster: &Cluster, verb: &str, order: Order<'_>) -> Value {
    let namespace = order.text_maybe("namespace");
    let namespace = namespace.as_deref();
    let object = order.json("object");
    let options = options(order);
    let written = match verb {
        "get" => return read(cluster.get(&target(order)), order),
        "list" => return read(cluster.list(&kind(order), namespace, &query(order)), order),
        "table" => {
            let name = order.text_maybe("name");
            let table = cluster.table(&kind(order), namespace, name.as_deref(), &query(order));
            return read(table, order);
        }
        "discover" => return read(cluster.discover(), order),
        "scope" => return ok(cluster.scope()),
        "create" => cluster.create(&kind(order), namespace, &object, &options),
        "replace" => cluster.replace(&target(order), &object, &options),
        "patch" => cluster.patch(&target(order), patch_kind(order), &order.json("patch"), &options),
        "delete" => {
            let how = order.0.get("options").map(|_| order.json("options"));
            cluster.delete(&target(order), how.as_deref(), &options)
        }
        other => {
            return json!({ "error": { "reason": "script", "code": "probe.verb", "message": other } });
        }
    };
    match written {
        Ok(written) => {
            ok(json!({ "status": written.status, "object": shown(&written.object, order) }))
        }
        Err(error) => refused(&error),
    }
}

fn keep<T>(
    opened: Result<T, ConnectError>,
    order: Order<'_>,
    put: impl FnOnce(String, T),
) -> Value {
    match opened {
        Ok(handle) => {
            put(order.text("as").to_owned(), handle);
            ok(true)
        }
        Err(error) => refused(&error),
    }
}

fn read(answer: Result<String, ConnectError>, order: Order<'_>) -> Value {
    match answer {
        Ok(text) => ok(json!({ "bytes": text.len(), "object": shown(&text, order) })),
        Err(error) => refused(&error),
    }
}

/// The object, or the beginning of its text when it is long.
fn shown(text: &str, order: Order<'_>) -> Value {
    match serde_json::from_str(text) {
        Ok(value) if text.len() <= order.shown() => value,
        _ => Value::from(&text[..text.floor_char_boundary(order.shown())]),
    }
}

fn kind(order: Order<'_>) -> Kind {
    let kind = Order(&order.0["kind"]);
    Kind {
        group: kind.text("group").to_owned(),
        version: kind.text_maybe("version").unwrap_or_else(|| "v1".to_owned()),
        resource: kind.text("resource").to_owned(),
    }
}

fn target(order: Order<'_>) -> Target {
    Target {
        kind: kind(order),
        namespace: order.text_maybe("namespace"),
        name: order.text("name").to_owned(),
        subresource: order.text_maybe("subresource"),
    }
}

fn query(order: Order<'_>) -> Query {
    Query {
        label_selector: order.text_maybe("label-selector"),
        field_selector: order.text_maybe("field-selector"),
        limit: order.small("limit"),
        continue_token: order.text_maybe("continue-token"),
    }
}

fn options(order: Order<'_>) -> WriteOptions {
    WriteOptions {
        dry_run: order.flag("dry-run"),
        field_manager: order.text_maybe("field-manager"),
        force: order.flag("force"),
        strict: order.flag("strict"),
        if_version: order.text_maybe("if-version"),
        if_uid: order.text_maybe("if-uid"),
    }
}

fn patch_kind(order: Order<'_>) -> PatchKind {
    match order.text("how") {
        "json-patch" => kubernetes::PatchKind::JsonPatch,
        "strategic-merge" => kubernetes::PatchKind::StrategicMerge,
        "apply" => kubernetes::PatchKind::Apply,
        _ => kubernetes::PatchKind::Merge,
    }
}
