//! `bowline plugin list|inspect|check`: what plugins there are and what they ask for. Nothing of
//! a plugin is run for it.

use crate::arguments::PluginCommand;
use crate::exit::Exit;
use crate::lock::{self, Asking, Lock};
use crate::output::{Output, visible};
use crate::wiring;
use anyhow::{Context as _, bail};
use connections::{Connections, Granted, Refused, Settings};
use effects::Binding;
use sandbox::{Artifact, Catalog, CompileLimits, Entry, Limits, Origin};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workflow::{Verify, VerifyWay};

pub(crate) fn run(command: &PluginCommand, output: &Output) -> anyhow::Result<Exit> {
    match command {
        PluginCommand::List { config, json } => {
            let catalog = wiring::catalog(&wiring::settings(config, None)?)?;
            list(&catalog, *json, output);
            Ok(Exit::Success)
        }
        PluginCommand::Inspect { plugin, config, json } => {
            let settings = wiring::settings(config, None)?;
            let catalog = wiring::catalog(&settings)?;
            let entry = find(&catalog, &settings, plugin)?;
            let lock = Lock::read(&settings, None)?;
            let connections = Connections::new(settings)?.accepting(lock.accepted);
            inspect(&entry, &connections, *json, output)
        }
        PluginCommand::Accept { plugin, config, yes } => {
            let settings = wiring::settings(config, None)?;
            let entry = find(&wiring::catalog(&settings)?, &settings, plugin)?;
            let artifact = entry.artifact.as_ref().map_err(Clone::clone)?;
            let pin = entry.pin().context("it is no plugin")?;
            let mut lock = Lock::read(&settings, None)?;
            let asking = if *yes { Asking::Yes } else { Asking::Terminal };
            let good = lock::accept(&mut lock, &pin, &artifact.manifest, &[], asking, output)?;
            Ok(if good { Exit::Success } else { Exit::Denied })
        }
        PluginCommand::Check { files, config, json } => {
            check(files, wiring::settings(config, None)?, *json, output)
        }
    }
}

fn list(catalog: &Catalog, as_json: bool, output: &Output) {
    for entry in catalog.entries() {
        let origin = origin(&entry.origin);
        match &entry.artifact {
            Ok(artifact) if as_json => output.line(
                &json!({
                    "name": artifact.manifest.name,
                    "version": artifact.manifest.version,
                    "summary": artifact.manifest.summary,
                    "digest": artifact.digest,
                    "signer": artifact.signer,
                    "origin": origin,
                })
                .to_string(),
            ),
            Ok(artifact) => output.line(&format!(
                "{:32} {:8} {}  [{}, {}]",
                artifact.manifest.name,
                visible(&artifact.manifest.version),
                visible(&artifact.manifest.summary),
                visible(&origin),
                visible(&signature(artifact))
            )),
            Err(error) if as_json => output.line(
                &json!({"name": entry.name, "origin": origin, "code": error.code, "problem": error.message})
                    .to_string(),
            ),
            Err(error) => output.error(&format!("`{origin}` was refused: {error}")),
        }
    }
}

/// A plugin of this name, or the file at this path.
fn find(catalog: &Catalog, settings: &Settings, plugin: &str) -> anyhow::Result<Entry> {
    let path = Path::new(plugin);
    if path.components().count() > 1 || path.extension().is_some() || path.exists() {
        return Ok(Entry::of_file(path, &wiring::signers(settings)?));
    }
    match catalog.entries().find(|entry| entry.name == plugin) {
        Some(entry) => Ok(entry.clone()),
        None => bail!(
            "no plugin is called `{}` and there is no such file; `bowline plugin list` shows \
             those that there are",
            plugin.escape_debug()
        ),
    }
}

