//! The revisions of a StatefulSet or DaemonSet, and which of them a rollback goes to.

use super::history::{Chosen, NotInHistory, owned, second_highest};
use crate::members::without;
use serde_json::{Map, Value};

/// A ControllerRevision's number.
#[must_use]
pub fn number(revision: &Value) -> i64 {
    revision["revision"].as_i64().unwrap_or_default()
}

/// The revision that an object is at or goes to: the one that its status names, else the highest.
#[must_use]
pub fn current(object: &Value, revisions: &[Value]) -> Option<i64> {
    let owned = owned(object, revisions);
    let named = object["status"]["updateRevision"].as_str();
    let mut highest = None;
    for revision in owned {
        if named.is_some() && revision["metadata"]["name"].as_str() == named {
            return Some(number(revision));
        }
        highest = highest.max(Some(number(revision)));
    }
    highest
}

/// The pod template that a ControllerRevision holds, without the directive of its patch.
#[must_use]
pub fn template(revision: &Value) -> Value {
    without(&revision["data"]["spec"]["template"], &["$patch"])
}

/// The ControllerRevision to go back to: that of number `wanted`, or, when `wanted` is 0, the one
/// with the second highest.
///
/// # Errors
///
/// When the history has no such revision.
pub fn choose(object: &Value, revisions: &[Value], wanted: i64) -> Result<Chosen, NotInHistory> {
    let mut known: Vec<(i64, &Value)> = Vec::new();
    for revision in owned(object, revisions) {
        known.push((number(revision), revision));
    }
    let found = if wanted == 0 {
        let none = || NotInHistory("no last revision to roll back to".to_owned());
        second_highest(&known).ok_or_else(none)?
    } else {
        let found = known.iter().find(|(number, _)| *number == wanted);
        *found.ok_or_else(|| {
            NotInHistory(format!("unable to find specified revision {wanted} in history"))
        })?
    };
    let (revision, found) = found;
    let annotations = found["metadata"]["annotations"].as_object().cloned();
    Ok(Chosen {
        name: found["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        revision,
        template: template(found),
        annotations: annotations.unwrap_or_else(Map::new),
        ambiguous: false,
        data: Some(found["data"].clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn revision(number: i64, owner: &str) -> Value {
        json!({"metadata": {"name": format!("db-{number}"), "ownerReferences": [{"controller": true, "uid": owner}]},
            "revision": number,
            "data": {"spec": {"template": {"$patch": "replace", "spec": {"containers": [{"name": "c", "image": format!("i:{number}")}]}}}}})
    }

    #[test]
    fn k25_the_revision_is_chosen_as_kubectl_does() {
        let set = json!({"metadata": {"uid": "u"}, "status": {"updateRevision": "db-3"}});
        let three = [revision(1, "u"), revision(3, "u"), revision(2, "u"), revision(9, "other")];
        let name = |wanted| choose(&set, &three, wanted).map(|it| it.name).map_err(|it| it.0);
        assert_eq!(name(0), Ok("db-2".to_owned()));
        assert_eq!(name(1), Ok("db-1".to_owned()));
        assert_eq!(name(7), Err("unable to find specified revision 7 in history".to_owned()));
        assert_eq!(name(9), Err("unable to find specified revision 9 in history".to_owned()));
        let alone = choose(&set, &three[..1], 0).map_err(|it| it.0);
        assert_eq!(alone, Err("no last revision to roll back to".to_owned()));
        assert_eq!(current(&set, &three), Some(3));
        assert_eq!(current(&json!({"metadata": {"uid": "u"}}), &three), Some(3));
        let chosen = choose(&set, &three, 0).expect("a choice");
        assert_eq!(
            chosen.template,
            json!({"spec": {"containers": [{"name": "c", "image": "i:2"}]}})
        );
    }
}
