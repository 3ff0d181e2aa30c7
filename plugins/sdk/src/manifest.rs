//! The manifest: what a plugin says of itself, from its `plugin.toml` and its Rust types.
//!
//! Written natively when a plugin is packed, so that nothing untrusted runs before a host decides
//! about it. A manifest that could not work (a rule that names an unknown input, a slot without a
//! place in the inputs) is refused here and not at a customer's site.

mod verify;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use verify::VerifyToml;

/// The most bytes of a manifest, as the contract says.
pub const BYTES_MAX: usize = 64 * 1024;

/// Why a manifest could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// `plugin.toml` can't be read.
    #[error("can't read `plugin.toml`")]
    Text(#[source] Box<toml::de::Error>),
    /// `plugin.toml` says something that can't be right.
    #[error("`{place}` in `plugin.toml`: {problem}")]
    Content {
        /// The key.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// The inputs or outputs are no JSON object.
    #[error("the {which} are described as no JSON object; use a struct with named fields")]
    NoObject {
        /// `inputs` or `outputs`.
        which: &'static str,
    },
    /// The finished manifest is too large.
    #[error(
        "the manifest has {bytes} bytes, at most {BYTES_MAX} are allowed; shorten `description`"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginToml {
    name: String,
    version: String,
    summary: String,
    description: Option<String>,
    license: Option<String>,
    #[serde(default)]
    connections: BTreeMap<String, ConnectionToml>,
    /// Inputs in which the user writes YAML documents, and how: the host parses them.
    #[serde(default)]
    documents: BTreeMap<String, DocumentsToml>,
    #[serde(default)]
    limits: Limits,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct ConnectionToml {
    #[serde(rename = "type")]
    kind: String,
    from: Vec<String>,
    reason: String,
    #[serde(default)]
    optional: bool,
    allow: Vec<serde_json::Map<String, Value>>,
    /// How the host finds out whether a write took effect whose answer was lost.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    verify: Vec<VerifyToml>,
}

/// How an input holds documents.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum DocumentsToml {
    /// Text, one object, or a list of objects.
    Text,
    /// A path in the workflow's folder.
    Path,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all(deserialize = "kebab-case", serialize = "camelCase"))]
struct Limits {
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
}

/// Makes the manifest from the text of `plugin.toml` and the types of inputs and outputs.
///
/// # Errors
///
/// When the text does not parse, says something impossible, or the result is over 64 KiB.
pub fn manifest<I: JsonSchema, O: JsonSchema>(plugin_toml: &str) -> Result<Value, ManifestError> {
    let plugin: PluginToml =
        toml::from_str(plugin_toml).map_err(|error| ManifestError::Text(Box::new(error)))?;
    let settings = SchemaSettings::draft2020_12();
    let inputs = settings.clone().into_generator().into_root_schema_for::<I>().to_value();
    let outputs = settings.for_serialize().into_generator().into_root_schema_for::<O>().to_value();
    for (which, schema) in [("inputs", &inputs), ("outputs", &outputs)] {
        if schema["type"] != "object" {
            return Err(ManifestError::NoObject { which });
        }
    }
    check(&plugin, &inputs)?;
    let mut manifest = json!({
        "schema": 1,
        "name": plugin.name,
        "version": plugin.version,
        "summary": plugin.summary,
        "inputs": inputs,
        "outputs": outputs,
        "connections": plugin.connections,
        "limits": plugin.limits,
    });
    if let Some(description) = plugin.description {
        manifest["description"] = description.trim().into();
    }
    if let Some(license) = plugin.license {
        manifest["license"] = license.into();
    }
    if !plugin.documents.is_empty() {
        manifest["documents"] = json!(plugin.documents);
    }
    let bytes = manifest.to_string().len();
    if bytes > BYTES_MAX {
        return Err(ManifestError::TooLarge { bytes });
    }
    Ok(manifest)
}

fn check(plugin: &PluginToml, inputs: &Value) -> Result<(), ManifestError> {
    let problem = |place: &str, problem: &str| {
        Err(ManifestError::Content { place: place.to_owned(), problem: problem.to_owned() })
    };
    let plain = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
    if plugin.name.is_empty() || plugin.name.len() > 64 || !plugin.name.chars().all(plain) {
        return problem("name", "use 1 to 64 of a-z, 0-9 and `-`");
    }
    let numbers: Vec<&str> =
        plugin.version.split(['-', '+']).next().unwrap_or("").split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) {
        return problem("version", "use a semantic version, for example `1.0.0`");
    }
    if plugin.summary.trim().is_empty() || plugin.summary.contains('\n') {
        return problem("summary", "say in one line what the step does");
    }
    if let Some(name) = plugin.documents.keys().find(|name| !is_input(inputs, name)) {
        return problem("documents", &format!("`{name}` is no input"));
    }
    plugin.connections.iter().try_for_each(|(slot, need)| check_slot(slot, need, inputs))
}

