//! From a document to a workflow, or to everything that is wrong with it.
//!
//! One rule per file, one list of them; no rule stops another, so an author hears of all mistakes
//! at once. What Relay accepts is accepted, except where a run could not mean anything.

mod context;

mod bad_schedule;
mod cycle;
mod duplicate_step;
mod function;
mod malformed;
mod missing_plugin;
mod out_of_place;
pub(crate) mod plugin_connection;
mod plugin_input;
mod script;
mod self_dependency;
mod step_grants;
mod step_name;
mod unbound_parameter;
mod undeclared_parameter;
mod unknown_connection;
mod unknown_output;
mod unknown_step;
mod unused_parameter;
mod when;

use crate::diagnostic::{Code, Diagnostic};
use crate::document::{self, Parsed};
use crate::signature::Signatures;
use crate::source::SourceFile;
use crate::workflow::Workflow;
use context::Context;
use std::collections::BTreeSet;

pub(crate) use context::Facts;

/// What the one who asks knows beyond the text.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Whether a step may name a plugin that is not there. It is a warning then, and so is a
    /// step that brings a script: the file is looked at, not run.
    pub allow_missing_plugins: bool,
    /// The (type, name) of each connection that the operator has set up; nothing if that is not
    /// known, and then no connection is missing.
    pub known_connections: Option<BTreeSet<(String, String)>>,
}

/// The workflow, unless there is an error, and everything that was found.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Nothing exactly if a diagnostic is an error.
    pub workflow: Option<Workflow>,
    /// By their place in the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// A rule looks at a document and says what it does not like.
type Rule = fn(&Context<'_>, &mut Vec<Diagnostic>);

/// Every rule, in the order in which a reader would want to hear of them at the same place.
const RULES: &[Rule] = &[
    step_name::check,
    duplicate_step::check,
    unknown_step::check,
    self_dependency::check,
    cycle::check,
    undeclared_parameter::check,
    unused_parameter::check,
    unbound_parameter::check,
    malformed::check,
    function::check,
    out_of_place::check,
    when::check,
    bad_schedule::check,
    missing_plugin::check,
    script::check,
    plugin_input::check,
    plugin_connection::check,
    step_grants::check,
    unknown_output::check,
    unknown_connection::check,
];

/// Findings that are told. Nobody reads more at once, and drawing a million takes minutes.
const FINDINGS_MAX: usize = 1000;

/// Leaves out findings above the bound, the mildest and last ones first, and says how many.
fn tell_the_first(diagnostics: &mut Vec<Diagnostic>) {
    let Some(more) = diagnostics.len().checked_sub(FINDINGS_MAX).filter(|&more| more > 0) else {
        return;
    };
    diagnostics.sort_by_key(|found| (found.severity, found.span.start));
    diagnostics.truncate(FINDINGS_MAX);
    let last = diagnostics.iter().map(|found| found.span).max_by_key(|span| span.start);
    let message = format!("there are {more} more findings, which are not told");
    let diagnostic = Diagnostic::new(Code::MoreFindings, last.unwrap_or_default(), message);
    diagnostics.push(diagnostic.helping("repair some of these first"));
}

/// Reads and checks a workflow.
///
/// `signatures` says what each image leads to: see [`crate::images`]. An image that it does not
/// know is treated as missing.
#[must_use]
pub fn check(source: &SourceFile, signatures: &Signatures, options: &CheckOptions) -> Checked {
    check_parsed(source, &document::parse(source), signatures, options)
}

/// The same for a text that was read before, as whoever had to look its images up has done.
#[must_use]
pub fn check_parsed(
    source: &SourceFile,
    parsed: &Parsed,
    signatures: &Signatures,
    options: &CheckOptions,
) -> Checked {
    let mut diagnostics = parsed.diagnostics.clone();
    let mut workflow = None;
    if let Some(document) = &parsed.document {
        let context = Context::new(source, document, signatures, options);
        RULES.iter().for_each(|rule| rule(&context, &mut diagnostics));
        if !diagnostics.iter().any(Diagnostic::is_error) {
            workflow = Workflow::from_facts(source, &context.into_facts());
        }
    }
    tell_the_first(&mut diagnostics);
    diagnostics.sort_by_key(|found| (found.span.start, found.severity));
    debug_assert_eq!(workflow.is_none(), diagnostics.iter().any(Diagnostic::is_error));
    Checked { workflow, diagnostics }
}
