//! Schemas that ask for more than they show, and honest ones that look like them.

use super::*;
use serde_json::json;
use std::time::{Duration, Instant};

fn refusal(schema: &Value) -> String {
    let began = Instant::now();
    let error = validator(schema).err().unwrap_or_else(|| panic!("{schema} was taken"));
    assert!(began.elapsed() < Duration::from_secs(1), "took {:?}", began.elapsed());
    error
}

/// Parts that refer to the one before twice.
fn doubling(levels: usize) -> Value {
    let mut parts = serde_json::Map::new();
    parts.insert("d0".to_owned(), json!({"type": "string"}));
    for level in 1..=levels {
        let below = json!({"$ref": format!("#/$defs/d{}", level - 1)});
        parts.insert(format!("d{level}"), json!({"allOf": [below, below]}));
    }
    json!({"$ref": format!("#/$defs/d{levels}"), "$defs": parts})
}

fn chain(levels: usize) -> Value {
    let mut parts = serde_json::Map::new();
    parts.insert("d0".to_owned(), json!({"type": "string"}));
    for level in 1..=levels {
        parts.insert(format!("d{level}"), json!({"$ref": format!("#/$defs/d{}", level - 1)}));
    }
    json!({"$ref": format!("#/$defs/d{levels}"), "$defs": parts})
}

#[test]
fn a_schema_that_asks_for_too_much_is_refused_before_anything_follows_it() {
    let patterns: Vec<Value> = (0..65).map(|at| json!({"pattern": format!("a{at}")})).collect();
    let back = json!({"properties": {"a": {"$ref": "#"}}});
    let cases = [
        (json!({"pattern": "a".repeat(2_000)}), "a pattern of 2000 bytes, and 1000"),
        (json!({"patternProperties": {"a".repeat(2_000): {}}}), "a pattern of 2000 bytes"),
        (json!({"allOf": patterns}), "more than 64 patterns"),
        (json!({"pattern": r"(\w{100}){100}"}), "regex"),
        (json!({"patternProperties": {r"(\w{100}){100}": {}}}), "regex"),
        (doubling(29), "more than 10000 parts"),
        (chain(3_000), "more than 200 levels"),
        (json!({"$ref": "#"}), "never ends"),
        (json!({"anyOf": [{"not": {"if": {"$ref": "#"}}}]}), "never ends"),
        (
            // The way into the value is seen first, and the way that stays later.
            json!({
                "$ref": "#/$defs/n",
                "$defs": {
                    "n": {"allOf": [
                        {"properties": {"a": {"$ref": "#/$defs/x"}}},
                        {"$ref": "#/$defs/x"},
                    ]},
                    "x": {"allOf": [{"$ref": "#/$defs/n"}]},
                },
            }),
            "never ends",
        ),
        (json!({"allOf": [back, back]}), "more than once on the same way"),
        (
            json!({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}}),
            "more than once on the same way",
        ),
        (json!({"$ref": "https://example.com/schema.json"}), "only parts of itself"),
        (json!({"$ref": "#/$defs/gone"}), "which is not there"),
        (json!({"$defs": {"a": {"$id": "https://example.com/a"}}}), "`$id`"),
        (json!({"$dynamicRef": "#a"}), "`$dynamicRef`"),
        (json!({"$anchor": "a"}), "`$anchor`"),
        (json!({"type": 7}), "7"),
    ];
    for (schema, words) in cases {
        let error = refusal(&schema);
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn honest_schemas_are_taken_recursive_ones_included() {
    let any_json = json!({"anyOf": [
        {"type": ["string", "number", "boolean", "null"]},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "additionalProperties": {"$ref": "#"}},
    ]});
    let condition = json!({
        "$id": "https://example.com/condition",
        "$ref": "#/$defs/condition",
        "$defs": {"condition": {"type": "object", "properties": {
            "not": {"$ref": "#/$defs/condition"},
            "and": {"type": "array", "items": {"$ref": "#/$defs/condition"}},
            "name": {"type": "string", "pattern": r"^[\w-]{1,64}$"},
            "pattern": {"type": "string"},
        }}},
    });
    let cases = [
        (any_json, json!([{"a": [1, {"b": null}]}]), None),
        (condition.clone(), json!({"not": {"and": [{"name": "a"}]}}), None),
        (condition, json!({"not": {"and": [{"name": ""}]}}), Some("/not/and/0/name")),
        (doubling(8), json!("a"), None),
        (chain(100), json!(1), Some("")),
        (json!({"pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}$"}), json!("x"), Some("")),
    ];
    for (schema, value, wrong) in cases {
        let found = validator(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
        let first = found.iter_errors(&value).next().map(|error| error.instance_path().to_string());
        assert_eq!(first.as_deref(), wrong, "{schema}");
    }
}