fn check_slot(slot: &str, need: &ConnectionToml, inputs: &Value) -> Result<(), ManifestError> {
    let problem = |key: &str, problem: String| {
        Err(ManifestError::Content { place: format!("connections.{slot}.{key}"), problem })
    };
    if need.from.is_empty() {
        return problem(
            "from",
            "name at least one place in the inputs, for example `/connection`".into(),
        );
    }
    for pointer in &need.from {
        let first = pointer.strip_prefix('/').and_then(|rest| rest.split('/').next());
        if !first.is_some_and(|name| is_input(inputs, name)) {
            return problem("from", format!("`{pointer}` leads to no input"));
        }
    }
    if need.reason.trim().is_empty() {
        return problem("reason", "say why the step needs the connection".into());
    }
    if need.allow.is_empty() {
        return problem("allow", "a connection without a rule can do nothing; add one".into());
    }
    for rule in &need.allow {
        for path in rule.get("when").and_then(Value::as_object).into_iter().flat_map(|it| it.keys())
        {
            if !is_input(inputs, path.split('.').next().unwrap_or_default()) {
                return problem("allow", format!("`when` names `{path}`, which is no input"));
            }
        }
        if let Some(name) = unknown(&Value::Object(rule.clone()).to_string(), inputs, &[]) {
            return problem("allow", format!("`${{{name}}}` is no input"));
        }
    }
    for verify in &need.verify {
        if let Err(wrong) = verify.check(need, inputs) {
            return problem("verify", wrong);
        }
    }
    Ok(())
}

/// The first name between `${` and `}` that is neither `inputs.` and an input nor one of `others`.
fn unknown<'t>(text: &'t str, inputs: &Value, others: &[&str]) -> Option<&'t str> {
    let names = text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    let known = |name: &str| {
        let input = name.strip_prefix("inputs.");
        others.contains(&name) || input.is_some_and(|name| is_input(inputs, name))
    };
    names.into_iter().find(|name| !known(name))
}

fn is_input(inputs: &Value, name: &str) -> bool {
    inputs["properties"].get(name).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(JsonSchema, Deserialize)]
    #[allow(dead_code, reason = "only its schema counts")]
    struct Inputs {
        /// Where.
        #[serde(default = "everywhere")]
        place: String,
        connection: crate::Connection,
    }

    fn everywhere() -> String {
        "everywhere".to_owned()
    }

    #[derive(JsonSchema, Serialize)]
    struct Outputs {
        done: bool,
    }

    const GOOD: &str = r#"
name = "a-step"
version = "1.0.0"
summary = "Does a thing"

[connections.api]
type = "http"
from = ["/connection"]
reason = "Asks for the thing"
allow = [{ method = "GET", path = "/things/${inputs.place}" }]

