//! `undeclared-parameter`: a parameter is used that `parameters` does not declare.
//!
//! Relay lets whoever starts a run give parameters that no workflow declares. Here a run takes
//! declared ones only, since a misspelt `-p` would otherwise do nothing in silence. So such a
//! reference could never have a value: an error, unless `coalesce` has something to go on with.

use super::Context;
use super::context::Place;
use crate::diagnostic::{Code, Diagnostic, Severity, quote};
use crate::reference::What;
use crate::source::Spanned;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    if context.document().lost_parameters {
        return;
    }
    let declared: std::collections::HashSet<&str> = context
        .document()
        .parameters
        .iter()
        .map(|parameter| parameter.name.value.as_str())
        .collect();
    for (place, site) in context.all_sites() {
        let What::Parameter(name) = &site.what else { continue };
        if declared.contains(name.as_str()) {
            continue;
        }
        let severity = match place {
            Place::Spec | Place::When if !site.guarded => Severity::Error,
            _ => Severity::Warning,
        };
        let name = Spanned::new(name.clone(), site.span);
        let message = format!("the parameter {} is not declared", quote(&name.value));
        found.push(
            finding(context, message, &name).with_severity(severity).labelled("not declared"),
        );
    }
    for trigger in &context.document().triggers {
        for (name, _) in &trigger.parameters {
            if !declared.contains(name.value.as_str()) {
                let message = format!("the workflow declares no parameter {}", quote(&name.value));
                let diagnostic = finding(context, message, name);
                found.push(diagnostic.with_severity(Severity::Warning).labelled("binds nothing"));
            }
        }
    }
}

fn finding(context: &Context<'_>, message: String, name: &Spanned<String>) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::UndeclaredParameter, name.span, message);
    let mut diagnostic = context.suggest(diagnostic, name, &context.parameter_names, "parameters");
    match &diagnostic.help {
        None => diagnostic.helping("declare it under `parameters`"),
        Some(help) if diagnostic.fix.is_none() => {
            diagnostic.help = Some(format!("{help}; or declare it under `parameters`"));
            diagnostic
        }
        Some(_) => diagnostic,
    }
}
