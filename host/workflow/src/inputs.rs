//! Compares the inputs of a step with what its plugin takes.
//!
//! Only what is known can be wrong: a mistake that a value still to come could mend is none.

use crate::diagnostic::{printable, quote};
use crate::json_schema;
use crate::known::Known;
use crate::signature::Manifest;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// Findings of one step; more would only repeat themselves.
const MISTAKES_MAX: usize = 20;

/// What is wrong with the inputs of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// The JSON pointer of the value, or of the mapping around what is missing or unknown.
    pub(crate) pointer: String,
    pub(crate) kind: MistakeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MistakeKind {
    /// An input that the plugin needs.
    Missing(String),
    /// An input that the plugin does not know, and those that it knows there.
    Unknown(String, Vec<String>),
    /// Anything else, in words.
    Wrong(String),
}

/// The inputs that a plugin takes.
pub(crate) struct Inputs<'m> {
    schema: &'m Value,
    validator: Validator,
}

impl<'m> Inputs<'m> {
    /// Reads a plugin's description of its inputs.
    pub(crate) fn of(manifest: &'m Manifest) -> Result<Self, String> {
        let validator = json_schema::validator(&manifest.inputs)?;
        Ok(Self { schema: &manifest.inputs, validator })
    }

    /// What is wrong with a step's inputs, as far as they are known.
    pub(crate) fn mistakes(&self, known: &Known) -> Vec<Mistake> {
        let mut mistakes = self.unknown_at_the_top(known);
        for error in self.validator.iter_errors(&known.value) {
            self.mistakes_of(&error, known, &mut mistakes);
            if mistakes.len() >= MISTAKES_MAX {
                break;
            }
        }
        mistakes.truncate(MISTAKES_MAX);
        mistakes
    }

    /// Inputs that no property stands for. A plugin ignores them, so a misspelt one would do
    /// nothing in silence; only a plugin that says so takes any.
    fn unknown_at_the_top(&self, known: &Known) -> Vec<Mistake> {
        let open = match self.schema.get("additionalProperties") {
            None => ["patternProperties", "$ref", "allOf", "anyOf", "oneOf"]
                .iter()
                .any(|keyword| self.schema.get(keyword).is_some()),
            // The schema itself speaks then.
            Some(_) => true,
        };
        let (Some(properties), false) = (properties(self.schema), open) else { return Vec::new() };
        let given = known.value.as_object().into_iter().flat_map(|map| map.keys());
        given
            .filter(|&name| !properties.contains(name))
            .take(MISTAKES_MAX)
            .map(|name| Mistake {
                pointer: String::new(),
                kind: MistakeKind::Unknown(name.clone(), properties.clone()),
            })
            .collect()
    }

    fn mistakes_of(&self, error: &ValidationError<'_>, known: &Known, mistakes: &mut Vec<Mistake>) {
        let pointer = error.instance_path().as_str().to_owned();
        if known.is_hole(&pointer) {
            return;
        }
        // What can be said of a list or mapping whatever its values come to.
        let structural = matches!(
            error.kind(),
            ValidationErrorKind::Required { .. }
                | ValidationErrorKind::AdditionalProperties { .. }
                | ValidationErrorKind::Type { .. }
                | ValidationErrorKind::MinItems { .. }
                | ValidationErrorKind::MaxItems { .. }
                | ValidationErrorKind::MinProperties { .. }
                | ValidationErrorKind::MaxProperties { .. }
                | ValidationErrorKind::PropertyNames { .. }
        );
        if !structural && known.has_holes_below(&pointer) {
            return;
        }
        let kinds = match error.kind() {
            ValidationErrorKind::Required { property } => {
                vec![MistakeKind::Missing(property.as_str().unwrap_or_default().to_owned())]
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.known_beside(error);
                let unknown = |name: &String| MistakeKind::Unknown(name.clone(), known.clone());
                unexpected.iter().take(MISTAKES_MAX).map(unknown).collect()
            }
            kind => vec![MistakeKind::Wrong(in_words(kind, error))],
        };
        mistakes.extend(kinds.into_iter().map(|kind| Mistake { pointer: pointer.clone(), kind }));
    }

    /// The properties of the part of the schema in which an error arose.
    fn known_beside(&self, error: &ValidationError<'_>) -> Vec<String> {
        let place = error.schema_path().as_str();
        let parent = place.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.schema.pointer(parent).and_then(properties).unwrap_or_default()
    }
}

fn properties(schema: &Value) -> Option<Vec<String>> {
    Some(schema.get("properties")?.as_object()?.keys().cloned().collect())
}

/// What a value must be, for a sentence that begins with its name.
fn in_words(kind: &ValidationErrorKind, error: &ValidationError<'_>) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => {
            let wanted = match kind {
                TypeKind::Single(kind) => article(&kind.to_string()).to_owned(),
                TypeKind::Multiple(kinds) => {
                    let kinds = kinds.iter().map(|kind| article(&kind.to_string()).to_owned());
                    kinds.collect::<Vec<_>>().join(" or ")
                }
            };
            format!("must be {wanted}, this is {}", what(error.instance()))
        }
        ValidationErrorKind::Enum { options } => {
            let options = options.as_array().map(Vec::as_slice).unwrap_or_default();
            let options: Vec<String> = options.iter().map(shown).collect();
            format!("can be {}, not {}", options.join(" or "), shown(error.instance()))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("must be {}, not {}", shown(expected_value), shown(error.instance()))
        }
        ValidationErrorKind::Pattern { pattern } => {
            format!("must match {}, which {} does not", quote(pattern), shown(error.instance()))
        }
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => format!("needs at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("can have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit } => format!("needs at least {limit} items"),
        ValidationErrorKind::MaxItems { limit } => format!("can have at most {limit} items"),
        ValidationErrorKind::Minimum { limit } => format!("must be {limit} or more"),
        ValidationErrorKind::Maximum { limit } => format!("must be {limit} or less"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::Format { format } => format!("must be {format}"),
        ValidationErrorKind::AnyOf { .. } | ValidationErrorKind::OneOfNotValid { .. } => {
            format!("has none of the forms that the plugin takes: {}", shown(error.instance()))
        }
        _ => cut(&printable(&error.to_string())),
    }
}

fn article(kind: &str) -> &str {
    match kind {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "null" => "null",
        "number" => "a number",
        "object" => "a mapping",
        "string" => "a text",
        other => other,
    }
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        value => quote(&value.to_string()),
    }
}

/// Characters of another's sentence that a message takes over.
const SENTENCE_CHARACTERS_MAX: usize = 200;

fn cut(text: &str) -> String {
    match text.char_indices().nth(SENTENCE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
