//! Types of objects: those that are known by name, and those that only the cluster knows.
//!
//! kubectl asks the cluster for all types before every command. The types that incidents are about
//! are in a table here, so that a rollback costs no such request; all others are looked up.

use crate::members::{holds, items, joined};
use bowline_sdk::kubernetes::{Kind, kind};
use bowline_sdk::{Failure, shown};
use serde_json::Value;

/// A type of object.
#[derive(Clone, Debug)]
pub struct Type {
    /// As in a manifest, for example `Deployment`.
    pub name: String,
    /// As in URLs.
    pub api: Kind,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl PartialEq for Type {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.rule() == other.rule()
    }
}

impl Type {
    /// `deployment.apps`, as in kubectl's lines.
    #[must_use]
    pub fn label(&self) -> String {
        let name = self.name.to_ascii_lowercase();
        grouped(&name, &self.api.group)
    }

    /// `deployments.apps`, as in the server's messages.
    #[must_use]
    pub fn plural(&self) -> String {
        grouped(&self.api.resource, &self.api.group)
    }

    /// `apps/deployments`, as in rules.
    #[must_use]
    pub(crate) fn rule(&self) -> String {
        match self.api.group.as_str() {
            "" => self.api.resource.clone(),
            group => format!("{group}/{}", self.api.resource),
        }
    }

    /// Whether its objects run pods that are rolled out.
    #[must_use]
    pub fn rolls_out(&self) -> bool {
        self.api.group == "apps"
            && matches!(self.name.as_str(), "Deployment" | "StatefulSet" | "DaemonSet")
    }
}

fn grouped(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// Kind, plural, short name or empty, group, version, whether namespaced.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, bool);

const KNOWN: &[Row] = &[
    ("Deployment", "deployments", "deploy", "apps", "v1", true),
    ("StatefulSet", "statefulsets", "sts", "apps", "v1", true),
    ("DaemonSet", "daemonsets", "ds", "apps", "v1", true),
    ("ReplicaSet", "replicasets", "rs", "apps", "v1", true),
    ("ControllerRevision", "controllerrevisions", "", "apps", "v1", true),
    ("Pod", "pods", "po", "", "v1", true),
    ("Service", "services", "svc", "", "v1", true),
    ("ConfigMap", "configmaps", "cm", "", "v1", true),
    ("Secret", "secrets", "", "", "v1", true),
    ("ServiceAccount", "serviceaccounts", "sa", "", "v1", true),
    ("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", "", "v1", true),
    ("ReplicationController", "replicationcontrollers", "rc", "", "v1", true),
    ("Namespace", "namespaces", "ns", "", "v1", false),
    ("Node", "nodes", "no", "", "v1", false),
    ("Job", "jobs", "", "batch", "v1", true),
    ("CronJob", "cronjobs", "cj", "batch", "v1", true),
    ("Ingress", "ingresses", "ing", "networking.k8s.io", "v1", true),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers", "hpa", "autoscaling", "v2", true),
];

fn known(row: &Row) -> Type {
    let (name, plural, _, group, version, namespaced) = *row;
    Type { name: name.to_owned(), api: kind(group, version, plural), namespaced }
}

/// A type as people write it: `TYPE`, `TYPE.GROUP` (a prefix of the group is enough), or
/// `TYPE.VERSION.GROUP`.
#[derive(Clone, Copy, Debug)]
struct Written<'a> {
    name: &'a str,
    rest: Option<&'a str>,
}

impl Written<'_> {
    fn fits(&self, group: &str, version: &str) -> bool {
        match self.rest {
            None => true,
            Some(rest) => {
                rest.split_once('.') == Some((version, group))
                    || !rest.is_empty() && group.starts_with(rest)
            }
        }
    }
}

/// The type that `text` means, if it is one of the table.
#[must_use]
pub fn find_known(text: &str) -> Option<Type> {
    let (lower, rest) = halves(text);
    let written = Written { name: &lower, rest };
    let found = KNOWN.iter().find(|(name, plural, short, group, version, _)| {
        let called = *plural == written.name
            || name.eq_ignore_ascii_case(written.name)
            || !short.is_empty() && *short == written.name;
        called && written.fits(group, version)
    });
    found.map(known)
}

/// The known type of a manifest's `apiVersion` and `kind`.
#[must_use]
pub fn known_manifest(api_version: &str, kind: &str) -> Option<Type> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    KNOWN.iter().find(|row| row.0 == kind && row.3 == group && row.4 == version).map(known)
}

fn halves(text: &str) -> (String, Option<&str>) {
    match text.split_once('.') {
        Some((name, rest)) => (name.to_ascii_lowercase(), Some(rest)),
        None => (text.to_ascii_lowercase(), None),
    }
}

fn of_discovery(found: &Value) -> Type {
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    Type {
        name: text("kind").to_owned(),
        api: kind(text("group"), text("version"), text("resource")),
        namespaced: found["namespaced"] == true,
    }
}

