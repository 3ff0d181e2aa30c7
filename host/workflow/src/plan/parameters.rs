//! Brings together what a workflow declares and what a run is given.
//!
//! Values of the command line are texts. They stay texts unless they can be read as the type that
//! the parameter declares; Relay has no conversion at all.

use crate::StepName;
use crate::diagnostic::quote;
use crate::suggest::closest;
use crate::workflow::{Parameter, Workflow};
use serde_json::Value;
use std::collections::BTreeMap;

/// Why a run can't begin with the parameters that it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// It has no default and was not given.
    #[error("the parameter {} needs a value: give it with `-p {name}=…`{}", quote(name), about(description.as_deref()))]
    Missing {
        /// As declared.
        name: String,
        /// As declared.
        description: Option<String>,
    },
    /// It was given and is not declared.
    #[error("the workflow declares no parameter {}{}", quote(name), meant(suggestion.as_deref(), known))]
    Unknown {
        /// As given.
        name: String,
        /// The declared parameter that was probably meant.
        suggestion: Option<String>,
        /// All that are declared.
        known: Vec<String>,
    },
    /// With these parameters, a step would give its plugin something that it does not take.
    #[error("with these parameters, the step {} can't run: {what}", quote(step.as_str()))]
    Input {
        /// The step.
        step: StepName,
        /// What is wrong with its inputs.
        what: String,
    },
}

fn about(description: Option<&str>) -> String {
    description.map_or_else(String::new, |text| {
        format!(" ({})", crate::diagnostic::printable(text.trim().trim_end_matches('.')))
    })
}

fn meant(suggestion: Option<&str>, known: &[String]) -> String {
    match (suggestion, known) {
        (Some(name), _) => format!("; did you mean {}?", quote(name)),
        (None, []) => "; it declares none".to_owned(),
        (None, known) => {
            let known: Vec<String> = known.iter().map(|name| quote(name)).collect();
            format!("; it declares {}", known.join(", "))
        }
    }
}

/// The final values: what was given, over the defaults.
pub(super) fn settle(
    workflow: &Workflow,
    mut given: BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Vec<ParameterError>> {
    let mut values = BTreeMap::new();
    let mut errors = Vec::new();
    for parameter in workflow.parameters() {
        let value = match (given.remove(&parameter.name), &parameter.default) {
            (Some(value), _) => read(value, parameter),
            (None, Some(default)) => default.clone(),
            (None, None) => {
                errors.push(ParameterError::Missing {
                    name: parameter.name.clone(),
                    description: parameter.description.clone(),
                });
                continue;
            }
        };
        values.insert(parameter.name.clone(), value);
    }
    errors.extend(given.into_keys().map(|name| unknown(workflow, name)));
    if errors.is_empty() { Ok(values) } else { Err(errors) }
}

fn unknown(workflow: &Workflow, name: String) -> ParameterError {
    let known: Vec<String> =
        workflow.parameters().iter().map(|parameter| parameter.name.clone()).collect();
    let suggestion = closest(&name, known.iter().map(String::as_str)).map(str::to_owned);
    ParameterError::Unknown { name, suggestion, known }
}

/// A text as the type that its parameter declares, if it can be read as that.
fn read(value: Value, parameter: &Parameter) -> Value {
    let (Value::String(text), Some(kind)) = (&value, &parameter.kind) else { return value };
    let read: Option<Value> = serde_json::from_str(text.trim()).ok();
    let fits = |read: &Value| match kind.to_ascii_lowercase().as_str() {
        "integer" | "int" => read.is_i64() || read.is_u64(),
        "number" | "float" => read.is_number(),
        "boolean" | "bool" => read.is_boolean(),
        "array" | "list" => read.is_array(),
        "object" | "map" | "mapping" => read.is_object(),
        _ => false,
    };
    read.filter(fits).unwrap_or(value)
}
