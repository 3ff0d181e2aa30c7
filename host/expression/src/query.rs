//! Asking a tree for a part of it, in one of four languages.
//!
//! This is how a step reads its inputs one by one. Only what a query touches is evaluated.

mod jsonpath;
mod jsonpath_syntax;
mod jsonpath_template;

use crate::evaluate::{Machine, Node};
use crate::fault::Fault;
use crate::references::{References, Trace};
use crate::scope::Scope;
use crate::{EvaluateError, Expression, syntax, template};
use serde_json::Value;
use std::str::FromStr;

/// The language of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// The expression language: `args[0].name`.
    #[default]
    Path,
    /// A text with `${…}` over the tree.
    PathTemplate,
    /// `$.args[?(@.name == 'x')]`.
    JsonPath,
    /// kubectl's `{.args[*].name}`.
    JsonPathTemplate,
}

/// A name that no query language has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no query language is called `{name}`; use path, path-template, jsonpath or jsonpath-template"
)]
pub struct LanguageError {
    /// The name as given.
    pub name: String,
}

impl FromStr for Language {
    type Err = LanguageError;

    fn from_str(name: &str) -> Result<Self, LanguageError> {
        match name {
            "" | "path" => Ok(Self::Path),
            "path-template" => Ok(Self::PathTemplate),
            "jsonpath" => Ok(Self::JsonPath),
            "jsonpath-template" => Ok(Self::JsonPathTemplate),
            _ => Err(LanguageError { name: name.to_owned() }),
        }
    }
}

/// Whether a query may call functions. Relay's steps can't; its own tests can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Functions {
    /// Every call is a mistake.
    #[default]
    None,
    /// All functions of [`crate::function::FUNCTIONS`]. JSONPath never has any.
    All,
}

/// What a query found.
#[derive(Clone, Debug)]
pub struct Queried {
    /// The value; where something was not found, null or what is left of the tree.
    pub value: Value,
    /// What was not found.
    pub unresolved: References,
    /// What was found and used.
    pub resolved: References,
}

impl Queried {
    /// Whether everything was found.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.unresolved.is_empty()
    }
}

/// Asks `tree` for what `query` says.
///
/// # Errors
///
/// [`EvaluateError`] if the query can't be read, or if what it touches can't be evaluated. A
/// JSONPath that leads nowhere is null, not an error.
pub fn query(
    tree: &Expression,
    scope: &Scope,
    language: Language,
    query: &str,
    functions: Functions,
) -> Result<Queried, EvaluateError> {
    let machine = Machine::new(scope);
    let root = Node::Tree(tree);
    let (value, trace) = match language {
        Language::Path => path(&machine, &root, query, functions)?,
        Language::PathTemplate => {
            let template =
                template::read(query, functions == Functions::All).map_err(Fault::from)?;
            let (value, trace) = machine.template(&template, &root)?;
            (machine.write_datum(&value)?, trace)
        }
        Language::JsonPath => {
            let ast = jsonpath_syntax::parse(query).map_err(Fault::from)?;
            let mut trace = Trace::default();
            let node = jsonpath::evaluate(&machine, &ast, &root, &mut trace)?;
            settled(&machine, &node, trace)?
        }
        Language::JsonPathTemplate => {
            let pieces = jsonpath_template::parse(query).map_err(Fault::from)?;
            let (text, trace) = jsonpath_template::evaluate(&machine, &pieces, &root)?;
            (machine.write_datum(&text)?, trace)
        }
    };
    let (resolved, unresolved) = trace.into_parts();
    Ok(Queried { value, unresolved, resolved })
}

fn path<'s>(
    machine: &Machine<'s>,
    root: &Node<'s>,
    query: &str,
    functions: Functions,
) -> Result<(Value, Trace), Fault> {
    let ast = match functions {
        Functions::All => syntax::parse(query)?,
        Functions::None => syntax::parse_query(query)?,
    };
    let mut trace = Trace::default();
    let node = machine.term(&ast, root, &mut trace)?;
    settled(machine, &node, trace)
}

/// The value of `node`; where something is missing, what is left of it.
fn settled<'s>(
    machine: &Machine<'s>,
    node: &Node<'s>,
    mut trace: Trace,
) -> Result<(Value, Trace), Fault> {
    if !trace.is_complete() {
        return Ok((machine.write_datum(&node.raw()?)?, trace));
    }
    let (value, inner) = settle(machine, node)?;
    trace.merge(inner);
    Ok((value, trace))
}

