//! Rules of an HTTP API: method, path template, names of query parameters.

use super::{Binding, denied};
use crate::CallError;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    method: String,
    path: Vec<Segment>,
    /// Names of query parameters, decoded.
    query: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this text.
    Literal(String),
    /// `{name}`: any one segment.
    One(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    path: String,
    #[serde(default)]
    query: Vec<String>,
}

impl Rule {
    pub(super) fn read(rule: &Value, binding: Binding<'_>) -> Result<Self, String> {
        let written = Written::deserialize(rule).map_err(|error| error.to_string())?;
        let method = binding.fill(&written.method)?;
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(format!("`{}` is not a method", method.escape_debug()));
        }
        let path = match whole_input(&written.path) {
            Some(_) => given_path(&binding.fill(&written.path)?)?,
            None => after_slash(&written.path)?
                .split('/')
                .map(|segment| Segment::read(segment, binding))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { method, path, query: query_names(written.query, binding)? })
    }

    /// Whether everything that `other` allows is allowed by this rule.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.method == other.method
            && self.path.len() == other.path.len()
            && self.path.iter().zip(&other.path).all(|(a, b)| match (a, b) {
                (Segment::One(_), _) => true,
                (Segment::Literal(a), Segment::Literal(b)) => a == b,
                (Segment::Literal(_), Segment::One(_)) => false,
            })
            && other.query.is_subset(&self.query)
    }

    pub(super) fn to_json(&self) -> Value {
        let path: String = self
            .path
            .iter()
            .map(|segment| match segment {
                Segment::Literal(text) => format!("/{text}"),
                Segment::One(name) => format!("/{{{name}}}"),
            })
            .collect();
        let mut rule = json!({ "method": self.method, "path": path });
        if !self.query.is_empty() {
            rule["query"] = json!(self.query);
        }
        rule
    }

    fn matches(&self, method: &str, path: &str, query: &[String]) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut segments = path.split('/');
        let same = self.path.iter().all(|expected| match (expected, segments.next()) {
            (Segment::Literal(text), Some(found)) => text == found,
            (Segment::One(_), Some(found)) => !found.is_empty(),
            (_, None) => false,
        });
        self.method == method
            && same
            && segments.next().is_none()
            && query.iter().all(|key| self.query.contains(key))
    }
}

impl Segment {
    fn read(segment: &str, binding: Binding<'_>) -> Result<Self, String> {
        if let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            return Ok(Self::One(name.to_owned()));
        }
        let filled = binding.fill(segment)?;
        let plain = !filled.is_empty()
            && filled != "."
            && filled != ".."
            && filled.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
        if plain {
            Ok(Self::Literal(filled))
        } else {
            Err(format!("`{}` can't be a segment of a path", filled.escape_debug()))
        }
    }
}

fn after_slash(path: &str) -> Result<&str, String> {
    let shown = || format!("the path `{}` must start with `/`", path.escape_debug());
    path.strip_prefix('/').ok_or_else(shown)
}

/// The pointer of the input that `text` stands for as a whole: `${inputs.NAME}` and nothing else.
fn whole_input(text: &str) -> Option<String> {
    let name = text.strip_prefix("${inputs.")?.strip_suffix('}')?;
    let plain = !name.is_empty() && !name.contains(['$', '{', '}', '/', '~']);
    plain.then(|| name.split('.').map(|part| format!("/{part}")).collect())
}

/// A path that is wholly an input: exactly these segments, none of which stands for another.
fn given_path(path: &str) -> Result<Vec<Segment>, String> {
    let segments = after_slash(path)?.split('/').map(|segment| {
        let plain = !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~%:@!$&'()*+,=".contains(&b));
        if plain {
            Ok(Segment::Literal(segment.to_owned()))
        } else {
            Err(format!("`{}` can't be a segment of a path", segment.escape_debug()))
        }
    });
    segments.collect()
}

/// The names of query parameters; `${inputs.NAME}` stands for the names of that input's members.
fn query_names(written: Vec<String>, binding: Binding<'_>) -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for name in written {
        let Some(pointer) = whole_input(&name) else {
            names.insert(name);
            continue;
        };
        match binding.0.pointer(&pointer) {
            Some(Value::Object(members)) => names.extend(members.keys().cloned()),
            None | Some(Value::Null) => {}
            Some(_) => return Err(format!("the input behind `{name}` is no mapping of a query")),
        }
    }
    Ok(names)
}

/// Decides about one request. `path_and_query` is exactly what is going to be sent.
pub fn check(rules: &[Rule], method: &str, path_and_query: &str) -> Result<(), CallError> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let keys = query_keys(query)?;
    if rules.iter().any(|rule| rule.matches(method, path, &keys)) {
        return Ok(());
    }
    let mut missing = json!({ "method": method, "path": path });
    if !keys.is_empty() {
        missing["query"] = json!(keys);
    }
    Err(denied("http.denied", &format!("{method} {path}"), &missing))
}

