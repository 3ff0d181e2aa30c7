//! `cycle`: steps wait for each other in a circle.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::graph::{self, Edge, Why};

/// Steps of a circle that a message names; a longer one is cut in the middle.
const NAMED_MAX: usize = 8;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let edges = &context.facts.edges;
    for cycle in graph::cycles(edges) {
        let next = |position: usize| cycle[(position + 1) % cycle.len()];
        let reasons: Vec<&Edge> = cycle
            .iter()
            .enumerate()
            .filter_map(|(position, &step)| {
                edges[step].iter().find(|edge| edge.to == next(position))
            })
            .collect();
        let Some((first, others)) = reasons.split_first() else { continue };
        let message = format!("these steps wait for each other: {}", drawn(context, &cycle));
        let mut diagnostic = Diagnostic::new(Code::Cycle, first.span, message)
            .labelled(reason(context, cycle[0], first))
            .helping("take one of these references out, or split a step in two");
        for (edge, &step) in others.iter().zip(&cycle[1..]).take(NAMED_MAX) {
            diagnostic = diagnostic.pointing(edge.span, reason(context, step, edge));
        }
        found.push(diagnostic);
    }
}

fn name(context: &Context<'_>, step: usize) -> String {
    let name = context.document().steps[step].name.as_ref();
    quote(name.map_or("", |name| name.value.as_str()))
}

/// `a` → `b` → `a`.
fn drawn(context: &Context<'_>, cycle: &[usize]) -> String {
    let mut names: Vec<String> =
        cycle.iter().take(NAMED_MAX).map(|&step| name(context, step)).collect();
    if cycle.len() > NAMED_MAX {
        names.push(format!("{} more", cycle.len() - NAMED_MAX));
    }
    names.push(name(context, cycle[0]));
    names.join(" → ")
}

fn reason(context: &Context<'_>, step: usize, edge: &Edge) -> String {
    let (step, other) = (name(context, step), name(context, edge.to));
    match edge.why {
        Why::DependsOn => format!("{step} waits for {other}"),
        Why::Output { .. } => format!("{step} needs an output of {other}"),
        Why::Status => format!("{step} asks how {other} ended"),
        Why::Answer => format!("{step} needs the answer given at {other}"),
    }
}
