//! What the API server says about itself: version, health, groups and resources.
//!
//! Fixed documents, drawn from the table of kinds.

use super::kinds::{KINDS, Kind, VERSION};
use crate::exchange::Answer;
use serde_json::{Value, json};

/// The kinds that a client means by `all`.
const IN_ALL: &[&str] =
    &["pods", "services", "daemonsets", "deployments", "replicasets", "statefulsets"];

/// The document at `path`, if there is a fixed one.
pub(crate) fn document(path: &[&str]) -> Option<Answer> {
    let document = match path {
        ["healthz" | "livez" | "readyz"] => return Some(Answer::text(200, "text/plain", "ok")),
        ["version"] => version(),
        ["openapi", "v3"] => schema_index(),
        ["openapi", "v3", "api", VERSION] => schema(""),
        ["openapi", "v3", "apis", group, VERSION] if has_kinds(group) => schema(group),
        ["api"] => json!({
            "kind": "APIVersions",
            "versions": [VERSION],
            "serverAddressByClientCIDRs": [],
        }),
        ["apis"] => json!({
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [group("apps"), group("authorization.k8s.io")],
        }),
        ["apis", name @ ("apps" | "authorization.k8s.io")] => {
            let mut group = group(name);
            super::object::put(&mut group, &["kind"], json!("APIGroup"));
            super::object::put(&mut group, &["apiVersion"], json!("v1"));
            group
        }
        ["api", VERSION] => resources("", VERSION),
        ["apis", "apps", VERSION] => resources("apps", "apps/v1"),
        ["apis", "authorization.k8s.io", VERSION] => json!({
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": "authorization.k8s.io/v1",
            "resources": [{
                "name": "selfsubjectaccessreviews",
                "singularName": "selfsubjectaccessreview",
                "namespaced": false,
                "kind": "SelfSubjectAccessReview",
                "verbs": ["create"],
            }],
        }),
        _ => return None,
    };
    Some(Answer::json(200, &document))
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "34",
        "gitVersion": "v1.34.0+practice",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2025-08-27T10:00:00Z",
        "goVersion": "none",
        "compiler": "none",
        "platform": "practice/any",
    })
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/{VERSION}"), "version": VERSION});
    json!({"name": name, "versions": [version.clone()], "preferredVersion": version})
}

fn resources(group: &str, group_version: &str) -> Value {
    let listed: Vec<Value> =
        KINDS.iter().filter(|kind| kind.group == group).flat_map(entries).collect();
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": listed,
    })
}

fn entries(kind: &Kind) -> Vec<Value> {
    let whole = json!({
        "name": kind.resource,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": [
            "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"
        ],
        "shortNames": kind.short,
        "categories": if IN_ALL.contains(&kind.resource) { json!(["all"]) } else { json!([]) },
    });
    let parts = kind.subresources.iter().map(|part| {
        let name = format!("{}/{part}", kind.resource);
        let verbs = ["get", "patch", "update"];
        if *part == "scale" {
            json!({
                "name": name, "singularName": "", "namespaced": true, "group": "autoscaling",
                "version": "v1", "kind": "Scale", "verbs": verbs,
            })
        } else {
            json!({
                "name": name, "singularName": "", "namespaced": kind.namespaced,
                "kind": kind.kind, "verbs": verbs,
            })
        }
    });
    std::iter::once(whole).chain(parts).collect()
}

fn has_kinds(group: &str) -> bool {
    !group.is_empty() && KINDS.iter().any(|kind| kind.group == group)
}

fn schema_index() -> Value {
    let entry = |path: &str| json!({"serverRelativeURL": format!("/openapi/v3/{path}")});
    json!({"paths": {"api/v1": entry("api/v1"), "apis/apps/v1": entry("apis/apps/v1")}})
}

/// A schema of one group that says only what `apply` asks for: that the server checks fields
/// itself (`fieldValidation`). It describes no fields.
fn schema(group: &str) -> Value {
    let mut paths = json!({});
    for kind in KINDS.iter().filter(|kind| kind.group == group) {
        let base =
            if group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{group}/v1") };
        let place = if kind.namespaced { "/namespaces/{namespace}" } else { "" };
        let operation = json!({
            "parameters": [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}],
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind":
                {"group": group, "version": VERSION, "kind": kind.kind},
        });
        let path = format!("{base}{place}/{}/{{name}}", kind.resource);
        super::object::put(&mut paths, &[&path], json!({"patch": operation}));
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Practice cluster", "version": "v1.34.0"},
        "paths": paths,
        "components": {"schemas": {}},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_discovered_in_its_group() {
        for kind in KINDS {
            let list = resources(kind.group, "any");
            let found = list["resources"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|entry| entry["name"] == kind.resource && entry["kind"] == kind.kind);
            assert!(found, "{}", kind.resource);
        }
        assert!(document(&["apis", "batch"]).is_none());
    }
}
