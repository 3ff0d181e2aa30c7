//! `unused-parameter`: a parameter is declared and nothing uses it.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::reference::What;
use std::collections::HashSet;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let mut used: HashSet<&str> = HashSet::new();
    for (_, site) in context.all_sites() {
        match &site.what {
            What::Parameter(name) => {
                used.insert(name);
            }
            // Who takes all of them may want any of them.
            What::AllParameters => return,
            _ => (),
        }
    }
    for parameter in &context.document().parameters {
        if !used.contains(parameter.name.value.as_str()) {
            let message = format!("no step uses the parameter {}", quote(&parameter.name.value));
            let diagnostic = Diagnostic::new(Code::UnusedParameter, parameter.name.span, message);
            found.push(diagnostic.helping("use it, or take it out"));
        }
    }
}
