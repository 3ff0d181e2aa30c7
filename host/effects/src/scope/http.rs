//! Rules of an HTTP API: method, path template, names of query parameters.

use super::{Binding, Filled, denied, number};
use crate::CallError;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    method: Method,
    path: Vec<Segment>,
    /// Whether anything may follow; as written.
    rest: Option<String>,
    query: Query,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Method {
    /// `*`
    Any,
    /// This one.
    One(String),
    /// One that an input will choose; as written.
    Input(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Exactly this text; empty behind a slash at the end of a path, and only there.
    Literal(String),
    /// `{name}`: any one segment that is not empty.
    One(String),
    /// One that an input will choose; as written.
    Input(String),
}

/// Names of query parameters, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Query {
    /// `["*"]`
    Any,
    Names(BTreeSet<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    path: String,
    #[serde(default)]
    query: Vec<String>,
}

/// Ends a path after which anything may follow.
const REST: &str = "/**";

impl Rule {
    pub(super) fn read(rule: &Value, binding: Binding<'_>) -> Result<Self, String> {
        let written = Written::deserialize(rule).map_err(|error| error.to_string())?;
        let method = Method::read(&written.method, binding)?;
        let query = Query::read(written.query, binding)?;
        if whole_input(&written.path).is_some() {
            return Ok(match binding.fill(&written.path)? {
                Filled::Known(path) => Self { method, path: given_path(&path)?, rest: None, query },
                Filled::Unknown(text) => Self { method, path: Vec::new(), rest: Some(text), query },
            });
        }
        let (path, rest) = match written.path.strip_suffix(REST) {
            Some(path) => (path, Some(REST.to_owned())),
            None => (written.path.as_str(), None),
        };
        let path = match (path, &rest) {
            ("", Some(_)) => Vec::new(),
            // A slash at its end is part of the path, but not where more may follow.
            (_, None) => segments(path, |segment| Segment::read(segment, binding))?,
            (_, Some(_)) => after_slash(path)?
                .split('/')
                .map(|segment| Segment::read(segment, binding))
                .collect::<Result<_, _>>()?,
        };
        Ok(Self { method, path, rest, query })
    }

    /// Whether everything that `other` allows is allowed by this rule.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let length = if self.rest.is_some() {
            self.path.len() <= other.path.len()
        } else {
            other.rest.is_none() && self.path.len() == other.path.len()
        };
        length
            && self.method.covers(&other.method)
            && self.path.iter().zip(&other.path).all(|(a, b)| a.covers(b))
            && self.query.covers(&other.query)
    }

    /// What both rules allow.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let length = self.path.len().max(other.path.len());
        let path = (0..length).map(|at| match (self.path.get(at), other.path.get(at)) {
            (Some(a), Some(b)) => a.meet(b),
            (Some(kept), None) if other.rest.is_some() => Some(kept.clone()),
            (None, Some(kept)) if self.rest.is_some() => Some(kept.clone()),
            _ => None,
        });
        Some(Self {
            method: self.method.meet(&other.method)?,
            path: path.collect::<Option<_>>()?,
            rest: narrower_rest(self.rest.as_ref(), other.rest.as_ref()),
            query: self.query.meet(&other.query),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let mut path: String = self.path.iter().map(Segment::to_text).collect();
        path.push_str(self.rest.as_deref().unwrap_or_default());
        let mut rule = json!({ "method": self.method.as_str(), "path": path });
        match &self.query {
            Query::Any => rule["query"] = json!(["*"]),
            Query::Names(names) if !names.is_empty() => rule["query"] = json!(names),
            Query::Names(_) => {}
        }
        rule
    }

    fn matches(&self, method: &str, path: &str, query: &[String]) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut segments = path.split('/');
        let same = self.path.iter().all(|expected| match (expected, segments.next()) {
            (Segment::Literal(text), Some(found)) => text == found,
            (Segment::One(_), Some(found)) => !found.is_empty(),
            (Segment::Input(_), _) | (_, None) => false,
        });
        self.method.matches(method)
            && same
            && (self.rest.as_deref() == Some(REST) || segments.next().is_none())
            && self.query.matches(query)
    }
}

/// What may follow where both allow something to follow.
fn narrower_rest(a: Option<&String>, b: Option<&String>) -> Option<String> {
    let (a, b) = (a?, b?);
    Some(if a == REST { b.clone() } else { a.clone() })
}