fn inspect(
    entry: &Entry,
    connections: &Connections,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let artifact = match &entry.artifact {
        Ok(artifact) => artifact,
        Err(error) => {
            output.error(&format!("`{}` is no plugin: {error}", origin(&entry.origin)));
            return Ok(Exit::Usage);
        }
    };
    if as_json {
        let mut value = serde_json::to_value(&artifact.manifest)?;
        value["digest"] = json!(artifact.digest);
        value["signer"] = json!(artifact.signer);
        value["imports"] = json!(artifact.imports);
        let effective = effective(entry, artifact, connections).into_iter().map(|(slot, id, granted)| {
            match granted {
                Ok(granted) => json!({
                    "slot": slot,
                    "connection": id,
                    "rules": granted.scope.rules().to_json(),
                    "narrowedBy": granted.scope.narrowed_by().map(|party| party.as_str()).collect::<Vec<_>>(),
                    "calls": granted.calls_max,
                }),
                Err(refused) => json!({
                    "slot": slot,
                    "connection": id,
                    "code": refused.code(),
                    "problem": refused.to_string(),
                }),
            }
        });
        value["effective"] = effective.collect();
        output.line(&value.to_string());
    } else {
        output.text(&page(artifact, &origin(&entry.origin)));
        output.text(&effective_page(entry, artifact, connections));
    }
    Ok(Exit::Success)
}

/// What a plugin may really do with each connection that is set, whatever its inputs will be.
fn effective(
    entry: &Entry,
    artifact: &Artifact,
    connections: &Connections,
) -> Vec<(String, String, Result<Granted, Refused>)> {
    let Some(pin) = entry.pin() else { return Vec::new() };
    let nothing = json!({});
    let mut found = Vec::new();
    for (slot, need) in &artifact.manifest.connections {
        for reference in connections.list().into_iter().filter(|known| known.kind == need.kind) {
            let (run, step, key) = ("", "", "");
            let asking = sandbox::Asking { plugin: &pin, run, step, key, slot, grants: None };
            let binding = Binding::partly(&nothing, &|_pointer| true);
            let granted = connections.granted(&reference, need, binding, &asking);
            found.push((slot.clone(), reference.id(), granted));
        }
    }
    found
}

fn effective_page(entry: &Entry, artifact: &Artifact, connections: &Connections) -> String {
    let mut text = String::new();
    let effective = effective(entry, artifact, connections);
    if !effective.is_empty() {
        text.push_str("effective here\n");
    }
    for (slot, id, granted) in effective {
        match granted {
            Err(refused) => {
                let _ = writeln!(
                    text,
                    "  {}: nothing: {}",
                    visible(&id),
                    visible(&refused.to_string())
                );
            }
            Ok(granted) => {
                let narrowed: Vec<String> =
                    granted.scope.narrowed_by().map(|party| party.to_string()).collect();
                if narrowed.is_empty() {
                    let _ = writeln!(text, "  {} ({slot}): all that it asks for", visible(&id));
                    continue;
                }
                let _ = writeln!(
                    text,
                    "  {} ({slot}), narrowed by {}:",
                    visible(&id),
                    narrowed.join(" and ")
                );
                let rules = granted.scope.rules().to_json();
                for line in
                    views::rules::lines(rules.as_array().map(Vec::as_slice).unwrap_or_default())
                {
                    let _ = writeln!(text, "    {line}");
                }
            }
        }
    }
    text
}

/// The permission screen: the same for author, reviewer and operator.
fn page(artifact: &Artifact, origin: &str) -> String {
    let manifest = &artifact.manifest;
    let mut text = String::new();
    let mut line = |indent: usize, words: &str| {
        for words in visible(words).lines() {
            let _ = writeln!(text, "{:indent$}{words}", "");
        }
    };
    line(0, &format!("{} {}", manifest.name, manifest.version));
    line(2, &manifest.summary);
    line(2, &artifact.digest);
    line(2, &format!("from {origin}"));
    line(2, &signature(artifact));
    line(0, "");
    line(0, "asks for");
    if manifest.connections.is_empty() {
        line(2, "nothing: it computes");
    }
    for (slot, need) in &manifest.connections {
        let optional = if need.optional { ", optional" } else { "" };
        line(2, &format!("{slot}: a {} connection{optional}", need.kind));
        line(4, &need.reason);
        for rule in views::rules::lines(&need.allow) {
            line(4, &rule);
        }
        for verify in &need.verify {
            line(4, &verified(verify));
        }
    }
    if let Some(wishes) = lock::wishes(&manifest.limits) {
        line(0, "wishes");
        line(2, &wishes);
    }
    line(0, "does not get");
    line(2, "credentials, files, environment, sockets, other connections");
    line(0, "gets anyway");
    line(2, "clock, random numbers, a log of at most 2,000 lines");
    for (title, schema) in [("takes", &manifest.inputs), ("gives", &manifest.outputs)] {
        line(0, title);
        let members = members(schema);
        if members.is_empty() {
            line(2, "nothing");
        }
        for member in members {
            line(2, &member);
        }
    }
    if let Some(description) = &manifest.description {
        line(0, "");
        line(0, description);
    }
    text
}

