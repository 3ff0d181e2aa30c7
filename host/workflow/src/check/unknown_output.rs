//! `unknown-output`: the plugin of a step gives no output of that name.

use super::Context;
use crate::StepKind;
use crate::diagnostic::{Code, Diagnostic, quote};
use crate::reference::What;
use crate::suggest::Names;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (_, _, site) in context.step_sites() {
        let What::Output { step: name, name: Some(output) } = &site.what else { continue };
        let Some(&number) = context.step_numbers.get(name.as_str()) else { continue };
        let step = &context.document().steps[number];
        if step.kind == StepKind::Approval {
            let message = format!("{} is an approval step, which has no outputs", quote(name));
            let diagnostic = Diagnostic::new(Code::UnknownOutput, output.span, message);
            found.push(diagnostic.helping("a step after it can use `dependsOn` or `!Answer`"));
            continue;
        }
        let Some(signature) = context.facts.signature(step) else { continue };
        let outputs = &signature.manifest.outputs;
        // A plugin that describes no outputs, or allows more, may give any.
        let open = outputs.get("additionalProperties").is_some_and(|more| more != false);
        let Some(known) = outputs.get("properties").and_then(|known| known.as_object()) else {
            continue;
        };
        if open || known.contains_key(&output.value) {
            continue;
        }
        let plugin = quote(&signature.manifest.name);
        let message = format!("{plugin} gives no output {}", quote(&output.value));
        let diagnostic = Diagnostic::new(Code::UnknownOutput, output.span, message);
        let names = Names::new(known.keys().map(String::as_str));
        found.push(context.suggest(diagnostic, output, &names, "outputs"));
    }
}
