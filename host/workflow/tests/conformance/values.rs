//! Cases about single values: YAML with tags, and what it comes to.

use crate::expressions::scope;
use expression::{Expression, evaluate};
use serde_json::Value;
use workflow::{Code, Diagnostic, SourceFile, tags};

/// Reads YAML into a JSON tree.
pub(crate) fn yaml_parse(case: &Value) -> Result<(), String> {
    let source = SourceFile::new("case.yaml", text(case));
    match (tags::value_of(&source), case["expected"].get("value")) {
        (Ok(value), Some(expected)) => same(&value, expected),
        (Err(found), None) => same_class(&found, case),
        (Ok(value), None) => Err(format!("came to {value}, not to an error")),
        (Err(found), Some(_)) => Err(format!("refused: {}", found[0].message)),
    }
}

/// Reads YAML and evaluates it.
pub(crate) fn expr_yaml(case: &Value) -> Result<(), String> {
    let source = SourceFile::new("case.yaml", text(case));
    let tree = match tags::value_of(&source) {
        Ok(tree) => tree,
        Err(found) => return same_class(&found, case),
    };
    let expected = &case["expected"];
    match evaluate(&Expression::from_tree(&tree), &scope(&case["environment"])) {
        Err(error) => {
            let wanted = expected["error"].as_str().ok_or_else(|| format!("refused: {error}"))?;
            match error.to_string().contains(wanted) {
                true => Ok(()),
                false => Err(format!("`{error}` does not contain `{wanted}`")),
            }
        }
        Ok(evaluated) => {
            let Some(value) = expected.get("value") else {
                return Err("came to a value, not to an error".to_owned());
            };
            same(&evaluated.rest.to_shown(), value)?;
            if let Some(complete) = case["complete"].as_bool()
                && complete != evaluated.complete()
            {
                return Err(format!("complete is {}", evaluated.complete()));
            }
            match case.get("unresolvable") {
                Some(names) => same(&evaluated.unresolved.to_json(), names),
                None => Ok(()),
            }
        }
    }
}

fn text(case: &Value) -> &str {
    case["input"].as_str().unwrap_or_default()
}

/// Whether the first error is of the class that the reference reports.
fn same_class(found: &[Diagnostic], case: &Value) -> Result<(), String> {
    let wanted = case["expected"]["error_class"].as_str().unwrap_or_default();
    let Some(first) = found.iter().find(|diagnostic| diagnostic.is_error()) else {
        return Err("no error".to_owned());
    };
    let classes: &[&str] = match first.code {
        Code::UnknownTag => &["unknown-tag"],
        Code::TagForm => &["tag-shape"],
        Code::NotFinite => &["unencodable"],
        // A list as a key is refused while parsing, a number when JSON is made.
        Code::YamlKey => &["parse", "unencodable"],
        _ => &["parse"],
    };
    match classes.contains(&wanted) {
        true => Ok(()),
        false => Err(format!("`{}` is no {wanted}", first.code)),
    }
}

/// Compares values as the reference does: all numbers are doubles.
pub(crate) fn same(found: &Value, expected: &Value) -> Result<(), String> {
    match as_doubles(found) == as_doubles(expected) {
        true => Ok(()),
        false => Err(format!("found {found}, expected {expected}")),
    }
}

fn as_doubles(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::from(number.as_f64()),
        Value::Array(items) => items.iter().map(as_doubles).collect(),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), as_doubles(value))).collect())
        }
        other => other.clone(),
    }
}
