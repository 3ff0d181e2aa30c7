//! A workflow whose every name and reference is good.
//!
//! [`crate::check()`] is the only way to get one, so whoever holds one need not look again.

use crate::check::Facts;
use crate::document::{self, Step};
use crate::extras::{RunExtras, StepExtras};
use crate::graph::{Edge, Why};
use crate::reference::What;
use crate::signature::{PluginPin, Signature};
use crate::source::{SourceFile, Span};
use crate::{StepKind, StepName};
use expression::condition;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// A checked workflow.
#[derive(Clone, Debug)]
pub struct Workflow {
    name: String,
    path: String,
    description: Option<String>,
    parameters: Vec<Parameter>,
    steps: Vec<WorkflowStep>,
    connections: Vec<ConnectionUse>,
    extras: RunExtras,
}

/// A declared parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    /// Unique.
    pub name: String,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// As written; any text.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// A parameter without one must be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Where it is declared.
    #[serde(skip)]
    pub span: Span,
}

/// A checked step.
#[derive(Clone, Debug)]
pub struct WorkflowStep {
    pub(crate) name: StepName,
    pub(crate) kind: StepKind,
    pub(crate) image: Option<String>,
    pub(crate) signature: Option<Arc<Signature>>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) when: Vec<Value>,
    pub(crate) conditional: bool,
    pub(crate) spec: Arc<Value>,
    pub(crate) extras: StepExtras,
    pub(crate) span: Span,
}

/// A reason to wait for another step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The step that must end first.
    pub step: StepName,
    /// Why.
    pub why: Why,
    /// Where the text says so.
    pub span: Span,
}

/// A connection that a step names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionUse {
    /// `kubernetes`, `datadog` …
    pub kind: String,
    /// As the operator calls it.
    pub name: String,
    /// The step that uses it.
    pub step: StepName,
    /// Where it is named.
    pub span: Span,
}

/// The steps and what makes them wait, for a drawing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    /// In the order of the file.
    pub steps: Vec<GraphStep>,
    /// Each pair of steps once per reason.
    pub edges: Vec<GraphEdge>,
}

/// A step in a drawing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphStep {
    /// Unique.
    pub name: StepName,
    /// A plugin or a person.
    pub kind: StepKind,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether it has a condition of its own, besides those that `dependsOn` stands for.
    pub conditional: bool,
}

/// An arrow in a drawing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GraphEdge {
    /// The step that comes first.
    pub from: StepName,
    /// The step that waits.
    pub to: StepName,
    /// Why it waits.
    #[serde(flatten)]
    pub why: Why,
}

/// Each connection that the steps name, in the order of the file; once per step and place.
#[must_use]
pub fn connections(workflow: &Workflow) -> &[ConnectionUse] {
    &workflow.connections
}

impl Workflow {
    /// Its `name`, else the name of its file without the ending.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file, as it was given.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// As written.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// In the order of the file.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// In the order of the file.
    #[must_use]
    pub fn steps(&self) -> &[WorkflowStep] {
        &self.steps
    }

    /// `x-bowline` of the workflow itself.
    #[must_use]
    pub fn extras(&self) -> RunExtras {
        self.extras
    }

    /// What a drawing of it needs.
    #[must_use]
    pub fn graph(&self) -> Graph {
        let edges = self.steps.iter().flat_map(|step| {
            step.waits.iter().map(|wait| GraphEdge {
                from: wait.step.clone(),
                to: step.name.clone(),
                why: wait.why.clone(),
            })
        });
        let steps = self.steps.iter().map(|step| GraphStep {
            name: step.name.clone(),
            kind: step.kind,
            image: step.image.clone(),
            conditional: step.conditional,
        });
        Graph { steps: steps.collect(), edges: edges.collect() }
    }

    /// Nothing if a name is no [`StepName`], which a rule has said by then.
    pub(crate) fn from_facts(source: &SourceFile, facts: &Facts<'_>) -> Option<Self> {
        let document = facts.document;
        let names = document.steps.iter().map(|step| step.name.as_ref()?.value.parse().ok());
        let names = names.collect::<Option<Vec<StepName>>>()?;
        let mut signatures = Shared::default();
        let steps =
            document.steps.iter().enumerate().map(|(number, step)| {
                checked(facts, number, step, &names, signatures.of(facts, step))
            });
        let steps = steps.collect();
        Some(Self {
            name: document
                .name
                .as_ref()
                .map_or_else(|| file_stem(source.path()).to_owned(), |name| name.value.clone()),
            path: source.path().to_owned(),
            description: document.description.as_ref().map(|text| text.value.clone()),
            parameters: document.parameters.iter().map(parameter).collect(),
            steps,
            connections: connection_uses(facts, &names),
            extras: document.extras,
        })
    }
}

impl WorkflowStep {
    /// Unique.
    #[must_use]
    pub fn name(&self) -> &StepName {
        &self.name
    }

