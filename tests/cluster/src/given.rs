//! Brings a namespace into the state in which a scenario begins.

use crate::control_plane::ControlPlane;
use crate::oracle;
use crate::scenario::{Given, Scenario};
use crate::world::{KINDS, World};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// For the controllers to do what was asked of them.
const SETTLE_SECONDS_MAX: u64 = 40;
const POLL: Duration = Duration::from_millis(40);

/// Makes the namespace, its roles, and everything that is given.
pub(crate) async fn prepare(
    plane: &ControlPlane,
    scenario: &Scenario,
    namespace: &str,
) -> Result<()> {
    make_namespace(plane, scenario, namespace).await?;
    for given in &scenario.given {
        give(plane, given, namespace).await.with_context(|| format!("give {given:?}"))?;
    }
    Ok(())
}

async fn make_namespace(plane: &ControlPlane, scenario: &Scenario, name: &str) -> Result<()> {
    let labels = json!({"bowline-test": name});
    let namespace = json!({"metadata": {"name": name, "labels": labels}});
    plane.api.create("/api/v1/namespaces", &namespace).await?;
    if scenario.rules.is_empty() {
        return Ok(());
    }
    let roles = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{name}");
    let role = json!({"metadata": {"name": "limited"}, "rules": scenario.rules});
    plane.api.create(&format!("{roles}/roles"), &role).await?;
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": "limited"},
        "subjects": [{"kind": "User", "name": scenario.user, "apiGroup": group}],
        "roleRef": {"kind": "Role", "name": "limited", "apiGroup": group},
    });
    plane.api.create(&format!("{roles}/rolebindings"), &binding).await
}

/// Brings one thing in, and waits until the controllers have recorded it.
pub(crate) async fn give(plane: &ControlPlane, given: &Given, namespace: &str) -> Result<()> {
    if let Some(object) = &given.create {
        return create(plane, object, namespace).await;
    }
    if let Some(words) = &given.kubectl {
        oracle::as_admin(plane, &words.list(), namespace).await?;
        settle(plane, namespace).await?;
        return Ok(());
    }
    let (kind, name) = match given {
        Given { deployment: Some(name), .. } => ("Deployment", name),
        Given { stateful_set: Some(name), .. } => ("StatefulSet", name),
        Given { daemon_set: Some(name), .. } => ("DaemonSet", name),
        _ => bail!("nothing is given"),
    };
    let mut object = workload(kind, name, &given.images[0]);
    if let Some(with) = &given.with {
        merge(&mut object, with);
    }
    create(plane, &object, namespace).await?;
    let (_, prefix, plural) = served(kind, "apps/v1")?;
    let path = format!("{prefix}/namespaces/{namespace}/{plural}/{name}");
    let mut recorded = settle(plane, namespace).await?.newest_revision(plural, name);
    for image in &given.images[1..] {
        let containers = json!([{"name": name, "image": image}]);
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        plane.api.patch(&path, &patch).await?;
        recorded = next_revision(plane, namespace, (plural, name), recorded).await?;
    }
    Ok(())
}

/// A Deployment, StatefulSet or DaemonSet with one container of the same name.
pub(crate) fn workload(kind: &str, name: &str, image: &str) -> Value {
    let labels = json!({"app": name});
    let mut object = json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": name, "image": image}]},
            },
        },
    });
    if kind != "DaemonSet" {
        object["spec"]["replicas"] = json!(2);
    }
    if kind == "StatefulSet" {
        object["spec"]["serviceName"] = json!(name);
    }
    object
}

async fn create(plane: &ControlPlane, object: &Value, namespace: &str) -> Result<()> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let (_, prefix, plural) = served(kind, object["apiVersion"].as_str().unwrap_or_default())?;
    plane.api.create(&format!("{prefix}/namespaces/{namespace}/{plural}"), object).await
}

fn served(kind: &str, version: &str) -> Result<(&'static str, &'static str, &'static str)> {
    let known = KINDS.iter().find(|(name, prefix, _)| {
        *name == kind
            && (prefix.strip_prefix("/apis/") == Some(version)
                || *prefix == "/api/v1" && version == "v1")
    });
    known.copied().with_context(|| format!("`{kind}` of `{version}` is not among the known kinds"))
}

/// JSON merge: what is null is taken out.
fn merge(object: &mut Value, with: &Value) {
    let Value::Object(with) = with else {
        *object = with.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in with {
        if value.is_null() {
            object.as_object_mut().map(|fields| fields.remove(key));
        } else {
            merge(&mut object[key.as_str()], value);
        }
    }
}

/// Waits until the controllers have nothing left to do.
pub(crate) async fn settle(plane: &ControlPlane, namespace: &str) -> Result<World> {
    let deadline = Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX);
    loop {
        let world = World::look(&plane.api, namespace).await?;
        if world.is_settled() {
            return Ok(world);
        }
        if Instant::now() >= deadline {
            bail!("the controllers did not settle `{namespace}` within {SETTLE_SECONDS_MAX} s");
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn next_revision(
    plane: &ControlPlane,
    namespace: &str,
    (plural, name): (&str, &str),
    before: i64,
) -> Result<i64> {
    let deadline = Instant::now() + Duration::from_secs(SETTLE_SECONDS_MAX);
    loop {
        let recorded = settle(plane, namespace).await?.newest_revision(plural, name);
        // Going back to an image is no new template for a set, and a paused one waits.
        if recorded > before {
            return Ok(recorded);
        }
        if Instant::now() >= deadline {
            bail!("no revision after {before} of `{name}` was recorded in {SETTLE_SECONDS_MAX} s");
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_merged_wins_and_null_takes_out() {
        let mut web = workload("Deployment", "web", "web:1");
        merge(&mut web, &json!({"spec": {"paused": true, "replicas": null}}));

        assert_eq!(web["spec"]["paused"], true);
        assert_eq!(web["spec"].get("replicas"), None);
        assert_eq!(web["spec"]["selector"]["matchLabels"]["app"], "web");
    }
}
