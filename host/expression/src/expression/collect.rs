//! What an expression refers to, read from its text alone.
//!
//! Used for implicit dependencies, so it must name every constant reference, also those behind a
//! condition that is never true. What is computed can't be seen here.

use super::{Expression, Target};
use crate::datum::Datum;
use crate::references::References;
use crate::syntax::{Ast, CallArguments};
use crate::template::Piece;
use std::sync::Arc;

pub(super) fn references(expression: &Expression) -> References {
    let mut found = References::default();
    collect(expression, &mut found);
    found
}

fn collect(expression: &Expression, found: &mut References) {
    match expression {
        Expression::Literal(_) | Expression::Malformed(_) => {}
        Expression::List(items) => items.iter().for_each(|item| collect(item, found)),
        Expression::Map(fields) => fields.values().for_each(|value| collect(value, found)),
        Expression::Reference(reference) => target(&reference.target, found),
        Expression::Call(call) => collect(&call.argument, found),
        Expression::Encoded(encoded) => collect(&encoded.data, found),
        Expression::Template(template) => {
            for piece in template.pieces() {
                if let Piece::Expression(ast) = piece {
                    syntax(ast, true, found);
                }
            }
        }
    }
}

fn target(target: &Target, found: &mut References) {
    match target.clone() {
        Target::Parameter { name } => _ = found.parameters.insert(name),
        Target::Secret { name } => _ = found.secrets.insert(name),
        Target::Connection { kind, name } => _ = found.connections.insert((kind, name)),
        Target::Output { from, name } => _ = found.outputs.insert((from, Some(name))),
        Target::Answer { ask, name } => _ = found.answers.insert((ask, name)),
        Target::Data { name, .. } => _ = found.data.insert(name.unwrap_or_default()),
    }
}

/// Whether `$` is still the scope: behind a pipe it is the value before it.
fn syntax(ast: &Ast, at_root: bool, found: &mut References) {
    let all = |nodes: &[Arc<Ast>], found: &mut References| {
        nodes.iter().for_each(|node| syntax(node, at_root, found));
    };
    match ast {
        Ast::Const(_) | Ast::RefusedCall(_) => {}
        Ast::List(items) => all(items, found),
        Ast::Map(fields) => {
            for (key, value) in fields {
                syntax(key, at_root, found);
                syntax(value, at_root, found);
            }
        }
        Ast::Prefix(_, operand) => syntax(operand, at_root, found),
        Ast::Chain(first, rest) => {
            syntax(first, at_root, found);
            rest.iter().for_each(|(_, operand)| syntax(operand, at_root, found));
        }
        Ast::Pipe(stages) => piped(stages, at_root, found),
        Ast::Path(keys) => {
            all(keys, found);
            if at_root {
                path(keys, found);
            }
        }
        Ast::Call(_, CallArguments::Positional(arguments)) => all(arguments, found),
        Ast::Call(_, CallArguments::Keyword(arguments)) => {
            arguments.iter().for_each(|(_, argument)| syntax(argument, at_root, found));
        }
    }
}

/// `outputs |> step |> name` is a path too.
fn piped(stages: &[Arc<Ast>], at_root: bool, found: &mut References) {
    let mut keys: Option<Vec<Arc<Ast>>> = at_root.then(Vec::new);
    for (index, stage) in stages.iter().enumerate() {
        syntax(stage, at_root && index == 0, found);
        keys = match (keys, &**stage) {
            (Some(mut before), Ast::Path(more)) => {
                before.extend(more.iter().cloned());
                path(&before, found);
                Some(before)
            }
            _ => None,
        };
    }
}

fn path(keys: &[Arc<Ast>], found: &mut References) {
    let key = |index: usize| keys.get(index).and_then(|key| constant(key));
    let Some(root) = key(0) else { return };
    match (root.as_str(), key(1), key(2)) {
        ("parameters", Some(name), _) => _ = found.parameters.insert(name),
        ("secrets", Some(name), _) => _ = found.secrets.insert(name),
        ("connections", Some(kind), Some(name)) => _ = found.connections.insert((kind, name)),
        ("outputs", Some(from), name) => _ = found.outputs.insert((from, name)),
        ("steps", Some(step), Some(property)) => _ = found.statuses.insert((step, property)),
        ("parameters" | "secrets" | "connections" | "outputs" | "steps", ..) => {}
        _ => _ = found.data.insert(root),
    }
}

fn constant(key: &Ast) -> Option<String> {
    match key {
        Ast::Const(Datum::Text(text)) => Some(text.to_string()),
        Ast::Const(Datum::Number(number)) => Some(crate::number::plain(*number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Expression;
    use serde_json::json;

    #[test]
    fn references_are_seen_wherever_they_stand() {
        let cases = [
            (
                json!("${outputs.build.image}"),
                json!({"outputs": [{"from": "build", "name": "image"}]}),
            ),
            (json!("${$.outputs.'a b'['c']}"), json!({"outputs": [{"from": "a b", "name": "c"}]})),
            (json!("${outputs.build}"), json!({"outputs": [{"from": "build"}]})),
            (
                json!("${outputs |> build |> image}"),
                json!({"outputs": [{"from": "build"}, {"from": "build", "name": "image"}]}),
            ),
            (json!("${false && outputs.a.b}"), json!({"outputs": [{"from": "a", "name": "b"}]})),
            (
                json!("${concat(parameters.a, [secrets.b])}"),
                json!({"parameters": [{"name": "a"}], "secrets": [{"name": "b"}]}),
            ),
            (json!("${parameters[parameters.which]}"), json!({"parameters": [{"name": "which"}]})),
            (json!("${parameters.a |> outputs.b.c}"), json!({"parameters": [{"name": "a"}]})),
            (
                json!("${steps.a.failed || event.x}"),
                json!({"statuses": [{"action": "a", "property": "failed"}], "data": [{"name": "event"}]}),
            ),
            (
                json!({"$fn.concat": [{"$type": "Output", "from": "a", "name": "b"}]}),
                json!({"outputs": [{"from": "a", "name": "b"}]}),
            ),
            (json!({"$type": "Data", "query": "x"}), json!({"data": [{"name": ""}]})),
            (json!({"$type": "Nope", "x": "${outputs.a.b}"}), json!({})),
            (json!("${outputs.a"), json!({})),
        ];
        for (tree, expected) in cases {
            assert_eq!(Expression::from_tree(&tree).references().to_json(), expected, "{tree}");
        }
    }
}
