//! `missing-connection`, `wrong-connection-type`: a plugin gets no connection where it needs one.
//!
//! A connection that is computed can't be judged here: the sandbox does it when the step runs.

use super::Context;
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::document::Step;
use crate::signature::{ConnectionNeed, Signature};
use crate::tags::locate;
use expression::Expression;
use serde_json::Value;

pub(super) fn check(context: &Context<'_>, found: &mut Vec<Diagnostic>) {
    for (number, step) in context.document().steps.iter().enumerate() {
        let Some(signature) = context.facts.signature(step) else { continue };
        for need in signature.manifest.connections.values() {
            if let Some(diagnostic) = finding(step, need, signature) {
                found.push(diagnostic.at(format!("steps.{number}.spec")));
            }
        }
    }
}

/// Type and name of the connection that is written at a pointer, if one is.
pub(crate) fn written_connection(spec: &Value, pointer: &str) -> Option<(String, String)> {
    match held(spec, pointer) {
        Held::Connection { kind, name } => Some((kind, name)),
        Held::Anything | Held::Something | Held::Nothing => None,
    }
}

/// What a place in the inputs holds.
enum Held {
    Connection {
        kind: String,
        name: String,
    },
    /// Whatever an expression comes to.
    Anything,
    /// Something that is no connection.
    Something,
    Nothing,
}

fn finding(step: &Step, need: &ConnectionNeed, signature: &Signature) -> Option<Diagnostic> {
    let plugin = quote(&signature.manifest.name);
    let spec = step.container.spec.as_ref();
    let mut wrong = None;
    for pointer in &need.from {
        match spec.map_or(Held::Nothing, |spec| held(&spec.value, pointer)) {
            Held::Connection { kind, .. } if kind == need.kind => return None,
            Held::Connection { kind, .. } => {
                let message = format!(
                    "{plugin} needs a connection of type {}, this is one of type {}",
                    quote(&need.kind),
                    quote(&kind)
                );
                let diagnostic = at(step, pointer, Code::WrongConnectionType, message);
                return Some(
                    diagnostic.noting(printable(&need.reason)).helping(example(need, pointer)),
                );
            }
            Held::Anything => return None,
            Held::Something => wrong = wrong.or(Some(pointer)),
            Held::Nothing => (),
        }
    }
    if need.optional && wrong.is_none() {
        return None;
    }
    let first = wrong.or(need.from.first())?;
    let message = format!("{plugin} needs a connection of type {}", quote(&need.kind));
    let diagnostic = match wrong {
        Some(pointer) => {
            at(step, pointer, Code::MissingConnection, message).labelled("this is no connection")
        }
        None => Diagnostic::new(Code::MissingConnection, step.span, message),
    };
    Some(diagnostic.noting(printable(&need.reason)).helping(example(need, first)))
}

fn at(step: &Step, pointer: &str, code: Code, message: String) -> Diagnostic {
    let span = step.container.spec.as_ref().map_or(step.span, |spec| {
        let segments: Vec<String> = segments(pointer).collect();
        locate(&spec.node, segments.iter().map(String::as_str)).head()
    });
    Diagnostic::new(code, span, message)
}

/// How to write the connection at a place: `spec.cluster.connection: !Connection {…}`.
fn example(need: &ConnectionNeed, pointer: &str) -> String {
    let place: String = segments(pointer).map(|segment| format!(".{segment}")).collect();
    format!(
        "write `spec{}: !Connection {{type: {}, name: …}}`",
        printable(&place),
        printable(&need.kind)
    )
}

fn segments(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|segment| segment.replace("~1", "/").replace("~0", "~"))
}

fn held(spec: &Value, pointer: &str) -> Held {
    let mut value = spec;
    for (depth, segment) in segments(pointer).enumerate() {
        // A mapping on the way may itself be what an expression comes to.
        if depth > 0 && is_expression(value) {
            return Held::Anything;
        }
        let below = match value {
            Value::Object(map) => map.get(&segment),
            Value::Array(items) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match below {
            Some(below) => value = below,
            None => return Held::Nothing,
        }
    }
    match is_expression(value) {
        true => what_it_comes_to(value),
        false => Held::Something,
    }
}

fn is_expression(value: &Value) -> bool {
    !matches!(
        Expression::from_tree(value),
        Expression::Literal(_) | Expression::List(_) | Expression::Map(_)
    )
}

/// A reference to one connection and nothing else is that connection.
fn what_it_comes_to(value: &Value) -> Held {
    let whole = match value {
        Value::String(text) => {
            text.starts_with("${") && text.ends_with('}') && text.matches("${").count() == 1
        }
        Value::Object(map) => map.contains_key("$type"),
        _ => false,
    };
    let references = Expression::from_tree(value).references();
    let mut connections = references.connections.iter();
    match (connections.next(), connections.next()) {
        (Some((kind, name)), None) if whole => {
            Held::Connection { kind: kind.clone(), name: name.clone() }
        }
        _ => Held::Anything,
    }
}
