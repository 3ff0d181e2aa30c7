//! Rules of a Kubernetes cluster: verb, kind, namespace, name, subresource, touched fields.

use super::{Binding, Pattern, denied, number};
use crate::CallError;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The verbs that a rule may list; those of the API, so that a rule reads like RBAC.
pub const VERBS: &[&str] = &["create", "delete", "get", "list", "patch", "update", "watch"];

/// Reached through objects, these run programs, open tunnels or mint credentials. No rule can
/// grant them.
const NEVER: &[&str] = &["attach", "ephemeralcontainers", "exec", "portforward", "proxy", "token"];

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    verbs: BTreeSet<String>,
    group: Pattern,
    resource: Pattern,
    /// None: cluster-scoped kinds only.
    namespace: Option<Pattern>,
    name: Pattern,
    subresource: Option<String>,
    /// JSON pointers that a write may touch; None: all.
    fields: Option<Vec<String>>,
}

/// A call, as far as rules look at it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// One of [`VERBS`].
    pub verb: &'static str,
    /// Empty for the core group.
    pub group: &'a str,
    /// The plural.
    pub resource: &'a str,
    /// None for cluster-scoped kinds, and for lists over all namespaces.
    pub namespace: Option<&'a str>,
    /// None for lists.
    pub name: Option<&'a str>,
    /// `status`, `scale`.
    pub subresource: Option<&'a str>,
    /// JSON pointers that a patch touches; None when all may be.
    pub touched: Option<&'a [String]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    verbs: Vec<String>,
    resource: String,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    subresource: Option<String>,
    #[serde(default)]
    fields: Option<Vec<String>>,
}

impl Rule {
    pub(super) fn read(rule: &Value, binding: Binding<'_>) -> Result<Self, String> {
        let written = Written::deserialize(rule).map_err(|error| error.to_string())?;
        if let Some(verb) = written.verbs.iter().find(|verb| !VERBS.contains(&verb.as_str())) {
            return Err(format!("`{}` is none of {}", verb.escape_debug(), VERBS.join(", ")));
        }
        let subresource = written.subresource;
        if let Some(name) = subresource.as_deref()
            && (NEVER.contains(&name) || !is_subdomain(name))
        {
            return Err(format!("the subresource `{}` can't be granted", name.escape_debug()));
        }
        let (group, resource) = match written.resource.as_str() {
            "*" => (Pattern::Any, Pattern::Any),
            text => {
                let (group, resource) = text.split_once('/').unwrap_or(("", text));
                let group = Pattern::read(group, binding, |g| g.is_empty() || is_subdomain(g))?;
                (group, Pattern::read(resource, binding, is_subdomain)?)
            }
        };
        let namespace = match written.namespace.as_deref() {
            Some(text) => Some(Pattern::read(text, binding, is_subdomain)?),
            None => None,
        };
        let name = Pattern::read(written.name.as_deref().unwrap_or("*"), binding, is_subdomain)?;
        if let Some(field) = written.fields.iter().flatten().find(|field| !field.starts_with('/')) {
            return Err(format!("the field `{}` is not a JSON pointer", field.escape_debug()));
        }
        let verbs = written.verbs.into_iter().collect();
        Ok(Self { verbs, group, resource, namespace, name, subresource, fields: written.fields })
    }

    /// Whether everything that this rule allows is allowed by one of `held`, each verb by itself.
    pub(super) fn is_covered_by(&self, held: &[Self]) -> bool {
        self.verbs.iter().all(|verb| held.iter().any(|rule| rule.covers(self, verb)))
    }

    /// Whether everything that `other` allows for a verb is allowed by this rule.
    fn covers(&self, other: &Self, verb: &str) -> bool {
        let namespace = match (&self.namespace, &other.namespace) {
            (Some(a), Some(b)) => a.covers(b),
            (Some(Pattern::Any), None) | (None, None) => true,
            _ => false,
        };
        // Fields say something of writes only.
        let fields = match (&self.fields, &other.fields) {
            (None, _) => true,
            (Some(_), None) => !names_fields(verb),
            (Some(a), Some(b)) => !names_fields(verb) || b.iter().all(|field| inside(field, a)),
        };
        namespace
            && fields
            && self.verbs.contains(verb)
            && self.group.covers(&other.group)
            && self.resource.covers(&other.resource)
            && self.name.covers(&other.name)
            && self.subresource == other.subresource
    }

