//! A workflow with everything pinned: what a run follows and the journal keeps.
//!
//! Expressions are kept in Relay's JSON form (`{"$type": "Parameter", "name": …}`), since that
//! is the language's own notation for data, and read back with `expression::Expression`.

mod inputs;
mod parameters;

pub use parameters::ParameterError;

use crate::check::plugin_connection::written_connection;
use crate::known::{Known, before_a_run};
use crate::workflow::{Workflow, WorkflowStep};
use crate::{PluginPin, RunExtras, StepExtras, StepName};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What one run is going to do. No choice is left in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The workflow's `name`, else its file name without the ending.
    pub workflow: String,
    /// The file, as it was given.
    pub source: String,
    /// `sha256:` of the file's bytes.
    pub source_digest: String,
    /// The final values: what was given, over the defaults.
    pub parameters: BTreeMap<String, Value>,
    /// In the order of the file.
    pub steps: Vec<PlannedStep>,
    /// `x-bowline` of the workflow itself.
    #[serde(default, skip_serializing_if = "RunExtras::is_empty")]
    pub extras: RunExtras,
}

/// What is to be done in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// Unique in the plan.
    pub name: StepName,
    /// A plugin or a person.
    pub kind: StepKind,
    /// `image:` as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The plugin that `image` led to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginPin>,
    /// The steps it waits for, written (`dependsOn`) or implied (`!Output`, `steps.X`).
    pub after: Vec<StepName>,
    /// All must be true. Holds the conditions that `dependsOn` stands for.
    pub when: Vec<Value>,
    /// The inputs: a mapping of expressions.
    pub spec: Value,
    /// `x-bowline`.
    #[serde(default, skip_serializing_if = "StepExtras::is_empty")]
    pub extras: StepExtras,
}

/// The inputs of a step, as far as they are known before it runs.
#[derive(Debug)]
pub struct KnownInputs(Known);

impl KnownInputs {
    /// What is known; `null` where nothing is.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0.value
    }

    /// Whether what stands at a JSON pointer is not known yet.
    #[must_use]
    pub fn is_open(&self, pointer: &str) -> bool {
        self.0.is_hole(pointer)
    }

    /// The same with what a plugin's schema fills in where nothing is given.
    #[must_use]
    pub fn with_defaults(mut self, schema: &Value) -> Self {
        let properties = schema.get("properties").and_then(Value::as_object);
        if let (Some(properties), Some(given)) = (properties, self.0.value.as_object_mut()) {
            for (name, property) in properties {
                if let (Some(default), false) = (property.get("default"), given.contains_key(name))
                {
                    given.insert(name.clone(), default.clone());
                }
            }
        }
        self
    }
}

impl PlannedStep {
    /// Its inputs, as far as these parameters make them known. None if they can't be evaluated at
    /// all, which the step will tell when it runs.
    #[must_use]
    pub fn known_inputs(&self, parameters: &BTreeMap<String, Value>) -> Option<KnownInputs> {
        Known::of(&self.spec, &before_a_run(parameters.clone())).map(KnownInputs)
    }

    /// Type and name of the connection that is written at a JSON pointer of the inputs; None where
    /// it is computed, or where there is none.
    #[must_use]
    pub fn connection_at(&self, pointer: &str) -> Option<(String, String)> {
        written_connection(&self.spec, pointer)
    }
}

/// Who does a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// A plugin.
    Container,
    /// A person says yes or no.
    Approval,
}

/// Pins down a run: the workflow with these parameters.
///
/// `source_digest` is `sha256:` and the digest of the file's bytes, as the caller computed it.
/// Values in `given` that are texts become what their parameter's `type` says if they can be read
/// as that (`integer`, `number`, `boolean`, `array`, `object`), and stay texts otherwise.
///
/// # Errors
///
/// All that is wrong with the parameters: each one that is missing, each one that is unknown; and
/// if there is none of those, each input of a step that they make into something that its plugin
/// does not take.
pub fn plan(
    workflow: &Workflow,
    source_digest: impl Into<String>,
    given: BTreeMap<String, Value>,
) -> Result<Plan, Vec<ParameterError>> {
    let parameters = parameters::settle(workflow, given)?;
    inputs::check(workflow, &parameters)?;
    Ok(Plan {
        workflow: workflow.name().to_owned(),
        source: workflow.path().to_owned(),
        source_digest: source_digest.into(),
        parameters,
        steps: steps(workflow),
        extras: workflow.extras(),
    })
}

/// The steps as a plan will hold them: they do not depend on parameters.
#[must_use]
pub fn steps(workflow: &Workflow) -> Vec<PlannedStep> {
    workflow.steps().iter().map(planned).collect()
}

fn planned(step: &WorkflowStep) -> PlannedStep {
    PlannedStep {
        name: step.name.clone(),
        kind: step.kind,
        image: step.image.clone(),
        plugin: step.plugin().cloned(),
        after: step.after(),
        when: step.when.clone(),
        spec: Value::clone(&step.spec),
        extras: step.extras.clone(),
    }
}
