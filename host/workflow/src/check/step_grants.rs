//! `unknown-grant`: a step grants something to a connection that its plugin does not ask for.
//!
//! What the rules themselves say is for whoever knows the type of the connection.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::extras::EXTRAS_KEY;
use crate::suggest::closest;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (number, step) in context.document().steps.iter().enumerate() {
        let Some(signature) = context.facts.signature(step) else { continue };
        let slots = &signature.manifest.connections;
        for slot in step.extras.grants.keys().filter(|slot| !slots.contains_key(*slot)) {
            let plugin = quote(&signature.manifest.name);
            let message = format!("{plugin} asks for no connection that it calls {}", quote(slot));
            let names: Vec<&str> = slots.keys().map(String::as_str).collect();
            let help = match closest(slot, names.iter().copied()) {
                Some(near) => format!("did you mean {}?", quote(near)),
                None if names.is_empty() => "it asks for none".to_owned(),
                None => format!("it asks for `{}`", names.join("`, `")),
            };
            let diagnostic = Diagnostic::new(Code::UnknownGrant, step.span, message).helping(help);
            found.push(diagnostic.at(format!("steps.{number}.{EXTRAS_KEY}.grants")));
        }
    }
}