    /// What both rules allow.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        let mut verbs: BTreeSet<String> = self.verbs.intersection(&other.verbs).cloned().collect();
        let namespace = match (&self.namespace, &other.namespace) {
            (Some(a), Some(b)) => Some(a.meet(b)?),
            (Some(Pattern::Any), None) | (None, Some(Pattern::Any)) | (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return None,
        };
        let fields = match (&self.fields, &other.fields) {
            (None, kept) | (kept, None) => kept.clone(),
            (Some(a), Some(b)) => Some(deeper(a, b)),
        };
        if fields.as_ref().is_some_and(Vec::is_empty) {
            verbs.retain(|verb| !names_fields(verb));
        }
        if verbs.is_empty() || self.subresource != other.subresource {
            return None;
        }
        Some(Self {
            verbs,
            group: self.group.meet(&other.group)?,
            resource: self.resource.meet(&other.resource)?,
            namespace,
            name: self.name.meet(&other.name)?,
            subresource: self.subresource.clone(),
            fields: fields.filter(|fields| !fields.is_empty()),
        })
    }

    pub(super) fn to_json(&self) -> Value {
        let resource = kind_text(&self.group.to_text(), &self.resource.to_text());
        let mut rule = json!({ "verbs": self.verbs, "resource": resource });
        if let Some(namespace) = &self.namespace {
            rule["namespace"] = json!(namespace.to_text());
        }
        if self.name != Pattern::Any {
            rule["name"] = json!(self.name.to_text());
        }
        if let Some(subresource) = &self.subresource {
            rule["subresource"] = json!(subresource);
        }
        if let Some(fields) = &self.fields {
            rule["fields"] = json!(fields);
        }
        rule
    }

    fn matches(&self, question: &Question<'_>) -> bool {
        let namespace = match (&self.namespace, question.namespace) {
            (Some(pattern), Some(name)) => pattern.matches(name),
            // All namespaces, or a cluster-scoped kind.
            (Some(Pattern::Any), None) => true,
            // A list without a namespace is one over all of them, if the kind has any.
            (None, None) => {
                question.name.is_some() || !is_namespaced(question.group, question.resource)
            }
            (Some(_), None) | (None, Some(_)) => false,
        };
        let name = match question.name {
            Some(name) => self.name.matches(name),
            // A list shows all names, so a rule for one name does not allow it.
            None => self.name == Pattern::Any,
        };
        let fields = match (&self.fields, question.touched) {
            (None, _) => true,
            (Some(allowed), Some(touched)) => touched.iter().all(|field| inside(field, allowed)),
            // Only patches say what they touch; a rule with fields means them when it says so.
            (Some(_), None) => !names_fields(question.verb),
        };
        namespace
            && name
            && fields
            && self.verbs.contains(question.verb)
            && self.group.matches(question.group)
            && self.resource.matches(question.resource)
            && self.subresource.as_deref() == question.subresource
    }
}

/// The kinds of Kubernetes itself that live in namespaces, by group. What a cluster adds to them is
/// not known here.
const NAMESPACED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "persistentvolumeclaims",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        ],
    ),
    ("apps", &["controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"]),
    ("autoscaling", &["horizontalpodautoscalers"]),
    ("batch", &["cronjobs", "jobs"]),
    ("coordination.k8s.io", &["leases"]),
    ("discovery.k8s.io", &["endpointslices"]),
    ("events.k8s.io", &["events"]),
    ("networking.k8s.io", &["ingresses", "networkpolicies"]),
    ("policy", &["poddisruptionbudgets"]),
    ("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ("storage.k8s.io", &["csistoragecapacities"]),
];

fn is_namespaced(group: &str, resource: &str) -> bool {
    NAMESPACED.iter().any(|(of, kinds)| *of == group && kinds.contains(&resource))
}

/// Whether the fields of a rule mean anything for a verb.
fn names_fields(verb: &str) -> bool {
    matches!(verb, "create" | "patch" | "update")
}

/// Decides about one call.
///
/// Returns the number of the rule that allows it, from 1.
///
/// # Errors
///
/// `kubernetes.denied`.
pub fn check(rules: &[Rule], question: &Question<'_>) -> Result<u32, CallError> {
    let never = question.subresource.is_some_and(|name| NEVER.contains(&name));
    let allowing = || rules.iter().position(|rule| rule.matches(question));
    if let Some(index) = (!never).then(allowing).flatten() {
        return Ok(number(index));
    }
    let kind = kind_text(question.group, question.resource);
    let place = match (question.namespace, question.name) {
        (Some(namespace), Some(name)) => format!(" {namespace}/{name}"),
        (Some(namespace), None) => format!(" in {namespace}"),
        (None, Some(name)) => format!(" {name}"),
        (None, None) => String::new(),
    };
    let what = format!("{} {kind}{place}", question.verb);
    if never {
        return Err(CallError::new(
            crate::Reason::Denied,
            "kubernetes.denied",
            format!("{what}: this subresource can't be granted to a step"),
        ));
    }
    let mut missing = json!({ "verbs": [question.verb], "resource": kind });
    // A list without a namespace is one over all of them, unless the kind has none.
    let everywhere = question.name.is_none() && is_namespaced(question.group, question.resource);
    for (key, value) in [
        ("namespace", question.namespace.or(everywhere.then_some("*"))),
        ("name", question.name),
        ("subresource", question.subresource),
    ] {
        if let Some(value) = value {
            missing[key] = json!(value);
        }
    }
    // The empty pointer is the whole object, which a rule means by naming no fields.
    if let Some(touched) =
        question.touched.filter(|touched| touched.iter().all(|it| !it.is_empty()))
    {
        missing["fields"] = json!(touched);
    }
    Err(denied("kubernetes.denied", &what, missing))
}