[limits]
attempt-seconds = 30
"#;

    #[test]
    fn types_and_text_become_one_manifest() {
        let manifest = manifest::<Inputs, Outputs>(GOOD).expect("a manifest");

        assert_eq!(manifest["schema"], 1);
        assert_eq!(manifest["inputs"]["properties"]["place"]["default"], "everywhere");
        assert_eq!(manifest["inputs"]["properties"]["place"]["description"], "Where.");
        assert_eq!(manifest["outputs"]["required"], json!(["done"]));
        assert_eq!(manifest["connections"]["api"]["type"], "http");
        assert_eq!(manifest["connections"]["api"]["optional"], false);
        assert_eq!(manifest["limits"], json!({"attemptSeconds": 30}));
        assert!(manifest.get("documents").is_none(), "{manifest}");
        assert!(manifest["connections"]["api"].get("verify").is_none(), "{manifest}");
    }

    const VERIFIED: &str = r#"
[[connections.api.allow]]
method = "POST"
path = "/things"

[[connections.api.verify]]
method = "POST"
path = "/things"
look = "/things/${inputs.place}"
contains = "${step.key}"

[limits]"#;

    /// With rules as tables, so that more may follow.
    fn verified() -> String {
        let rule = "allow = [{ method = \"GET\", path = \"/things/${inputs.place}\" }]\n";
        assert!(GOOD.contains(rule), "{GOOD}");
        let table = rule.replace("allow = [{ ", "[[connections.api.allow]]\n");
        let table = table.replace(", path", "\npath").replace(" }]", "");
        GOOD.replace(rule, &table).replace("\n[limits]", VERIFIED)
    }

    #[test]
    fn how_writes_are_verified_is_told_and_checked() {
        let good = verified();
        let manifest = manifest::<Inputs, Outputs>(&good).expect("a manifest");
        let expected = json!([{"method": "POST", "path": "/things",
            "look": "/things/${inputs.place}", "contains": "${step.key}", "recognised": false}]);
        assert_eq!(manifest["connections"]["api"]["verify"], expected);

        let cases = [
            ("contains = \"${step.key}\"", "", "connections.api.verify"),
            ("contains =", "recognized = true\ncontains =", "can't read `plugin.toml`"),
            ("${step.key}", "${inputs.plaze}", "`${inputs.plaze}` is no input"),
        ];
        for (from, to, expected) in cases {
            assert!(good.contains(from), "{from}");
            let error = super::manifest::<Inputs, Outputs>(&good.replace(from, to));
            let error = error.expect_err(to).to_string();
            assert!(error.contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn inputs_that_hold_documents_are_named() {
        let text = format!("{GOOD}\n[documents]\nplace = \"path\"\n");
        let manifest = manifest::<Inputs, Outputs>(&text).expect("a manifest");
        assert_eq!(manifest["documents"], json!({"place": "path"}));
    }

    #[test]
    fn what_could_not_work_is_refused_by_name() {
        let cases = [
            ("name = \"a-step\"", "name = \"A step\"", "`name`"),
            ("version = \"1.0.0\"", "version = \"one\"", "`version`"),
            ("summary = \"Does a thing\"", "summary = \" \"", "`summary`"),
            ("[\"/connection\"]", "[\"/conection\"]", "`/conection` leads to no input"),
            ("[\"/connection\"]", "[]", "connections.api.from"),
            ("inputs.place", "inputs.plaze", "`${inputs.plaze}` is no input"),
            ("Asks for the thing", "", "connections.api.reason"),
            ("attempt-seconds", "attempt-secs", "can't read `plugin.toml`"),
            ("[limits]", "[documents]\nplaze = \"text\"\n[limits]", "`plaze` is no input"),
            ("[limits]", "[documents]\nplace = \"yaml\"\n[limits]", "can't read `plugin.toml`"),
            ("method =", "when = { plaze = [\"x\"] }, method =", "`when` names `plaze`"),
        ];
        for (from, to, expected) in cases {
            assert!(GOOD.contains(from), "{from}");
            let error = manifest::<Inputs, Outputs>(&GOOD.replace(from, to)).expect_err(to);
            assert!(error.to_string().contains(expected), "{to}: {error}");
        }
    }

    #[test]
    fn inputs_without_names_are_refused() {
        let error = manifest::<Vec<String>, Outputs>(GOOD).expect_err("a list");
        assert!(error.to_string().contains("inputs are described as no JSON object"), "{error}");
    }
}
