//! Reads the manifest out of a component's custom section. Decides whether it is one; what it asks
//! for is judged elsewhere.

use super::{ArtifactError, MANIFEST_BYTES_MAX, MANIFEST_SECTION, shown};
use crate::json;
use serde_json::Value;
use workflow::Manifest;

/// Characters of a version, and of a summary.
const VERSION_MAX: usize = 64;
const SUMMARY_MAX: usize = 300;

/// The manifest, if there is exactly one and it is good.
pub(super) fn read(sections: &[&[u8]]) -> Result<Manifest, ArtifactError> {
    let [section] = sections else {
        return Err(if sections.is_empty() {
            ArtifactError::new(
                "plugin.no-manifest",
                format!("it has no `{MANIFEST_SECTION}` section; pack it with the SDK's packer"),
            )
        } else {
            invalid(format!("it has {} manifest sections instead of one", sections.len()))
        });
    };
    let text = std::str::from_utf8(section)
        .map_err(|error| invalid(format!("the manifest is not UTF-8: {error}")))?;
    let value = json::parse(text, MANIFEST_BYTES_MAX)
        .map_err(|error| invalid(format!("the manifest is {error}")))?;
    if holds_nul(&value) {
        return Err(invalid("a text of the manifest holds a NUL character".to_owned()));
    }
    let manifest: Manifest = serde_json::from_value(value)
        .map_err(|error| invalid(format!("the manifest does not fit: {error}")))?;
    check(&manifest)?;
    Ok(manifest)
}

fn check(manifest: &Manifest) -> Result<(), ArtifactError> {
    if manifest.schema != 1 {
        return Err(invalid(format!(
            "its manifest has form {}, and this host reads form 1; update the host",
            manifest.schema
        )));
    }
    if !is_plugin_name(&manifest.name) {
        return Err(invalid(format!(
            "the name `{}` is not 1 to 64 of a-z, 0-9 and `-`",
            shown(&manifest.name)
        )));
    }
    if !is_version(&manifest.version) {
        return Err(invalid(format!(
            "the version `{}` is not 1 to {VERSION_MAX} of letters, digits, `.`, `-` and `+`",
            shown(&manifest.version)
        )));
    }
    if manifest.summary.chars().count() > SUMMARY_MAX {
        return Err(invalid(format!(
            "the summary has {} characters, and {SUMMARY_MAX} are allowed",
            manifest.summary.chars().count()
        )));
    }
    if let Some(slot) = manifest.connections.keys().find(|slot| !is_plugin_name(slot)) {
        return Err(invalid(format!("`{}` can't name a connection", shown(slot))));
    }
    for (slot, need) in &manifest.connections {
        if let Some(verify) = need.verify.iter().find(|verify| verify.way().is_none()) {
            return Err(invalid(format!(
                "the connection `{slot}` does not say in exactly one way how `{} {}` is verified: \
                 either `recognised`, or `look` with `contains`",
                shown(&verify.method),
                shown(&verify.path)
            )));
        }
    }
    Ok(())
}

fn invalid(message: String) -> ArtifactError {
    ArtifactError::new("plugin.manifest-invalid", message)
}

/// 1 to 64 of `a-z`, `0-9` and `-`, starting with a letter.
#[must_use]
pub fn is_plugin_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_version(version: &str) -> bool {
    (1..=VERSION_MAX).contains(&version.len())
        && version.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+".contains(&b))
}

/// Other programs end a text at a NUL and would show another one than was checked. The value's
/// depth is bounded by whoever parsed it.
fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(values) => values.iter().any(holds_nul),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_write_is_verified_in_exactly_one_way() {
        let read_with = |way: Value| {
            let mut verify = json!({"method": "POST", "path": "/things"});
            for (name, value) in way.as_object().unwrap() {
                verify[name] = value.clone();
            }
            let manifest = json!({
                "schema": 1, "name": "a", "version": "1.0.0", "summary": "s",
                "inputs": {}, "outputs": {},
                "connections": {"api": {"type": "http", "from": ["/c"], "reason": "r", "allow": [],
                    "verify": [verify]}},
            });
            read(&[manifest.to_string().as_bytes()])
        };
        assert!(read_with(json!({"recognised": true})).is_ok());
        assert!(read_with(json!({"look": "/things", "contains": "${step.key}"})).is_ok());
        for way in [
            json!({}),
            json!({"look": "/things"}),
            json!({"contains": "x"}),
            json!({"recognised": true, "look": "/things", "contains": "x"}),
        ] {
            let error = read_with(way.clone()).unwrap_err();
            assert_eq!(error.code, "plugin.manifest-invalid", "{way}");
            assert!(error.message.contains("`POST /things`"), "{error}");
        }
        let error = read_with(json!({"recognized": true})).unwrap_err();
        assert_eq!(error.code, "plugin.manifest-invalid");
    }
}
