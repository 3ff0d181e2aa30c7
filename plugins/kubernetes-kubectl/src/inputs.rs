//! What the step takes and gives. The schemas become part of the manifest.
//!
//! The guest reads inputs by name out of one JSON value: deriving a reader for a large struct
//! would cost more bytes than a command. [`schema`] is what people see and what a host checks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The spec of the step, as an object.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Inputs(pub Value);

/// What the step gives, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Outputs(pub Map<String, Value>);

#[cfg(not(target_family = "wasm"))]
mod schema;

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Inputs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Inputs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schema::compact(schema::Inputs::json_schema(generator))
    }
}

#[cfg(not(target_family = "wasm"))]
impl schemars::JsonSchema for Outputs {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Outputs".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = schema::compact(schema::Outputs::json_schema(generator));
        // All others are there or not, depending on the command.
        let always = serde_json::json!(["changed", "message", "namespace"]);
        schema.insert("required".to_owned(), always);
        schema
    }
}