impl Method {
    fn read(text: &str, binding: Binding<'_>) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        match binding.fill(text)? {
            Filled::Unknown(text) => Ok(Self::Input(text)),
            Filled::Known(method)
                if !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase()) =>
            {
                Ok(Self::One(method))
            }
            Filled::Known(method) => Err(format!("`{}` is not a method", method.escape_debug())),
        }
    }

    fn matches(&self, method: &str) -> bool {
        match self {
            Self::Any => true,
            Self::One(one) => one == method,
            Self::Input(_) => false,
        }
    }

    fn covers(&self, other: &Self) -> bool {
        *self == Self::Any || self == other
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, kept) | (kept, Self::Any) => Some(kept.clone()),
            (Self::Input(_), kept) | (kept, Self::Input(_)) => Some(kept.clone()),
            (Self::One(a), Self::One(b)) => (a == b).then(|| self.clone()),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Any => "*",
            Self::One(text) | Self::Input(text) => text,
        }
    }
}

impl Segment {
    fn read(segment: &str, binding: Binding<'_>) -> Result<Self, String> {
        if let Some(name) = segment.strip_prefix('{').and_then(|s| s.strip_suffix('}')) {
            return Ok(Self::One(name.to_owned()));
        }
        let filled = match binding.fill(segment)? {
            Filled::Unknown(text) => return Ok(Self::Input(text)),
            Filled::Known(filled) => filled,
        };
        let allowed: &[u8] = if segment.contains("${") { b"-._~" } else { b"-._~%:@!$&'()+,=" };
        let plain = !filled.is_empty()
            && filled != "."
            && filled != ".."
            && filled.bytes().all(|b| b.is_ascii_alphanumeric() || allowed.contains(&b));
        if plain {
            Ok(Self::Literal(filled))
        } else {
            Err(format!("`{}` can't be a segment of a path", filled.escape_debug()))
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::One(_), other) => !other.is_end(),
            (Self::Literal(a), Self::Literal(b)) | (Self::Input(a), Self::Input(b)) => a == b,
            (Self::Literal(_) | Self::Input(_), _) => false,
        }
    }

    fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Literal(a), Self::Literal(b)) => (a == b).then(|| self.clone()),
            // Neither stands for nothing, and no input is filled with nothing.
            (a, b) if a.is_end() || b.is_end() => None,
            (Self::One(_), kept) | (kept, Self::One(_)) => Some(kept.clone()),
            (Self::Input(_), kept) | (kept, Self::Input(_)) => Some(kept.clone()),
        }
    }

    /// Whether this is what stands behind a slash at the end of a path.
    fn is_end(&self) -> bool {
        matches!(self, Self::Literal(text) if text.is_empty())
    }

    fn to_text(&self) -> String {
        match self {
            Self::Literal(text) | Self::Input(text) => format!("/{text}"),
            Self::One(name) => format!("/{{{name}}}"),
        }
    }
}

impl Query {
    /// `${inputs.NAME}` stands for the names of that input's members.
    fn read(written: Vec<String>, binding: Binding<'_>) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        for name in written {
            if name == "*" {
                return Ok(Self::Any);
            }
            let Some(path) = whole_input(&name) else {
                names.insert(name);
                continue;
            };
            match binding.at(path) {
                Some(Some(Value::Object(members))) => names.extend(members.keys().cloned()),
                Some(None | Some(Value::Null)) => {}
                Some(Some(_)) => {
                    return Err(format!("the input behind `{name}` is no mapping of a query"));
                }
                // Not known yet.
                None => drop(names.insert(name)),
            }
        }
        Ok(Self::Names(names))
    }

    fn matches(&self, keys: &[String]) -> bool {
        match self {
            Self::Any => true,
            Self::Names(names) => keys.iter().all(|key| names.contains(key)),
        }
    }

    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Names(a), Self::Names(b)) => b.is_subset(a),
            (Self::Names(_), Self::Any) => false,
        }
    }

    fn meet(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, kept) | (kept, Self::Any) => kept.clone(),
            (Self::Names(a), Self::Names(b)) => Self::Names(a.intersection(b).cloned().collect()),
        }
    }
}

fn after_slash(path: &str) -> Result<&str, String> {
    let shown = || format!("the path `{}` must start with `/`", path.escape_debug());
    path.strip_prefix('/').ok_or_else(shown)
}

/// The segments of a whole path, the last of which may be empty: `/a/` is not `/a`.
fn segments(
    path: &str,
    read: impl Fn(&str) -> Result<Segment, String>,
) -> Result<Vec<Segment>, String> {
    let path = after_slash(path)?;
    let (inner, end) = match path.strip_suffix('/') {
        Some(inner) => (Some(inner), Some(Segment::Literal(String::new()))),
        None if path.is_empty() => (None, Some(Segment::Literal(String::new()))),
        None => (Some(path), None),
    };
    let inner = inner.into_iter().flat_map(|inner| inner.split('/')).map(read);
    inner.chain(end.map(Ok)).collect()
}

