//! Rules that hold only for some inputs: one component may serve many commands, and each should
//! get no more than its own rules.
//!
//! A condition can only take a rule away. It is read at binding and nowhere else: `restrict`
//! refuses it, since a handle has no inputs.

use super::Binding;
use serde_json::Value;
use std::borrow::Cow;

/// The member of a rule that holds its condition.
const WHEN: &str = "when";

/// The rule without its condition; none when the condition does not hold for these inputs.
///
/// `when` is an object from an input's dotted path to a list of texts. Each input must be equal to
/// one of its texts; a `*` at a text's end stands for any rest. Numbers and truth values count as
/// their text, blanks around a text do not count, and an input that is not given equals nothing.
pub(super) fn split<'a>(
    rule: &'a Value,
    binding: Binding<'_>,
) -> Result<Option<Cow<'a, Value>>, String> {
    let Some(when) = rule.get(WHEN) else { return Ok(Some(Cow::Borrowed(rule))) };
    let conditions = when
        .as_object()
        .filter(|conditions| !conditions.is_empty())
        .ok_or("`when` is no object from inputs to lists of texts")?;
    let mut holds = true;
    // All are read, so that a mistake is found whatever the inputs are.
    for (path, texts) in conditions {
        holds &= one_of(path, texts, binding)?;
    }
    let mut rule = rule.clone();
    if let Some(members) = rule.as_object_mut() {
        members.remove(WHEN);
    }
    Ok(holds.then_some(Cow::Owned(rule)))
}

fn one_of(path: &str, texts: &Value, binding: Binding<'_>) -> Result<bool, String> {
    let wrong = || format!("`when` gives no list of texts for `{}`", path.escape_debug());
    if path.is_empty() || path.split('.').any(str::is_empty) {
        return Err(format!("`when` names no input: `{}`", path.escape_debug()));
    }
    let texts = texts.as_array().filter(|texts| !texts.is_empty()).ok_or_else(wrong)?;
    let texts: Vec<&str> =
        texts.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?;
    let found = match binding.at(path) {
        // Not known yet: it may hold.
        None => return Ok(true),
        Some(Some(Value::String(text))) => text.trim().to_owned(),
        Some(Some(value @ (Value::Number(_) | Value::Bool(_)))) => value.to_string(),
        Some(_) => return Ok(false),
    };
    Ok(texts.iter().any(|text| match text.strip_suffix('*') {
        Some(start) => found.starts_with(start),
        None => found == *text,
    }))
}

#[cfg(test)]
mod tests {
    use crate::Scope;
    use crate::scope::Binding;
    use serde_json::{Value, json};

    fn rule(when: Value) -> Value {
        json!({"verbs": ["get"], "resource": "pods", "namespace": "web", "when": when})
    }

    fn bound(rules: &[Value], inputs: &Value) -> Result<Scope, String> {
        Scope::kubernetes(rules, Binding::all(inputs)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_rule_is_left_out_when_its_condition_does_not_hold() {
        let inputs =
            json!({"command": " get pods\n", "args": ["undo", 7], "wait": true, "odd": {}});
        let cases = [
            (json!({"command": ["get", "get *"]}), true),
            (json!({"command": ["get"]}), false),
            (json!({"command": ["*"]}), true),
            (json!({"command": ["g*t pods"]}), false),
            (json!({"args.0": ["undo"]}), true),
            (json!({"args.1": ["7"]}), true),
            (json!({"args.2": ["*"]}), false),
            (json!({"args": ["*"]}), false),
            (json!({"wait": ["true"]}), true),
            (json!({"wait": ["false"]}), false),
            (json!({"odd": ["*"]}), false),
            (json!({"unknown": ["*"]}), false),
            (json!({"command": ["get*"], "wait": ["true"]}), true),
            (json!({"command": ["get*"], "wait": ["false"]}), false),
        ];
        for (when, expected) in cases {
            let scope = bound(&[rule(when.clone())], &inputs).expect("a scope");
            let rules = scope.to_json().as_array().map(Vec::len);
            assert_eq!(rules, Some(usize::from(expected)), "{when}");
        }
    }

    #[test]
    fn a_condition_of_the_wrong_shape_is_refused_whatever_the_inputs_are() {
        let cases = [
            json!(null),
            json!("get"),
            json!([]),
            json!({}),
            json!({"command": "get"}),
            json!({"command": []}),
            json!({"command": ["get", 1]}),
            json!({"command": ["other"], "wait": true}),
            json!({"": ["get"]}),
            json!({"a..b": ["get"]}),
        ];
        for when in cases {
            let refused = bound(&[rule(when.clone())], &json!({"command": "get"}));
            assert!(refused.as_ref().is_err_and(|why| why.contains("rule 1: `when`")), "{when}");
        }
        let broken = json!({"verbs": ["fly"], "resource": "pods", "when": {"command": ["get"]}});
        assert!(bound(&[broken], &json!({"command": "get"})).is_err());
    }

    #[test]
    fn a_condition_never_allows_more_than_the_rule_without_it() {
        let inputs = json!({"command": "get"});
        let bare = json!({"verbs": ["get"], "resource": "pods", "namespace": "web"});
        let without = bound(&[bare], &inputs).expect("a scope");
        for when in [json!({"command": ["get"]}), json!({"command": ["*"]}), json!({"x": ["y"]})] {
            let scope = bound(&[rule(when.clone())], &inputs).expect("a scope");
            let rules = scope.to_json();
            assert!(without.restrict(rules.as_array().expect("rules")).is_ok(), "{when}");
        }
    }

    #[test]
    fn an_http_rule_may_have_a_condition_too() {
        let rule = json!({"method": "GET", "path": "/x", "when": {"command": ["get"]}});
        for (command, expected) in [("get", 1), ("put", 0)] {
            let inputs = json!({"command": command});
            let scope =
                Scope::http(std::slice::from_ref(&rule), Binding::all(&inputs)).expect("a scope");
            assert_eq!(scope.to_json().as_array().map(Vec::len), Some(expected), "{command}");
        }
    }

    #[test]
    fn a_handle_is_not_restricted_by_conditions() {
        let held = bound(&[rule(json!({"command": ["get"]}))], &json!({"command": "get"}));
        let refused = held.expect("a scope").restrict(&[rule(json!({"command": ["get"]}))]);
        let error = refused.expect_err("no inputs there");
        assert_eq!(error.code, "scope.invalid", "{error:?}");
    }
}