/// Of each pair of fields where one is inside of the other, the inner one.
fn deeper(a: &[String], b: &[String]) -> Vec<String> {
    let of = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|field| inside(field, those)).cloned().collect()
    };
    let mut fields = of(a, b);
    fields.extend(of(b, a));
    fields.sort();
    fields.dedup();
    fields
}

/// Whether `field` is one of `allowed` or below it.
fn inside(field: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|root| {
        field
            .strip_prefix(root.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

fn kind_text(group: &str, resource: &str) -> String {
    match (group, resource) {
        ("*", "*") => "*".to_owned(),
        // Of the core group only; a star alone means every group.
        ("", "*") => "/*".to_owned(),
        ("", resource) => resource.to_owned(),
        (group, resource) => format!("{group}/{resource}"),
    }
}

/// A DNS subdomain as in RFC 1123: what the API takes as a name, a group and a resource.
#[must_use]
pub fn is_subdomain(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        edge(label.bytes().next())
            && edge(label.bytes().next_back())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    fn rules(rules: Value) -> Vec<Rule> {
        let rules = rules.as_array().cloned().unwrap();
        let inputs = json!({"namespace": "web", "name": "nginx"});
        match Scope::kubernetes(&rules, Binding::all(&inputs)).unwrap() {
            Scope::Kubernetes(rules) => rules,
            Scope::Http(_) => unreachable!("asked for kubernetes"),
        }
    }

    fn deployment<'a>(verb: &'static str, namespace: &'a str, name: &'a str) -> Question<'a> {
        Question {
            verb,
            group: "apps",
            resource: "deployments",
            namespace: Some(namespace),
            name: Some(name),
            subresource: None,
            touched: None,
        }
    }

    #[test]
    fn what_a_rule_allows() {
        let rules = rules(json!([
            {"verbs": ["get", "patch"], "resource": "apps/deployments",
             "namespace": "${inputs.namespace}", "name": "${inputs.name}", "fields": ["/spec/template"]},
            {"verbs": ["list"], "resource": "apps/replicasets", "namespace": "web"},
            {"verbs": ["get"], "resource": "namespaces", "name": "web"},
        ]));
        let touches = |fields: &[&str]| fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>();
        let inside = touches(&["/spec/template", "/spec/template/spec"]);
        let outside = touches(&["/spec/template", "/spec/replicas"]);
        let beside = touches(&["/spec/templates"]);
        let base = deployment("get", "web", "nginx");
        let patch = deployment("patch", "web", "nginx");
        let replicasets = Question { verb: "list", resource: "replicasets", name: None, ..base };
        let cases = [
            ("get", base, true),
            ("another name", deployment("get", "web", "other"), false),
            ("another namespace", deployment("get", "kube-system", "nginx"), false),
            ("a verb that is not listed", deployment("delete", "web", "nginx"), false),
            ("a patch inside", Question { touched: Some(&inside), ..patch }, true),
            ("a patch outside", Question { touched: Some(&outside), ..patch }, false),
            ("a patch beside", Question { touched: Some(&beside), ..patch }, false),
            ("a patch of anything", patch, false),
            ("a subresource", Question { subresource: Some("scale"), ..base }, false),
            (
                "a list where one name is granted",
                Question { verb: "list", name: None, ..base },
                false,
            ),
            ("a list", replicasets, true),
            ("a list over all namespaces", Question { namespace: None, ..replicasets }, false),
            ("another group", Question { group: "evil.example", ..base }, false),
        ];
        for (name, question, expected) in cases {
            assert_eq!(check(&rules, &question).is_ok(), expected, "{name}");
        }
        let namespace = Question {
            group: "",
            resource: "namespaces",
            namespace: None,
            name: Some("web"),
            ..base
        };
        assert!(check(&rules, &namespace).is_ok());
    }

    #[test]
    fn a_rule_without_a_namespace_lists_no_kind_that_lives_in_one() {
        let held = rules(json!([{"verbs": ["get", "list", "watch"], "resource": "*"}]));
        let list = |group, resource, verb| Question {
            group,
            resource,
            namespace: None,
            name: None,
            ..deployment(verb, "", "")
        };
        let cases = [
            (list("", "nodes", "list"), true),
            (list("", "namespaces", "watch"), true),
            (list("example.com", "gadgets", "list"), true),
            (list("", "secrets", "list"), false),
            (list("", "secrets", "watch"), false),
            (list("apps", "deployments", "list"), false),
        ];
        for (question, expected) in cases {
            let kind = question.resource;
            assert_eq!(check(&held, &question).is_ok(), expected, "{kind}");
        }
        let everywhere =
            rules(json!([{"verbs": ["list"], "resource": "secrets", "namespace": "*"}]));
        assert!(check(&everywhere, &list("", "secrets", "list")).is_ok());
    }

    #[test]
    fn x04_a_refusal_names_the_rule_that_would_allow_the_call() {
        let held = rules(json!([{"verbs": ["get"], "resource": "apps/deployments",
            "namespace": "web"}]));
        let touched = ["/spec/replicas".to_owned()];
        let asked = Question { touched: Some(&touched), ..deployment("patch", "web", "nginx") };

        let refusal = check(&held, &asked).expect_err("outside");

        assert_eq!(refusal.reason, crate::Reason::Denied);
        let (_, rule) = refusal.message.split_once("would allow it is ").expect("a rule");
        let rule: serde_json::Value = serde_json::from_str(rule).expect("in the manifest's form");
        assert!(check(&rules(json!([rule])), &asked).is_ok(), "and with it, it is allowed");
    }

    #[test]
    fn subresources_that_run_programs_can_never_be_granted() {
        for name in NEVER {
            let rule = json!({"verbs": ["create"], "resource": "pods", "namespace": "*", "subresource": name});
            assert!(Scope::kubernetes(&[rule], Binding::all(&json!({}))).is_err(), "{name}");
            let all = rules(json!([{"verbs": ["get"], "resource": "*", "namespace": "*"}]));
            let question = Question { subresource: Some(name), ..deployment("get", "web", "n") };
            assert!(check(&all, &question).is_err(), "{name}");
        }
    }

    #[test]
    fn an_input_can_never_widen_a_rule() {
        for input in ["*", "a/b", "A", "-a", "a..b", "", "ä"] {
            let rule = json!({"verbs": ["get"], "resource": "pods", "namespace": "${inputs.n}"});
            let read = Scope::kubernetes(&[rule], Binding::all(&json!({"n": input})));
            assert!(read.is_err(), "{input:?}");
        }
    }

    #[test]
    fn restrict_only_takes_away() {
        let rule = json!({"verbs": ["get", "patch"], "resource": "apps/deployments",
                          "namespace": "web", "fields": ["/spec"]});
        let other = json!({"verbs": ["list"], "resource": "apps/*", "namespace": "*"});
        let held = Scope::kubernetes(&[rule, other], Binding::all(&json!({}))).unwrap();
        let cases = [
            (
                json!({"verbs": ["get"], "resource": "apps/deployments", "namespace": "web", "name": "n", "fields": ["/spec/template"]}),
                true,
            ),
            (
                json!({"verbs": ["get"], "resource": "apps/deployments", "namespace": "web", "name": "n"}),
                true,
            ),
            (
                json!({"verbs": ["patch"], "resource": "apps/deployments", "namespace": "web", "name": "n"}),
                false,
            ),
            (
                json!({"verbs": ["patch"], "resource": "apps/deployments", "namespace": "web", "fields": ["/metadata"]}),
                false,
            ),
            (
                json!({"verbs": ["get", "list"], "resource": "apps/deployments", "namespace": "web"}),
                true,
            ),
            (
                json!({"verbs": ["get", "list", "watch"], "resource": "apps/deployments", "namespace": "web"}),
                false,
            ),
            (
                json!({"verbs": ["delete"], "resource": "apps/deployments", "namespace": "web", "fields": ["/spec"]}),
                false,
            ),
            (
                json!({"verbs": ["get"], "resource": "apps/deployments", "namespace": "*", "fields": ["/spec"]}),
                false,
            ),
            (
                json!({"verbs": ["get"], "resource": "*", "namespace": "web", "fields": ["/spec"]}),
                false,
            ),
            (json!({"verbs": ["get"], "resource": "apps/deployments", "fields": ["/spec"]}), false),
        ];
        for (rule, expected) in cases {
            assert_eq!(held.restrict(std::slice::from_ref(&rule)).is_ok(), expected, "{rule}");
        }
    }
}