/// The decoded names in a query. One that comes twice is refused: servers disagree about which
/// of the two counts.
fn query_keys(query: &str) -> Result<Vec<String>, CallError> {
    let mut keys: Vec<String> = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split_once('=').map_or(pair, |(key, _)| key).replace('+', " ");
        let key = percent_decode_str(&key).decode_utf8_lossy().into_owned();
        if keys.contains(&key) {
            return Err(CallError::invalid(
                "http.duplicate-query",
                format!("the query parameter `{}` comes twice", key.escape_debug()),
            ));
        }
        keys.push(key);
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    fn rules(rules: Value, inputs: Value) -> Result<Vec<Rule>, String> {
        let rules = rules.as_array().cloned().unwrap();
        match Scope::http(&rules, Binding(&inputs)) {
            Ok(Scope::Http(rules)) => Ok(rules),
            Ok(Scope::Kubernetes(_)) => unreachable!("asked for http"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_rule_may_be_the_request_that_the_inputs_describe() {
        let asked = json!([{"method": "${inputs.method}", "path": "${inputs.path}", "query": ["${inputs.query}", "page"]}]);
        let inputs =
            json!({"method": "PUT", "path": "/v1/a%20b/c:d", "query": {"x y": 1, "z": "2"}});
        let held = rules(asked.clone(), inputs).unwrap();
        let cases = [
            ("PUT", "/v1/a%20b/c:d", true),
            ("PUT", "/v1/a%20b/c:d?x%20y=1&z=2&page=3", true),
            ("PUT", "/v1/a%20b/c:d?w=1", false),
            ("GET", "/v1/a%20b/c:d", false),
            ("PUT", "/v1/a%20b", false),
            ("PUT", "/v1/a%20b/c:d/e", false),
        ];
        for (method, path, expected) in cases {
            assert_eq!(check(&held, method, path).is_ok(), expected, "{method} {path}");
        }
        for path in [
            "",
            "v1",
            "https://evil/",
            "//evil",
            "/a//b",
            "/a/../b",
            "/.",
            "/{x}",
            "/a?b=c",
            "/a#b",
            "/a\\b",
            "/ä",
        ] {
            let inputs = json!({"method": "GET", "path": path});
            assert!(rules(asked.clone(), inputs).is_err(), "{path}");
        }
        for inputs in [
            json!({"method": "get", "path": "/a"}),
            json!({"path": "/a"}),
            json!({"method": "GET", "path": ["/a"]}),
            json!({"method": "GET", "path": "/a", "query": "x"}),
        ] {
            assert!(rules(asked.clone(), inputs.clone()).is_err(), "{inputs}");
        }
        let none = rules(asked, json!({"method": "GET", "path": "/a", "query": null})).unwrap();
        assert!(check(&none, "GET", "/a?page=1").is_ok() && check(&none, "GET", "/a?x=1").is_err());
        let partly = json!([{"method": "GET", "path": "/v1/${inputs.path}"}]);
        assert!(rules(partly, json!({"path": "/a/b"})).is_err(), "part of a path is one segment");
    }

    #[test]
    fn what_a_rule_allows() {
        let rules = rules(
            json!([
                {"method": "GET", "path": "/api/v2/incidents", "query": ["page[size]", "page[offset]"]},
                {"method": "POST", "path": "/api/v2/incidents/{id}/timeline"},
                {"method": "GET", "path": "/orgs/${inputs.org}/x"},
            ]),
            json!({"org": "acme"}),
        )
        .unwrap();
        let cases = [
            ("GET", "/api/v2/incidents", true),
            ("GET", "/api/v2/incidents?page[size]=100&page%5Boffset%5D=0", true),
            ("GET", "/api/v2/incidents?filter=x", false),
            ("GET", "/api/v2/incidents?page[size]=1&page%5Bsize%5D=2", false),
            ("POST", "/api/v2/incidents", false),
            ("GET", "/api/v2/incidents/", false),
            ("GET", "/api/v2/incidents/abc", false),
            ("POST", "/api/v2/incidents/abc/timeline", true),
            ("POST", "/api/v2/incidents//timeline", false),
            ("POST", "/api/v2/incidents/a/b/timeline", false),
            ("POST", "/api/v2/incidents/abc/timeline?x=1", false),
            ("GET", "/orgs/acme/x", true),
            ("GET", "/orgs/other/x", false),
            ("GET", "", false),
        ];
        for (method, path, expected) in cases {
            assert_eq!(check(&rules, method, path).is_ok(), expected, "{method} {path}");
        }
    }

    #[test]
    fn an_input_can_never_widen_a_rule() {
        for input in ["*", "{any}", "a/b", "..", "", "a?b", "a%2fb"] {
            let read =
                rules(json!([{"method": "GET", "path": "/x/${inputs.i}"}]), json!({"i": input}));
            assert!(read.is_err(), "{input:?} became {read:?}");
        }
        assert!(rules(json!([{"method": "GET", "path": "/x/${inputs.i}"}]), json!({})).is_err());
    }

    #[test]
    fn a_refusal_names_the_rule_that_is_missing() {
        let error = check(&[], "DELETE", "/api/v2/incidents/x?force=1").unwrap_err();

        assert_eq!(error.code, "http.denied");
        let rule = r#"{"method":"DELETE","path":"/api/v2/incidents/x","query":["force"]}"#;
        assert!(error.message.contains(rule), "{}", error.message);
    }

    #[test]
    fn restrict_only_takes_away() {
        let held = Scope::http(
            &[json!({"method": "GET", "path": "/a/{id}", "query": ["p", "q"]})],
            Binding(&json!({})),
        )
        .unwrap();
        let cases = [
            (json!({"method": "GET", "path": "/a/1", "query": ["p"]}), None),
            (json!({"method": "GET", "path": "/a/{x}"}), None),
            (json!({"method": "PUT", "path": "/a/1"}), Some("scope.wider")),
            (json!({"method": "GET", "path": "/{x}/1"}), Some("scope.wider")),
            (json!({"method": "GET", "path": "/a/1", "query": ["r"]}), Some("scope.wider")),
            (json!({"method": "GET"}), Some("scope.invalid")),
            (json!({"method": "GET", "path": "/a/1", "extra": 1}), Some("scope.invalid")),
        ];
        for (rule, expected) in cases {
            let code = held.restrict(std::slice::from_ref(&rule)).err().map(|error| error.code);
            assert_eq!(code.as_deref(), expected, "{rule}");
        }
        assert_eq!(held.restrict(&[]).unwrap(), Scope::Http(vec![]));
    }
}
