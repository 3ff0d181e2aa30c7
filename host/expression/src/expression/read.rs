//! Relay's JSON tree to an expression.
//!
//! The order of the questions matters: `$type`, `$encoding`, a single `$fn.…` key, plain data.

use super::{Call, DataQuery, Encoded, Expression, Malformed, Reference, Target};
use crate::fault::Fault;
use crate::limits::DEPTH_MAX;
use crate::{syntax, template};
use serde_json::{Map, Value};

pub(super) fn expression(tree: &Value, depth: usize) -> Expression {
    if depth > DEPTH_MAX {
        // The tree below is left out: it may be too deep even to copy.
        return Expression::Malformed(Malformed {
            written: Value::Null,
            fault: Box::new(Fault::TooDeep),
        });
    }
    match tree {
        Value::String(text) => text_expression(text),
        Value::Array(items) => list(items.iter().map(|item| expression(item, depth + 1)).collect()),
        Value::Object(fields) => mapping(tree, fields, depth),
        scalar => Expression::Literal(scalar.clone()),
    }
}

fn text_expression(text: &str) -> Expression {
    if !text.contains("${") {
        return Expression::Literal(Value::String(text.to_owned()));
    }
    match template::read(text, true) {
        Ok(template) if template.is_plain() => Expression::Literal(Value::String(text.to_owned())),
        Ok(template) => Expression::Template(template),
        Err(error) => Expression::Malformed(Malformed {
            written: Value::String(text.to_owned()),
            fault: Box::new(error.into()),
        }),
    }
}

/// A list; inert if all of its items are.
pub(super) fn list(items: Vec<Expression>) -> Expression {
    if items.iter().all(|item| item.as_literal().is_some()) {
        return Expression::Literal(Value::Array(items.into_iter().filter_map(inert).collect()));
    }
    Expression::List(items)
}

fn inert(expression: Expression) -> Option<Value> {
    match expression {
        Expression::Literal(value) => Some(value),
        _ => None,
    }
}

fn mapping(tree: &Value, fields: &Map<String, Value>, depth: usize) -> Expression {
    if let Some(kind) = fields.get("$type") {
        return match kind.as_str().map(|kind| reference(kind, fields)) {
            Some(Some(Ok(target))) => {
                Expression::Reference(Reference { target: Box::new(target), written: tree.clone() })
            }
            Some(Some(Err(fault))) => {
                Expression::Malformed(Malformed { written: tree.clone(), fault: Box::new(fault) })
            }
            // An unknown type is data, and so is everything in it.
            Some(None) | None => Expression::Literal(tree.clone()),
        };
    }
    if let Some(encoding) = fields.get("$encoding") {
        let Some(encoding) = encoding.as_str() else { return Expression::Literal(tree.clone()) };
        let data = expression(fields.get("data").unwrap_or(&Value::Null), depth + 1);
        return Expression::Encoded(Encoded {
            encoding: encoding.to_owned(),
            data: Box::new(data),
        });
    }
    if let (1, Some((key, argument))) = (fields.len(), fields.iter().next())
        && let Some(name) = key.strip_prefix("$fn.")
    {
        let argument = Box::new(expression(argument, depth + 1));
        return Expression::Call(Call { name: name.to_owned(), argument, waiting: false });
    }
    let fields: Vec<(String, Expression)> =
        fields.iter().map(|(key, value)| (key.clone(), expression(value, depth + 1))).collect();
    if fields.iter().all(|(_, value)| value.as_literal().is_some()) {
        let inert = fields.into_iter().filter_map(|(key, value)| Some((key, inert(value)?)));
        return Expression::Literal(Value::Object(inert.collect()));
    }
    Expression::Map(fields.into_iter().collect())
}

/// The target of a mapping with this `$type`; `None` for a type that does not exist.
fn reference(kind: &str, fields: &Map<String, Value>) -> Option<Result<Target, Fault>> {
    let field = |name: &'static str| {
        let text = fields.get(name).and_then(Value::as_str);
        text.map(str::to_owned).ok_or(Fault::MissingField(name))
    };
    let (kind, target) = match kind {
        "Parameter" => ("Parameter", field("name").map(|name| Target::Parameter { name })),
        "Secret" => ("Secret", field("name").map(|name| Target::Secret { name })),
        "Connection" => (
            "Connection",
            field("type").and_then(|kind| Ok(Target::Connection { kind, name: field("name")? })),
        ),
        "Output" => (
            "Output",
            // `taskName` is what `from` was called once.
            field("from")
                .or_else(|missing| field("taskName").map_err(|_| missing))
                .and_then(|from| Ok(Target::Output { from, name: field("name")? })),
        ),
        "Answer" => (
            "Answer",
            field("askRef").and_then(|ask| Ok(Target::Answer { ask, name: field("name")? })),
        ),
        "Data" => (
            "Data",
            field("query").map(|text| Target::Data {
                name: field("name").ok().filter(|name| !name.is_empty()),
                query: DataQuery { parsed: syntax::parse_query(&text), text },
            }),
        ),
        _ => return None,
    };
    Some(target.map_err(|fault| fault.in_reference(kind)))
}
