//! The rules of a scope in words, for whoever decides whether a plugin may have them.
//!
//! Only words: a member that is not known here is shown as it is written, so nothing is hidden.

use crate::escape;
use serde_json::{Map, Value};

/// Each rule as a line of words. Rules under one condition stand together below it.
#[must_use]
pub fn lines(rules: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut heading: Option<String> = None;
    for rule in rules {
        let empty = Map::new();
        let rule = rule.as_object().unwrap_or(&empty);
        let condition = rule.get("when").map(condition);
        if condition.is_some() && condition != heading {
            lines.extend(condition.clone());
        }
        let indent = if condition.is_some() { "  " } else { "" };
        heading = condition;
        lines.push(escape::plain(&format!("{indent}- {}", words(rule))).into_owned());
    }
    lines
}

/// ``where `command` is `get`, `get *`:``
fn condition(when: &Value) -> String {
    let tests = when.as_object().into_iter().flatten().map(|(input, texts)| {
        let texts: Vec<String> = list(texts).iter().map(|text| format!("`{text}`")).collect();
        format!("`{input}` is {}", texts.join(" or "))
    });
    let tests: Vec<String> = tests.collect();
    escape::plain(&format!("where {}:", tests.join(" and "))).into_owned()
}

fn words(rule: &Map<String, Value>) -> String {
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let mut known = vec!["when"];
    let mut words = match (text("resource"), text("path")) {
        (Some(resource), _) => {
            known.extend(["verbs", "resource", "subresource", "namespace", "name", "fields"]);
            kubernetes(rule, resource)
        }
        (None, Some(path)) => {
            known.extend(["method", "path", "query"]);
            let query = rule.get("query").map(list).unwrap_or_default();
            let query =
                if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            format!("{} {path}{query}", text("method").unwrap_or("?"))
        }
        (None, None) => String::new(),
    };
    for (name, value) in rule.iter().filter(|(name, _)| !known.contains(&name.as_str())) {
        words.push_str(&format!(" {name}={value}"));
    }
    words
}

fn kubernetes(rule: &Map<String, Value>, resource: &str) -> String {
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let verbs = rule.get("verbs").map(list).unwrap_or_default().join(", ");
    let kind = if resource == "*" { "every kind" } else { resource };
    let sub = text("subresource").map(|sub| format!("/{sub}")).unwrap_or_default();
    let name = text("name").filter(|name| *name != "*");
    let name = name.map(|name| format!(" named {name}")).unwrap_or_default();
    let place = match text("namespace") {
        Some("*") => " in every namespace".to_owned(),
        Some(namespace) => format!(" in namespace {namespace}"),
        None => " outside of namespaces".to_owned(),
    };
    let fields = rule.get("fields").map(list).unwrap_or_default();
    let fields =
        if fields.is_empty() { String::new() } else { format!(", only {}", fields.join(", ")) };
    format!("{verbs} {kind}{sub}{name}{place}{fields}")
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_read_as_sentences_under_their_condition() {
        let rules = [
            json!({"verbs": ["get", "list"], "resource": "apps/*", "namespace": "${inputs.namespace}", "when": {"command": ["get", "get *"]}}),
            json!({"verbs": ["get"], "resource": "*", "when": {"command": ["get", "get *"]}}),
            json!({"verbs": ["patch"], "resource": "apps/deployments", "subresource": "scale", "namespace": "*", "name": "web", "fields": ["/spec", "/x"]}),
            json!({"method": "GET", "path": "/api/{id}", "query": ["a", "b"]}),
            json!({"method": "POST", "path": "/x", "later": true}),
        ];
        assert_eq!(
            lines(&rules),
            [
                "where `command` is `get` or `get *`:",
                "  - get, list apps/* in namespace ${inputs.namespace}",
                "  - get every kind outside of namespaces",
                "- patch apps/deployments/scale named web in every namespace, only /spec, /x",
                "- GET /api/{id}?a&b",
                "- POST /x later=true",
            ]
        );
    }

    #[test]
    fn a_plugin_s_words_can_not_steer_the_terminal() {
        let rules = [json!({"method": "GET\u{1b}[2J", "path": "/\n", "when": {"a\u{7}": ["b"]}})];
        assert!(lines(&rules).iter().all(|line| !line.contains(char::is_control)));
    }
}
