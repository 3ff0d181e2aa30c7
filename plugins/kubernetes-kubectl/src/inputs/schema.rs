//! Inputs and outputs as people write and read them. Native only: nothing here is ever filled in.
//!
//! A key for a flag must also stand in the table of `flags`; a test compares the two.

#![allow(dead_code, reason = "only the schemas of these types are used")]

use bowline_sdk::Connection;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The same schema in fewer bytes: a choice of plain types is a list of their names, and how wide
/// a number is says nothing to people.
pub(super) fn compact(schema: Schema) -> Schema {
    let mut value = schema.to_value();
    shorten(&mut value);
    Schema::try_from(value.clone()).unwrap_or_else(|_| Schema::from(value == true))
}

fn shorten(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => {
            members.values_mut().for_each(shorten);
            if matches!(members.get("format").and_then(Value::as_str), Some("int64" | "uint64")) {
                members.remove("format");
            }
            let mut names = Vec::new();
            for choice in members.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
                let one = choice.as_object().filter(|choice| choice.len() == 1);
                match one.and_then(|choice| choice.get("type")) {
                    Some(Value::String(name)) => names.push(name.as_str().into()),
                    Some(Value::Array(inner)) => names.extend(inner.iter().cloned()),
                    _ => return,
                }
            }
            if !names.is_empty() {
                members.remove("anyOf");
                members.insert("type".to_owned(), names.into());
            }
        }
        _ => (),
    }
}

/// The spec of the step.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Inputs {
    /// The kubectl command, for example `rollout` or `rollout undo`.
    command: String,
    /// Its arguments: a text, split on blanks (flags first), or a list, taken literally.
    args: Option<Args>,
    /// The namespace of the object.
    #[schemars(default = "default_namespace")]
    namespace: Option<String>,
    /// The cluster, in the form of Relay's step.
    cluster: Option<ClusterInput>,
    /// The connection, when there is no `cluster`.
    connection: Option<Connection>,
    /// What to apply or delete: YAML text, an object or a list of objects.
    manifest: Option<Manifest>,
    /// The same as a file in the workflow's folder.
    file: Option<String>,
    /// Not supported: put the file beside the workflow.
    git: Option<Value>,
    /// The revision to go back to; the previous one when absent or 0.
    to_revision: Option<Count>,
    /// `client` sends nothing, `server` lets the server check without writing.
    dry_run: Option<TextOrTruth>,
    /// How many to scale to.
    replicas: Option<Count>,
    /// Scale only if there are that many now.
    current_replicas: Option<Count>,
    /// Write only if the object still has this version.
    resource_version: Option<Count>,
    /// Of a wait, for example `5m`; a number counts seconds.
    timeout: Option<Count>,
    /// Whether to wait for the rollout, or for the end of what is deleted.
    wait: Option<TextOrTruth>,
    /// `rollout status`: false looks once; see the output `done`.
    watch: Option<TextOrTruth>,
    /// `rollout history` and `status`: this revision only.
    revision: Option<Count>,
    /// Labels of the objects, for example `app=web`.
    selector: Option<String>,
    /// Fields of the objects, for example `status.phase=Running`.
    field_selector: Option<String>,
    /// All objects of the type in the namespace.
    all: Option<TextOrTruth>,
    /// Whether a selector may match nothing.
    allow_empty: Option<TextOrTruth>,
    /// `name`, `json`, `yaml`, `wide` or `jsonpath=…`.
    output: Option<String>,
    /// What is not there is no failure.
    ignore_not_found: Option<TextOrTruth>,
    /// `label`, `annotate`: replace other values.
    overwrite: Option<TextOrTruth>,
    /// `apply`: take fields over from other managers.
    force_conflicts: Option<TextOrTruth>,
    /// `delete`: seconds to end in.
    grace_period: Option<Count>,
    /// `delete`: without waiting for the end.
    force: Option<TextOrTruth>,
    /// `delete`: `background`, `foreground` or `orphan`.
    cascade: Option<String>,
    /// An object, a list of operations, or either as JSON text.
    patch: Option<Manifest>,
    /// `strategic`, `merge` or `json`.
    patch_type: Option<String>,
    /// `wait`: `condition=Ready`, `delete`, `create` or `jsonpath={.status.phase}=Running`.
    #[schemars(rename = "for")]
    until: Option<String>,
}

fn default_namespace() -> Option<String> {
    Some("default".to_owned())
}

/// A cluster by name and connection.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct ClusterInput {
    /// A name for people; it selects nothing.
    name: Option<String>,
    /// The connection.
    connection: Connection,
}

// What stands at a key is described there; these say only which forms it may have.

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Args {
    Text(String),
    List(Vec<Word>),
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Word {
    Text(String),
    Number(i64),
    Truth(bool),
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum Count {
    Number(i64),
    Text(String),
}

#[derive(JsonSchema)]
#[schemars(untagged, inline)]
enum TextOrTruth {
    Text(String),
    Truth(bool),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Manifest {
    Text(String),
    Object(Map<String, Value>),
    List(Vec<Map<String, Value>>),
}

/// What the step gives.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub(super) struct Outputs {
    /// Whether anything was changed, by this attempt or an earlier one of this step.
    changed: bool,
    /// The namespace used.
    namespace: String,
    /// The text that kubectl would print.
    message: String,
    /// The Deployment's name, when one was acted on.
    deployment: Option<String>,
    /// The object's name, when one was acted on.
    name: Option<String>,
    /// The object's kind, when one was acted on.
    kind: Option<String>,
    /// `undo`: the revision before, when the object says it.
    from_revision: Option<i64>,
    /// `undo`: the revision whose template the object has now.
    to_revision: Option<i64>,
    /// The images of the pod template now, by container.
    images: Option<BTreeMap<String, String>>,
    /// `rollout status`: whether the rollout is finished.
    done: Option<bool>,
    /// `scale`: how many replicas are wanted now.
    replicas: Option<i64>,
    /// `get` of one object: the object. The values of Secrets are masked.
    object: Option<Map<String, Value>>,
    /// `get` of several: the objects. `rollout history`: the revisions.
    objects: Option<Vec<Value>>,
    /// `get`: whether all objects found are in `objects`; a large list is cut.
    complete: Option<bool>,
    /// With several targets: what became of each.
    results: Option<Vec<Value>>,
}
