//! What all rules look at: the document, what it refers to, and which names it has.
//!
//! Computed once, so that no rule walks the text again. Holds no opinion.

use super::CheckOptions;
use crate::StepKind;
use crate::diagnostic::{Diagnostic, quote};
use crate::document::{Container, Document, Source, Step};
use crate::graph::{Edge, Why};
use crate::reference::{self, Site, What};
use crate::signature::{Resolution, Signature, Signatures};
use crate::source::{SourceFile, Span, Spanned};
use crate::suggest::Names;
use std::collections::HashMap;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// `spec` and `env` of a step.
    Spec,
    /// `when` of a step.
    When,
    /// `spec` and `env` of a webhook.
    Webhook,
    /// `when` and `binding` of a trigger.
    Event,
}

/// A step or trigger's expressions.
pub(crate) struct Sites {
    /// Each with its place.
    pub(crate) all: Vec<(Place, Site)>,
}

/// What rules look at.
pub(crate) struct Context<'a> {
    pub(crate) source: &'a SourceFile,
    pub(crate) facts: Facts<'a>,
    pub(crate) options: &'a CheckOptions,
    /// The number of the first step of each name.
    pub(crate) step_numbers: HashMap<&'a str, usize>,
    pub(crate) step_names: Names<'a>,
    pub(crate) parameter_names: Names<'a>,
    /// By the number of the trigger.
    pub(crate) trigger_sites: Vec<Sites>,
}

/// What a checked workflow is made of.
pub(crate) struct Facts<'a> {
    pub(crate) document: &'a Document,
    pub(crate) signatures: &'a Signatures,
    /// By the number of the step.
    pub(crate) sites: Vec<Sites>,
    /// By the number of the step: what it waits for, in the order of the text, once per reason.
    pub(crate) edges: Vec<Vec<Edge>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        source: &'a SourceFile,
        document: &'a Document,
        signatures: &'a Signatures,
        options: &'a CheckOptions,
    ) -> Self {
        let names = || document.steps.iter().filter_map(|step| step.name.as_ref());
        let mut step_numbers = HashMap::new();
        for (number, step) in document.steps.iter().enumerate() {
            if let Some(name) = &step.name {
                step_numbers.entry(name.value.as_str()).or_insert(number);
            }
        }
        let sites: Vec<Sites> = document.steps.iter().map(sites_of_step).collect();
        let edges = document.steps.iter().zip(&sites);
        let edges = edges.map(|(step, sites)| edges_of(step, sites, &step_numbers)).collect();
        Self {
            source,
            step_names: Names::new(names().map(|name| name.value.as_str())),
            parameter_names: Names::new(
                document.parameters.iter().map(|parameter| parameter.name.value.as_str()),
            ),
            trigger_sites: document.triggers.iter().map(sites_of_trigger).collect(),
            facts: Facts { document, signatures, sites, edges },
            options,
            step_numbers,
        }
    }

    pub(super) fn into_facts(self) -> Facts<'a> {
        self.facts
    }

    pub(super) fn document(&self) -> &'a Document {
        self.facts.document
    }

    /// What to do about a wrong name: the one that was probably meant, or the ones that exist.
    pub(super) fn suggest(
        &self,
        diagnostic: Diagnostic,
        wrong: &Spanned<String>,
        names: &Names<'_>,
        what: &str,
    ) -> Diagnostic {
        let Some(meant) = names.closest(&wrong.value) else {
            return match names.listed() {
                Some(listed) => diagnostic.helping(format!("the {what} are {listed}")),
                None => diagnostic,
            };
        };
        let diagnostic = diagnostic.helping(format!("did you mean {}?", quote(meant)));
        match self.place_of(wrong) {
            Some(span) => diagnostic.fixed_by(span, meant),
            None => diagnostic,
        }
    }

    /// Where exactly a name stands, between its quotes; nothing if it was written with escapes.
    fn place_of(&self, name: &Spanned<String>) -> Option<Span> {
        let written = self.source.slice(name.span);
        let inner =
            ['"', '\''].iter().find_map(|&quote| written.strip_prefix(quote)?.strip_suffix(quote));
        match inner {
            _ if written == name.value => Some(name.span),
            Some(inner) if inner == name.value => {
                Some(Span::new(name.span.start + 1, name.span.end - 1))
            }
            _ => None,
        }
    }

    /// Each expression's findings of all steps, with the step's number.
    pub(super) fn step_sites(&self) -> impl Iterator<Item = (usize, Place, &Site)> {
        let sites = self.facts.sites.iter().enumerate();
        sites.flat_map(|(number, sites)| {
            sites.all.iter().map(move |(place, site)| (number, *place, site))
        })
    }

    /// Each expression's findings of steps and triggers.
    pub(super) fn all_sites(&self) -> impl Iterator<Item = (Place, &Site)> {
        let steps = self.facts.sites.iter();
        let sites = steps.chain(&self.trigger_sites).flat_map(|sites| &sites.all);
        sites.map(|(place, site)| (*place, site))
    }
}