/// The type that `text` means among those that the cluster serves.
///
/// # Errors
///
/// `config` when there is none, or when types of several groups have that name.
pub fn find_served(text: &str, served: &Value) -> Result<Type, Failure> {
    let (lower, rest) = halves(text);
    let written = Written { name: &lower, rest };
    let mut found: Vec<&Value> = Vec::new();
    for one in items(served) {
        let is = |name: &str| one[name].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&lower));
        let short = items(&one["shortNames"]);
        let called = is("resource") || is("singular") || is("kind");
        let called = called || short.iter().any(|it| *it == lower);
        let (group, version) = (one["group"].as_str(), one["version"].as_str());
        let exact = rest.is_some_and(|rest| rest.split_once('.') == version.zip(group));
        if called
            && (exact || one["preferred"] == true)
            && written.fits(group.unwrap_or_default(), version.unwrap_or_default())
        {
            found.push(one);
        }
    }
    let core = |one: &Value| {
        let group = one["group"].as_str().unwrap_or_default();
        !holds(group, ".") || group.ends_with(".k8s.io")
    };
    // The core's own types win, the oldest group first, as discovery lists them.
    if found.len() > 1 && rest.is_none() && core(found[0]) {
        found.truncate(1);
    }
    match found.as_slice() {
        [one] => Ok(of_discovery(one)),
        [] => Err(unknown(written)),
        several => {
            let mut names = several.iter().map(|one| format!("`{}`", of_discovery(one).plural()));
            let names = joined(&mut names, ", ");
            let text = shown(text);
            Err(Failure::config(format!(
                "`{text}` is the name of several types: {names}; write one of these"
            )))
        }
    }
}

/// The served type of a manifest's `apiVersion` and `kind`.
#[must_use]
pub fn served_manifest(api_version: &str, kind: &str, served: &Value) -> Option<Type> {
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let found = items(served)
        .iter()
        .find(|one| one["kind"] == kind && one["group"] == group && one["version"] == version);
    found.map(of_discovery)
}

fn unknown(written: Written<'_>) -> Failure {
    let name = shown(written.name);
    let rest = written.rest.map(|rest| format!(" (asked for as `.{}`)", shown(rest)));
    let rest = rest.unwrap_or_default();
    Failure::config(format!("the server doesn't have a resource type \"{name}\"{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn k03_all_forms_of_a_type_mean_the_same() {
        for form in [
            "deployment",
            "deploy",
            "deployments",
            "deployment.apps",
            "deployments.apps",
            "deployment.v1.apps",
            "deployments.v1.apps",
            "Deployment",
            "DEPLOYMENT",
            "Deployment.v1.apps",
            "deployment.app",
        ] {
            assert_eq!(
                find_known(form).map(|it| it.label()).as_deref(),
                Some("deployment.apps"),
                "{form}"
            );
        }
        for form in ["deploymnt", "deployment.v9.apps", "deployment.", "", "deployment.v1.batch"] {
            assert_eq!(find_known(form), None, "{form}");
        }
        assert_eq!(
            known_manifest("apps/v1", "Deployment").map(|it| it.plural()).as_deref(),
            Some("deployments.apps")
        );
        assert_eq!(known_manifest("apps/v1beta1", "Deployment"), None);
        assert_eq!(known_manifest("v1", "Secret").map(|it| it.rule()).as_deref(), Some("secrets"));
    }

    fn served() -> Value {
        let one = |group: &str, version: &str, preferred: bool, plural: &str, kind: &str| {
            json!({"group": group, "version": version, "preferred": preferred, "resource": plural,
                "singular": kind.to_lowercase(), "kind": kind, "shortNames": [&plural[..2]], "namespaced": true})
        };
        json!([
            one("", "v1", true, "events", "Event"),
            one("events.k8s.io", "v1", true, "events", "Event"),
            one("argoproj.io", "v1alpha1", true, "rollouts", "Rollout"),
            one("argoproj.io", "v1beta1", false, "rollouts", "Rollout"),
            one("a.example", "v1", true, "queues", "Queue"),
            one("b.example", "v1", true, "queues", "Queue"),
        ])
    }

    #[test]
    fn k14_a_name_in_two_groups_is_asked_for_in_full() {
        let label = |text: &str| {
            find_served(text, &served()).map(|it| format!("{} {}", it.plural(), it.api.version))
        };
        assert_eq!(label("rollout").as_deref(), Ok("rollouts.argoproj.io v1alpha1"));
        assert_eq!(
            label("rollouts.v1beta1.argoproj.io").as_deref(),
            Ok("rollouts.argoproj.io v1beta1")
        );
        assert_eq!(label("Rollout.argoproj").as_deref(), Ok("rollouts.argoproj.io v1alpha1"));
        assert_eq!(label("ev").as_deref(), Ok("events v1"));
        assert_eq!(label("queues.b.example").as_deref(), Ok("queues.b.example v1"));
        let failure = label("queue").expect_err("two groups");
        assert!(failure.message().contains("`queues.a.example`, `queues.b.example`"), "{failure}");
        assert_eq!(failure.code(), "config");
    }

    #[test]
    fn k09_an_unknown_type_is_named_with_its_version() {
        let failure = find_served("deployment.v9.apps", &served()).expect_err("unknown");
        assert_eq!(
            failure.message(),
            "the server doesn't have a resource type \"deployment\" (asked for as `.v9.apps`)"
        );
        assert_eq!(
            served_manifest("b.example/v1", "Queue", &served()).map(|it| it.plural()).as_deref(),
            Some("queues.b.example")
        );
        assert_eq!(served_manifest("b.example/v2", "Queue", &served()), None);
    }
}
