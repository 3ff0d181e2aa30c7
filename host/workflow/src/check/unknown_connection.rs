//! `unknown-connection`: a step uses a connection that the operator has not set up.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::reference::What;
use crate::suggest::Names;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    let Some(known) = &context.options.known_connections else { return };
    for (_, _, site) in context.step_sites() {
        let What::Connection { kind, name } = &site.what else { continue };
        if known.contains(&(kind.clone(), name.value.clone())) {
            continue;
        }
        let message =
            format!("no connection of type {} is called {}", quote(kind), quote(&name.value));
        let diagnostic = Diagnostic::new(Code::UnknownConnection, name.span, message)
            .labelled("not in the configuration");
        let other = known.iter().find(|(_, known)| *known == name.value);
        found.push(match other {
            Some((other, _)) => diagnostic.helping(format!(
                "{} is of type {}: write that type, or set up another connection",
                quote(&name.value),
                quote(other)
            )),
            None => {
                let same_type = known.iter().filter(|(known, _)| known == kind);
                let names = Names::new(same_type.map(|(_, name)| name.as_str()));
                let what = format!("connections of type {}", quote(kind));
                let diagnostic = context.suggest(diagnostic, name, &names, &what);
                match diagnostic.help {
                    Some(_) => diagnostic,
                    None => diagnostic.helping(format!(
                        "set it in the operator's `bowline.yaml` under `connections`, {}, {}; or \
                         rehearse with `--drill`",
                        quote(kind),
                        quote(&name.value)
                    )),
                }
            }
        });
    }
}
