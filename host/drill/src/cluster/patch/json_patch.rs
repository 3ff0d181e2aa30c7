//! JSON Patch (RFC 6902), with the limits of the real server.
//!
//! A patch that can't be read is a bad request; one that can't be applied (a failed `test`, a
//! missing member) is a bare 422 without causes, as from the real server.

use super::super::status_errors::Refusal;
use super::super::store::weight;
use super::{DEPTH_MAX, is_within};
use ::json_patch::{Patch, PatchOperation};
use serde_json::Value;

/// Operations in one patch; the real server's limit.
const OPERATIONS_MAX: usize = 10_000;
/// What `copy` may add to an object all in all.
const COPIED_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Applies the patch in `body` to a copy of `base`.
pub(super) fn apply(base: &Value, body: &[u8]) -> Result<Value, Refusal> {
    let Patch(operations) = serde_json::from_slice(body)
        .map_err(|problem| Refusal::bad_request(format!("error decoding patch: {problem}")))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(Refusal::too_large(format!(
            "The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {}",
            operations.len()
        )));
    }
    let mut patched = base.clone();
    let mut copied = 0;
    for operation in operations {
        check_growth(&patched, &operation, &mut copied)?;
        ::json_patch::patch(&mut patched, std::slice::from_ref(&operation))
            .map_err(|_| Refusal::patch_failed())?;
    }
    Ok(patched)
}

// Copying the whole into a part of itself doubles size and depth each time.
fn check_growth(
    object: &Value,
    operation: &PatchOperation,
    copied: &mut usize,
) -> Result<(), Refusal> {
    let (path, added) = match operation {
        PatchOperation::Add(add) => (&add.path, Some(&add.value)),
        PatchOperation::Replace(replace) => (&replace.path, Some(&replace.value)),
        PatchOperation::Move(change) => (&change.path, object.pointer(change.from.as_str())),
        PatchOperation::Copy(copy) => {
            let source = object.pointer(copy.from.as_str());
            *copied += source.map_or(0, weight);
            (&copy.path, source)
        }
        PatchOperation::Remove(_) | PatchOperation::Test(_) => return Ok(()),
    };
    let room = DEPTH_MAX.saturating_sub(path.count());
    let fits = *copied <= COPIED_BYTES_MAX && added.is_none_or(|added| is_within(added, room));
    if fits { Ok(()) } else { Err(Refusal::patch_failed()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn operations_do_what_the_standard_says() {
        let base = json!({"a": {"b": [1, 2]}, "metadata": {"annotations": {"x/y": "z"}}});
        for (patch, wanted) in [
            (json!([{"op": "add", "path": "/a/c", "value": 1}]), json!({"b": [1, 2], "c": 1})),
            (json!([{"op": "remove", "path": "/a/b/0"}]), json!({"b": [2]})),
            (
                json!([{"op": "test", "path": "/metadata/annotations/x~1y", "value": "z"},
                       {"op": "replace", "path": "/a", "value": {}}]),
                json!({}),
            ),
        ] {
            let patched = apply(&base, patch.to_string().as_bytes()).expect("applied");
            assert_eq!(patched["a"], wanted, "{patch}");
        }
    }

    #[test]
    fn what_can_not_be_applied_is_a_bare_422() {
        let base = json!({"metadata": {"resourceVersion": "7"}});
        for (patch, code) in [
            (json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "6"}]), 422),
            (json!([{"op": "replace", "path": "/metadata/annotations", "value": {}}]), 422),
            (json!([{"op": "remove", "path": "/nothing"}]), 422),
            (json!([{"op": "add", "path": "/a/b/c", "value": 1}]), 422),
            (json!([{"op": "fold", "path": "/a"}]), 400),
            (json!({"op": "add"}), 400),
            (json!("x"), 400),
        ] {
            let refusal = apply(&base, patch.to_string().as_bytes()).expect_err("refused");
            assert_eq!(refusal.code, code, "{patch}");
        }
    }

    #[test]
    fn a_patch_can_not_blow_an_object_up() {
        let doubling: Vec<Value> = (0..64)
            .map(|index| json!({"op": "copy", "from": "", "path": format!("/copy{index}")}))
            .collect();
        let refused = apply(&json!({"a": "x".repeat(100)}), json!(doubling).to_string().as_bytes());
        assert_eq!(refused.expect_err("refused").code, 422);

        let many = vec![json!({"op": "test", "path": "", "value": {}}); OPERATIONS_MAX + 1];
        let refused = apply(&json!({}), json!(many).to_string().as_bytes());
        assert_eq!(refused.expect_err("refused").code, 413);
    }
}
