//! `unbound-parameter`: a trigger leaves out a parameter that has no default.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let parameters = &context.document().parameters;
    let required = || parameters.iter().filter(|parameter| parameter.default.is_none());
    for trigger in &context.document().triggers {
        let bound: std::collections::HashSet<&str> =
            trigger.parameters.iter().map(|(name, _)| name.value.as_str()).collect();
        for parameter in required().filter(|p| !bound.contains(p.name.value.as_str())) {
            let name = quote(&parameter.name.value);
            let message = format!("a run that this trigger starts has no value for {name}");
            found.push(
                Diagnostic::new(Code::UnboundParameter, trigger.span, message)
                    .pointing(parameter.name.span, "has no default")
                    .helping("give it a value in `binding.parameters`, or a default"),
            );
        }
    }
}
