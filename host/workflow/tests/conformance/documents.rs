//! Cases about whole workflows: what is accepted, and what is read from it.

use crate::values::same;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use workflow::document::{Container, Parameter, Source, Step, Trigger};
use workflow::{Code, Document, SourceFile, StepKind, parse};

/// Reads a workflow, or refuses it at the same places as the reference.
pub(crate) fn workflow(case: &Value, folder: &Path) -> Result<(), String> {
    let input = &case["input"];
    let text = match (input["yaml"].as_str(), input["file"].as_str()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(file)) => std::fs::read_to_string(folder.join(file))
            .map_err(|error| format!("can't read `{file}`: {error}"))?,
        (None, None) => return Err("the case has no input".to_owned()),
    };
    let parsed = parse(&SourceFile::new("case.yaml", text));
    let expected = &case["expected"];
    let errors: Vec<_> = parsed.diagnostics.iter().filter(|found| found.is_error()).collect();
    let accepted = expected["valid"] == true && expected.get("decode_error").is_none();
    if accepted != errors.is_empty() {
        let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        return Err(format!("accepted should be {accepted}, found {messages:?}"));
    }
    if let Some(fields) = expected["field_errors"].as_array() {
        let wanted: BTreeSet<(&str, &str)> = fields
            .iter()
            .map(|error| {
                let field = error["field"].as_str().unwrap_or_default();
                (field, error["type"].as_str().unwrap_or_default())
            })
            .collect();
        let found = errors.iter().map(|error| (error.at.as_str(), class(error.code)));
        let found: BTreeSet<(&str, &str)> = found.collect();
        let normal = |set: BTreeSet<(&str, &str)>| -> BTreeSet<(String, String)> {
            set.into_iter().map(|(at, class)| (at.to_owned(), normalised(class))).collect()
        };
        let (found, wanted) = (normal(found), normal(wanted));
        if found != wanted {
            return Err(format!("found {found:?}, expected {wanted:?}"));
        }
    }
    let Some(document) = parsed.document.filter(|_| accepted) else { return Ok(()) };
    if let Some(decoded) = expected.get("decoded") {
        same(&decode(&document), decoded)?;
    }
    if let Some(summary) = expected.get("summary") {
        same(&summarise(&document), summary)?;
    }
    Ok(())
}

/// Our codes in the reference's words.
fn class(code: Code) -> &'static str {
    match code {
        Code::WrongType => "invalid_type",
        Code::MissingKey => "required",
        Code::EmptyText => "string_gte",
        Code::UnsupportedValue => "choice",
        Code::NotAUri => "format",
        _ => "other",
    }
}

fn normalised(class: &str) -> String {
    // The reference has two words for "one of these": with one choice and with many.
    if matches!(class, "enum" | "const") { "choice".to_owned() } else { class.to_owned() }
}

/// Reads the body of one parameter.
pub(crate) fn parameter(case: &Value) -> Result<(), String> {
    let body = case["input"]["text"].as_str().unwrap_or_default();
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    let parsed = parse(&SourceFile::new("case.yaml", format!("parameters:\n  p:\n{body}")));
    let document = parsed.document.ok_or("refused")?;
    let Parameter { description, default, .. } =
        document.parameters.first().ok_or("no parameter")?;
    let mut found = json!({"has_default": default.is_some()});
    if let Some(description) = description {
        found["description"] = description.as_str().into();
    }
    if let Some(default) = default {
        found["default"] = default.clone();
    }
    same(&found, &case["expected"]["value"])
}

/// A document in the form in which the reference shows what it has read.
fn decode(document: &Document) -> Value {
    let mut decoded = Map::new();
    let heads = [
        ("apiVersion", &document.api_version),
        ("name", &document.name),
        ("description", &document.description),
    ];
    for (key, text) in heads {
        if let Some(text) = text {
            decoded.insert(key.to_owned(), text.value.as_str().into());
        }
    }
    let parameters = document.parameters.iter().map(|parameter| {
        let mut body = Map::new();
        if let Some(description) = &parameter.description {
            body.insert("description".to_owned(), description.as_str().into());
        }
        if let Some(kind) = &parameter.kind {
            body.insert("type".to_owned(), kind.value.as_str().into());
        }
        if let Some(default) = &parameter.default {
            body.insert("default".to_owned(), default.clone());
        }
        (parameter.name.value.clone(), Value::Object(body))
    });
    let parameters: Map<String, Value> = parameters.collect();
    if !parameters.is_empty() {
        decoded.insert("parameters".to_owned(), parameters.into());
    }
    let lists: [(&str, Vec<Value>); 2] = [
        ("steps", document.steps.iter().map(step).collect()),
        ("triggers", document.triggers.iter().map(trigger).collect()),
    ];
    for (key, list) in lists {
        if !list.is_empty() {
            decoded.insert(key.to_owned(), list.into());
        }
    }
    decoded.into()
}

