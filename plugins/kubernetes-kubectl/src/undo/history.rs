//! The revisions of a Deployment, and which of them a rollback goes to.

use super::{REVISION, template};
use serde_json::{Map, Value};

/// The revision that a rollback goes to, frozen before anything is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// The name of the ReplicaSet or ControllerRevision.
    pub name: String,
    /// Its revision; 0 when it has none.
    pub revision: i64,
    /// Its pod template, without the label `pod-template-hash`.
    pub template: Value,
    /// Its annotations.
    pub annotations: Map<String, Value>,
    /// Another ReplicaSet has the same revision.
    pub ambiguous: bool,
    /// The patch that a ControllerRevision holds; none for a ReplicaSet.
    pub data: Option<Value>,
}

/// Why there is nothing to go back to, in kubectl's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotInHistory(pub String);

/// The ReplicaSets whose controller is this very Deployment, by its UID: oldest first, the one
/// that has the Deployment's present template last.
#[must_use]
pub fn owned<'a>(deployment: &Value, sets: &'a [Value]) -> Vec<&'a Value> {
    let uid = deployment["metadata"]["uid"].as_str();
    let mut owned: Vec<&Value> = Vec::new();
    for set in sets {
        if uid.is_some() && controller(set) == uid {
            owned.push(set);
        }
    }
    let age = |set: &Value| {
        let of = |name| set["metadata"][name].as_str().unwrap_or_default().to_owned();
        (of("creationTimestamp"), of("name"))
    };
    super::sort(&mut owned, |one, other| age(one) < age(other));
    let now = &deployment["spec"]["template"];
    let current = owned.iter().position(|set| template::same(&set["spec"]["template"], now));
    if let Some(current) = current {
        let current = owned.remove(current);
        owned.push(current);
    }
    owned
}

/// The UID of the controller of an object.
#[must_use]
pub fn controller(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    owners.iter().find(|owner| owner["controller"] == true)?["uid"].as_str()
}

/// An object's revision: 0 when it says none, nothing when it says nonsense.
#[must_use]
pub fn revision(object: &Value) -> Option<i64> {
    match &object["metadata"]["annotations"][REVISION] {
        Value::Null => Some(0),
        value => value.as_str()?.parse().ok(),
    }
}

