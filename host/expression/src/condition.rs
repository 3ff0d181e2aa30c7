//! `when`: whether a step may start, must be skipped, or has to wait.
//!
//! Only booleans decide; there is no conversion. One `false` settles the matter, even while
//! other conditions are not known yet.

use crate::references::References;
use crate::scope::Scope;
use crate::{EvaluateError, Expression, evaluate};
use jiff::Timestamp;
use serde_json::Value;

/// What a `when` came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The step may start.
    Satisfied,
    /// The step is skipped.
    NotSatisfied,
    /// Not known before these are.
    Waiting(References),
    /// The condition itself is a mistake; why, in words.
    Wrong(String),
}

/// Evaluates a `when`.
///
/// Absent (a literal null) and the empty list are satisfied. A list needs all of its items true;
/// its first false item decides, unless a mistake stands before it.
#[must_use]
pub fn decide(when: &Expression, scope: &Scope) -> Condition {
    if matches!(when, Expression::Literal(Value::Null)) {
        return Condition::Satisfied;
    }
    let evaluated = match evaluate(when, scope) {
        Ok(evaluated) => evaluated,
        Err(error) => return Condition::Wrong(error.to_string()),
    };
    let single;
    let items = match &evaluated.rest {
        Expression::Literal(Value::Array(items)) => {
            single = items.iter().map(Some).collect();
            single
        }
        Expression::List(items) => items.iter().map(Expression::as_literal).collect(),
        Expression::Literal(value) => vec![Some(value)],
        _ => vec![None],
    };
    for item in items {
        match item {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => return Condition::NotSatisfied,
            Some(other) if evaluated.unresolved.is_empty() => return wrong_type(other),
            _ => {}
        }
    }
    if evaluated.unresolved.is_empty() {
        Condition::Satisfied
    } else {
        Condition::Waiting(evaluated.unresolved)
    }
}

fn wrong_type(value: &Value) -> Condition {
    let kind = crate::datum::json_type_name(value);
    Condition::Wrong(format!(
        "unexpected condition type {kind}, a condition must come to true or false; \
         compare with `==` or `!Fn.equals` to get one"
    ))
}

/// The conditions that a step really has: those it wrote, then `${steps.'X'.succeeded}` for each
/// step X that it depends on. A condition that asks for a status of X itself replaces X's.
///
/// What asks is found by evaluating `when` with nothing known, so a mention that a constant
/// hides (`${true || steps.x.failed}`) does not count, and neither does one in a condition that
/// is a mistake.
#[must_use]
pub fn effective(when: &Value, depends_on: &[String]) -> Vec<Value> {
    let mut conditions = match when {
        Value::Null => Vec::new(),
        Value::Array(items) => items.clone(),
        single => vec![single.clone()],
    };
    let asked = match statuses_asked_for(when) {
        Ok(references) => references.statuses,
        Err(_) => Default::default(),
    };
    let mut named: Vec<&str> = Vec::new();
    for step in depends_on {
        let is_asked = asked.iter().any(|(asked, _)| asked == step);
        if !is_asked && !named.contains(&step.as_str()) {
            named.push(step);
            conditions.push(Value::String(succeeded(step)));
        }
    }
    conditions
}

fn statuses_asked_for(when: &Value) -> Result<References, EvaluateError> {
    let scope = Scope { now: Some(Timestamp::UNIX_EPOCH), ..Scope::default() };
    evaluate(&Expression::from_tree(when), &scope).map(|evaluated| evaluated.unresolved)
}

fn succeeded(step: &str) -> String {
    let quoted: String = step
        .chars()
        .map(|c| match c {
            '\'' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("${{steps.'{quoted}'.succeeded}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StepFacts;
    use serde_json::json;

    fn scope() -> Scope {
        let failed = StepFacts { failed: Some(true), skipped: Some(false), succeeded: Some(false) };
        Scope {
            parameters: [("yes".to_owned(), json!(true)), ("text".to_owned(), json!("true"))]
                .into(),
            steps: [("deploy".to_owned(), failed)].into(),
            ..Scope::default()
        }
    }

    #[test]
    fn conditions() {
        let wrong = |kind: &str| {
            Condition::Wrong(format!(
                "unexpected condition type {kind}, a condition must come to true or false; \
                 compare with `==` or `!Fn.equals` to get one"
            ))
        };
        let cases = [
            (json!(null), Condition::Satisfied),
            (json!([]), Condition::Satisfied),
            (json!("${parameters.yes}"), Condition::Satisfied),
            (json!(["${parameters.yes}", false]), Condition::NotSatisfied),
            (json!(["${parameters.no}", false]), Condition::NotSatisfied),
            (json!([false, "text"]), Condition::NotSatisfied),
            (json!(["text", false]), wrong("string")),
            (json!("${parameters.text}"), wrong("string")),
            (json!("${null}"), wrong("<nil>")),
            (json!([null]), wrong("<nil>")),
            (json!([[true]]), wrong("[]interface {}")),
            (json!({"a": true}), wrong("map[string]interface {}")),
            (json!("${steps.deploy.failed}"), Condition::Satisfied),
            (json!("${steps.deploy.succeeded}"), Condition::NotSatisfied),
            (
                json!("${nope}"),
                Condition::Wrong(
                    "evaluating template \"${\": path \"nope\": unknown key nope".into(),
                ),
            ),
        ];
        for (when, expected) in cases {
            assert_eq!(decide(&Expression::from_tree(&when), &scope()), expected, "{when}");
        }
    }

    #[test]
    fn a_condition_waits_for_what_is_not_known() {
        for when in [json!("${parameters.no}"), json!(["${parameters.no}", "text"])] {
            let Condition::Waiting(references) = decide(&Expression::from_tree(&when), &scope())
            else {
                panic!("{when} does not wait");
            };
            assert_eq!(references.to_json(), json!({"parameters": [{"name": "no"}]}));
        }
    }

    #[test]
    fn a_dependency_is_a_condition_unless_the_author_asks_for_its_status() {
        let cases = [
            (
                json!(null),
                &["a", "b", "a"][..],
                json!(["${steps.'a'.succeeded}", "${steps.'b'.succeeded}"]),
            ),
            (
                json!("${steps.a.failed}"),
                &["a", "b"],
                json!(["${steps.a.failed}", "${steps.'b'.succeeded}"]),
            ),
            (
                json!(["${parameters.x}"]),
                &["a"],
                json!(["${parameters.x}", "${steps.'a'.succeeded}"]),
            ),
            (json!("${now() != steps.a.failed}"), &["a"], json!(["${now() != steps.a.failed}"])),
            (json!(null), &["it's\\"], json!(["${steps.'it\\'s\\\\'.succeeded}"])),
        ];
        for (when, depends_on, expected) in cases {
            let depends_on: Vec<String> = depends_on.iter().map(|&step| step.to_owned()).collect();
            assert_eq!(json!(effective(&when, &depends_on)), expected, "{when} {depends_on:?}");
        }
    }

    #[test]
    fn the_condition_of_a_dependency_finds_the_step_whatever_its_name() {
        for name in ["it's", "a\\b", "x y", "größe", "a}b", "line\nbreak"] {
            let condition = Expression::from_tree(&effective(&Value::Null, &[name.to_owned()])[0]);
            let found = condition.references().statuses;
            assert_eq!(found.into_iter().next(), Some((name.to_owned(), "succeeded".to_owned())));
        }
    }
}