    /// A plugin or a person.
    #[must_use]
    pub fn kind(&self) -> StepKind {
        self.kind
    }

    /// As written.
    #[must_use]
    pub fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// The plugin that its image led to.
    #[must_use]
    pub fn plugin(&self) -> Option<&PluginPin> {
        self.signature.as_ref().map(|signature| &signature.pin)
    }

    /// What it waits for and why, in the order of the text; a step once per reason.
    #[must_use]
    pub fn waits(&self) -> &[Wait] {
        &self.waits
    }

    /// Its conditions in Relay's JSON form, those that stand for `dependsOn` included.
    #[must_use]
    pub fn when(&self) -> &[Value] {
        &self.when
    }

    /// Its inputs in Relay's JSON form: a mapping.
    #[must_use]
    pub fn spec(&self) -> &Value {
        &self.spec
    }

    /// Where it is named.
    #[must_use]
    pub fn span(&self) -> Span {
        self.span
    }

    /// The steps that it waits for, each once, in the order of the text.
    #[must_use]
    pub fn after(&self) -> Vec<StepName> {
        let mut seen = HashSet::new();
        let steps = self.waits.iter().map(|wait| &wait.step);
        steps.filter(|&step| seen.insert(step)).cloned().collect()
    }
}

fn file_stem(path: &str) -> &str {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let stem = file.strip_suffix(".yaml").or_else(|| file.strip_suffix(".yml")).unwrap_or(file);
    if stem.is_empty() { "workflow" } else { stem }
}

fn parameter(parameter: &document::Parameter) -> Parameter {
    Parameter {
        name: parameter.name.value.clone(),
        description: parameter.description.clone(),
        kind: parameter.kind.as_ref().map(|kind| kind.value.clone()),
        default: parameter.default.clone(),
        span: parameter.name.span,
    }
}

/// The signatures that a workflow keeps, one of each, however many steps use it.
#[derive(Default)]
struct Shared<'a> {
    by_image: HashMap<&'a str, Arc<Signature>>,
}

impl<'a> Shared<'a> {
    fn of(&mut self, facts: &Facts<'a>, step: &'a Step) -> Option<Arc<Signature>> {
        let signature = facts.signature(step)?;
        let image = step.container.image.as_ref()?.value.as_str();
        let shared = self.by_image.entry(image);
        Some(Arc::clone(shared.or_insert_with(|| Arc::new(signature.clone()))))
    }
}

fn checked(
    facts: &Facts<'_>,
    number: usize,
    step: &Step,
    names: &[StepName],
    signature: Option<Arc<Signature>>,
) -> WorkflowStep {
    let name = names[number].clone();
    let edges: &[Edge] = &facts.edges[number];
    let spec = match step.kind {
        StepKind::Container => step.container.spec.as_ref().map(|spec| Arc::clone(&spec.value)),
        StepKind::Approval => None,
    };
    WorkflowStep {
        when: conditions(step, &name, edges, names),
        conditional: step.when.is_some(),
        waits: edges
            .iter()
            .map(|edge| Wait {
                step: names[edge.to].clone(),
                why: edge.why.clone(),
                span: edge.span,
            })
            .collect(),
        kind: step.kind,
        image: step.container.image.as_ref().map(|image| image.value.clone()),
        signature,
        spec: spec.unwrap_or_else(|| Arc::new(Value::Object(Map::new()))),
        extras: step.extras.clone(),
        span: step.span,
        name,
    }
}

/// The author's conditions, the answer that a gate waits for, and one for each step that must
/// have succeeded first.
fn conditions(step: &Step, name: &StepName, edges: &[Edge], names: &[StepName]) -> Vec<Value> {
    let mut own = match step.when.as_ref().map(|when| &*when.value) {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(other) => vec![other.clone()],
    };
    if step.kind == StepKind::Approval {
        own.insert(0, approved(name));
    }
    let mut seen = HashSet::new();
    let needed = edges.iter().filter(|edge| edge.why.needs_success() && seen.insert(edge.to));
    let needed: Vec<String> = needed.map(|edge| names[edge.to].to_string()).collect();
    condition::effective(&Value::Array(own), &needed)
}

/// A gate opens when a person has said yes.
fn approved(name: &StepName) -> Value {
    json!({"$fn.equals": [
        {"$type": "Answer", "askRef": name.as_str(), "name": "approval"},
        "approved",
    ]})
}

fn connection_uses(facts: &Facts<'_>, names: &[StepName]) -> Vec<ConnectionUse> {
    let sites = facts.sites.iter().zip(names);
    sites
        .flat_map(|(sites, step)| {
            sites.all.iter().filter_map(move |(_, site)| match &site.what {
                What::Connection { kind, name } => Some(ConnectionUse {
                    kind: kind.clone(),
                    name: name.value.clone(),
                    step: step.clone(),
                    span: site.span.join(name.span),
                }),
                _ => None,
            })
        })
        .collect()
}
