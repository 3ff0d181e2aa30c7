//! What the step takes and gives, as types. Their schemas become part of the manifest.

use bowline_sdk::Connection;
#[cfg(not(target_family = "wasm"))]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The spec of the step.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// The HTTP API.
    pub connection: Connection,
    /// `GET`, `HEAD`, `OPTIONS`, `POST`, `PUT`, `PATCH` or `DELETE`.
    #[serde(default = "get")]
    pub method: String,
    /// The path below the connection's base URL, for example `/v1/things/7`, without a query.
    pub path: String,
    /// Names and values (texts, numbers, true or false) of the query.
    #[serde(default)]
    pub query: Map<String, Value>,
    /// Headers by name. Those that carry credentials belong to the connection.
    #[serde(default)]
    pub headers: Map<String, Value>,
    /// The body as JSON. At most one of `json`, `text` and `form`.
    pub json: Option<Value>,
    /// The body as text; say its `content-type` in `headers`.
    pub text: Option<String>,
    /// The body as pairs of a form.
    pub form: Option<Map<String, Value>>,
    /// The good statuses: numbers, or classes such as `2xx`.
    #[serde(default = "good")]
    pub expect: Vec<Value>,
    /// Sending the request twice does no more than sending it once.
    #[serde(default)]
    pub idempotent: bool,
    /// The header in which the service takes a key against doubles, for example `Idempotency-Key`.
    pub idempotency_key_header: Option<String>,
    /// Seconds for one try, 1 to 120.
    #[serde(default = "seconds")]
    pub timeout_seconds: u32,
    /// The headers of the answer to give as outputs.
    #[serde(default)]
    pub output_headers: Vec<String>,
    /// Parts of a JSON answer to give as `values`: names, and JSON pointers such as `/data/id`.
    #[serde(default)]
    pub extract: Map<String, Value>,
}

fn get() -> String {
    "GET".to_owned()
}

fn good() -> Vec<Value> {
    vec!["2xx".into()]
}

fn seconds() -> u32 {
    30
}

/// What the step gives.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(JsonSchema))]
pub struct Outputs {
    /// The status of the answer. Absent when the request took effect before the host's process
    /// ended, and its answer was lost with that: there are no headers and no body then either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The headers that were asked for and came, names in lower case.
    pub headers: Map<String, Value>,
    /// The body, when it is JSON of at most 128 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The body, when it is other text; cut after 64 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the body was left out or cut because of its size.
    pub truncated: bool,
    /// What `extract` asked for.
    pub values: Map<String, Value>,
}
