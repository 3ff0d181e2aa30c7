//! An expression back to Relay's JSON tree.
//!
//! Inert data needs care: a parameter's text `${secrets.x}` must not become a template when the
//! tree is read again. There is no escape in the language, so it is spelled as a template that
//! comes to the same text.

use super::{Expression, read};
use crate::template;
use serde_json::{Map, Value, json};

/// What to do with inert data that looks like something to evaluate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inert {
    Protected,
    AsIs,
}

pub(super) fn tree(expression: &Expression, inert: Inert) -> Value {
    match expression {
        Expression::Literal(value) if inert == Inert::AsIs => value.clone(),
        Expression::Literal(value) => protected(value),
        Expression::List(items) => {
            Value::Array(items.iter().map(|item| tree(item, inert)).collect())
        }
        Expression::Map(fields) => Value::Object(
            fields.iter().map(|(key, value)| (key.clone(), tree(value, inert))).collect(),
        ),
        Expression::Reference(reference) => reference.written.clone(),
        Expression::Template(template) => Value::String(template.source().to_owned()),
        Expression::Encoded(encoded) => {
            json!({"$encoding": encoded.encoding, "data": tree(&encoded.data, inert)})
        }
        Expression::Malformed(malformed) => malformed.written.clone(),
        Expression::Call(call) => {
            let argument = tree(&call.argument, inert);
            let shown_as_list = call.waiting && inert == Inert::AsIs;
            let argument = if shown_as_list { Value::Array(vec![argument]) } else { argument };
            let mut fields = Map::new();
            fields.insert(format!("$fn.{}", call.name), argument);
            Value::Object(fields)
        }
    }
}

/// `value` in a spelling that reads back as the same inert value.
fn protected(value: &Value) -> Value {
    match value {
        Value::String(text) => protected_text(text),
        Value::Array(items) => Value::Array(items.iter().map(protected).collect()),
        Value::Object(fields) if looks_special(fields) => {
            // A mapping that is data by itself (`$type: Nope`) needs no other spelling.
            match read::expression(value, 0).as_literal() {
                Some(same) if same == value => value.clone(),
                _ => Value::String(format!("${{jsonUnmarshal({})}}", quoted(&value.to_string()))),
            }
        }
        Value::Object(fields) => Value::Object(
            fields.iter().map(|(key, value)| (key.clone(), protected(value))).collect(),
        ),
        scalar => scalar.clone(),
    }
}

fn looks_special(fields: &Map<String, Value>) -> bool {
    fields.contains_key("$type")
        || fields.contains_key("$encoding")
        || fields.len() == 1 && fields.keys().all(|key| key.starts_with("$fn."))
}

fn protected_text(text: &str) -> Value {
    let is_inert = template::parse(text).is_ok_and(|template| template.is_plain());
    Value::String(if is_inert { text.to_owned() } else { text.replace('$', "${'$'}") })
}

/// A JSON text is also a text of the expression language.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use crate::{Expression, Scope, evaluate};
    use serde_json::{Value, json};

    #[test]
    fn inert_data_is_still_inert_after_it_was_written_and_read() {
        let values = [
            json!("${secrets.key}"),
            json!("cost ${ and $${x} and $"),
            json!({"$type": "Secret", "name": "key"}),
            json!({"$type": "Nope", "x": "${y}"}),
            json!({"$type": 5, "x": "${y}"}),
            json!({"$fn.concat": ["a\u{1}\"\\", "ü"]}),
            json!({"$encoding": "base64", "data": "eA=="}),
            json!({"a": ["${x}", {"$fn.now": []}], "b": 1.5}),
        ];
        for value in values {
            let written = Expression::literal(value.clone()).to_tree();
            let read = Expression::from_tree(&written);
            let evaluated = evaluate(&read, &Scope::default()).unwrap();
            assert_eq!(evaluated.value(), Some(&value), "{written}");
        }
    }

    #[test]
    fn what_an_author_wrote_comes_back_as_written() {
        let trees = [
            json!({"a": [1, "x", {"$type": "Parameter", "name": "p", "more": 1}]}),
            json!({"$fn.concat": ["a", "${parameters.b}"]}),
            json!({"$fn.path": {"object": {"$type": "Output", "taskName": "s", "name": "o"}, "query": "x"}}),
            json!({"$encoding": "base64", "data": "${secrets.x}"}),
            json!("${"),
            json!({"$type": "Secret"}),
            json!({"$type": "Nope", "x": "${parameters.s}"}),
            Value::Null,
        ];
        for tree in trees {
            assert_eq!(Expression::from_tree(&tree).to_tree(), tree);
            assert_eq!(Expression::from_tree(&tree).to_shown(), tree);
        }
    }
}
