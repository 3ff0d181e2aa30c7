//! The options that every write shares: dry run, field manager, force.
//!
//! Read from the query once; what is misspelt is refused and never ignored, because a dry run
//! that is not one would be the worst of mistakes.

use super::object;
use super::status_errors::{Cause, Refusal};
use crate::exchange::Asked;
use serde_json::{Value, json};

/// The longest name of a field manager.
const MANAGER_CHARACTERS_MAX: usize = 128;

/// How to write.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WriteOptions {
    /// Everything but the writing.
    pub(crate) dry_run: bool,
    /// Who writes; never empty.
    pub(crate) manager: String,
    /// Whether the request named the manager itself.
    pub(crate) manager_given: bool,
    /// Take fields over from other managers; only for apply.
    pub(crate) force: bool,
    /// `Strict`, `Warn` or `Ignore`: what happens to fields that the API does not have.
    pub(crate) field_validation: String,
}

impl WriteOptions {
    /// Reads them from the query; `options` is the name in messages, as `PatchOptions`.
    pub(crate) fn read(asked: &Asked, options: &str) -> Result<Self, Refusal> {
        let mut causes = Vec::new();
        let dry_run = asked.query.all("dryRun").any(|value| value == "All");
        for value in asked.query.all("dryRun").filter(|value| *value != "All") {
            causes.push(Cause {
                field: "dryRun".to_owned(),
                reason: "FieldValueNotSupported",
                message: format!("Unsupported value: {value:?}: supported values: \"All\""),
            });
        }
        if let Some(value) = asked.query.filled("fieldValidation")
            && !["Ignore", "Warn", "Strict"].contains(&value)
        {
            let message = format!(
                "Unsupported value: {value:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
            );
            let field = "fieldValidation".to_owned();
            causes.push(Cause { field, reason: "FieldValueNotSupported", message });
        }
        let given = asked.query.filled("fieldManager");
        if let Some(manager) = given
            && (manager.chars().count() > MANAGER_CHARACTERS_MAX
                || manager.chars().any(char::is_control))
        {
            let why = "may not be longer than 128 characters, all of them printable";
            causes.push(Cause::invalid("fieldManager", &json!(manager), why));
        }
        if !causes.is_empty() {
            return Err(Refusal::invalid_options(options, &causes));
        }
        Ok(Self {
            dry_run,
            manager: given.map_or_else(|| from_agent(asked), str::to_owned),
            manager_given: given.is_some(),
            force: asked.query.is_set("force"),
            field_validation: asked.query.filled("fieldValidation").unwrap_or("Warn").to_owned(),
        })
    }
}

/// The conditions in the body of a DELETE, or in what a patch says about `metadata`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

impl Preconditions {
    /// Reads `uid` and `resourceVersion` of `value`; empty ones ask for nothing.
    pub(crate) fn read(value: &Value) -> Self {
        let filled = |key| {
            Some(object::text(value, &[key])).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        Self { uid: filled("uid"), resource_version: filled("resourceVersion") }
    }

    /// Why the object is another one than was meant.
    pub(crate) fn broken_by(&self, object: &Value) -> Option<String> {
        let (uid, version) = (object::uid(object), object::resource_version(object));
        if let Some(wanted) = self.uid.as_deref().filter(|wanted| *wanted != uid) {
            return Some(format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {uid}"
            ));
        }
        let wanted = self.resource_version.as_deref().filter(|wanted| *wanted != version)?;
        Some(format!(
            "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in \
             object meta: {version}"
        ))
    }
}

fn from_agent(asked: &Asked) -> String {
    let agent = asked.header("user-agent").unwrap_or_default();
    let name: String =
        agent.split('/').next().unwrap_or_default().chars().take(MANAGER_CHARACTERS_MAX).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}