/// The ReplicaSet to go back to: that of revision `wanted`, or, when `wanted` is 0, the one with
/// the second highest revision.
///
/// # Errors
///
/// When the history has no such revision. `wanted` below 0 is never in it.
pub fn choose(deployment: &Value, sets: &[Value], wanted: i64) -> Result<Chosen, NotInHistory> {
    let owned = owned(deployment, sets);
    let mut known: Vec<(i64, &Value)> = Vec::new();
    for set in owned {
        if let Some(revision) = revision(set) {
            known.push((revision, set));
        }
    }
    let found = if wanted == 0 {
        second_highest(&known).ok_or_else(|| {
            let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
            NotInHistory(format!("no rollout history found for deployment \"{name}\""))
        })?
    } else {
        let found = known.iter().find(|(revision, _)| wanted > 0 && *revision == wanted);
        *found.ok_or_else(|| {
            NotInHistory(format!("unable to find specified revision {wanted} in history"))
        })?
    };
    let (revision, set) = found;
    let same = known.iter().filter(|(other, _)| *other == revision).count();
    let annotations = set["metadata"]["annotations"].as_object();
    Ok(Chosen {
        name: set["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        revision,
        template: template::for_deployment(&set["spec"]["template"]),
        annotations: annotations.cloned().unwrap_or_default(),
        ambiguous: same > 1,
        data: None,
    })
}

pub(super) fn second_highest<'a>(known: &[(i64, &'a Value)]) -> Option<(i64, &'a Value)> {
    let mut latest: Option<(i64, &Value)> = None;
    let mut previous: Option<(i64, &Value)> = None;
    for &(revision, set) in known {
        if latest.is_none_or(|(highest, _)| revision > highest) {
            previous = latest;
            latest = Some((revision, set));
        } else if previous.is_none_or(|(second, _)| revision > second) {
            previous = Some((revision, set));
        }
    }
    previous
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(name: &str, owner: &str, revision: Value, image: &str) -> Value {
        json!({
            "metadata": {
                "name": name,
                "creationTimestamp": format!("2026-07-01T00:00:0{}Z", name.len()),
                "annotations": {"deployment.kubernetes.io/revision": revision},
                "ownerReferences": [{"controller": true, "uid": owner, "name": "web"}],
            },
            "spec": {"template": {
                "metadata": {"labels": {"app": "web", "pod-template-hash": name}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            }},
        })
    }

    fn deployment(image: &str) -> Value {
        json!({
            "metadata": {"name": "web", "uid": "u"},
            "spec": {"template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "c", "image": image}]},
            }},
        })
    }

    fn chosen(sets: &[Value], wanted: i64) -> Result<String, String> {
        choose(&deployment("i:now"), sets, wanted)
            .map(|chosen| chosen.name)
            .map_err(|NotInHistory(text)| text)
    }

    #[test]
    fn k15_k17_k18_k19_k20_the_revision_is_chosen_as_kubectl_does() {
        let r = |n: i64| json!(n.to_string());
        let three = vec![
            set("a", "u", r(1), "i:1"),
            set("bb", "u", r(2), "i:2"),
            set("ccc", "u", r(3), "i:now"),
        ];
        let none = "no rollout history found for deployment \"web\"".to_owned();
        let missing = |n: i64| Err(format!("unable to find specified revision {n} in history"));
        type Case = (&'static str, Vec<Value>, i64, Result<String, String>);
        let cases: Vec<Case> = vec![
            ("the one before", three.clone(), 0, Ok("bb".into())),
            ("a given one", three.clone(), 1, Ok("a".into())),
            ("the current one", three.clone(), 3, Ok("ccc".into())),
            ("one that is not there", three.clone(), 99, missing(99)),
            ("a negative one", three.clone(), -1, missing(-1)),
            ("nothing at all", vec![], 0, Err(none.clone())),
            ("only the current one", three[2..].to_vec(), 0, Err(none.clone())),
            (
                "another owner's with the same labels",
                vec![set("bb", "other", r(9), "i:2"), three[2].clone()],
                0,
                Err(none.clone()),
            ),
            (
                "without a revision, counted as 0",
                vec![set("bb", "u", Value::Null, "i:2"), three[2].clone()],
                0,
                Ok("bb".into()),
            ),
            (
                "without a revision, but there is something better",
                vec![set("x", "u", Value::Null, "i:0"), three[0].clone(), three[2].clone()],
                0,
                Ok("a".into()),
            ),
            (
                "a revision that is no number",
                vec![set("bb", "u", json!("two"), "i:2"), three[2].clone()],
                0,
                Err(none),
            ),
            (
                "after a rollback the old number is gone",
                vec![three[0].clone(), set("bb", "u", r(4), "i:now"), set("ccc", "u", r(3), "i:3")],
                0,
                Ok("ccc".into()),
            ),
            (
                "two with one revision: the older",
                vec![set("dddd", "u", r(2), "i:4"), set("bb", "u", r(2), "i:2"), three[2].clone()],
                2,
                Ok("bb".into()),
            ),
        ];
        for (name, sets, wanted, expected) in cases {
            assert_eq!(chosen(&sets, wanted), expected, "{name}");
        }
    }

    #[test]
    fn what_is_chosen_is_frozen_without_the_hash_label() {
        let sets = [set("a", "u", json!("1"), "i:1"), set("bb", "u", json!("2"), "i:now")];
        let chosen = choose(&deployment("i:now"), &sets, 0).expect("a choice");
        assert_eq!(chosen.template["metadata"]["labels"], json!({"app": "web"}));
        assert_eq!(chosen.template["spec"]["containers"][0]["image"], "i:1");
        assert!(!chosen.ambiguous);
    }

    #[test]
    fn k16_an_orphan_or_a_mere_owner_is_no_part_of_the_history() {
        let mut orphan = set("a", "u", json!("1"), "i:1");
        orphan["metadata"]["ownerReferences"] = json!([]);
        let mut guest = set("bb", "u", json!("1"), "i:1");
        guest["metadata"]["ownerReferences"][0]["controller"] = json!(false);
        let now = set("ccc", "u", json!("2"), "i:now");
        assert!(choose(&deployment("i:now"), &[orphan, guest, now], 0).is_err());
    }
}
