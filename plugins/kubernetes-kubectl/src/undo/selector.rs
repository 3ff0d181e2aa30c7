//! A Deployment's `spec.selector` as the text that a list request takes.

use crate::members::{in_a_row, items, joined};
use serde_json::Value;

/// The selector in the API's own syntax, sorted by key. None when it selects everything.
///
/// # Errors
///
/// A text that says what can't be understood: guessing would list somebody else's objects.
pub fn text(selector: &Value) -> Result<Option<String>, String> {
    let mut parts: Vec<(String, String)> = Vec::new();
    for (key, value) in selector["matchLabels"].as_object().into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| format!("label `{key}` is no text"))?;
        parts.push((key.clone(), format!("{key}={value}")));
    }
    for expression in items(&selector["matchExpressions"]) {
        let key = expression["key"].as_str().ok_or("an expression has no key")?;
        let mut values: Vec<&str> = Vec::new();
        for value in items(&expression["values"]) {
            values.extend(value.as_str());
        }
        super::sort(&mut values, |one, other| one < other);
        let values = in_a_row(&values, ",");
        let part = match expression["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("Exists") => key.to_owned(),
            Some("DoesNotExist") => format!("!{key}"),
            other => {
                let other = other.unwrap_or("(none)");
                return Err(format!("operator `{other}` of `{key}` is unknown"));
            }
        };
        parts.push((key.to_owned(), part));
    }
    super::sort(&mut parts, |one, other| one < other);
    let text = joined(&mut parts.into_iter().map(|(_, part)| part), ",");
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_selector_is_written_as_the_api_reads_it() {
        let cases = [
            (json!({}), Ok(None)),
            (json!({"matchLabels": {"b": "2", "a": "1"}}), Ok(Some("a=1,b=2"))),
            (
                json!({"matchLabels": {"app": "web"}, "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["b", "a"]},
                    {"key": "aa", "operator": "DoesNotExist"},
                    {"key": "zone", "operator": "NotIn", "values": ["x"]},
                    {"key": "c", "operator": "Exists"},
                ]}),
                Ok(Some("!aa,app=web,c,tier in (a,b),zone notin (x)")),
            ),
            (
                json!({"matchExpressions": [{"key": "a", "operator": "Near"}]}),
                Err("operator `Near` of `a` is unknown"),
            ),
            (json!({"matchLabels": {"a": 1}}), Err("label `a` is no text")),
        ];
        for (selector, expected) in cases {
            let actual = text(&selector);
            let expected = expected.map(|text| text.map(str::to_owned)).map_err(str::to_owned);
            assert_eq!(actual, expected, "{selector}");
        }
    }
}
