//! What a manifest says of writes whose answer was lost, and whether a host could follow it.
//!
//! A mistake here would show after a crash and at no other time, so each entry is held against the
//! rules of its connection while the plugin is packed.

use super::{ConnectionToml, unknown};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One kind of write.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyToml {
    method: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    look: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    #[serde(default)]
    recognised: bool,
}

/// The methods of writes.
const WRITES: &[&str] = &["POST", "PUT", "PATCH", "DELETE"];
/// What a text may stand for besides inputs, where the host knows it.
const KNOWN_TO_THE_HOST: &[&str] = &["step.key", "step.name", "run.id"];

impl VerifyToml {
    /// Whether a host can follow it for a connection that is asked for so.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn check(&self, need: &ConnectionToml, inputs: &Value) -> Result<(), String> {
        if need.kind == "kubernetes" {
            return Err("a cluster needs none: the host finds out by itself".to_owned());
        }
        let method = self.method.as_str();
        if !WRITES.contains(&method) {
            return Err(format!("`{method}` writes nothing; there are {}", WRITES.join(", ")));
        }
        check_names(&self.path, inputs, &[])?;
        if !need.allow.iter().any(|rule| allows(rule, method, &self.path)) {
            return Err(format!("no rule allows {method} `{}`", self.path));
        }
        match (self.recognised, &self.look, &self.contains) {
            (true, None, None) => Ok(()),
            (false, Some(look), Some(contains)) => {
                check_look(look, need, inputs)?;
                check_names(contains, inputs, KNOWN_TO_THE_HOST)?;
                if contains.trim().is_empty() {
                    return Err("`contains` is empty, and would be in every answer".to_owned());
                }
                Ok(())
            }
            _ => {
                Err("say exactly one of `recognised = true` and `look` with `contains`".to_owned())
            }
        }
    }
}

fn check_look(look: &str, need: &ConnectionToml, inputs: &Value) -> Result<(), String> {
    check_names(look, inputs, &[])?;
    if !look.starts_with('/') || look.contains('#') || !look.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("`{look}` is not the path and query of a request"));
    }
    let (path, query) = look.split_once('?').unwrap_or((look, ""));
    if let Some(open) = path.split('/').find(|segment| segment.starts_with('{')) {
        return Err(format!("the host can't know what `{open}` in `look` is"));
    }
    let allowed = |rule: &Map<String, Value>| allows(rule, "GET", path) && asks(rule, query);
    if need.allow.iter().any(allowed) {
        Ok(())
    } else {
        Err(format!("no rule allows GET `{look}`, so nobody could look there"))
    }
}

fn check_names(text: &str, inputs: &Value, others: &[&str]) -> Result<(), String> {
    match unknown(text, inputs, others) {
        None => Ok(()),
        Some(name) if others.is_empty() => Err(format!("`${{{name}}}` is no input")),
        Some(name) => {
            let others = others.join("}`, `${");
            Err(format!("`${{{name}}}` is no input, and none of `${{{others}}}`"))
        }
    }
}

/// Whether a rule may be for requests of this method and path, as far as its text tells.
fn allows(rule: &Map<String, Value>, method: &str, path: &str) -> bool {
    let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
    let of_rule = text("method");
    (of_rule == method || of_rule == "*" || of_rule.starts_with("${")) && covers(text("path"), path)
}

fn covers(pattern: &str, path: &str) -> bool {
    if pattern.starts_with("${") {
        // The whole path is an input.
        return true;
    }
    let (start, open) = match pattern.strip_suffix("/**") {
        Some(start) => (start, true),
        None => (pattern, false),
    };
    let mut segments = path.split('/');
    let same = start.split('/').all(|expected| {
        segments.next().is_some_and(|found| found == expected || expected.starts_with('{'))
    });
    same && (open || segments.next().is_none())
}

