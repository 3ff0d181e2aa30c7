//! The schema for editors: it takes what workflows may be, and helps with what plugins take.

use serde_json::{Value, json};
use workflow::{CUSTOM_TAGS, PluginPin, Resolution, Signature, Signatures, custom_tags, schema};

fn signatures() -> Signatures {
    let manifest = json!({
        "schema": 1, "name": "scale", "version": "1.0.0", "summary": "Changes how many run",
        "inputs": {
            "type": "object",
            "required": ["replicas"],
            "additionalProperties": false,
            "properties": {"replicas": {"$ref": "#/$defs/count", "description": "How many"}},
            "$defs": {"count": {"type": "integer"}},
        },
        "outputs": {},
    });
    let pin = PluginPin {
        name: "scale".into(),
        version: "1.0.0".into(),
        digest: "sha256:0".into(),
        signer: None,
    };
    let manifest = serde_json::from_value(manifest).expect("a manifest");
    let found = Resolution::Found(Box::new(Signature { pin, manifest }));
    Signatures::from([("oci://example.com/a/scale@1 ~".to_owned(), found)])
}

#[test]
fn the_schema_takes_and_refuses_what_it_should() {
    let image = "oci://example.com/a/scale@1 ~";
    let schema = schema(&signatures());
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let step = |spec: Value| json!({"steps": [{"name": "a", "image": image, "spec": spec}]});
    let extras =
        |extras: Value| json!({"steps": [{"name": "a", "type": "approval", "x-bowline": extras}]});
    let cases = [
        (json!({}), true),
        (json!({"apiVersion": "v1", "steps": [], "parameters": {"a": {"default": null}}}), true),
        (json!({"steps": [{"name": "a", "type": "approval"}]}), true),
        (json!({"steps": [{"name": "a"}]}), false),
        (json!({"steps": [{"name": "a", "image": "other", "spec": {"x": 1}}]}), true),
        (json!({"stpes": []}), false),
        (
            json!({"triggers": [{"name": "t", "source": {"type": "schedule", "schedule": "@daily"}}]}),
            true,
        ),
        (json!({"triggers": [{"name": "t", "source": {"type": "mail"}}]}), false),
        (step(json!({"replicas": 3})), true),
        (step(json!({"replicas": "${parameters.n}"})), true),
        (step(json!({})), false),
        (step(json!({"replicas": 3, "x": 1})), false),
        (json!({"x-bowline": {"retry": {"attempts": 20}, "timeoutSeconds": 604_800}}), true),
        (json!({"x-bowline": {"retry": {"attempts": 21}}}), false),
        (json!({"x-bowline": {"limits": {"calls": 3}}}), false),
        (extras(json!({"retry": {"delaySeconds": 5, "maxDelaySeconds": 60}})), true),
        (extras(json!({"retry": {"attempts": 0}})), false),
        (extras(json!({"retry": {"attempts": "3"}})), false),
        (extras(json!({"retry": {"delay": 5}})), false),
        (extras(json!({"timeoutSeconds": 900, "limits": {"calls": 3}})), true),
        (extras(json!({"timeoutSeconds": 604_801})), false),
    ];
    for (workflow, fits) in cases {
        assert_eq!(validator.is_valid(&workflow), fits, "{workflow}");
    }
}

#[test]
fn a_plugin_s_definitions_stand_beside_those_of_the_language() {
    let schema = schema(&signatures());
    // Editors follow references from the root only.
    assert_eq!(schema["$defs"]["plugin.scale.count"], json!({"type": "integer"}));
    let replicas = &schema["$defs"]["plugin.scale"]["properties"]["replicas"]["anyOf"][0];
    assert_eq!(replicas["$ref"], "#/$defs/plugin.scale.count");
    assert_eq!(schema["$defs"]["plugin.scale"].get("$id"), None);
}

#[test]
fn editors_learn_every_tag() {
    let tags = custom_tags();
    assert_eq!(schema(&signatures())["x-yaml-custom-tags"], json!(tags));
    assert!(CUSTOM_TAGS.iter().all(|&tag| tags.iter().any(|known| known == tag)));
    assert!(tags.contains(&"!Fn.concat sequence".to_owned()));
    assert_eq!(tags.len(), CUSTOM_TAGS.len() + 3 * expression::function::FUNCTIONS.len());
}
