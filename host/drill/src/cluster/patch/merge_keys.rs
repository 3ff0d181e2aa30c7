//! Which lists are really maps: the fields that tell their items apart.
//!
//! Known by the name of the list, as far as the kinds served here have such lists. Every other
//! list is one value.

use serde_json::Value;

/// The fields that together name an item of the list `field`; `None` when the list is one
/// value, or when an item lacks its key.
pub(crate) fn keys_of(field: &str, items: &[Value]) -> Option<&'static [&'static str]> {
    let keys: &[&str] = match field {
        "containers"
        | "initContainers"
        | "ephemeralContainers"
        | "env"
        | "volumes"
        | "imagePullSecrets" => &["name"],
        "ports" if has(items, "containerPort") => &["containerPort", "protocol"],
        "ports" => &["port", "protocol"],
        "volumeMounts" => &["mountPath"],
        "volumeDevices" => &["devicePath"],
        "hostAliases" => &["ip"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ownerReferences" => &["uid"],
        "conditions" => &["type"],
        _ => return None,
    };
    let is_named =
        |item: &Value| keys.iter().all(|key| *key == "protocol" || item.get(key).is_some());
    items.iter().all(is_named).then_some(keys)
}

/// The one field by which a strategic merge patch tells the items of the list `field` apart.
pub(crate) fn merge_key(field: &str, patch: &[Value], items: &[Value]) -> Option<&'static str> {
    let with_port = |list| has(list, "containerPort");
    match field {
        "ports" if with_port(patch) || with_port(items) => Some("containerPort"),
        "ports" => Some("port"),
        _ => keys_of(field, &[]).and_then(|keys| keys.first().copied()),
    }
}

/// Whether the list `field` is a set of texts.
pub(crate) fn is_set(field: &str) -> bool {
    field == "finalizers"
}

fn has(items: &[Value], key: &str) -> bool {
    items.iter().any(|item| item.get(key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_is_a_map_when_all_its_items_are_named() {
        for (field, items, wanted) in [
            ("containers", json!([{"name": "a"}]), Some(&["name"][..])),
            ("containers", json!([{"image": "a"}]), None),
            ("ports", json!([{"containerPort": 80}]), Some(&["containerPort", "protocol"][..])),
            ("ports", json!([{"port": 80}]), Some(&["port", "protocol"][..])),
            ("args", json!(["a"]), None),
        ] {
            assert_eq!(
                keys_of(field, items.as_array().expect("a list")),
                wanted,
                "{field} {items}"
            );
        }
        assert_eq!(merge_key("ports", &[], &[json!({"containerPort": 1})]), Some("containerPort"));
        assert_eq!(merge_key("tolerations", &[], &[]), None);
    }
}
