//! `malformed-reference`, `template-syntax`, `unknown-root`: what no evaluation could get past.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::reference::What;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (_, site) in context.all_sites() {
        let diagnostic = match &site.what {
            What::Malformed(message) => {
                Diagnostic::new(Code::MalformedReference, site.span, message)
                    .helping("names are written out: no expression, no number, no `true` or `null`")
            }
            What::BadTemplate(message) => {
                Diagnostic::new(Code::TemplateSyntax, site.span, printable(message))
                    .helping("a `${` that is text is written `${'${'}`")
            }
            What::UnknownRoot(name) => {
                let message = format!("{} means nothing here", quote(name));
                Diagnostic::new(Code::UnknownRoot, site.span, message).helping(
                    "a path begins with `parameters`, `outputs`, `steps`, `connections` or \
                     `secrets`; a text needs quotes",
                )
            }
            _ => continue,
        };
        found.push(diagnostic);
    }
}