fn step(step: &Step) -> Value {
    let mut decoded = match step.kind {
        StepKind::Container => container(&step.container),
        StepKind::Approval => Map::new(),
    };
    let name = step.name.as_ref().map(|name| name.value.as_str()).unwrap_or_default();
    decoded.insert("name".to_owned(), name.into());
    let when = step.when.as_ref().map(|when| Value::clone(&when.value));
    if step.kind == StepKind::Approval {
        decoded.insert("type".to_owned(), "approval".into());
        let mut items = vec![json!({"$fn.equals": [
            {"$type": "Answer", "askRef": name, "name": "approval"}, "approved"]})];
        match when {
            Some(Value::Array(more)) => items.extend(more),
            Some(other) => items.push(other),
            None => (),
        }
        decoded.insert("when".to_owned(), items.into());
    } else {
        decoded.insert("type".to_owned(), "container".into());
        if let Some(when) = when {
            decoded.insert("when".to_owned(), when);
        }
    }
    let depends_on: Vec<&str> = step.depends_on.iter().map(|name| name.value.as_str()).collect();
    if !depends_on.is_empty() {
        decoded.insert("dependsOn".to_owned(), depends_on.into());
    }
    decoded.into()
}

fn container(container: &Container) -> Map<String, Value> {
    let mut decoded = Map::new();
    let texts = |texts: &Vec<String>| Value::from(texts.clone());
    let fields = [
        ("image", container.image.as_ref().map(|image| image.value.as_str().into())),
        ("spec", container.spec.as_ref().map(|spec| Value::clone(&spec.value))),
        ("env", container.env.as_ref().map(|env| Value::clone(&env.value))),
        ("input", container.input.as_ref().map(|input| texts(&input.value))),
        ("inputFile", container.input_file.as_ref().map(|file| file.value.as_str().into())),
        ("command", container.command.as_ref().map(|command| command.value.as_str().into())),
        ("args", container.args.as_ref().map(|args| texts(&args.value))),
    ];
    for (key, value) in fields {
        if let Some(value) = value {
            decoded.insert(key.to_owned(), value);
        }
    }
    decoded
}

fn trigger(trigger: &Trigger) -> Value {
    let mut decoded = json!({"binding": {}});
    if let Some(name) = &trigger.name {
        decoded["name"] = name.value.as_str().into();
    }
    if !trigger.parameters.is_empty() {
        let bound = trigger.parameters.iter();
        let bound = bound.map(|(name, value)| (name.value.clone(), Value::clone(&value.value)));
        decoded["binding"]["parameters"] = Value::Object(bound.collect());
    }
    if let Some(key) = &trigger.key {
        decoded["binding"]["key"] = Value::clone(&key.value);
    }
    if let Some(when) = &trigger.when {
        decoded["when"] = Value::clone(&when.value);
    }
    let (kind, source) = match &trigger.source {
        None => return decoded,
        Some(Source::Schedule { schedule }) => {
            ("schedule", schedule.as_ref().map(|text| json!({"schedule": text.value})))
        }
        Some(Source::Push { schema }) => {
            ("push", schema.as_ref().map(|schema| json!({"schema": schema})))
        }
        Some(Source::Webhook(container)) => {
            ("webhook", Some(Value::Object(self::container(container))))
        }
    };
    decoded["source_type"] = kind.into();
    if let Some(source) = source {
        decoded["source"] = source;
    }
    decoded
}

/// A document in the short form of the cases that are whole files.
fn summarise(document: &Document) -> Value {
    let sorted = |names: Vec<&str>| {
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort_unstable();
        names
    };
    let names = |keep: fn(&Parameter) -> bool| {
        let kept = document.parameters.iter().filter(|parameter| keep(parameter));
        sorted(kept.map(|parameter| parameter.name.value.as_str()).collect())
    };
    let steps = document.steps.iter().map(|step| {
        let Value::Object(mut whole) = self::step(step) else { return Value::Null };
        whole.retain(|key, _| matches!(key.as_str(), "name" | "type" | "image" | "dependsOn"));
        whole.into()
    });
    let triggers = document.triggers.iter().map(|trigger| {
        let whole = self::trigger(trigger);
        let mut short = json!({"name": whole["name"], "source_type": whole["source_type"]});
        if let Some(image) = whole["source"].get("image") {
            short["image"] = image.clone();
        }
        short
    });
    json!({
        "parameters": names(|_| true),
        "parameters_without_default": names(|parameter| parameter.default.is_none()),
        "steps": steps.collect::<Vec<_>>(),
        "triggers": triggers.collect::<Vec<_>>(),
    })
}
