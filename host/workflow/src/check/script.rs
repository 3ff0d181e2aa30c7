//! `script`, `ignored-key`: what only a container could do.
//!
//! A step with a script would succeed without having run it. That must not pass in silence.

use super::Context;
use crate::StepKind;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::Container;
use crate::source::Span;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let severity = match context.options.allow_missing_plugins {
        true => Severity::Warning,
        false => Severity::Error,
    };
    for step in &context.document().steps {
        if step.kind != StepKind::Container {
            continue;
        }
        for (key, span) in scripts(&step.container) {
            let message = format!("`{key}` would not be run: a step is a plugin, not a container");
            found.push(
                Diagnostic::new(Code::Script, span, message)
                    .with_severity(severity)
                    .helping("write a plugin for what the script does, and name it in `image`"),
            );
        }
        if let Some(env) = &step.container.env {
            let message = "`env` has no effect: plugins have no environment";
            let diagnostic = Diagnostic::new(Code::IgnoredKey, env.node.head(), message);
            found.push(diagnostic.helping("give the values to the plugin in `spec`"));
        }
    }
}

fn scripts(container: &Container) -> impl Iterator<Item = (&'static str, Span)> {
    let Container { input, input_file, command, args, .. } = container;
    let keys = [
        ("input", input.as_ref().map(|found| found.span)),
        ("inputFile", input_file.as_ref().map(|found| found.span)),
        ("command", command.as_ref().map(|found| found.span)),
        ("args", args.as_ref().map(|found| found.span)),
    ];
    keys.into_iter().filter_map(|(key, span)| Some((key, span?)))
}
