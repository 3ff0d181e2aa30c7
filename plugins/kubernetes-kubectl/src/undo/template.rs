//! Pod templates: when two are the same, and what is in them.
//!
//! Compared as the API server means them: an absent, a null and an empty member are one, and
//! quantities count by their value.

use crate::members::{items, joined, text};
use serde_json::{Map, Value};

/// The label by which the controller tells ReplicaSets apart; no part of what was asked for.
const HASH_LABEL: &str = "pod-template-hash";

/// Whether two pod templates mean the same, apart from the label `pod-template-hash`.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    meaning(&for_deployment(one)) == meaning(&for_deployment(other))
}

/// The template of a ReplicaSet as a Deployment has it: without the label `pod-template-hash`.
#[must_use]
pub fn for_deployment(template: &Value) -> Value {
    match template.get("metadata") {
        Some(metadata) => {
            let metadata = without(metadata, |name, value| {
                if name == "labels" {
                    Some(without(value, |name, _| (name == HASH_LABEL).then_some(Value::Null)))
                } else {
                    (name == "creationTimestamp" && value.is_null()).then_some(Value::Null)
                }
            });
            without(template, |name, _| (name == "metadata").then(|| metadata.clone()))
        }
        None => template.clone(),
    }
}

/// A copy of an object in which some members are replaced, or left out when replaced by null.
fn without(object: &Value, replaced: impl Fn(&str, &Value) -> Option<Value>) -> Value {
    let Value::Object(members) = object else { return object.clone() };
    let mut copy = Map::new();
    for (name, value) in members {
        match replaced(name, value) {
            Some(Value::Null) => (),
            Some(value) => drop(copy.insert(name.clone(), value)),
            None => drop(copy.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(copy)
}

/// The images of a template, by container; init containers after the others of the same name.
#[must_use]
pub fn images(template: &Value) -> Map<String, Value> {
    let mut images = Map::new();
    for list in ["containers", "initContainers"] {
        for container in items(&template["spec"][list]) {
            if let (Some(name), Some(image)) =
                (container["name"].as_str(), container["image"].as_str())
            {
                images.entry(name).or_insert_with(|| image.into());
            }
        }
    }
    images
}

/// Images for a log line: `web=nginx:1.22, sidecar=envoy:1`.
#[must_use]
pub fn images_in_words(template: &Value) -> String {
    let images = images(template);
    let mut pairs = images.iter().map(|(name, image)| format!("{name}={}", text(image)));
    let pairs = joined(&mut pairs, ", ");
    if pairs.is_empty() { "no images".to_owned() } else { pairs }
}

/// The value without what means nothing, quantities in one spelling.
fn meaning(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut kept = Map::new();
            for (name, value) in members {
                let value = member(name, value);
                if !is_nothing(&value) {
                    kept.insert(name.clone(), value);
                }
            }
            Value::Object(kept)
        }
        Value::Array(items) => Value::Array(items.iter().map(meaning).collect()),
        other => other.clone(),
    }
}

fn member(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("limits" | "requests", Value::Object(amounts)) => {
            let mut spelled = Map::new();
            for (name, amount) in amounts {
                spelled.insert(name.clone(), quantity(amount));
            }
            Value::Object(spelled)
        }
        ("sizeLimit" | "divisor", amount) => quantity(amount),
        _ => meaning(value),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// A quantity (`500m`, `1.5Gi`, `1e3`) in one spelling; what is none stays as it is.
fn quantity(value: &Value) -> Value {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => return other.clone(),
    };
    amount(&text).map_or_else(|| value.clone(), Value::String)
}

/// Digits without zeros at the end, and a power of ten.
fn amount(text: &str) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at_checked(end)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let (factor, mut tens) = scale(suffix)?;
    tens -= i32::try_from(fraction.len()).ok()?;
    let mut digits = format!("{whole}{fraction}").parse::<u64>().ok()?.checked_mul(factor)?;
    if digits == 0 {
        return Some("0".to_owned());
    }
    while digits % 10 == 0 {
        digits /= 10;
        tens += 1;
    }
    Some(format!("{sign}{digits}e{tens}"))
}

/// A suffix as a factor and a power of ten.
fn scale(suffix: &str) -> Option<(u64, i32)> {
    if let Some(place) = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|it| *it == suffix) {
        return Some((1 << (10 * (place + 1)), 0));
    }
    if let Some(place) =
        ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter().position(|it| *it == suffix)
    {
        return Some((1, 3 * i32::try_from(place).ok()? - 9));
    }
    let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    (-99..=99).contains(&exponent).then_some((1, exponent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn k21_templates_are_compared_by_meaning() {
        let limits = |cpu: Value, memory: Value| json!({"spec": {"containers": [{"resources": {"limits": {"cpu": cpu, "memory": memory}}}]}});
        let cases = [
            ("equal", json!({"a": 1}), json!({"a": 1}), true),
            ("order of members", json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), true),
            ("absent, null, empty", json!({"a": null, "b": {}, "c": []}), json!({}), true),
            ("nested emptiness", json!({"a": {"b": {"c": null}}}), json!({}), true),
            (
                "the hash label",
                json!({"metadata": {"labels": {"pod-template-hash": "x"}}}),
                json!({}),
                true,
            ),
            ("another label", json!({"metadata": {"labels": {"a": "x"}}}), json!({}), false),
            ("order of items", json!({"a": [1, 2]}), json!({"a": [2, 1]}), false),
            ("an unknown member", json!({"spec": {"newer": 1}}), json!({"spec": {}}), false),
            ("false is not absent", json!({"a": false}), json!({}), false),
            (
                "quantities",
                limits(json!("1000m"), json!("1Gi")),
                limits(json!(1), json!("1024Mi")),
                true,
            ),
            (
                "more quantities",
                limits(json!("0.5"), json!("1e3")),
                limits(json!("500m"), json!("1k")),
                true,
            ),
            (
                "other quantities",
                limits(json!("1"), json!("1G")),
                limits(json!("1"), json!("1Gi")),
                false,
            ),
            ("no quantities", limits(json!("x"), json!("")), limits(json!("y"), json!("")), false),
            ("zero", limits(json!(0), json!("0Gi")), limits(json!("0m"), json!("-0")), true),
            (
                "large ones",
                limits(json!("7Ei"), json!("1E")),
                limits(json!("8Ei"), json!("1000P")),
                false,
            ),
            (
                "negative ones",
                limits(json!("-1k"), json!("+5")),
                limits(json!("-1000"), json!("5.0")),
                true,
            ),
        ];
        for (name, one, other, expected) in cases {
            assert_eq!(same(&one, &other), expected, "{name}");
        }
    }

    #[test]
    fn images_are_listed_by_container() {
        let template = json!({"spec": {
            "containers": [{"name": "web", "image": "nginx:1"}, {"name": "odd"}],
            "initContainers": [{"name": "init", "image": "busybox"}, {"name": "web", "image": "x"}],
        }});
        assert_eq!(images_in_words(&template), "init=busybox, web=nginx:1");
        assert_eq!(images_in_words(&json!({})), "no images");
    }
}
