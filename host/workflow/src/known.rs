//! What is known of a step's inputs before a run: the constants, and holes for the rest.

use expression::{Expression, Scope, evaluate};
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A value with holes. A hole is `null` and stands in the list.
#[derive(Debug, PartialEq)]
pub(crate) struct Known {
    pub(crate) value: Value,
    /// JSON pointers.
    holes: Vec<String>,
}

impl Known {
    /// What is known of a tree in a scope. Nothing if it can't be evaluated at all.
    pub(crate) fn of(tree: &Value, scope: &Scope) -> Option<Self> {
        let evaluated = evaluate(&Expression::from_tree(tree), scope).ok()?;
        let mut holes = Vec::new();
        let value = fill(&evaluated.rest, &mut String::new(), &mut holes);
        Some(Self { value, holes })
    }

    /// Whether nothing is known at a place or above it.
    pub(crate) fn is_hole(&self, pointer: &str) -> bool {
        self.holes.iter().any(|hole| begins(pointer, hole))
    }

    /// Whether something is not known below a place.
    pub(crate) fn has_holes_below(&self, pointer: &str) -> bool {
        self.holes.iter().any(|hole| begins(hole, pointer))
    }
}

/// A scope in which only parameters have values.
pub(crate) fn before_a_run(parameters: BTreeMap<String, Value>) -> Scope {
    // The text of a time is looked at like any other; which time it is does not matter.
    Scope { parameters, now: Some(Timestamp::UNIX_EPOCH), ..Scope::default() }
}

/// Whether a pointer leads to the other one or to something inside of it.
pub(crate) fn begins(pointer: &str, with: &str) -> bool {
    pointer.strip_prefix(with).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn fill(expression: &Expression, at: &mut String, holes: &mut Vec<String>) -> Value {
    match expression {
        Expression::Literal(value) => value.clone(),
        Expression::List(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| below(&index.to_string(), item, at, holes))
            .collect(),
        Expression::Map(entries) => {
            let filled = entries.iter().map(|(key, value)| {
                let segment = key.replace('~', "~0").replace('/', "~1");
                (key.clone(), below(&segment, value, at, holes))
            });
            Value::Object(filled.collect::<Map<_, _>>())
        }
        _ => {
            holes.push(at.clone());
            Value::Null
        }
    }
}

fn below(segment: &str, value: &Expression, at: &mut String, holes: &mut Vec<String>) -> Value {
    let length = at.len();
    at.push('/');
    at.push_str(segment);
    let filled = fill(value, at, holes);
    at.truncate(length);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn constants_are_known_and_the_rest_is_a_hole() {
        let tree = json!({
            "a": {"$fn.concat": ["x", "y"]},
            "b": [1, {"$type": "Output", "from": "s", "name": "o"}],
            "c/d": {"$type": "Parameter", "name": "p"},
        });
        let known = Known::of(&tree, &before_a_run(BTreeMap::new())).expect("can be evaluated");
        assert_eq!(known.value, json!({"a": "xy", "b": [1, null], "c/d": null}));
        assert!(known.is_hole("/b/1") && known.is_hole("/c~1d") && known.is_hole("/b/1/x"));
        assert!(!known.is_hole("/b") && !known.is_hole("/a") && !known.is_hole("/b/10"));
        assert!(known.has_holes_below("") && known.has_holes_below("/b"));
        assert!(!known.has_holes_below("/a"));

        let parameters = BTreeMap::from([("p".to_owned(), json!("${secrets.x}"))]);
        let known = Known::of(&tree, &before_a_run(parameters)).expect("can be evaluated");
        assert_eq!(known.value["c/d"], json!("${secrets.x}"), "a parameter's value is inert");
        assert!(!known.is_hole("/c~1d"));
    }
}