/// The dotted path of the input that `text` stands for as a whole: `${inputs.PATH}`, nothing else.
fn whole_input(text: &str) -> Option<&str> {
    let path = text.strip_prefix("${inputs.")?.strip_suffix('}')?;
    let plain = !path.is_empty() && !path.contains(['$', '{', '}', '/', '~']);
    plain.then_some(path)
}

/// A path that is wholly an input: exactly these segments, none of which stands for another.
fn given_path(path: &str) -> Result<Vec<Segment>, String> {
    segments(path, |segment| {
        let plain = !matches!(segment, "" | "." | "..")
            && segment
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-._~%:@!$&'()*+,=".contains(&b));
        if plain {
            Ok(Segment::Literal(segment.to_owned()))
        } else {
            Err(format!("`{}` can't be a segment of a path", segment.escape_debug()))
        }
    })
}

/// Decides about one request. `path_and_query` is exactly what is going to be sent. Returns the
/// number of the rule that allows it, from 1.
///
/// # Errors
///
/// `http.denied`; `http.duplicate-query` for a query parameter that comes twice.
pub fn check(rules: &[Rule], method: &str, path_and_query: &str) -> Result<u32, CallError> {
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let keys = query_keys(query)?;
    if let Some(index) = rules.iter().position(|rule| rule.matches(method, path, &keys)) {
        return Ok(number(index));
    }
    let mut missing = json!({ "method": method, "path": path });
    if !keys.is_empty() {
        missing["query"] = json!(keys);
    }
    let mut refused = denied("http.denied", &format!("{method} {path}"), missing.clone());
    // A path or a name that would read as a pattern must not be proposed: it would allow more.
    if !is_exactly(&missing, method, path, &keys) {
        refused.message = format!("{method} {path} is outside of what this step was granted");
        refused.missing_rule = None;
    }
    Err(refused)
}

/// Whether a rule, read back, means this one request and no other.
fn is_exactly(rule: &Value, method: &str, path: &str, keys: &[String]) -> bool {
    let nothing = Value::Null;
    let Ok(rule) = Rule::read(rule, Binding::all(&nothing)) else { return false };
    let literal = |segment: &Segment| matches!(segment, Segment::Literal(_));
    rule.rest.is_none()
        && rule.path.iter().all(literal)
        && rule.query != Query::Any
        && rule.matches(method, path, keys)
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
        match Scope::http(&rules, Binding::all(&inputs)) {
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
            ("PUT", "/v1/a%20b/c:d/", false),
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
    fn a_slash_at_the_end_is_part_of_a_path() {
        let paths = ["/", "/a", "/a/", "/a/b", "/a/b/"];
        let cases: [(&str, &[&str]); 9] = [
            ("/", &["/"]),
            ("/a", &["/a"]),
            ("/a/", &["/a/"]),
            ("/{x}", &["/a"]),
            ("/{x}/", &["/a/"]),
            ("/a/{x}", &["/a/b"]),
            ("/a/{x}/", &["/a/b/"]),
            ("/a/**", &["/a", "/a/", "/a/b", "/a/b/"]),
            ("/**", &paths),
        ];
        for (rule, expected) in cases {
            let held = rules(json!([{"method": "GET", "path": rule}]), json!({})).unwrap();
            let allowed: Vec<_> =
                paths.into_iter().filter(|path| check(&held, "GET", path).is_ok()).collect();
            assert_eq!(allowed, expected, "{rule}");
        }
        let asked = || json!([{"method": "GET", "path": "${inputs.path}"}]);
        for path in ["/", "/a/", "/a/b/"] {
            let given = rules(asked(), json!({"path": path})).unwrap();
            assert!(check(&given, "GET", path).is_ok(), "{path}");
            assert!(check(&given, "GET", path.trim_end_matches('/')).is_err(), "{path}");
        }
        for path in ["//", "/a//", "/a//b", "//**", "/a//**", "/{x}//"] {
            assert!(rules(json!([{"method": "GET", "path": path}]), json!({})).is_err(), "{path}");
            assert!(rules(asked(), json!({"path": path})).is_err(), "{path}");
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
            Binding::all(&json!({})),
        )
        .unwrap();
        let cases = [
            (json!({"method": "GET", "path": "/a/1", "query": ["p"]}), None),
            (json!({"method": "GET", "path": "/a/{x}"}), None),
            (json!({"method": "GET", "path": "/a/"}), Some("scope.wider")),
            (json!({"method": "GET", "path": "/a/1/"}), Some("scope.wider")),
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
