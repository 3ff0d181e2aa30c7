//! What each step of a workflow may do with each connection, before anything is run: what `check`
//! shows, what `run` refuses, and what it must ask about.

use crate::output::visible;
use connections::{Connections, Granted, Refused};
use effects::Binding;
use sandbox::{Asking, Catalog, Reference};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use views::remedy::{Missing, remedy};
use workflow::{PlannedStep, PluginPin};

/// Rules that are shown for one connection; a page has no more room.
const RULES_MAX: usize = 12;

/// One step and one connection that it names.
pub(crate) struct Permit {
    pub(crate) step: String,
    pub(crate) plugin: PluginPin,
    pub(crate) slot: String,
    pub(crate) reference: Reference,
    /// The name under which the connection is set.
    set_under: String,
    pub(crate) granted: Result<Granted, Refused>,
}

/// Those of all steps whose connections are written down; computed ones are decided about when
/// they are known.
pub(crate) fn of_steps(
    steps: &[PlannedStep],
    parameters: &BTreeMap<String, Value>,
    catalog: &Catalog,
    connections: &Connections,
) -> Vec<Permit> {
    let mut permits = Vec::new();
    for step in steps {
        let Some(plugin) = &step.plugin else { continue };
        let Some(Ok(artifact)) = catalog.pinned(&plugin.digest).map(|entry| &entry.artifact) else {
            continue;
        };
        let Some(known) = step.known_inputs(parameters) else { continue };
        let known = known.with_defaults(&artifact.manifest.inputs);
        let open = |pointer: &str| known.is_open(pointer);
        for (slot, need) in &artifact.manifest.connections {
            let written = need.from.iter().find_map(|pointer| step.connection_at(pointer));
            let Some((kind, name)) = written.filter(|(kind, _)| *kind == need.kind) else {
                continue;
            };
            let reference = Reference { kind, name };
            let grants = step.extras.grants.get(slot).map(Vec::as_slice);
            let asking = Asking { plugin, run: "", step: "", key: "", slot, grants };
            let binding = Binding::partly(known.value(), &open);
            let granted = connections.granted(&reference, need, binding, &asking);
            // Inputs that don't fit are no mistake of a step that its conditions may leave out.
            if matches!(granted, Err(Refused::Unfit { .. })) && !step.when.is_empty() {
                continue;
            }
            permits.push(Permit {
                step: step.name.as_str().to_owned(),
                granted,
                plugin: plugin.clone(),
                slot: slot.clone(),
                set_under: connections
                    .settings()
                    .set_under(&reference.kind, &reference.name)
                    .to_owned(),
                reference,
            });
        }
    }
    permits
}

impl Permit {
    /// What the step may do, as lines for people.
    pub(crate) fn page(&self) -> String {
        let mut text = String::new();
        let id = self.reference.id();
        let _ = writeln!(text, "  {} may use {id} ({}):", visible(&self.step), self.slot);
        let Ok(granted) = &self.granted else { return text };
        let rules = granted.scope.rules().to_json();
        let rules = rules.as_array().map(Vec::as_slice).unwrap_or_default();
        for line in views::rules::lines(&rules[..rules.len().min(RULES_MAX)]) {
            let _ = writeln!(text, "    {line}");
        }
        if let Some(more) = rules.len().checked_sub(RULES_MAX).filter(|more| *more > 0) {
            let _ = writeln!(
                text,
                "    and {more} more: `bowline plugin inspect {}`",
                self.plugin.name
            );
        }
        let narrowed: Vec<String> =
            granted.scope.narrowed_by().map(|party| party.to_string()).collect();
        if !narrowed.is_empty() {
            let _ = writeln!(text, "    narrowed by {}", narrowed.join(" and "));
        }
        if let Some(calls) = granted.calls_max {
            let _ = writeln!(text, "    at most {calls} calls in one attempt");
        }
        text
    }

    /// Why it may not, and what to do.
    pub(crate) fn refusal(&self) -> Option<String> {
        let refused = self.granted.as_ref().err()?;
        let mut text = format!("step `{}`: {refused} ({})", self.step, refused.code());
        if let Refused::NothingLeft { by, asked, .. } = refused {
            let id = self.reference.id();
            // What an input will choose is not known yet; a rule that leaves it open would allow
            // every choice.
            let known: Vec<Value> =
                asked.iter().filter(|rule| !rule.to_string().contains("${")).cloned().collect();
            let missing = Missing {
                by: by.as_str(),
                plugin: &self.plugin,
                slot: &self.slot,
                connection: &id,
                set_under: &self.set_under,
                rules: &known,
            };
            match remedy(&missing).filter(|_| !known.is_empty()) {
                Some(remedy) => {
                    let _ = write!(text, "; {remedy}");
                }
                None => text.push_str(
                    "; what it asks for depends on inputs that are not known yet: `bowline plugin \
                     inspect` shows it",
                ),
            }
        }
        Some(text)
    }
}
