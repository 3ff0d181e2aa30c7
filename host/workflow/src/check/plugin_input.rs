//! `plugin-input`, `missing-input`, `unknown-input`, `plugin-schema`: what a plugin is given is
//! not what it takes.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::document::Step;
use crate::inputs::{Inputs, Mistake, MistakeKind};
use crate::known::{Known, before_a_run, begins};
use crate::signature::{Manifest, Signature};
use crate::source::Spanned;
use crate::suggest::Names;
use crate::tags::locate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut readers: HashMap<&str, Option<Inputs<'_>>> = HashMap::new();
    let empty = json!({});
    let scope = before_a_run(BTreeMap::new());
    for (number, step) in context.document().steps.iter().enumerate() {
        let (Some(signature), Some(image)) = (context.facts.signature(step), &step.container.image)
        else {
            continue;
        };
        let reader = readers.entry(&image.value).or_insert_with(|| reader(signature, image, found));
        let Some(reader) = reader else { continue };
        let spec = step.container.spec.as_ref().map_or(&empty, |spec| &spec.value);
        let Some(known) = Known::of(spec, &scope) else { continue };
        for mistake in reader.mistakes(&known) {
            if !is_about_a_connection(&mistake, &signature.manifest, spec) {
                let diagnostic = finding(context, step, &mistake, &signature.manifest.name);
                found.push(diagnostic.at(place(number, &mistake)));
            }
        }
    }
}

fn reader<'m>(
    signature: &'m Signature,
    image: &Spanned<String>,
    found: &mut Vec<Diagnostic>,
) -> Option<Inputs<'m>> {
    match Inputs::of(&signature.manifest) {
        Ok(inputs) => Some(inputs),
        Err(error) => {
            let plugin = quote(&signature.manifest.name);
            let message = format!("the inputs of {plugin} can't be checked: its schema is wrong");
            let diagnostic = Diagnostic::new(Code::PluginSchema, image.span, message);
            found.push(diagnostic.noting(printable(&error)).helping("tell the plugin's author"));
            None
        }
    }
}

/// A missing connection is told by the rule for connections.
fn is_about_a_connection(mistake: &Mistake, manifest: &Manifest, spec: &Value) -> bool {
    let MistakeKind::Missing(name) = &mistake.kind else { return false };
    let pointer = format!("{}/{}", mistake.pointer, name.replace('~', "~0").replace('/', "~1"));
    let mut slots = manifest.connections.values();
    slots.any(|slot| {
        !slot.optional
            && slot.from.iter().any(|from| begins(from, &pointer))
            && slot.from.iter().all(|from| spec.pointer(from).is_none())
    })
}

fn place(number: usize, mistake: &Mistake) -> String {
    let path = mistake.pointer.replace('/', ".");
    match &mistake.kind {
        MistakeKind::Missing(_) | MistakeKind::Wrong(_) => format!("steps.{number}.spec{path}"),
        MistakeKind::Unknown(name, _) => format!("steps.{number}.spec{path}.{}", printable(name)),
    }
}

fn finding(context: &Context<'_>, step: &Step, mistake: &Mistake, plugin: &str) -> Diagnostic {
    let plugin = quote(plugin);
    let segments: Vec<String> = mistake
        .pointer
        .split('/')
        .skip(1)
        .map(|segment| segment.replace("~1", "/").replace("~0", "~"))
        .collect();
    let node = step
        .container
        .spec
        .as_ref()
        .map(|spec| locate(&spec.node, segments.iter().map(String::as_str)));
    let span = node.as_ref().map_or(step.span, crate::yaml::Node::head);
    match &mistake.kind {
        MistakeKind::Missing(name) => {
            let message = format!("{plugin} needs the input {}", quote(name));
            let parents: String = segments.iter().map(|segment| format!("{segment}.")).collect();
            let help =
                format!("write it under `spec`: `{}{}: …`", printable(&parents), printable(name));
            Diagnostic::new(Code::MissingInput, step.span, message).helping(help)
        }
        MistakeKind::Unknown(name, known) => {
            let key = node.and_then(|node| {
                node.entries().map(|(key, _)| key).find(|key| key.text() == Some(name))
            });
            let span = key.map_or(span, |key| key.span());
            let message = format!("{plugin} knows no input {}", quote(name));
            let diagnostic = Diagnostic::new(Code::UnknownInput, span, message);
            let names = Names::new(known.iter().map(String::as_str));
            context.suggest(diagnostic, &Spanned::new(name.clone(), span), &names, "inputs")
        }
        MistakeKind::Wrong(what) => {
            let name = segments.last().map_or_else(|| "`spec`".to_owned(), |name| quote(name));
            let message = format!("{name} {what}");
            Diagnostic::new(Code::PluginInput, span, message)
                .noting(format!("{plugin} asks for that"))
        }
    }
}
