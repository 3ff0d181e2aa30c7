//! The language as a JSON Schema, for editors that know YAML.
//!
//! Good for completion and help texts. It accepts more than [`crate::check()`] does, because an
//! editor sees `!Parameter x` as the text `x` and can't know what an expression comes to.

use crate::signature::{Manifest, Resolution, Signatures};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The tags of the language in the notation of YAML editors (`yaml.customTags`): each with the
/// forms that it takes.
pub const CUSTOM_TAGS: &[&str] = &[
    "!Parameter scalar",
    "!Parameter sequence",
    "!Parameter mapping",
    "!Secret scalar",
    "!Secret sequence",
    "!Secret mapping",
    "!Data scalar",
    "!Data sequence",
    "!Data mapping",
    "!Connection mapping",
    "!Connection sequence",
    "!Output mapping",
    "!Output sequence",
    "!Answer mapping",
    "!Answer sequence",
];

/// The tags of the language, those of the functions included.
#[must_use]
pub fn custom_tags() -> Vec<String> {
    let functions = expression::function::FUNCTIONS.iter().flat_map(|function| {
        ["scalar", "sequence", "mapping"].map(|form| format!("!Fn.{} {form}", function.name))
    });
    CUSTOM_TAGS.iter().map(|&tag| tag.to_owned()).chain(functions).collect()
}

/// The JSON Schema (draft 2020-12) of a workflow. Steps whose `image` is one of `signatures` are
/// described by the inputs of their plugin too.
#[must_use]
pub fn schema(signatures: &Signatures) -> Value {
    let mut definitions = definitions();
    let mut images: BTreeMap<&str, (&Manifest, Vec<&str>)> = BTreeMap::new();
    for (image, resolution) in signatures {
        let Resolution::Found(signature) = resolution else { continue };
        let manifest = &signature.manifest;
        images.entry(&manifest.name).or_insert((manifest, Vec::new())).1.push(image);
    }
    let mut plugins = Vec::new();
    for (manifest, images) in images.values() {
        let key = format!("plugin.{}", manifest.name);
        plugins.push(json!({
            "if": {"required": ["image"], "properties": {"image": {"enum": images}}},
            "then": {"properties": {"spec": {"$ref": reference(&key)}}},
        }));
        let (spec, inner) = spec(manifest, &key);
        definitions.extend(inner);
        definitions.insert(key, spec);
    }
    let step = definitions.get_mut("step").and_then(Value::as_object_mut);
    if let (Some(step), false) = (step, plugins.is_empty()) {
        step.insert("allOf".to_owned(), plugins.into());
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Bowline workflow",
        "x-yaml-custom-tags": custom_tags(),
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": "v1"},
            "kind": {"const": "Workflow"},
            "name": text("What the workflow is called."),
            "summary": text("One line."),
            "description": text("What it does, and when to run it."),
            "homepage": {"type": "string", "format": "uri"},
            "source": {"type": "string", "format": "uri"},
            "tags": {"type": "array", "items": {"type": "string", "minLength": 1}},
            "locals": {"type": "object", "description": "A place for anchors; never evaluated."},
            "parameters": {
                "type": "object",
                "description": "What a run is given.",
                "additionalProperties": {"$ref": "#/$defs/parameter"},
            },
            "steps": {"type": "array", "items": {"$ref": "#/$defs/step"}},
            "triggers": {"type": "array", "items": {"$ref": "#/$defs/trigger"}},
            "x-bowline": run_extras(),
        },
        "$defs": definitions,
    })
}

fn definitions() -> Map<String, Value> {
    let definitions = json!({
        "parameter": {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "description": text("What to give, and in which form."),
                "default": {"description": "Without one, a run needs a value."},
                "type": {
                    "description": "How a text from the command line is read.",
                    "type": "string",
                    "examples": ["string", "integer", "number", "boolean", "array", "object"],
                },
            },
        },
        "step": {
            "type": "object",
            "required": ["name"],
            "properties": step_properties(),
            "if": {"required": ["type"], "properties": {"type": {"const": "approval"}}},
            "else": {"required": ["image"]},
        },
        "retry": retry(),
        "trigger": trigger(),
    });
    match definitions {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn step_properties() -> Value {
    json!({
        "name": text("Unique in the workflow."),
        "type": {
            "description": "A plugin does a `container` step; a person decides an `approval`.",
            "enum": ["container", "approval"],
            "default": "container",
        },
        "description": {"type": "string"},
        "dependsOn": {
            "description": "Steps that must have succeeded first. Outputs imply this.",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}},
            ],
        },
        "when": {"description": "Runs if this is true, or if all items of this list are."},
        "image": text("The plugin that does the step."),
        "spec": {"type": "object", "description": "The inputs of the plugin."},
        "x-bowline": step_extras(),
        "env": {"type": "object", "description": "No effect here: plugins have no environment."},
        "input": {"type": "array", "items": {"type": "string"}, "deprecated": true},
        "inputFile": {"type": "string", "deprecated": true},
        "command": {"type": "string", "deprecated": true},
        "args": {"type": "array", "items": {"type": "string"}, "deprecated": true},
    })
}

