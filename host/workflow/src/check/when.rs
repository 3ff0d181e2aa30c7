//! `when-type`, `never-runs`: a condition that is decided before the run begins.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, printable};
use crate::tags::locate;
use expression::condition::{Condition, decide};
use expression::{Expression, Scope};
use serde_json::Value;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (number, step) in context.document().steps.iter().enumerate() {
        let Some(when) = &step.when else { continue };
        let items: Vec<(&Value, Vec<String>)> = match &*when.value {
            Value::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| (item, vec![index.to_string()])).collect()
            }
            value => vec![(value, Vec::new())],
        };
        for (item, path) in items {
            let expression = Expression::from_tree(item);
            if !expression.references().is_empty() || may_change(item) {
                continue;
            }
            let span = locate(&when.node, path.iter().map(String::as_str)).head();
            let at = format!("steps.{number}.when");
            // In a list, null is no condition either; alone it means that there is none.
            let condition = decide(&Expression::List(vec![expression]), &Scope::default());
            let diagnostic = match condition {
                Condition::Satisfied | Condition::Waiting(_) => continue,
                Condition::NotSatisfied => {
                    Diagnostic::new(Code::NeverRuns, span, "this is false, so the step never runs")
                        .helping("take the step out, or name what the condition depends on")
                }
                Condition::Wrong(message) => {
                    let message =
                        format!("a condition must be true or false: {}", printable(&message));
                    Diagnostic::new(Code::WhenType, span, message).helping(
                        "compare with something, for example `!Fn.equals [!Parameter x, \"yes\"]`",
                    )
                }
            };
            found.push(diagnostic.at(at));
        }
    }
}

/// Whether a value may depend on something that no reference shows: the time, or what a pipe
/// hands on. May say yes without need.
fn may_change(item: &Value) -> bool {
    let text = item.to_string();
    ["now", "|>", "$.", "$["].iter().any(|sign| text.contains(sign))
}
