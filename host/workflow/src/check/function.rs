//! `unknown-function`, `function-arguments`: a call that can't come to anything.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, Severity, quote};
use crate::reference::{Arguments, What};
use crate::source::Span;
use crate::suggest::Names;
use expression::function::{FUNCTIONS, Function, find};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let names = Names::new(FUNCTIONS.iter().map(|function| function.name));
    for (_, site) in context.all_sites() {
        let What::Call { function: name, arguments } = &site.what else { continue };
        match find(name) {
            None => found.push(unknown(context, name, site.span, &names)),
            Some(function) => {
                if let Some((severity, complaint)) = complaint(function, arguments) {
                    let message = format!("`{}` {complaint}", function.name);
                    let diagnostic = Diagnostic::new(Code::FunctionArguments, site.span, message);
                    let help = format!("it is called as `{}`", function.signature);
                    found.push(diagnostic.with_severity(severity).helping(help));
                }
            }
        }
    }
}

fn unknown(context: &Context<'_>, name: &str, span: Span, names: &Names<'_>) -> Diagnostic {
    let message = format!("no function is called {}", quote(name));
    let diagnostic = Diagnostic::new(Code::UnknownFunction, span, message);
    let Some(meant) = names.closest(name) else {
        let known: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        return diagnostic.helping(format!("the functions are {}", known.join(", ")));
    };
    let diagnostic = diagnostic.helping(format!("did you mean `{meant}`?"));
    let written = context.source.slice(span);
    match written.strip_suffix(name) {
        Some(before) => {
            let place = Span::new(span.start + before.len(), span.end);
            diagnostic.fixed_by(place, meant)
        }
        None => diagnostic,
    }
}

/// What is wrong with the arguments. A mapping without a keyword that is needed is a warning:
/// published workflows have that, and Relay minds only when the input is asked for.
fn complaint(function: &Function, arguments: &Arguments) -> Option<(Severity, String)> {
    match arguments {
        Arguments::Computed => None,
        Arguments::Positional(count) => {
            let (min, max) = (function.arguments_min, function.arguments_max);
            let fits = *count >= min && max.is_none_or(|max| *count <= max);
            let complaint = format!("takes {}, this call has {count}", wanted(min, max));
            (!fits).then_some((Severity::Error, complaint))
        }
        Arguments::Keywords(_) if function.keywords.is_empty() => {
            Some((Severity::Error, "takes a list of arguments, not a mapping".to_owned()))
        }
        Arguments::Keywords(given) => {
            let given = |name: &str| given.iter().any(|given| given == name);
            let mut keywords = function.keywords.iter();
            let missing = keywords.find(|keyword| keyword.required && !given(keyword.name))?;
            Some((Severity::Warning, format!("needs the argument `{}`", missing.name)))
        }
    }
}

fn wanted(min: usize, max: Option<usize>) -> String {
    let plural = if min == 1 { "argument" } else { "arguments" };
    match max {
        Some(0) => "no arguments".to_owned(),
        Some(max) if max == min => format!("{min} {plural}"),
        Some(max) => format!("{min} to {max} arguments"),
        None => format!("{min} or more {plural}"),
    }
}
