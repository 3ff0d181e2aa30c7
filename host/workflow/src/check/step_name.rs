//! `step-name`: a name that can't be printed, or that is longer than events can carry.

use super::Context;
use crate::StepName;
use crate::diagnostic::{Code, Diagnostic, quote};

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for name in context.document().steps.iter().filter_map(|step| step.name.as_ref()) {
        if let Err(error) = name.value.parse::<StepName>() {
            let message = format!("{} is no name for a step: {error}", quote(&name.value));
            let diagnostic = Diagnostic::new(Code::StepName, name.span, message);
            found.push(diagnostic.helping("short names of `a-z`, `0-9` and `-` read best"));
        }
    }
}
