//! The inputs and outputs of a plugin against its JSON Schema.

use journal::Failure;
use jsonschema::Validator;
use serde_json::{Map, Value};

/// How many faults are told: the first ones show what is wrong.
const FAULTS_SHOWN_MAX: usize = 5;

/// A compiled schema.
pub(crate) struct Schema {
    validator: Validator,
    /// Members of the object that have a default.
    defaults: Vec<(String, Value)>,
}

impl Schema {
    /// Compiles a schema, if it is one that asks for no more than a schema may.
    pub(crate) fn compile(schema: &Value) -> Result<Self, String> {
        let validator = workflow::json_schema::validator(schema)?;
        let properties = schema.get("properties").and_then(Value::as_object);
        let defaults = properties
            .into_iter()
            .flatten()
            .filter_map(|(name, schema)| Some((name.clone(), schema.get("default")?.clone())))
            .filter(|(_, default)| !default.is_null())
            .collect();
        Ok(Self { validator, defaults })
    }

    /// Fills in the defaults of members that are not there, or null.
    pub(crate) fn fill_defaults(&self, object: &mut Map<String, Value>) {
        for (name, default) in &self.defaults {
            let member = object.entry(name.clone()).or_insert(Value::Null);
            if member.is_null() {
                *member = default.clone();
            }
        }
    }

    /// Whether `value` fits. The failure names each place and what is wrong there, and never
    /// the value itself, which may be confidential.
    pub(crate) fn check(&self, value: &Value, code: &str, what: &str) -> Result<(), Failure> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let faults: Vec<String> = self
            .validator
            .iter_errors(value)
            .take(FAULTS_SHOWN_MAX)
            .map(|error| {
                let place = error.instance_path().to_string();
                let place = if place.is_empty() { "/".to_owned() } else { place };
                format!("`{place}`: {}", error.masked())
            })
            .collect();
        let faults = faults.join("; ");
        Err(Failure::permanent(
            code,
            format!("the {what} do not fit the plugin's schema: {faults}"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_are_filled_in_and_faults_are_named() {
        let schema = Schema::compile(&json!({
            "type": "object",
            "properties": {"namespace": {"type": "string", "default": "default"}, "n": {"type": "integer"}},
            "required": ["n"],
        }))
        .unwrap();
        let mut inputs = json!({"namespace": null}).as_object().cloned().unwrap();

        schema.fill_defaults(&mut inputs);

        assert_eq!(inputs["namespace"], "default");
        let failure = schema.check(&Value::Object(inputs), "step.inputs", "inputs").unwrap_err();
        assert!(failure.message.contains("\"n\" is a required property"), "{}", failure.message);
    }
}
