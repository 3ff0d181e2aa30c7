//! `bowline check WORKFLOW...`: findings, and nothing else happens.

use crate::arguments::{CheckArguments, Deny};
use crate::exit::Exit;
use crate::lock::Lock;
use crate::output::{Output, visible};
use crate::permits;
use crate::wiring;
use connections::{Connections, Refused, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use workflow::{
    CheckOptions, Checked, Diagnostic, Severity, SourceFile, Workflow, check_parsed, images, parse,
};

pub(crate) fn run(arguments: &CheckArguments, output: &Output) -> anyhow::Result<Exit> {
    let mut worst = Exit::Success;
    for path in &arguments.workflows {
        // A file that can't be read does not keep the others from being checked.
        match check_one(path, arguments, output) {
            Ok(Exit::Success) => {}
            Ok(exit) if worst == Exit::Success => worst = exit,
            Ok(Exit::Usage) => worst = Exit::Usage,
            Ok(_) => {}
            Err(error) => {
                output.error(&format!("{error:#}"));
                worst = Exit::Usage;
            }
        }
    }
    Ok(worst)
}

/// How the program ends for this file.
fn check_one(path: &Path, arguments: &CheckArguments, output: &Output) -> anyhow::Result<Exit> {
    let source = wiring::read_workflow(path)?;
    let settings = wiring::settings(&arguments.config, Some(path))?;
    // Without settings nobody knows which connections there will be.
    let known = settings.path.is_some().then_some(&settings);
    let options = CheckOptions {
        allow_missing_plugins: arguments.allow_missing_plugins,
        ..CheckOptions::default()
    };
    let checked = check_file(&source, path, &settings, known, options)?;
    let found = &checked.diagnostics;
    if arguments.json {
        for diagnostic in found {
            output.line(&workflow::render::json(diagnostic, &source).to_string());
        }
    } else {
        output.diagnostics(found, &source);
        output.note(&format!("{}: {}", path.display(), count(found)));
    }
    let permitted = match (&checked.workflow, known) {
        (Some(workflow), Some(settings)) => {
            show_permits(workflow, path, settings, arguments, output)?
        }
        _ => true,
    };
    let denied = arguments.deny == Some(Deny::Warnings)
        && found.iter().any(|diagnostic| diagnostic.severity == Severity::Warning);
    Ok(match (checked.workflow.is_some() && !denied, permitted) {
        (true, true) => Exit::Success,
        (true, false) => Exit::Denied,
        (false, _) => Exit::Usage,
    })
}

/// Shows what each step may do with each connection. Whether none is refused; that somebody must
/// still accept a plugin is no refusal.
fn show_permits(
    workflow: &Workflow,
    path: &Path,
    settings: &Settings,
    arguments: &CheckArguments,
    output: &Output,
) -> anyhow::Result<bool> {
    let mut catalog = wiring::catalog(settings)?;
    let steps = workflow::plan::steps(workflow);
    let images = steps.iter().filter_map(|step| step.image.as_deref());
    catalog.resolve(images, path.parent().unwrap_or(Path::new("")));
    let lock = Lock::read(settings, Some(path))?;
    let connections = Connections::new(settings.clone())?.accepting(lock.accepted);
    let permits = permits::of_steps(&steps, &BTreeMap::new(), &catalog, &connections);
    let mut good = true;
    for permit in &permits {
        match (&permit.granted, permit.refusal()) {
            (_, None) if arguments.json => {}
            (_, None) => output.text(&permit.page()),
            (Err(Refused::Unaccepted { .. }), Some(refusal)) => {
                output.note(&format!("warning: {}", visible(&refusal)));
            }
            (_, Some(refusal)) => {
                output.error(&refusal);
                good = false;
            }
        }
    }
    Ok(good)
}

/// Checks a file with the plugins that there are. With `known`, connections that are not set
/// are errors.
pub(crate) fn check_file(
    source: &SourceFile,
    path: &Path,
    settings: &Settings,
    known: Option<&Settings>,
    options: CheckOptions,
) -> anyhow::Result<Checked> {
    let mut catalog = wiring::catalog(settings)?;
    let parsed = parse(source);
    let images = parsed.document.as_ref().map(images).unwrap_or_default();
    let beside = path.parent().unwrap_or(Path::new(""));
    let signatures = catalog.resolve(images.iter().map(String::as_str), beside);
    let checked = check_parsed(source, &parsed, &signatures, &options);
    let (Some(workflow), Some(settings)) = (&checked.workflow, known) else { return Ok(checked) };
    let known = connections_known(workflow, settings);
    let all = workflow::connections(workflow)
        .iter()
        .all(|used| known.contains(&(used.kind.clone(), used.name.clone())));
    if all {
        return Ok(checked);
    }
    let options = CheckOptions { known_connections: Some(known), ..options };
    Ok(check_parsed(source, &parsed, &signatures, &options))
}

/// Those that are set, and those of the workflow that a `*` stands for.
fn connections_known(workflow: &Workflow, settings: &Settings) -> BTreeSet<(String, String)> {
    let listed = settings
        .connections
        .iter()
        .flat_map(|(kind, named)| named.keys().map(|name| (kind.clone(), name.clone())));
    let used = workflow::connections(workflow)
        .iter()
        .filter(|used| settings.connection(&used.kind, &used.name).is_some());
    listed
        .filter(|(_, name)| name != connections::settings::ANY_NAME)
        .chain(used.map(|used| (used.kind.clone(), used.name.clone())))
        .collect()
}

fn count(found: &[Diagnostic]) -> String {
    let of = |severity: Severity| found.iter().filter(|found| found.severity == severity).count();
    let parts = [
        (of(Severity::Error), "error"),
        (of(Severity::Warning), "warning"),
        (of(Severity::Hint), "hint"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() { "no findings".to_owned() } else { parts.join(", ") }
}
