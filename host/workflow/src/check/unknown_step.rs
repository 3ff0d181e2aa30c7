//! `unknown-step`: something names a step that the workflow does not have.

use super::Context;
use super::context::Place;
use crate::StepKind;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::reference::What;
use crate::source::Spanned;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let steps = &context.document().steps;
    // With a step whose name can't be read, nobody knows what the others mean.
    if context.document().lost_steps || steps.iter().any(|step| step.name.is_none()) {
        return;
    }
    for (number, step) in steps.iter().enumerate() {
        for name in &step.depends_on {
            if let Some(diagnostic) = unknown(context, name) {
                found.push(diagnostic.at(format!("steps.{number}.dependsOn")));
            }
        }
    }
    for (number, place, site) in context.step_sites() {
        let (What::Output { step, .. } | What::Status { step } | What::Answer { step }) =
            &site.what
        else {
            continue;
        };
        let at = format!("steps.{number}.{}", if place == Place::When { "when" } else { "spec" });
        if let Some(diagnostic) = unknown(context, &Spanned::new(step.clone(), site.span)) {
            found.push(diagnostic.at(at));
        } else if matches!(site.what, What::Answer { .. }) && !is_approval(context, step) {
            let message = format!("{} is no approval step, so nobody answers there", quote(step));
            let diagnostic = Diagnostic::new(Code::UnknownStep, site.span, message);
            found.push(diagnostic.helping("name a step of `type: approval`").at(at));
        }
    }
}

fn is_approval(context: &Context<'_>, name: &str) -> bool {
    let number = context.step_numbers.get(name);
    number.is_some_and(|&number| context.document().steps[number].kind == StepKind::Approval)
}

fn unknown(context: &Context<'_>, name: &Spanned<String>) -> Option<Diagnostic> {
    if context.step_numbers.contains_key(name.value.as_str()) {
        return None;
    }
    let message = format!("no step is called {}", quote(&name.value));
    let diagnostic = Diagnostic::new(Code::UnknownStep, name.span, message);
    Some(context.suggest(diagnostic, name, &context.step_names, "steps"))
}
