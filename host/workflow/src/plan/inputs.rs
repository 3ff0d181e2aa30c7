//! Looks once more at what plugins are given, now that the parameters are known.
//!
//! A run that could only fail is refused before it has begun. What is known only later (outputs,
//! secrets, connections) is for the sandbox to look at.

use super::ParameterError;
use crate::diagnostic::quote;
use crate::inputs::{Inputs, Mistake, MistakeKind};
use crate::known::{Known, before_a_run};
use crate::workflow::{Workflow, WorkflowStep};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// What the steps would be given that their plugins don't take.
pub(super) fn check(
    workflow: &Workflow,
    parameters: &BTreeMap<String, Value>,
) -> Result<(), Vec<ParameterError>> {
    let mut readers: HashMap<&str, Option<Inputs<'_>>> = HashMap::new();
    let mut errors = Vec::new();
    let scope = before_a_run(parameters.clone());
    for step in workflow.steps() {
        let Some(signature) = &step.signature else { continue };
        let reader = readers
            .entry(&signature.pin.digest)
            .or_insert_with(|| Inputs::of(&signature.manifest).ok());
        // A spec that can't be evaluated at all fails when the step runs, with the reason.
        let known = Known::of(&step.spec, &scope);
        if let (Some(reader), Some(known)) = (reader, known) {
            let mistakes = reader.mistakes(&known).into_iter();
            errors.extend(mistakes.filter_map(|mistake| error(step, mistake)));
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Missing and unknown inputs don't depend on parameters, and [`crate::check()`] has told them.
fn error(step: &WorkflowStep, mistake: Mistake) -> Option<ParameterError> {
    let MistakeKind::Wrong(what) = mistake.kind else { return None };
    let name = mistake.pointer.trim_start_matches('/').replace('/', ".");
    let what = format!("its input {} {what}", quote(&name));
    Some(ParameterError::Input { step: step.name().clone(), what })
}
