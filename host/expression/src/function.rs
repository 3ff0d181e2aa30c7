//! The functions that an expression may call, in one sorted list.
//!
//! A function sees its arguments only when it asks for them, and returns plain data. Nothing a
//! function returns is evaluated again.

mod append;
mod coalesce;
mod concat;
mod convert_markdown;
mod equals;
mod exists;
mod json_marshal;
mod json_unmarshal;
mod merge;
mod not_equals;
mod now;
mod path;
mod to_string;

use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::fault::Fault;
use crate::{number, show, timestamp};

/// What a function returns: nothing if a value that it needs was not found.
type Returned = Result<Option<Datum>, Fault>;

/// A function of the language.
#[derive(Debug)]
#[non_exhaustive]
pub struct Function {
    /// The name after `!Fn.` and `$fn.`, and inside `${…}`.
    pub name: &'static str,
    /// How it is called, for people: `path(object, query[, default])`.
    pub signature: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// The fewest positional arguments.
    pub arguments_min: usize,
    /// The most positional arguments; `None` for any number.
    pub arguments_max: Option<usize>,
    /// The keywords; empty if the function takes none.
    pub keywords: &'static [Keyword],
    call: fn(&mut Arguments<'_, '_>) -> Returned,
}

/// A keyword argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyword {
    /// What stands before the colon.
    pub name: &'static str,
    /// Whether a call without it is a mistake.
    pub required: bool,
}

/// All functions, sorted by name.
pub const FUNCTIONS: &[Function] = &[
    append::FUNCTION,
    coalesce::FUNCTION,
    concat::FUNCTION,
    convert_markdown::FUNCTION,
    equals::FUNCTION,
    exists::FUNCTION,
    json_marshal::FUNCTION,
    json_unmarshal::FUNCTION,
    merge::FUNCTION,
    not_equals::FUNCTION,
    now::FUNCTION,
    path::FUNCTION,
    to_string::FUNCTION,
];

/// The function called `name`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// The function whose name is `name` but for upper and lower case or a single character.
#[must_use]
pub fn closest(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| nearly(function.name, name))
}

fn nearly(known: &str, given: &str) -> bool {
    if known.eq_ignore_ascii_case(given) {
        return true;
    }
    let (known, given): (Vec<char>, Vec<char>) = (known.chars().collect(), given.chars().collect());
    if known.len().abs_diff(given.len()) > 1 || known.len() < 4 {
        return false;
    }
    let same = known.iter().zip(&given).take_while(|(a, b)| a == b).count();
    let (known, given) = (&known[same..], &given[same..]);
    let skip =
        |text: &[char], longer: bool| text.get(usize::from(longer)..).unwrap_or(&[]).to_vec();
    skip(known, known.len() >= given.len()) == skip(given, given.len() >= known.len())
}

/// Calls the function `name`.
pub(crate) fn call(name: &str, arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(function) = find(name) else {
        return Err(Fault::UnknownFunction(closest(name).map(|function| function.name)));
    };
    if arguments.is_keyword() {
        check_keywords(function, arguments)?;
    }
    let names: Vec<&'static str> = function.keywords.iter().map(|keyword| keyword.name).collect();
    arguments.assign(&names);
    if !arguments.is_keyword() {
        check_arity(function, arguments.len())?;
    }
    (function.call)(arguments)
}

fn check_keywords(function: &Function, arguments: &Arguments<'_, '_>) -> Result<(), Fault> {
    if function.keywords.is_empty() {
        return Err(Fault::Keywords);
    }
    let missing = |keyword: &&Keyword| keyword.required && !arguments.has_keyword(keyword.name);
    match function.keywords.iter().find(missing) {
        Some(keyword) => {
            let label = format!("arg {}", crate::fault::quoted(keyword.name));
            Err(Fault::MissingArgument.in_argument(label))
        }
        None => Ok(()),
    }
}