fn settle<'s>(machine: &Machine<'s>, node: &Node<'s>) -> Result<(Value, Trace), Fault> {
    match node {
        Node::Json(json) => Ok((machine.copy(json)?, Trace::default())),
        Node::Tree(expression) => {
            let outcome = machine.tree(expression, usize::MAX)?;
            Ok((outcome.part.into_expression(machine)?.to_shown(), outcome.trace))
        }
        Node::List(items) => {
            let mut trace = Trace::default();
            let mut values = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                let (value, inner) =
                    settle(machine, item).map_err(|fault| fault.at(index.to_string()))?;
                trace.merge(inner);
                values.push(value);
            }
            Ok((Value::Array(values), trace))
        }
        Node::Map(fields) => {
            let mut trace = Trace::default();
            let mut values = serde_json::Map::new();
            for (key, field) in fields.iter() {
                let (value, inner) =
                    settle(machine, field).map_err(|fault| fault.at(key.as_str()))?;
                trace.merge(inner);
                values.insert(key.clone(), value);
            }
            Ok((Value::Object(values), trace))
        }
        other => {
            let (value, trace) = machine.finish(other)?;
            let value = value.unwrap_or(crate::datum::Datum::Null);
            Ok((machine.write_datum(&value)?, trace))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ask(tree: Value, language: &str, text: &str) -> Result<(Value, bool), String> {
        let scope =
            Scope { parameters: [("p".to_owned(), json!("${x}"))].into(), ..Scope::default() };
        let tree = Expression::from_tree(&tree);
        query(&tree, &scope, language.parse().unwrap(), text, Functions::None)
            .map(|queried| (queried.value.clone(), queried.complete()))
            .map_err(|error| error.to_string())
    }

    fn tree() -> Value {
        json!({
            "p": {"$type": "Parameter", "name": "p"},
            "joined": {"$fn.concat": ["a", {"$type": "Parameter", "name": "p"}]},
            "missing": "${parameters.missing}",
            "bad": "${nope}",
            "list": [1, "two", {"n": "${parameters.p}"}, "${parameters.missing}"],
            "items": [{"name": "a", "size": 5}, {"name": "b"}, {"name": "c", "size": "7"}],
        })
    }

    #[test]
    fn queries() {
        let cases = [
            ("path", "p", Ok((json!("${x}"), true))),
            ("path", "joined", Ok((json!("a${x}"), true))),
            ("path", "list[2].n", Ok((json!("${x}"), true))),
            ("path", "missing.deep", Ok((json!(null), false))),
            (
                "path",
                "list",
                Ok((json!([1, "two", {"n": "${x}"}, "${parameters.missing}"]), false)),
            ),
            ("path", "[list[0], p]", Ok((json!([1, "${x}"]), true))),
            (
                "path",
                "concat(p)",
                Err("invocation of function \"concat\" failed: function not found"),
            ),
            (
                "path",
                "bad",
                Err("path \"bad\": evaluating template \"${\": path \"nope\": unknown key nope"),
            ),
            ("path-template", "x ${list[1]} ${missing}", Ok((json!("x two null"), false))),
            ("jsonpath", "$.p", Ok((json!("${x}"), true))),
            ("jsonpath", "$.nope.deep", Ok((json!(null), true))),
            ("jsonpath", "$.bad", Ok((json!(null), true))),
            ("jsonpath", "$.items[?(@.size)].name", Ok((json!(["a", "c"]), true))),
            ("jsonpath", "$.items[?(@.size > 5)].name", Ok((json!(["c"]), true))),
            ("jsonpath", "$.items[-1:].name", Ok((json!(["c"]), true))),
            ("jsonpath", "$.items[0,2].name", Ok((json!(["a", "c"]), true))),
            ("jsonpath", "$.items[::2].name", Ok((json!(["a", "c"]), true))),
            (
                "jsonpath",
                "$.list[?(@ =~ 't')]",
                Ok((json!(["two", {"n": "${parameters.p}"}]), false)),
            ),
            (
                "jsonpath",
                "items",
                Err("jsonpath: unknown variable type string; a path begins with `$`, `@` or a dot"),
            ),
            ("jsonpath-template", "{.joined} {.list[0]}", Ok((json!("a${x} 1"), true))),
            (
                "jsonpath-template",
                "{range .items[*]}{.name}={.size},{end}!",
                Ok((json!("a=5,b=,c=7,!"), true)),
            ),
            ("jsonpath-template", "{.items[0]}", Ok((json!("map[name:a size:5]"), true))),
            ("jsonpath-template", "{.missing}", Ok((json!(""), false))),
            ("jsonpath-template", "a}b", Ok((json!("a}b"), true))),
            (
                "jsonpath-template",
                "{range .items}x",
                Err(
                    "parsing error: {range .items}x\t:1:16 - 1:16 unexpected EOF while scanning JSONPath template range end",
                ),
            ),
            (
                "jsonpath-template",
                "{foo}",
                Err(
                    "parsing error: {foo}\t:1:2 - 1:5 unexpected Ident while scanning JSONPath template expected \"}\"",
                ),
            ),
            (
                "jsonpath",
                "$.a[1,2:3]",
                Err(
                    "parsing error: $.a[1,2:3]\t:1:8 - 1:9 jsonpath: mixed ',' and ':' in JSON bracket",
                ),
            ),
        ];
        for (language, text, expected) in cases {
            let expected = expected.map_err(str::to_owned);
            assert_eq!(ask(tree(), language, text), expected, "{language} {text}");
        }
    }

    #[test]
    fn a_path_that_visits_too_much_is_ended() {
        let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
        let text = format!("${}", "..*".repeat(20));
        let error = ask(deep, "jsonpath", &text).unwrap_err();
        assert!(error.contains("more work"), "{error}");
    }

    #[test]
    fn an_unknown_language_is_refused() {
        assert!("jq".parse::<Language>().is_err());
    }
}
