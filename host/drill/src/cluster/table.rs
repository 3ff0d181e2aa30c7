//! Objects as rows for people, as the server prints them for `get`.
//!
//! Cells are for reading only: no client should decide by them.

use super::controller::readiness;
use super::kinds::Kind;
use super::object::{at, images, name, namespace, number, text};
use super::read::metadata_only;
use crate::clock::seconds_between;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

/// What a row carries besides its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    Nothing,
    /// The object's `metadata`.
    Metadata,
    /// The object.
    Object,
}

/// Draws a table; `meta` becomes its `metadata`.
pub(crate) fn draw(
    kind: &Kind,
    objects: &[Arc<Value>],
    meta: Value,
    include: Include,
    now: Timestamp,
) -> Value {
    let columns = columns(kind);
    let definitions: Vec<Value> = columns.iter().map(|column| definition(column)).collect();
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let cells: Vec<Value> =
                columns.iter().map(|column| cell(column, kind, object, now)).collect();
            let mut row = json!({"cells": cells});
            match include {
                Include::Nothing => {}
                Include::Metadata => {
                    super::object::put(&mut row, &["object"], metadata_only(object))
                }
                Include::Object => super::object::put(&mut row, &["object"], Value::clone(object)),
            }
            row
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn columns(kind: &Kind) -> &'static [&'static str] {
    match kind.resource {
        "pods" => &["Name", "Ready", "Status", "Restarts", "Age"],
        "deployments" => &["Name", "Ready", "Up-to-date", "Available", "Age", "Images"],
        "replicasets" => &["Name", "Desired", "Current", "Ready", "Age", "Images"],
        "statefulsets" => &["Name", "Ready", "Age", "Images"],
        "daemonsets" => &["Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Age"],
        "controllerrevisions" => &["Name", "Controller", "Revision", "Age"],
        "services" => &["Name", "Type", "Cluster-IP", "Age"],
        "configmaps" => &["Name", "Data", "Age"],
        "secrets" => &["Name", "Type", "Data", "Age"],
        "events" => &["Last Seen", "Type", "Reason", "Object", "Message"],
        "namespaces" | "nodes" => &["Name", "Status", "Age"],
        _ => &["Name", "Age"],
    }
}

fn definition(column: &str) -> Value {
    let format = if column == "Name" { "name" } else { "" };
    let number = ["Desired", "Current", "Up-to-date", "Available", "Data", "Revision"];
    let is_number = number.contains(&column);
    json!({
        "name": column,
        "type": if is_number { "integer" } else { "string" },
        "format": format,
        "description": format!("{column} of the object."),
        "priority": i32::from(column == "Images"),
    })
}

fn cell(column: &str, kind: &Kind, object: &Value, now: Timestamp) -> Value {
    let count = |path: &[&str]| number(object, path).unwrap_or(0);
    let daemon = kind.resource == "daemonsets";
    match column {
        "Name" => json!(name(object)),
        "Age" => json!(age(text(object, &["metadata", "creationTimestamp"]), now)),
        "Last Seen" => json!(age(text(object, &["lastTimestamp"]), now)),
        "Ready" if kind.resource == "pods" => {
            let (ready, all) = readiness(object);
            json!(format!("{ready}/{all}"))
        }
        "Ready" if matches!(kind.resource, "deployments" | "statefulsets") => {
            let wanted = number(object, &["spec", "replicas"]).unwrap_or(1);
            json!(format!("{}/{wanted}", count(&["status", "readyReplicas"])))
        }
        "Ready" if daemon => json!(count(&["status", "numberReady"])),
        "Ready" => json!(count(&["status", "readyReplicas"])),
        "Desired" if daemon => json!(count(&["status", "desiredNumberScheduled"])),
        "Desired" => json!(count(&["spec", "replicas"])),
        "Current" if daemon => json!(count(&["status", "currentNumberScheduled"])),
        "Current" => json!(count(&["status", "replicas"])),
        "Up-to-date" if daemon => json!(count(&["status", "updatedNumberScheduled"])),
        "Up-to-date" => json!(count(&["status", "updatedReplicas"])),
        "Available" if daemon => json!(count(&["status", "numberAvailable"])),
        "Available" => json!(count(&["status", "availableReplicas"])),
        "Images" => json!(images(at(object, &["spec", "template"])).join(",")),
        "Status" => json!(status(kind, object)),
        "Restarts" => json!(restarts(object).to_string()),
        "Controller" => {
            let owner = at(object, &["metadata", "ownerReferences"]).get(0).unwrap_or(&Value::Null);
            json!(format!("{}/{}", text(owner, &["kind"]).to_lowercase(), text(owner, &["name"])))
        }
        "Revision" => json!(count(&["revision"])),
        "Type" if kind.resource == "services" => json!(text(object, &["spec", "type"])),
        "Type" => json!(text(object, &["type"])),
        "Cluster-IP" => json!(text(object, &["spec", "clusterIP"])),
        "Data" => json!(at(object, &["data"]).as_object().map_or(0, serde_json::Map::len)),
        "Reason" => json!(text(object, &["reason"])),
        "Message" => json!(text(object, &["message"])),
        "Object" => {
            let involved = at(object, &["involvedObject"]);
            let kind = text(involved, &["kind"]).to_lowercase();
            json!(format!("{kind}/{}", text(involved, &["name"])))
        }
        _ => json!(namespace(object)),
    }
}

fn status(kind: &Kind, object: &Value) -> String {
    match kind.resource {
        "nodes" => "Ready".to_owned(),
        "pods" => at(object, &["status", "containerStatuses"])
            .as_array()
            .into_iter()
            .flatten()
            .map(|container| text(container, &["state", "waiting", "reason"]))
            .find(|reason| !reason.is_empty())
            .unwrap_or_else(|| text(object, &["status", "phase"]))
            .to_owned(),
        _ => text(object, &["status", "phase"]).to_owned(),
    }
}

fn restarts(object: &Value) -> i64 {
    at(object, &["status", "containerStatuses"])
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| number(container, &["restartCount"]))
        .sum()
}

/// How long ago, in one unit: `45s`, `12m`, `5h`, `9d`.
fn age(since: &str, now: Timestamp) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return "<unknown>".to_owned() };
    let seconds = seconds_between(since, now).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kinds::known;
    use super::*;

    #[test]
    fn ages_are_told_in_one_unit() {
        let now: Timestamp = "2026-07-10T12:00:00Z".parse().expect("a time");
        for (since, wanted) in [
            ("2026-07-10T11:59:15Z", "45s"),
            ("2026-07-10T11:48:00Z", "12m"),
            ("2026-07-10T07:00:00Z", "5h"),
            ("2026-07-01T12:00:00Z", "9d"),
            ("2026-07-11T12:00:00Z", "0s"),
            ("", "<unknown>"),
        ] {
            assert_eq!(age(since, now), wanted, "{since}");
        }
    }

    #[test]
    fn a_row_has_as_many_cells_as_there_are_columns() {
        let now: Timestamp = "2026-07-10T12:00:00Z".parse().expect("a time");
        for kind in super::super::kinds::KINDS {
            let table = draw(kind, &[Arc::new(json!({}))], json!({}), Include::Nothing, now);
            let columns = table["columnDefinitions"].as_array().map(Vec::len);
            assert_eq!(table["rows"][0]["cells"].as_array().map(Vec::len), columns);
        }
        assert_eq!(columns(known("pods")).len(), 5);
    }
}
