//! `out-of-place`: a reference stands where it never has a value.
//!
//! Steps know no event, triggers know nothing of a run. In a trigger it is a warning only: a
//! person can still start the workflow.

use super::Context;
use super::context::Place;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::reference::What;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (place, site) in context.all_sites() {
        let Some((message, help)) = complaint(place, &site.what) else { continue };
        let severity = match place {
            // What Relay gives and Bowline does not is no mistake of the author.
            _ if matches!(
                site.what,
                What::Answer { .. } | What::Secret | What::InsideConnection
            ) =>
            {
                Severity::Warning
            }
            Place::Spec | Place::When => Severity::Error,
            _ => Severity::Warning,
        };
        let diagnostic = Diagnostic::new(Code::OutOfPlace, site.span, message);
        found.push(diagnostic.helping(help).with_severity(severity));
    }
}

fn complaint(place: Place, what: &What) -> Option<(&'static str, &'static str)> {
    let found = match (place, what) {
        (Place::Spec | Place::When, What::Data) => (
            "a step knows nothing of the event that started its run",
            "bind the value to a parameter in the trigger, and use that parameter here",
        ),
        (Place::Spec, What::Answer { .. }) => (
            "an answer has a value in `when` only",
            "use it in `when`; a step that depends on the approval step runs after a yes",
        ),
        (Place::Spec | Place::When, What::Secret) => (
            "a step is never given a secret, so this has no value and the step fails",
            "put the secret into a connection of `bowline.yaml`, and give the step that \
             connection: `!Connection {type: …, name: …}`",
        ),
        (Place::Spec | Place::When, What::InsideConnection) => (
            "a step gets a handle to a connection and never what is inside of it, so this has no \
             value and the step fails",
            "give the step the connection itself: `!Connection {type: …, name: …}`",
        ),
        (
            Place::Webhook,
            What::Parameter(_)
            | What::AllParameters
            | What::Output { .. }
            | What::Status { .. }
            | What::Answer { .. }
            | What::Data,
        ) => (
            "a webhook knows connections and secrets only",
            "use what the webhook gets in `binding`",
        ),
        (
            Place::Event,
            What::Parameter(_)
            | What::AllParameters
            | What::Output { .. }
            | What::Status { .. }
            | What::Answer { .. }
            | What::Secret
            | What::Connection { .. }
            | What::InsideConnection,
        ) => ("a trigger knows its event only", "use `!Data`"),
        _ => return None,
    };
    Some(found)
}