fn check_arity(function: &Function, got: usize) -> Result<(), Fault> {
    let (min, max) = (function.arguments_min, function.arguments_max);
    if got >= min && max.is_none_or(|max| got <= max) {
        return Ok(());
    }
    let wanted = match max {
        None => format!("{min} or more"),
        Some(max) => (min..=max).map(|count| count.to_string()).collect::<Vec<_>>().join(", "),
    };
    Err(Fault::Arity { got, wanted })
}

/// A value that should have been of another type.
fn wrong_type(value: &Datum, wanted: &'static str) -> Fault {
    let got = if value.is_null() { "%!s(<nil>)" } else { value.type_name() };
    Fault::ValueType { got, wanted }
}

/// A scalar as text: null is empty, numbers are without exponent. Lists and mappings have none.
fn scalar_text(value: &Datum) -> Result<Vec<u8>, Fault> {
    Ok(match value {
        Datum::Null => Vec::new(),
        Datum::Number(number) => number::plain(*number).into_bytes(),
        Datum::Time(time) => timestamp::rfc3339(*time).into_bytes(),
        Datum::Bool(_) | Datum::Text(_) | Datum::Bytes(_) => show::bytes(value)?,
        Datum::List(_) | Datum::Map(_) => {
            return Err(wrong_type(value, "a text, number, boolean, timestamp or null"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Expression, Scope, evaluate};
    use serde_json::{Value, json};

    /// The value of a call, `None` if it waits for something.
    fn value(tree: Value) -> Result<Option<Value>, String> {
        let scope = Scope { now: "2021-05-31T01:02:03Z".parse().ok(), ..Scope::default() };
        evaluate(&Expression::from_tree(&tree), &scope)
            .map(|evaluated| evaluated.value().cloned())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn functions() {
        let missing = || json!({"$type": "Parameter", "name": "missing"});
        let nested = json!({"a": {"b": 1}});
        let cases = [
            ("append", json!([[1], [2], null]), Ok(Some(json!([1, [2], null])))),
            (
                "append",
                json!([1, 2]),
                Err("arg 1: unexpected type float64 (wanted []interface {})"),
            ),
            ("append", json!([[1]]), Err("unexpected number of arguments: 1 (wanted 2 or more)")),
            ("coalesce", json!([]), Ok(Some(json!(null)))),
            ("coalesce", json!([null, missing(), false, 1]), Ok(Some(json!(false)))),
            (
                "coalesce",
                json!(["${nope}", 1]),
                Err("arg 1: evaluating template \"${\": path \"nope\": unknown key nope"),
            ),
            ("concat", json!([]), Ok(Some(json!("")))),
            (
                "concat",
                json!(["a", 1, 1.5, true, null, 1e21]),
                Ok(Some(json!("a11.5true1000000000000000000000"))),
            ),
            ("concat", json!(["a", missing()]), Ok(None)),
            (
                "concat",
                json!(["a", []]),
                Err(
                    "arg 2: unexpected type []interface {} (wanted a text, number, boolean, timestamp or null)",
                ),
            ),
            ("convertMarkdown", json!(["html", "*x*"]), Ok(Some(json!("<p><em>x</em></p>\n")))),
            (
                "convertMarkdown",
                json!(["slack", "x"]),
                Err("convert: type not supported; use `html` or `jira`"),
            ),
            ("convertMarkdown", json!({"to": "jira"}), Err("arg \"content\": arg not found")),
            ("equals", json!(["10", 10]), Ok(Some(json!(false)))),
            ("equals", json!([{"a": [1]}, {"a": [1.0]}]), Ok(Some(json!(true)))),
            ("equals", json!([1]), Err("unexpected number of arguments: 1 (wanted 2)")),
            ("exists", json!([nested.clone()]), Ok(Some(json!(true)))),
            ("exists", json!(["${parameters.x.y}"]), Ok(None)),
            ("exists", json!(["${nope}"]), Ok(Some(json!(false)))),
            (
                "exists",
                json!(["${'a' |> x}"]),
                Err(
                    "arg 1: evaluating template \"${\": path \"x\": unsupported value type string for select of field x",
                ),
            ),
            (
                "jsonMarshal",
                json!([{"b": "<", "a": 1.0}]),
                Ok(Some(json!("{\"a\":1,\"b\":\"\\u003c\"}"))),
            ),
            ("jsonMarshal", json!({"a": 1}), Err("keyword arguments cannot be used")),
            ("jsonUnmarshal", json!(["{\"a\": \"${'$'}{x}\"}"]), Ok(Some(json!({"a": "${x}"})))),
            ("jsonUnmarshal", json!([1]), Err("arg 1: unexpected type float64 (wanted string)")),
            ("jsonUnmarshal", json!(["{"]), Err("unexpected end of JSON input")),
            (
                "merge",
                json!([nested.clone(), {"a": {"c": 2}}]),
                Ok(Some(json!({"a": {"b": 1, "c": 2}}))),
            ),
            (
                "merge",
                json!({"objects": [nested.clone(), {"a": {"c": 2}}], "mode": "shallow"}),
                Ok(Some(json!({"a": {"c": 2}}))),
            ),
            (
                "merge",
                json!([{}, null]),
                Err("arg 2: unexpected type %!s(<nil>) (wanted map[string]interface {})"),
            ),
            (
                "merge",
                json!({"objects": [1]}),
                Err(
                    "arg \"objects\": array index 0: unexpected type float64 (wanted map[string]interface {})",
                ),
            ),
            (
                "merge",
                json!({"objects": [], "mode": "x"}),
                Err("arg \"mode\": unexpected value \"x\", wanted one of \"deep\" or \"shallow\""),
            ),
            ("notEquals", json!([1, 2]), Ok(Some(json!(true)))),
            ("now", json!([]), Ok(Some(json!("2021-05-31T01:02:03Z")))),
            ("now", json!([1]), Err("unexpected number of arguments: 1 (wanted 0)")),
            ("path", json!([nested.clone(), "a.b"]), Ok(Some(json!(1)))),
            ("path", json!([nested.clone(), "a.c", null]), Ok(Some(json!(null)))),
            ("path", json!([nested.clone(), "a.c"]), Err("arg 1: path \"a.c\": unknown key c")),
            (
                "path",
                json!([nested.clone(), "a.b.c", 1]),
                Err("arg 1: path \"a.b.c\": unsupported value type float64 for select of field c"),
            ),
            (
                "path",
                json!([nested.clone(), 5]),
                Err("arg 2: unexpected type float64 (wanted string)"),
            ),
            (
                "path",
                json!([nested.clone(), "f(a)"]),
                Err("arg 1: invocation of function \"f\" failed: function not found"),
            ),
            ("path", json!({"object": [1, missing()], "query": "$[0]"}), Ok(Some(json!(1)))),
            ("toString", json!([1.0]), Ok(Some(json!("1")))),
            ("toString", json!(null), Ok(Some(json!("")))),
            ("tostring", json!([1]), Err("function not found, did you mean `toString`?")),
            ("nope", json!([1]), Err("function not found")),
        ];
        for (name, arguments, expected) in cases {
            let call = json!({format!("$fn.{name}"): arguments});
            let expected = expected
                .map_err(|text: &str| format!("invocation of function \"{name}\" failed: {text}"));
            assert_eq!(value(call.clone()), expected, "{call}");
        }
    }

    #[test]
    fn every_function_has_a_row_above_and_its_place_in_the_list() {
        let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        assert!(names.is_sorted(), "{names:?}");
        for function in FUNCTIONS {
            assert!(function.signature.starts_with(function.name), "{}", function.signature);
            assert!(function.summary.ends_with('.'), "{}", function.summary);
        }
    }

    #[test]
    fn names_that_are_nearly_right() {
        for (given, expected) in [
            ("Concat", Some("concat")),
            ("concatt", Some("concat")),
            ("equal", Some("equals")),
            ("jsonMarshall", Some("jsonMarshal")),
            ("x", None),
            ("nom", None),
        ] {
            assert_eq!(closest(given).map(|function| function.name), expected, "{given}");
        }
    }
}
