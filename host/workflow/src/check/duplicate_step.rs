//! `duplicate-step`: two steps have the same name.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let steps = &context.document().steps;
    for (number, step) in steps.iter().enumerate() {
        let Some(name) = &step.name else { continue };
        let first = context.step_numbers.get(name.value.as_str()).copied();
        let Some(first) = first.filter(|&first| first != number) else { continue };
        let message = format!("a step is called {} already", quote(&name.value));
        let mut diagnostic = Diagnostic::new(Code::DuplicateStep, name.span, message)
            .labelled("again")
            .helping("give one of the two another name");
        if let Some(first) = &steps[first].name {
            diagnostic = diagnostic.pointing(first.span, "first here");
        }
        found.push(diagnostic.at(format!("steps.{number}.name")));
    }
}
