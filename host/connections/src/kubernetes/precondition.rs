//! `if-version` and `if-uid`, in the form that each verb has for them.

use crate::bindings::kubernetes::{PatchKind, WriteOptions};
use effects::CallError;
use journal::Repeatable;
use serde_json::{Map, Value, json};

/// What must hold for a write to take effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    version: Option<String>,
    uid: Option<String>,
}

impl Precondition {
    pub(crate) fn of(options: &WriteOptions) -> Self {
        Self { version: options.if_version.clone(), uid: options.if_uid.clone() }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Why a change under it may be asked for twice: a version passes with the change. An identity
    /// does not.
    pub(crate) fn repeatable(&self) -> Option<Repeatable> {
        self.version.as_ref().map(|_version| Repeatable::Conditional)
    }

    /// For people and for the journal.
    pub(crate) fn text(&self) -> Option<String> {
        let version = self.version.as_ref().map(|version| format!("resourceVersion {version}"));
        let uid = self.uid.as_ref().map(|uid| format!("uid {uid}"));
        let parts: Vec<String> = version.into_iter().chain(uid).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Puts it into a patch: as `test` operations before everything else, or as the members
    /// that the server compares.
    pub(crate) fn into_patch(self, how: PatchKind, patch: Value) -> Result<Value, CallError> {
        match (how, patch) {
            (PatchKind::JsonPatch, Value::Array(operations)) => {
                let tests = self.members().map(|(name, value)| {
                    json!({ "op": "test", "path": format!("/metadata/{name}"), "value": value })
                });
                Ok(Value::Array(tests.chain(operations).collect()))
            }
            (_, Value::Object(object)) => self.into_object(object).map(Value::Object),
            (_, patch) => Ok(patch),
        }
    }

    /// Puts it into the metadata of an object.
    pub(crate) fn into_object(
        self,
        mut object: Map<String, Value>,
    ) -> Result<Map<String, Value>, CallError> {
        if self.is_none() {
            return Ok(object);
        }
        let metadata = object.entry("metadata").or_insert_with(|| json!({}));
        let Some(metadata) = metadata.as_object_mut() else {
            let message = "`metadata` is not an object";
            return Err(CallError::invalid("kubernetes.invalid-object", message));
        };
        for (name, value) in self.members() {
            let written = metadata.entry(name).or_insert_with(|| json!(value));
            if *written != json!(value) {
                let message = format!("the object's `{name}` is not the one of the condition");
                return Err(CallError::invalid("kubernetes.invalid-precondition", message));
            }
        }
        Ok(object)
    }

    /// As the `preconditions` of a deletion.
    pub(crate) fn into_delete(self, mut options: Map<String, Value>) -> Map<String, Value> {
        if !self.is_none() {
            let members: Map<String, Value> =
                self.members().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            options.insert("preconditions".to_owned(), Value::Object(members));
        }
        options
    }

    fn members(self) -> impl Iterator<Item = (&'static str, String)> {
        let version = self.version.map(|version| ("resourceVersion", version));
        version.into_iter().chain(self.uid.map(|uid| ("uid", uid)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> Precondition {
        Precondition { version: Some("7".into()), uid: Some("u".into()) }
    }

    #[test]
    fn each_verb_gets_it_in_its_own_form() {
        let operations = json!([{"op": "add", "path": "/spec/x", "value": 1}]);
        assert_eq!(
            both().into_patch(PatchKind::JsonPatch, operations).unwrap(),
            json!([
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "test", "path": "/metadata/uid", "value": "u"},
                {"op": "add", "path": "/spec/x", "value": 1},
            ])
        );
        assert_eq!(
            both().into_patch(PatchKind::Merge, json!({"spec": 1})).unwrap(),
            json!({"spec": 1, "metadata": {"resourceVersion": "7", "uid": "u"}})
        );
        assert_eq!(
            Value::Object(both().into_delete(Map::new())),
            json!({"preconditions": {"resourceVersion": "7", "uid": "u"}})
        );
        assert_eq!(both().text().unwrap(), "resourceVersion 7, uid u");
        assert_eq!(Precondition::default().text(), None);
    }

    #[test]
    fn a_body_that_says_otherwise_is_refused() {
        let patch = json!({"metadata": {"resourceVersion": "8"}});
        assert!(both().into_patch(PatchKind::Merge, patch).is_err());
        assert!(both().into_patch(PatchKind::Merge, json!({"metadata": 1})).is_err());
    }
}