/// What the host does about a write whose answer was lost.
fn verified(verify: &Verify) -> String {
    let write = format!("{} {}", verify.method, verify.path);
    match verify.way() {
        Some(VerifyWay::Recognised) => {
            format!("after a crash: {write} is sent again, and recognised by its key")
        }
        Some(VerifyWay::Look { path, .. }) => {
            format!("after a crash: {write} is looked for by GET {path}")
        }
        // Such a manifest was refused when it was read.
        None => format!("after a crash: {write} is left to a person"),
    }
}

/// One line for each member of an object's schema.
fn members(schema: &Value) -> Vec<String> {
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = schema["properties"].as_object();
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let mut line = name.clone();
            let kind = match &schema["type"] {
                Value::String(kind) => kind.clone(),
                Value::Array(kinds) => {
                    kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
                }
                _ => String::new(),
            };
            if !kind.is_empty() {
                let _ = write!(line, " ({kind})");
            }
            if required.contains(&name.as_str()) {
                line.push_str(", required");
            }
            if let Some(default) = schema.get("default").filter(|default| !default.is_null()) {
                let _ = write!(line, ", default {default}");
            }
            if let Some(description) = schema["description"].as_str() {
                let first = description.lines().next().unwrap_or_default();
                let _ = write!(line, ": {first}");
            }
            line
        })
        .collect()
}

/// Who has signed it, in words.
fn signature(artifact: &Artifact) -> String {
    match (&artifact.signer, &artifact.signer_comment) {
        (Some(signer), Some(comment)) => format!("signed by `{signer}`: {comment}"),
        (Some(signer), None) => format!("signed by `{signer}`"),
        (None, _) => "not signed".to_owned(),
    }
}

/// Examines, compiles and links each file, the way `run` would.
fn check(
    files: &[PathBuf],
    settings: Settings,
    as_json: bool,
    output: &Output,
) -> anyhow::Result<Exit> {
    let signers = wiring::signers(&settings)?;
    let connections = Arc::new(Connections::new(settings)?);
    let (sandbox, _warning) = wiring::sandbox(connections, Limits::default())?;
    let sandbox = sandbox.with_compiler(wiring::compiler(CompileLimits::for_checking())?);
    let mut exit = Exit::Success;
    for file in files {
        let entry = Entry::of_file(file, &signers);
        let shown = file.display().to_string();
        let checked = sandbox.try_out(&entry).and_then(|()| entry.artifact.clone());
        match checked {
            Ok(artifact) if as_json => {
                let unused = sandbox.asks_too_much(&entry);
                output.line(
                    &json!({"file": shown, "ok": true, "name": artifact.manifest.name, "digest": artifact.digest, "signer": artifact.signer, "asksInVain": unused})
                        .to_string(),
                );
            }
            Ok(artifact) => {
                output.line(&format!(
                    "{}: good, {} {}, {}",
                    visible(&shown),
                    artifact.manifest.name,
                    visible(&artifact.manifest.version),
                    visible(&signature(&artifact))
                ));
                for slot in sandbox.asks_too_much(&entry) {
                    output.note(&format!(
                        "warning: {}: it asks for the connection `{slot}` and does not import what it \
                         would use it through; it will not get it",
                        visible(&shown)
                    ));
                }
            }
            Err(error) => {
                exit = Exit::Usage;
                if as_json {
                    output.line(
                        &json!({"file": shown, "ok": false, "code": error.code, "message": error.message})
                            .to_string(),
                    );
                } else {
                    output.error(&format!("`{shown}` is refused: {error}"));
                }
            }
        }
    }
    Ok(exit)
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => "inside bowline".to_owned(),
        Origin::File(path) => path.display().to_string(),
    }
}
