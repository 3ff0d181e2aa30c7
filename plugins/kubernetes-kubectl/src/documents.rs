//! The objects that a user has written down, in `manifest` or `file`.
//!
//! The host parses YAML and hands over a list of documents with their places; an object or a list
//! of objects is understood as well. Nothing is sent from here: all documents are looked at before
//! the first is.

use bowline_sdk::{Failure, shown};
use serde_json::Value;

/// One object and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// `manifest`, or the file.
    pub source: String,
    /// Counts from 1.
    pub number: u64,
    /// The line at which it begins, when that is known.
    pub line: Option<u64>,
    /// The object: with `apiVersion`, `kind` and `metadata.name`.
    pub object: Value,
}

impl Document {
    /// `web.yaml, document 2, line 14`.
    #[must_use]
    pub fn place(&self) -> String {
        let line = self.line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("`{}`, document {}{line}", shown(&self.source), self.number)
    }

    /// The member `name` of the object as text.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.object[name].as_str().unwrap_or_default()
    }

    /// The object's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    fn wrong(&self, what: &str) -> Failure {
        Failure::config(format!("{}: {what}", self.place()))
    }
}

/// Reads `manifest` and `file`; lists are flattened, empty documents left out.
///
/// # Errors
///
/// `config`, with the place of the first mistake.
pub fn read(inputs: &Value, what: &str) -> Result<Vec<Document>, Failure> {
    let mut found = Vec::new();
    for key in ["manifest", "file"] {
        let given = match &inputs[key] {
            Value::Null => continue,
            Value::String(_) => {
                return Err(Failure::config(format!(
                    "`{key}` came as text: this host does not read YAML documents; give `manifest` \
                     as an object or a list of objects"
                )));
            }
            object @ Value::Object(_) => std::slice::from_ref(object),
            Value::Array(items) => items,
            _ => return Err(Failure::config(format!("`{key}` holds no objects"))),
        };
        for (place, item) in (1_u64..).zip(given) {
            let document = match item["source"].as_str().filter(|_| item.get("object").is_some()) {
                Some(source) => Document {
                    source: source.to_owned(),
                    number: item["document"].as_u64().unwrap_or(place),
                    line: item["line"].as_u64(),
                    object: item["object"].clone(),
                },
                None => Document {
                    source: key.to_owned(),
                    number: place,
                    line: None,
                    object: item.clone(),
                },
            };
            flatten(document, &mut found, 0)?;
        }
    }
    if found.is_empty() {
        return Err(Failure::config(
            match inputs["manifest"].is_null() && inputs["file"].is_null() {
                true => format!(
                    "must specify one of -f and -k: set `file` or `manifest` to what to {what}"
                ),
                false => format!("no objects passed to {what}: all documents are empty"),
            },
        ));
    }
    Ok(found)
}

fn flatten(document: Document, found: &mut Vec<Document>, depth: u32) -> Result<(), Failure> {
    if document.object.is_null() {
        return Ok(());
    }
    if !document.object.is_object() {
        return Err(document.wrong("this is no object; each document is one Kubernetes object"));
    }
    let kind = document.text("kind");
    if let Some(items) = document.object["items"].as_array().filter(|_| kind.ends_with("List")) {
        if depth > 3 {
            return Err(document.wrong("lists are nested too deeply"));
        }
        for item in items {
            flatten(Document { object: item.clone(), ..document.clone() }, found, depth + 1)?;
        }
        return Ok(());
    }
    for member in ["apiVersion", "kind"] {
        if document.text(member).is_empty() {
            let text = format!("`{member}` is missing or no text");
            return Err(document.wrong(&text));
        }
    }
    if document.name().is_empty() {
        return Err(document.wrong(match document.object["metadata"]["generateName"].is_null() {
            true => "`metadata.name` is missing",
            false => "cannot use generate name with apply; give `metadata.name`",
        }));
    }
    crate::namespace::check_name(document.name()).map_err(|why| document.wrong(why.message()))?;
    found.push(document);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    }

    fn names(inputs: &Value) -> Result<Vec<String>, String> {
        let found = read(inputs, "apply").map_err(|failure| failure.message().to_owned())?;
        Ok(found.iter().map(|it| it.name().to_owned()).collect())
    }

    #[test]
    fn documents_come_in_every_form() {
        let of_host = |object: Value| json!({"source": "web.yaml", "document": 2, "line": 14, "object": object});
        let list = json!({"apiVersion": "v1", "kind": "List", "items": [object("a"), object("b")]});
        let cases = [
            (json!({"manifest": object("a")}), vec!["a"]),
            (json!({"manifest": [object("a"), object("b")]}), vec!["a", "b"]),
            (json!({"file": [of_host(object("a"))]}), vec!["a"]),
            (json!({"file": [of_host(Value::Null), of_host(list)]}), vec!["a", "b"]),
            (json!({"manifest": object("a"), "file": [of_host(object("b"))]}), vec!["a", "b"]),
        ];
        for (inputs, expected) in cases {
            assert_eq!(names(&inputs).expect("documents"), expected, "{inputs}");
        }
    }

    #[test]
    fn k40_a_mistake_is_told_with_its_place_before_anything_is_sent() {
        let second = |object: Value| {
            json!({"file": [
                {"source": "web.yaml", "document": 1, "line": 1, "object": object_a()},
                {"source": "web.yaml", "document": 2, "line": 14, "object": object},
            ]})
        };
        fn object_a() -> Value {
            object("a")
        }
        let cases = [
            (second(json!("text")), "`web.yaml`, document 2, line 14: this is no object"),
            (second(json!({"kind": "X"})), "document 2, line 14: `apiVersion` is missing"),
            (second(json!({"apiVersion": "v1", "kind": 7})), "`kind` is missing or no text"),
            (second(json!({"apiVersion": "v1", "kind": "X"})), "`metadata.name` is missing"),
            (
                second(
                    json!({"apiVersion": "v1", "kind": "X", "metadata": {"generateName": "x-"}}),
                ),
                "cannot use generate name with apply",
            ),
            (
                second(json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "A/b"}})),
                "no valid RFC 1123 name",
            ),
            (
                json!({"file": [{"source": "e.yaml", "document": 1, "line": 1, "object": null}]}),
                "all documents are empty",
            ),
            (json!({}), "must specify one of -f and -k"),
            (json!({"file": "web.yaml"}), "`file` came as text"),
            (json!({"manifest": 7}), "`manifest` holds no objects"),
        ];
        for (inputs, expected) in cases {
            let error = names(&inputs).expect_err(expected);
            assert!(error.contains(expected), "{inputs}: {error}");
        }
    }
}
