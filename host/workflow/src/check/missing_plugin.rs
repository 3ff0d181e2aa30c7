//! `missing-plugin`, `refused-plugin`: no plugin does the work of a step.

use super::Context;
use crate::StepKind;
use crate::diagnostic::{Code, Diagnostic, Severity, printable, quote};
use crate::signature::Resolution;
use crate::source::Spanned;
use crate::suggest::Names;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let severity = match context.options.allow_missing_plugins {
        true => Severity::Warning,
        false => Severity::Error,
    };
    for (number, step) in context.document().steps.iter().enumerate() {
        let image = step.container.image.as_ref().filter(|_| step.kind == StepKind::Container);
        let Some(image) = image else { continue };
        let diagnostic = match context.facts.signatures.get(&image.value) {
            Some(Resolution::Found(_)) => continue,
            Some(Resolution::Refused { code, message }) => refused(image, code, message),
            Some(Resolution::Missing { known }) => {
                missing(context, image, &Names::new(known.iter().map(String::as_str)))
            }
            None => missing(context, image, &Names::new([])),
        };
        found.push(diagnostic.with_severity(severity).at(format!("steps.{number}.image")));
    }
}

fn refused(image: &Spanned<String>, code: &str, message: &str) -> Diagnostic {
    let title = format!("the plugin {} may not be used", quote(&image.value));
    Diagnostic::new(Code::RefusedPlugin, image.span, title)
        .labelled(printable(code))
        .helping(printable(message))
}

fn missing(context: &Context<'_>, image: &Spanned<String>, known: &Names<'_>) -> Diagnostic {
    let message = format!("no plugin answers to {}", quote(&image.value));
    let diagnostic = Diagnostic::new(Code::MissingPlugin, image.span, message);
    let diagnostic = context.suggest(diagnostic, image, known, "plugins that are here");
    match diagnostic.help {
        Some(_) => diagnostic,
        None => diagnostic.helping("put the plugin into a plugin folder of the configuration"),
    }
}
