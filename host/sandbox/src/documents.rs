//! Inputs that hold documents, parsed before the guest sees them.
//!
//! A manifest says which inputs these are. What the workflow writes (a YAML text, an object, a list
//! of objects, or the path of a file in the workflow's folder) is checked against the input schema;
//! then it is replaced by a list of `{"source", "document", "line", "object"}`. So a step needs
//! neither YAML nor files, and all documents were read before the first one is acted on.

mod folder;

pub use folder::WorkflowFolder;

use journal::Failure;
use serde_json::{Map, Value, json};
use std::fmt::Debug;
use workflow::Manifest;
use workflow::documents::{self, DocumentsFrom};

/// The files that a workflow may name: those of its own folder.
pub trait WorkflowFiles: Debug + Send + Sync {
    /// The text of a file.
    ///
    /// # Errors
    ///
    /// Why there is none, for a person: the path leads out of the folder, there is no such file,
    /// it is too large or no text.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// No files at all.
#[derive(Clone, Copy, Debug)]
pub struct NoFiles;

impl WorkflowFiles for NoFiles {
    fn read(&self, _path: &str) -> Result<String, String> {
        Err("this workflow has no folder".to_owned())
    }
}

/// Replaces the inputs that hold documents.
pub(crate) fn resolve(
    manifest: &Manifest,
    inputs: &mut Map<String, Value>,
    files: &dyn WorkflowFiles,
) -> Result<(), Failure> {
    for (name, from) in &manifest.documents {
        let Some(written) = inputs.get_mut(name).filter(|written| !written.is_null()) else {
            continue;
        };
        let listed = match (from, &*written) {
            (DocumentsFrom::Path, Value::String(path)) => {
                let text = files.read(path).map_err(|why| {
                    let path = path.escape_debug();
                    unreadable(format!("the input `{name}` names the file `{path}`: {why}"))
                })?;
                parsed(name, path, &text)?
            }
            (DocumentsFrom::Path, _) => {
                return Err(unreadable(format!("the input `{name}` must be the path of a file")));
            }
            (DocumentsFrom::Text, Value::String(text)) => parsed(name, name, text)?,
            (DocumentsFrom::Text, Value::Array(items)) => {
                let items = (1..).zip(items.iter().cloned());
                items.map(|(number, object)| entry(name, number, None, object)).collect()
            }
            (DocumentsFrom::Text, object) => vec![entry(name, 1, None, object.clone())],
        };
        *written = Value::Array(listed);
    }
    Ok(())
}

fn parsed(name: &str, source: &str, text: &str) -> Result<Vec<Value>, Failure> {
    let found = documents::read(text).map_err(|error| {
        let place = if source == name {
            format!("the input `{name}`")
        } else {
            format!("the file `{}` of the input `{name}`", source.escape_debug())
        };
        unreadable(format!("{place} can't be read: {error}"))
    })?;
    let entries = found
        .into_iter()
        .map(|document| entry(source, document.number, Some(document.line), document.value));
    Ok(entries.collect())
}

fn entry(source: &str, document: usize, line: Option<usize>, object: Value) -> Value {
    json!({"source": source, "document": document, "line": line, "object": object})
}

fn unreadable(message: String) -> Failure {
    Failure::permanent("config", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct OneFile;

    impl WorkflowFiles for OneFile {
        fn read(&self, path: &str) -> Result<String, String> {
            match path {
                "app.yaml" => Ok("a: 1\n---\nb: 2\n".to_owned()),
                "bad.yaml" => Ok("a: 1\n---\nb: [\n".to_owned()),
                _ => Err("there is no such file".to_owned()),
            }
        }
    }

    fn manifest() -> Manifest {
        serde_json::from_value(json!({
            "schema": 1, "name": "x", "version": "1.0.0", "summary": "s", "inputs": {}, "outputs": {},
            "documents": {"manifest": "text", "file": "path"},
        }))
        .expect("a manifest")
    }

    fn resolved(inputs: Value) -> Result<Value, String> {
        let Value::Object(mut inputs) = inputs else { panic!("an object") };
        resolve(&manifest(), &mut inputs, &OneFile).map_err(|failure| failure.message)?;
        Ok(Value::Object(inputs))
    }

    #[test]
    fn what_is_written_becomes_a_list() {
        let from = |source: &str, document: u32, line: Value, object: Value| json!({"source": source, "document": document, "line": line, "object": object});
        let (a, b) = (json!({"a": 1}), json!({"b": 2}));
        let cases = [
            (json!({"other": "a: 1"}), json!({"other": "a: 1"})),
            (json!({"manifest": null}), json!({"manifest": null})),
            (
                json!({"manifest": "a: 1\n---\nb: 2"}),
                json!({"manifest": [from("manifest", 1, json!(1), a.clone()), from("manifest", 2, json!(2), b.clone())]}),
            ),
            (
                json!({"manifest": a}),
                json!({"manifest": [from("manifest", 1, Value::Null, a.clone())]}),
            ),
            (
                json!({"manifest": [a, b]}),
                json!({"manifest": [from("manifest", 1, Value::Null, a.clone()), from("manifest", 2, Value::Null, b.clone())]}),
            ),
            (
                json!({"file": "app.yaml"}),
                json!({"file": [from("app.yaml", 1, json!(1), a.clone()), from("app.yaml", 2, json!(2), b.clone())]}),
            ),
        ];
        for (inputs, expected) in cases {
            assert_eq!(resolved(inputs.clone()), Ok(expected), "{inputs}");
        }
    }

    #[test]
    fn a_mistake_names_the_input_the_file_and_the_line() {
        let cases = [
            (json!({"file": "nope.yaml"}), vec!["`file`", "`nope.yaml`", "no such file"]),
            (json!({"file": "bad.yaml"}), vec!["`bad.yaml`", "document 2", "line"]),
            (json!({"file": 5}), vec!["`file`", "path"]),
            (json!({"manifest": "a: [1"}), vec!["`manifest`", "document 1"]),
        ];
        for (inputs, parts) in cases {
            let message = resolved(inputs.clone()).expect_err("a mistake");
            for part in parts {
                assert!(message.contains(part), "`{part}` is not in: {message}");
            }
        }
    }
}
