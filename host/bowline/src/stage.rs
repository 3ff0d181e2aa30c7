//! Everything that a plan needs to be followed: plugins, connections, the sandbox. All that can be
//! wrong is found here, before anything is touched.

use crate::lock::{self, Asking, Lock};
use crate::output::{Output, visible};
use crate::{permits, wiring};
use anyhow::{Context as _, bail};
use connections::{Connections, Refused, Settings};
use sandbox::{Catalog, Reference, Sandbox, WorkflowFolder};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use workflow::{Plan, PluginPin};

use crate::exit::Exit;

/// How a stage is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// The workflow file: images and documents are looked for beside it.
    pub(crate) workflow: &'a Path,
    /// On practice services every plugin counts as accepted.
    pub(crate) drill: bool,
    /// Who is asked about plugins that nobody has accepted.
    pub(crate) asking: Asking,
    /// Writes are shown and not made.
    pub(crate) plan_only: bool,
}

/// A stage, or how the program ends without one; what is wrong was shown then.
pub(crate) enum Staged {
    Ready(Box<Sandbox>),
    Stopped(Exit),
}

/// Sets everything up for `plan`. `place` says where in the workflow a connection is written.
pub(crate) async fn set(
    plan: &Plan,
    settings: Settings,
    setting: Setting<'_>,
    place: &(dyn Fn(&str, &Reference) -> String + Sync),
    output: &Output,
) -> anyhow::Result<Staged> {
    let mut catalog = wiring::catalog(&settings)?;
    let images = plan.steps.iter().filter_map(|step| step.image.as_deref());
    catalog.resolve(images, setting.workflow.parent().unwrap_or(Path::new("")));
    let limits = wiring::limits(&settings);
    let lock = Lock::read(&settings, Some(setting.workflow))?;
    let connections = Connections::new(settings)?;
    let connections = match setting.drill {
        true => connections.accepting_all(),
        false => connections.accepting(lock.accepted.clone()),
    };
    let connections = match permit(plan, &catalog, connections, lock, setting, output)? {
        Ok(connections) => Arc::new(connections),
        Err(exit) => return Ok(Staged::Stopped(exit)),
    };
    for (step, reference) in connections_of(plan) {
        let opened = connections.try_open(&reference).await;
        opened.with_context(|| place(&step, &reference))?;
    }
    let (sandbox, warning) = wiring::sandbox(connections, limits)?;
    let sandbox = sandbox.with_files(Arc::new(WorkflowFolder::of(setting.workflow)));
    let sandbox = if setting.plan_only { sandbox.plan_only() } else { sandbox };
    if let Some(warning) = warning {
        output.note(&format!("warning: {}", visible(&warning)));
    }
    load(&sandbox, &catalog, plan)?;
    Ok(Staged::Ready(Box::new(sandbox)))
}

fn load(sandbox: &Sandbox, catalog: &Catalog, plan: &Plan) -> anyhow::Result<()> {
    let digests: BTreeSet<String> = pins(plan).map(|plugin| plugin.digest.clone()).collect();
    let digests: Vec<String> = digests.into_iter().collect();
    if let Err((digest, error)) = sandbox.prepare(catalog, &digests) {
        let name = pins(plan).find(|plugin| plugin.digest == digest);
        let name = name.map_or(digest.as_str(), |plugin| plugin.name.as_str());
        if error.code == "plugin.missing" {
            bail!(
                "the plugin `{name}` that this plan is pinned to ({digest}) is not here any more; \
                 put that very file back into a folder of `plugins`, or start the workflow anew \
                 with the plugin that is there"
            );
        }
        bail!("the plugin `{name}` can't be run: {error}; nothing was started");
    }
    Ok(())
}

fn pins(plan: &Plan) -> impl Iterator<Item = &PluginPin> {
    plan.steps.iter().filter_map(|step| step.plugin.as_ref())
}

/// The connections that steps are written to use, with the step that uses each first.
fn connections_of(plan: &Plan) -> Vec<(String, Reference)> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for step in &plan.steps {
        let spec = expression::Expression::from_tree(&step.spec);
        for (kind, name) in spec.references().connections {
            let reference = Reference { kind, name };
            if seen.insert(reference.clone()) {
                found.push((step.name.to_string(), reference));
            }
        }
    }
    found
}

/// Decides whether each plugin may do what it is here for, and asks where nobody has decided yet.
/// How the program ends when the answer is no.
fn permit(
    plan: &Plan,
    catalog: &Catalog,
    connections: Connections,
    mut lock: Lock,
    setting: Setting<'_>,
    output: &Output,
) -> anyhow::Result<Result<Connections, Exit>> {
    let mut plugins: Vec<&PluginPin> = Vec::new();
    for plugin in pins(plan) {
        if !plugins.contains(&plugin) {
            plugins.push(plugin);
        }
    }
    let used: Vec<&str> = plugins.iter().map(|plugin| plugin.digest.as_str()).collect();
    let mut worst = None;
    for &pin in &plugins {
        match connections.standing(pin) {
            Ok(()) => {}
            Err(Refused::Unaccepted { .. }) => {
                let entry = catalog.pinned(&pin.digest).context("a plugin is gone")?;
                let manifest = &entry.artifact.as_ref().map_err(Clone::clone)?.manifest;
                if !lock::accept(&mut lock, pin, manifest, &used, setting.asking, output)? {
                    return Ok(Err(Exit::Denied));
                }
            }
            Err(refused) => {
                output.error(&format!("{refused} ({})", refused.code()));
                worst = Some(Exit::Denied);
            }
        }
    }
    let connections = match setting.drill {
        true => connections,
        false => connections.accepting(lock.accepted),
    };
    let permits = permits::of_steps(&plan.steps, &plan.parameters, catalog, &connections);
    for permit in permits {
        let (Err(refused), Some(words)) = (&permit.granted, permit.refusal()) else { continue };
        output.error(&words);
        if refused.is_denial() {
            worst = Some(Exit::Denied);
        }
        worst = worst.or(Some(Exit::Usage));
    }
    Ok(match worst {
        Some(exit) => Err(exit),
        None => Ok(connections),
    })
}
