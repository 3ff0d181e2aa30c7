//! What a cluster serves, as one flat list: the newer aggregated form where the server has it,
//! else group by group.

use super::handle::Cluster;
use effects::CallError;
use effects::scope::kubernetes::is_subdomain;
use futures::StreamExt as _;
use serde_json::{Value, json};

/// The aggregated form; a server that does not know it answers with the older one.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json";

/// Group versions asked for at the same time.
const TOGETHER: usize = 4;

/// All kinds that the cluster serves.
pub(crate) async fn discover(cluster: &Cluster) -> Result<Value, CallError> {
    let mut kinds = Vec::new();
    let mut versions = Vec::new();
    for root in ["/api", "/apis"] {
        let answer: Value = cluster.discovery(root, AGGREGATED).await?;
        match answer["kind"].as_str() {
            Some("APIGroupDiscoveryList") => aggregated(&answer, &mut kinds),
            _ => versions.extend(group_versions(root, &answer)),
        }
    }
    let lists = futures::stream::iter(versions).map(|version| list(cluster.clone(), version));
    let mut lists = lists.buffered(TOGETHER);
    while let Some((version, answer)) = lists.next().await {
        // An aggregated API whose server is down must not hide all the others.
        if let Ok(answer) = answer {
            classic(&version, &answer, &mut kinds);
        }
    }
    Ok(Value::Array(kinds))
}

async fn list(cluster: Cluster, version: GroupVersion) -> (GroupVersion, Result<Value, CallError>) {
    let answer = cluster.discovery(&version.path, "application/json").await;
    (version, answer)
}

struct GroupVersion {
    path: String,
    group: String,
    version: String,
    preferred: bool,
}

fn aggregated(answer: &Value, kinds: &mut Vec<Value>) {
    for group in items(answer, "items") {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for (index, version) in items(group, "versions").enumerate() {
            for resource in items(version, "resources") {
                kinds.push(json!({
                    "group": name,
                    "version": version["version"],
                    "preferred": index == 0,
                    "resource": resource["resource"],
                    "singular": resource["singularResource"],
                    "kind": resource["responseKind"]["kind"],
                    "shortNames": texts(&resource["shortNames"]),
                    "namespaced": resource["scope"] == "Namespaced",
                    "verbs": texts(&resource["verbs"]),
                    "subresources": items(resource, "subresources")
                        .map(|sub| sub["subresource"].clone())
                        .collect::<Vec<_>>(),
                }));
            }
        }
    }
}

fn group_versions(root: &str, answer: &Value) -> Vec<GroupVersion> {
    if root == "/api" {
        let versions = items(answer, "versions").filter_map(Value::as_str);
        return versions
            .filter(|version| is_subdomain(version))
            .map(|version| GroupVersion {
                path: format!("/api/{version}"),
                group: String::new(),
                version: version.to_owned(),
                preferred: true,
            })
            .collect();
    }
    let mut found = Vec::new();
    for group in items(answer, "groups") {
        let preferred = &group["preferredVersion"]["version"];
        for version in items(group, "versions") {
            if let Some((name, number)) =
                version["groupVersion"].as_str().and_then(|text| text.split_once('/'))
                && is_subdomain(name)
                && is_subdomain(number)
            {
                found.push(GroupVersion {
                    path: format!("/apis/{name}/{number}"),
                    group: name.to_owned(),
                    version: number.to_owned(),
                    preferred: preferred == number,
                });
            }
        }
    }
    found
}

fn classic(version: &GroupVersion, answer: &Value, kinds: &mut Vec<Value>) {
    let resources: Vec<&Value> = items(answer, "resources").collect();
    let names = |resource: &Value| resource["name"].as_str().unwrap_or_default().to_owned();
    for resource in resources.iter().filter(|resource| !names(resource).contains('/')) {
        let name = names(resource);
        let subresources: Vec<String> = resources
            .iter()
            .filter_map(|other| {
                Some(names(other).strip_prefix(&name)?.strip_prefix('/')?.to_owned())
            })
            .collect();
        let singular = resource["singularName"].as_str().filter(|text| !text.is_empty());
        let kind = resource["kind"].as_str().unwrap_or_default();
        kinds.push(json!({
            "group": version.group,
            "version": version.version,
            "preferred": version.preferred,
            "resource": name,
            "singular": singular.map_or_else(|| kind.to_lowercase(), str::to_owned),
            "kind": kind,
            "shortNames": texts(&resource["shortNames"]),
            "namespaced": resource["namespaced"] == true,
            "verbs": texts(&resource["verbs"]),
            "subresources": subresources,
        }));
    }
}

fn items<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn texts(value: &Value) -> Value {
    if value.is_array() { value.clone() } else { json!([]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_list() {
        let new = json!({"kind": "APIGroupDiscoveryList", "items": [{"metadata": {"name": "apps"}, "versions": [
            {"version": "v1", "resources": [{"resource": "deployments", "singularResource": "deployment",
             "responseKind": {"kind": "Deployment"}, "scope": "Namespaced", "shortNames": ["deploy"], "verbs": ["get"],
             "subresources": [{"subresource": "scale"}]}]}]}]});
        let groups = json!({"groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1"}],
                            "preferredVersion": {"version": "v1"}}]});
        let resources = json!({"resources": [
            {"name": "deployments", "singularName": "", "kind": "Deployment", "namespaced": true, "shortNames": ["deploy"], "verbs": ["get"]},
            {"name": "deployments/scale", "kind": "Scale", "namespaced": true, "verbs": ["get"]}]});
        let (mut a, mut b) = (Vec::new(), Vec::new());

        aggregated(&new, &mut a);
        for version in group_versions("/apis", &groups) {
            classic(&version, &resources, &mut b);
        }

        assert_eq!(a, b);
        assert_eq!(a.len(), 1);
    }
}