/// A whole number from 1 to `max`.
fn limit(what: &str, max: u32) -> Value {
    json!({"type": "integer", "minimum": 1, "maximum": max, "description": what})
}

fn run_extras() -> Value {
    json!({
        "type": "object",
        "description": "How often steps are tried, and for how long; Relay ignores it.",
        "additionalProperties": false,
        "properties": {
            "retry": {"$ref": "#/$defs/retry"},
            "timeoutSeconds": limit("Wall-clock time of the whole run.", 604_800),
        },
    })
}

fn retry() -> Value {
    json!({
        "type": "object",
        "description": "How often a step is tried when it fails in a way that may pass.",
        "additionalProperties": false,
        "properties": {
            "attempts": limit("All tries together.", 20),
            "delaySeconds": limit("Before the second try; doubled each time.", 3_600),
            "maxDelaySeconds": limit("The most that it waits, also for a Retry-After.", 86_400),
        },
    })
}

fn step_extras() -> Value {
    json!({
        "type": "object",
        "description": "Narrows what the step may do, and says how often it is tried; Relay ignores it.",
        "additionalProperties": false,
        "properties": {
            "grants": {
                "type": "object",
                "description": "By connection: the rules that are granted of those asked for.",
                "additionalProperties": {"type": "array", "items": {"type": "object"}},
            },
            "limits": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "attemptSeconds": limit("Wall-clock time of one attempt.", 86_400),
                    "cpuSeconds": limit("Time of computing.", 3_600),
                    "memoryMib": limit("Memory.", 4_096),
                    "calls": limit("Calls of connections.", 100_000),
                    "callsInFlight": limit("Calls at the same time.", 64),
                    "requestKib": limit("The body of one request.", 65_536),
                    "responseKib": limit("The decoded body of one answer.", 8_192),
                    "responsesKib": limit("All answers together.", 1_048_576),
                },
            },
            "retry": {"$ref": "#/$defs/retry"},
            "timeoutSeconds": limit(
                "Wall-clock time of all tries together; of an approval: how long it waits.",
                604_800,
            ),
        },
    })
}

fn trigger() -> Value {
    let source = |kind: &str, required: &[&str], properties: Value| {
        let mut required = required.to_vec();
        required.push("type");
        let mut properties = properties;
        properties["type"] = json!({"const": kind});
        json!({"type": "object", "required": required, "properties": properties})
    };
    json!({
        "type": "object",
        "required": ["name", "source"],
        "additionalProperties": false,
        "properties": {
            "name": text("What the trigger is called."),
            "source": {"oneOf": [
                source("schedule", &["schedule"], json!({
                    "schedule": {"type": "string", "examples": ["0 6 * * MON-FRI", "@daily"]},
                })),
                source("push", &[], json!({"schema": {"type": "object"}})),
                source("webhook", &["image"], json!({
                    "image": text("The program that turns requests into events."),
                    "spec": {"type": "object"},
                    "env": {"type": "object"},
                })),
            ]},
            "binding": {
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "key": {"description": "Events of the same key are one."},
                    "parameters": {"type": "object", "description": "What the run is given."},
                },
            },
            "when": {"description": "Fires only if this is true."},
        },
    })
}

/// The inputs of a plugin, and the definitions that they lean on. Each input may be an expression
/// too, so its own schema is only one of two possibilities: enough for completion and help.
///
/// The definitions move beside those of the language, under the plugin's key: editors do not
/// follow references inside of an embedded schema with an `$id` of its own.
fn spec(manifest: &Manifest, key: &str) -> (Value, Map<String, Value>) {
    let mut schema = manifest.inputs.clone();
    move_references(&mut schema, key);
    let Some(map) = schema.as_object_mut() else { return (json!({"type": "object"}), Map::new()) };
    map.remove("$schema");
    let inner = match map.remove("$defs") {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    map.insert("description".to_owned(), manifest.summary.as_str().into());
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            let mut relaxed = Map::new();
            for keyword in ["title", "description", "default", "examples"] {
                if let Some(value) = property.get(keyword) {
                    relaxed.insert(keyword.to_owned(), value.clone());
                }
            }
            relaxed.insert("anyOf".to_owned(), json!([property.take(), {}]));
            *property = Value::Object(relaxed);
        }
    }
    let inner = inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value));
    (schema, inner.collect())
}

/// Lets `#/$defs/Name` lead to `#/$defs/KEY.Name`.
fn move_references(schema: &mut Value, key: &str) {
    match schema {
        Value::Object(map) => {
            for (keyword, value) in map {
                let name = value.as_str().and_then(|value| value.strip_prefix(DEFINITIONS));
                match name {
                    Some(name) if keyword == "$ref" => {
                        *value = format!("{}.{name}", reference(key)).into();
                    }
                    _ => move_references(value, key),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, key)),
        _ => (),
    }
}

fn text(description: &str) -> Value {
    json!({"type": "string", "minLength": 1, "description": description})
}

/// Where definitions are.
const DEFINITIONS: &str = "#/$defs/";

/// The reference to a definition. The name of a plugin is small letters, digits, `-` and `.`, so
/// there is nothing to escape.
fn reference(key: &str) -> String {
    format!("{DEFINITIONS}{key}")
}
