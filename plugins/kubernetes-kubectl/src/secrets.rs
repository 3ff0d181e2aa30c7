//! Masks what a Secret holds, before anything is printed or put out.

use serde_json::Value;

/// What stands in place of a value.
const MASK: &str = "(masked)";

/// The annotation in which `kubectl apply` repeats the whole object.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Masks the values of `object` if it is a Secret; its keys stay. Says whether there were any.
pub(crate) fn mask(object: &mut Value) -> bool {
    let mut masked = false;
    for part in ["data", "stringData"] {
        for value in object[part].as_object_mut().into_iter().flat_map(|it| it.values_mut()) {
            *value = MASK.into();
            masked = true;
        }
    }
    if let Some(value) =
        object.pointer_mut("/metadata/annotations").and_then(|it| it.get_mut(LAST_APPLIED))
    {
        *value = MASK.into();
        masked = true;
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_value_of_a_secret_is_left() {
        let mut secret = json!({"kind": "Secret", "type": "Opaque", "data": {"password": "c2VjcmV0"},
            "stringData": {"token": "s3cret"},
            "metadata": {"name": "s", "annotations": {LAST_APPLIED: "{\"data\":{\"password\":\"c2VjcmV0\"}}", "a": "b"}}});
        assert!(mask(&mut secret));
        let text = secret.to_string();
        assert!(!text.contains("c2VjcmV0") && !text.contains("s3cret"), "{text}");
        assert_eq!(secret["data"]["password"], MASK);
        assert_eq!(secret["metadata"]["annotations"]["a"], "b");
        assert!(!mask(&mut json!({"metadata": {"name": "empty"}})));
    }
}
