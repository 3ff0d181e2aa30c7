//! PATCH: chooses the language of the patch, applies it, and hands the result on.
//!
//! A patch works on a copy; what comes out is checked like any other new version of the object.

mod apply;
mod json_patch;
pub(crate) mod merge_keys;
mod strategic;

use super::World;
use super::object;
use super::route::Target;
use super::scale;
use super::status_errors::{Cause, Refusal};
use super::update::{self, Writing};
use super::write_options::WriteOptions;
use crate::exchange::{Answer, Asked};
use jiff::Timestamp;
use serde_json::Value;

const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const STRATEGIC_MERGE_PATCH: &str = "application/strategic-merge-patch+json";
const APPLY_PATCH: &str = "application/apply-patch+yaml";

/// Answers PATCH.
pub(crate) fn answer(
    world: &mut World,
    asked: &Asked,
    target: &Target,
    now: Timestamp,
) -> Result<Answer, Refusal> {
    let language = asked.media_type().unwrap_or_default();
    let options = WriteOptions::read(asked, "PatchOptions")?;
    if language == APPLY_PATCH {
        return apply::answer(world, asked, target, &options, now);
    }
    if options.force {
        let cause = Cause {
            field: "force".to_owned(),
            reason: "FieldValueForbidden",
            message: "Forbidden: may not be specified for non-apply patch".to_owned(),
        };
        return Err(Refusal::invalid_options("PatchOptions", &[cause]));
    }
    let name = target.name.clone().unwrap_or_default();
    let key = target.key(&name);
    let old = world.store.get(&key).cloned();
    let patched = |base: &Value| match language.as_str() {
        JSON_PATCH => json_patch::apply(base, &asked.body),
        MERGE_PATCH => merge(base, &object_of(&asked.body)?),
        STRATEGIC_MERGE_PATCH => strategic::apply(base, &object_of(&asked.body)?),
        _ => Err(Refusal::unsupported_media_type(&[
            JSON_PATCH,
            MERGE_PATCH,
            STRATEGIC_MERGE_PATCH,
            APPLY_PATCH,
        ])),
    };
    let Some(old) = old else {
        // A patch in an unknown language is refused before anyone looks for the object.
        if ![JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH].contains(&language.as_str()) {
            patched(&Value::Null)?;
        }
        return Err(Refusal::not_found(target.kind, &name));
    };
    let new = if target.subresource.as_deref() == Some("scale") {
        scale::onto(&old, &patched(&scale::of(&old))?)?
    } else {
        patched(&old)?
    };
    let writing = Writing { target, key, old, options: &options, now, fields_are_tracked: false };
    update::replace(world, &writing, new)
}

fn merge(base: &Value, patch: &Value) -> Result<Value, Refusal> {
    let mut patched = base.clone();
    ::json_patch::merge(&mut patched, patch);
    Ok(patched)
}

fn object_of(body: &[u8]) -> Result<Value, Refusal> {
    let problem = |text: String| Refusal::bad_request(format!("error decoding patch: {text}"));
    let patch: Value = serde_json::from_slice(body).map_err(|error| problem(error.to_string()))?;
    match patch {
        Value::Object(_) => Ok(patch),
        _ => Err(problem("it is not an object".to_owned())),
    }
}

/// How deep an object may become by patching; the same as what a body may bring.
const DEPTH_MAX: usize = 120;

/// Whether `value` is at most `levels` deep.
fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(fields) => {
            levels > 0 && fields.values().all(|value| is_within(value, levels - 1))
        }
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        _ => true,
    }
}

/// The member of `object` under `path`, made when it is missing.
fn entry<'a>(object: &'a mut Value, key: &str) -> &'a mut Value {
    object::fields(object).entry(key.to_owned()).or_insert(Value::Null)
}
