//! `self-dependency`: a step waits for itself.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::graph::Why;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (number, edges) in context.facts.edges.iter().enumerate() {
        let Some(name) = &context.document().steps[number].name else { continue };
        for edge in edges.iter().filter(|edge| edge.to == number) {
            let name = quote(&name.value);
            let (message, help) = match &edge.why {
                Why::DependsOn => {
                    (format!("{name} waits for itself"), "take its own name out of `dependsOn`")
                }
                Why::Output { .. } => (
                    format!("{name} uses an output of itself, which it can't have before it runs"),
                    "name the step that gives the output",
                ),
                Why::Status | Why::Answer => (
                    format!("{name} asks how itself ended before it runs"),
                    "name the step whose end decides",
                ),
            };
            found.push(Diagnostic::new(Code::SelfDependency, edge.span, message).helping(help));
        }
    }
}