impl<'a> Facts<'a> {
    /// The plugin that does a step, if it has one that was found.
    pub(crate) fn signature(&self, step: &Step) -> Option<&'a Signature> {
        let image = step.container.image.as_ref().filter(|_| step.kind == StepKind::Container)?;
        match self.signatures.get(&image.value) {
            Some(Resolution::Found(signature)) => Some(signature),
            _ => None,
        }
    }
}

fn sites_of_step(step: &Step) -> Sites {
    let mut all = Vec::new();
    if step.kind == StepKind::Container {
        sites_of_container(&step.container, Place::Spec, &mut all);
    }
    if let Some(when) = &step.when {
        all.extend(reference::sites(when).into_iter().map(|site| (Place::When, site)));
    }
    Sites { all }
}

fn sites_of_container(container: &Container, place: Place, all: &mut Vec<(Place, Site)>) {
    for written in [&container.spec, &container.env].into_iter().flatten() {
        let sites = reference::sites_of_mapping(written);
        all.extend(sites.into_iter().map(|site| (place, site)));
    }
}

fn sites_of_trigger(trigger: &crate::document::Trigger) -> Sites {
    let mut all = Vec::new();
    if let Some(Source::Webhook(container)) = &trigger.source {
        sites_of_container(container, Place::Webhook, &mut all);
    }
    let bound = trigger.parameters.iter().map(|(_, written)| written);
    for written in bound.chain(&trigger.key).chain(&trigger.when) {
        all.extend(reference::sites(written).into_iter().map(|site| (Place::Event, site)));
    }
    Sites { all }
}

/// What a step waits for. A name that leads nowhere is another rule's business.
fn edges_of(step: &Step, sites: &Sites, numbers: &HashMap<&str, usize>) -> Vec<Edge> {
    let own = step.name.as_ref().map(|name| name.value.as_str());
    let written =
        step.depends_on.iter().map(|name| (name.value.as_str(), Why::DependsOn, name.span));
    let implied = sites.all.iter().filter_map(|(_, site)| match &site.what {
        What::Output { step, name } => {
            let name = name.as_ref().map(|name| name.value.clone());
            Some((step.as_str(), Why::Output { name }, site.span))
        }
        What::Status { step } => Some((step.as_str(), Why::Status, site.span)),
        // A gate's own condition asks for its own answer.
        What::Answer { step } if Some(step.as_str()) != own => {
            Some((step.as_str(), Why::Answer, site.span))
        }
        _ => None,
    });
    let mut seen = std::collections::HashSet::new();
    written
        .chain(implied)
        .filter_map(|(name, why, span)| Some(Edge { to: *numbers.get(name)?, why, span }))
        .filter(|edge| seen.insert((edge.to, edge.why.clone())))
        .collect()
}
