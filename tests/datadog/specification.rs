//! Datadog's own description of its API: whatever a step sends must fit it.

use crate::support::server::Received;
use crate::support::shared;
use jsonschema::{Draft, Validator};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The operations that are described.
pub(crate) struct Specification(Vec<Operation>);

struct Operation {
    method: String,
    /// The path in segments; none stands for any.
    path: Vec<Option<String>>,
    query: BTreeSet<String>,
    body: Option<Validator>,
}

impl Specification {
    /// Reads the description from the folder of recorded facts; none when it is absent.
    pub(crate) fn read() -> Option<Self> {
        let text =
            std::fs::read_to_string(shared("datadog/openapi-subset.json")?).expect("read it");
        let whole: Value = serde_json::from_str(&text).expect("JSON");
        let mut operations = Vec::new();
        for version in ["v1", "v2"] {
            let document = &whole[version];
            for (path, methods) in document["paths"].as_object().expect("paths") {
                for (method, operation) in methods.as_object().expect("methods") {
                    if operation.is_object() {
                        operations.push(Operation::read(document, path, method, operation));
                    }
                }
            }
        }
        // A literal segment is meant before one that may be anything.
        operations.sort_by_key(|operation| operation.path.iter().filter(|it| it.is_none()).count());
        Some(Self(operations))
    }

    /// What is wrong with a request, in words.
    pub(crate) fn check(&self, request: &Received) -> Result<(), String> {
        let path: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let operation = self
            .0
            .iter()
            .find(|operation| operation.method == request.method && operation.has(&path))
            .ok_or_else(|| format!("{} {} is not described", request.method, request.path))?;
        for pair in request.query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap_or_default();
            if !operation.query.contains(name) {
                return Err(format!("{} has no query parameter {name}", request.path));
            }
        }
        match (&operation.body, request.body.as_str()) {
            (None, "") => Ok(()),
            (None, _) => Err(format!("{} {} takes no body", request.method, request.path)),
            (Some(schema), body) => {
                let body: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
                let errors: Vec<String> = schema
                    .iter_errors(&documented(body))
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
            }
        }
    }
}

/// A timeline's text was called `content` before it was documented as `message`, and the step falls
/// back to it when the new name is refused.
fn documented(mut body: Value) -> Value {
    if let Some(content) =
        body.pointer_mut("/data/attributes/content").and_then(Value::as_object_mut)
        && let Some(text) = content.remove("content")
    {
        content.insert("message".to_owned(), text);
    }
    body
}

impl Operation {
    fn read(document: &Value, path: &str, method: &str, operation: &Value) -> Self {
        let query = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| resolved(document, parameter))
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| parameter["name"].as_str().expect("a name").to_owned());
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = schema.is_object().then(|| {
            let mut schema = schema.clone();
            schema["components"] = document["components"].clone();
            let schema = strict(&schema);
            // Draft 4 reads a reference as OpenAPI 3.0 does: whatever stands beside it is ignored.
            let options = jsonschema::options().with_draft(Draft::Draft4);
            options.build(&json!({"allOf": [{"$ref": schema["$ref"]}], "components": schema["components"]}))
                .unwrap_or_else(|error| panic!("{path}: {error}"))
        });
        Self {
            method: method.to_uppercase(),
            path: path
                .trim_start_matches('/')
                .split('/')
                .map(|segment| (!segment.starts_with('{')).then(|| segment.to_owned()))
                .collect(),
            query: query.collect(),
            body,
        }
    }

    fn has(&self, path: &[&str]) -> bool {
        self.path.len() == path.len()
            && self.path.iter().zip(path).all(|(known, found)| {
                known.as_deref().map_or(!found.is_empty(), |known| known == *found)
            })
    }
}

fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|it| it.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).expect("what is referred to"),
        None => value,
    }
}

/// OpenAPI's schema as JSON Schema: `nullable` becomes a type, and members that are not described
/// are mistakes, since a step has no reason to send any.
fn strict(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(strict).collect(),
        Value::Object(members) => {
            let mut out: serde_json::Map<String, Value> =
                members.iter().map(|(name, value)| (name.clone(), strict(value))).collect();
            let is_schema = members.get("properties").is_some_and(Value::is_object)
                && members.get("type").is_some_and(|kind| kind == "object");
            if is_schema && !members.contains_key("additionalProperties") {
                out.insert("additionalProperties".to_owned(), json!(false));
            }
            if members.get("nullable") == Some(&json!(true)) {
                let plain = Value::Object(out);
                return json!({"anyOf": [plain, {"type": "null"}]});
            }
            Value::Object(out)
        }
        other => other.clone(),
    }
}

#[test]
fn the_description_tells_good_requests_from_bad_ones() {
    let Some(specification) = Specification::read() else { return };
    let request = |method: &str, path: &str, query: &str, body: &str| Received {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: std::collections::BTreeMap::new(),
        body: body.to_owned(),
    };
    let create = |attributes: &str| {
        let body = format!(r#"{{"data":{{"type":"incidents","attributes":{attributes}}}}}"#);
        request("POST", "/api/v2/incidents", "", &body)
    };
    let cases = [
        (request("GET", "/api/v2/incidents", "page[size]=1&page[offset]=2", ""), true),
        (request("GET", "/api/v2/incidents", "page=1", ""), false),
        (request("GET", "/api/v2/incident", "", ""), false),
        (request("PUT", "/api/v2/incidents", "", ""), false),
        (request("GET", "/api/v2/incidents/abc", "", "{}"), false),
        (create(r#"{"title":"x","customer_impacted":false}"#), true),
        (create(r#"{"title":"x"}"#), false),
        (create(r#"{"title":7,"customer_impacted":false}"#), false),
        (create(r#"{"title":"x","customer_impacted":false,"invented":1}"#), false),
        (
            create(
                r#"{"title":"x","customer_impacted":false,"fields":{"a":{"type":"dropdown","value":null}}}"#,
            ),
            true,
        ),
        (
            create(
                r#"{"title":"x","customer_impacted":false,"fields":{"a":{"type":"odd","value":"b"}}}"#,
            ),
            false,
        ),
    ];
    for (request, good) in cases {
        let found = specification.check(&request);
        assert_eq!(found.is_ok(), good, "{request:?}: {found:?}");
    }
}