/// Whether a rule may be for all names of a query.
fn asks(rule: &Map<String, Value>, query: &str) -> bool {
    let allowed: Vec<&str> = rule
        .get("query")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut names = query
        .split('&')
        .map(|pair| pair.split('=').next().unwrap_or_default())
        .filter(|name| !name.is_empty());
    names.all(|name| {
        allowed
            .iter()
            .any(|allowed| *allowed == name || *allowed == "*" || allowed.starts_with("${"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn need(allow: Value, verify: Value) -> ConnectionToml {
        serde_json::from_value(json!({
            "type": "http", "from": ["/connection"], "reason": "r", "allow": allow,
            "verify": [verify],
        }))
        .expect("a connection")
    }

    /// What is wrong with an entry, beside rules for a list of notes and for each of them.
    fn check(verify: Value) -> Result<(), String> {
        let allow = json!([
            {"method": "POST", "path": "/things/${inputs.thing}/notes"},
            {"method": "GET", "path": "/things/{thing}/notes", "query": ["page[size]"]},
            {"method": "PATCH", "path": "/notes/{note}"},
        ]);
        let need = need(allow, verify);
        let inputs = json!({"properties": {"thing": {}, "connection": {}}});
        need.verify.iter().try_for_each(|verify| verify.check(&need, &inputs))
    }

    #[test]
    fn a_write_is_looked_for_or_recognised() {
        let path = "/things/${inputs.thing}/notes";
        for good in [
            json!({"method": "POST", "path": path, "recognised": true}),
            json!({"method": "POST", "path": path, "look": path, "contains": "${step.key}"}),
            json!({"method": "POST", "path": path, "look": format!("{path}?page[size]=100"),
                "contains": "${run.id}/${step.name} of ${inputs.thing}", "recognised": false}),
            json!({"method": "PATCH", "path": "/notes/{note}", "recognised": true}),
        ] {
            assert_eq!(check(good.clone()), Ok(()), "{good}");
        }
    }

    #[test]
    fn what_no_host_could_follow_is_refused_by_name() {
        let path = "/things/${inputs.thing}/notes";
        let post = |rest: Value| {
            let mut verify = json!({"method": "POST", "path": path});
            for (name, value) in rest.as_object().expect("a mapping") {
                verify[name] = value.clone();
            }
            verify
        };
        let cases = [
            (post(json!({})), "say exactly one of"),
            (post(json!({"look": path})), "say exactly one of"),
            (post(json!({"contains": "x"})), "say exactly one of"),
            (post(json!({"recognised": true, "look": path, "contains": "x"})), "exactly one of"),
            (post(json!({"recognised": true, "contains": "x"})), "exactly one of"),
            (post(json!({"method": "GET", "recognised": true})), "`GET` writes nothing"),
            (post(json!({"method": "PUT", "recognised": true})), "no rule allows PUT"),
            (post(json!({"path": "/notes", "recognised": true})), "no rule allows POST `/notes`"),
            (
                post(json!({"path": "/things/${inputs.thin}/notes", "recognised": true})),
                "`${inputs.thin}` is no input",
            ),
            (post(json!({"look": "/x/${inputs.y}", "contains": "x"})), "`${inputs.y}` is no input"),
            (post(json!({"look": "/x/${step.key}", "contains": "x"})), "`${step.key}` is no input"),
            (post(json!({"look": path, "contains": "${step.kye}"})), "none of `${step.key}`"),
            (post(json!({"look": path, "contains": "${inputs.x}"})), "`${inputs.x}` is no input"),
            (post(json!({"look": path, "contains": " "})), "`contains` is empty"),
            (post(json!({"look": "things", "contains": "x"})), "not the path and query"),
            (post(json!({"look": "/a b", "contains": "x"})), "not the path and query"),
            (post(json!({"look": "/a#b", "contains": "x"})), "not the path and query"),
            (post(json!({"look": "/things/{id}/notes", "contains": "x"})), "what `{id}` in `look`"),
            (post(json!({"look": "/notes/7", "contains": "x"})), "no rule allows GET `/notes/7`"),
            (
                post(json!({"look": format!("{path}?q=1"), "contains": "x"})),
                "so nobody could look there",
            ),
        ];
        for (verify, expected) in cases {
            let problem = check(verify.clone()).expect_err(expected);
            assert!(problem.contains(expected), "{verify}: {problem}");
        }
    }

    #[test]
    fn a_cluster_is_not_looked_into_so() {
        let mut need =
            need(json!([{}]), json!({"method": "PUT", "path": "/x", "recognised": true}));
        need.kind = "kubernetes".to_owned();
        let problem = need.verify[0].check(&need, &json!({})).expect_err("refused");
        assert!(problem.contains("a cluster needs none"), "{problem}");
    }

    #[test]
    fn a_rule_covers_what_its_text_may_mean() {
        let cases = [
            ("/a/b", "/a/b", true),
            ("/a/{x}", "/a/b", true),
            ("/a/{x}", "/a/${inputs.b}", true),
            ("/a/**", "/a/b/c", true),
            ("/**", "/a", true),
            ("${inputs.path}", "/a/b", true),
            ("/a/b", "/a", false),
            ("/a", "/a/b", false),
            ("/a/${inputs.b}", "/a/c", false),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(covers(pattern, path), expected, "{pattern} {path}");
        }
    }
}
