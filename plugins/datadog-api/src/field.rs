//! Fields of an incident as requests carry them: `{type, value}`, where the type says whether the
//! value is one text or several.

use bowline_sdk::{Failure, shown};
use serde_json::{Map, Value, json};

/// Types with one value, and types with several.
const SINGLE: &[&str] = &["dropdown", "textbox"];
const SEVERAL: &[&str] = &["multiselect", "textarray", "metrictag", "autocomplete"];

/// The fields that every organisation has, and their types.
const KNOWN: &[(&str, &str)] = &[
    ("detection_method", "dropdown"),
    ("root_cause", "textbox"),
    ("services", "autocomplete"),
    ("severity", "dropdown"),
    ("state", "dropdown"),
    ("summary", "textbox"),
    ("teams", "autocomplete"),
];

/// The field `name` as a request carries it, for what an author wrote: a text, a list of texts,
/// null for no value, or `{type, value}`. `shown_type` is the type that the incident itself shows.
///
/// # Errors
///
/// `config` when the type is not known or the value does not fit it.
pub fn field(name: &str, given: &Value, shown_type: Option<&str>) -> Result<Value, Failure> {
    let (kind, value) = match given {
        Value::Object(members) => parts(name, members)?,
        value => (None, value),
    };
    let known = || KNOWN.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    let kind = kind.or(shown_type).or_else(known).ok_or_else(|| {
        Failure::config(format!(
            "the type of the field `{}` is not known; write `{{type: …, value: …}}` with one of {}",
            shown(name),
            types()
        ))
    })?;
    if !SINGLE.contains(&kind) && !SEVERAL.contains(&kind) {
        let (name, kind, types) = (shown(name), shown(kind), types());
        return Err(Failure::config(format!(
            "the field `{name}` can't have the type `{kind}`; there are {types}"
        )));
    }
    let single = SINGLE.contains(&kind);
    let value = match value {
        Value::Null => Value::Null,
        Value::String(_) if single => value.clone(),
        Value::String(_) => json!([value]),
        Value::Array(items) if !single && items.iter().all(Value::is_string) => value.clone(),
        _ => {
            let wanted = if single { "one text" } else { "a list of texts" };
            return Err(Failure::config(format!(
                "the field `{}` has the type {kind}; give {wanted}, or null for none",
                shown(name)
            )));
        }
    };
    Ok(json!({"type": kind, "value": value}))
}

type Parts<'a> = (Option<&'a str>, &'a Value);

fn parts<'a>(name: &str, members: &'a Map<String, Value>) -> Result<Parts<'a>, Failure> {
    let strange = members.keys().any(|key| key != "type" && key != "value");
    match (members.get("type").and_then(Value::as_str), members.get("value")) {
        (Some(kind), Some(value)) if !strange => Ok((Some(kind), value)),
        _ => Err(Failure::config(format!(
            "the field `{}` must be a text, a list of texts, null, or `{{type: …, value: …}}`",
            shown(name)
        ))),
    }
}

fn types() -> String {
    [SINGLE, SEVERAL].concat().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_written_in_four_ways() {
        let cases = [
            ("severity", json!("SEV-2"), None, json!({"type": "dropdown", "value": "SEV-2"})),
            ("teams", json!("core"), None, json!({"type": "autocomplete", "value": ["core"]})),
            (
                "teams",
                json!(["a", "b"]),
                None,
                json!({"type": "autocomplete", "value": ["a", "b"]}),
            ),
            ("summary", json!(null), None, json!({"type": "textbox", "value": null})),
            (
                "zone",
                json!(["eu"]),
                Some("multiselect"),
                json!({"type": "multiselect", "value": ["eu"]}),
            ),
            (
                "zone",
                json!({"type": "textbox", "value": "eu"}),
                Some("multiselect"),
                json!({"type": "textbox", "value": "eu"}),
            ),
        ];
        for (name, given, shown, expected) in cases {
            assert_eq!(field(name, &given, shown).ok(), Some(expected), "{name}: {given}");
        }
    }

    #[test]
    fn what_does_not_fit_is_told_by_the_field_s_name() {
        let cases = [
            ("zone", json!("eu"), "the type of the field `zone` is not known"),
            ("severity", json!(["SEV-1"]), "`severity` has the type dropdown; give one text"),
            ("severity", json!(2), "`severity` has the type dropdown"),
            ("teams", json!([1]), "`teams` has the type autocomplete; give a list of texts"),
            ("zone", json!({"type": "x", "value": "eu"}), "can't have the type `x`"),
            ("zone", json!({"type": "textbox"}), "`{type: …, value: …}`"),
            ("zone", json!({"type": "textbox", "value": "a", "b": 1}), "`{type: …, value: …}`"),
        ];
        for (name, given, expected) in cases {
            let failure = field(name, &given, None).expect_err(expected);
            assert_eq!(failure.code(), "config", "{given}");
            assert!(failure.message().contains(expected), "{given}: {failure}");
        }
    }
}
