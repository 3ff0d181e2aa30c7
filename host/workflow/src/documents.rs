//! Plain YAML documents, such as Kubernetes manifests: a text becomes a list of values.
//!
//! The second language beside workflows. Nothing here is ever evaluated: `${x}` is text, and a tag
//! of the workflow language is a mistake. A step that takes documents gets them parsed, so that it
//! needs no YAML of its own and all of them were read before the first one is acted on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of a text.
pub const BYTES_MAX: usize = 1 << 20;
/// Documents of a text that are not empty.
pub const DOCUMENTS_MAX: usize = 1_000;

/// Where an input that becomes documents has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DocumentsFrom {
    /// The input is a YAML text, an object, or a list of objects.
    Text,
    /// The input is the path of a file in the workflow's folder.
    Path,
}

/// One document.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainDocument {
    /// Counts from 1; empty documents count too.
    pub number: usize,
    /// The line of the text on which it begins, from 1.
    pub line: usize,
    /// What it holds.
    pub value: Value,
}

/// A text can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("document {document}, line {line}: {message}")]
pub struct DocumentsError {
    /// Counts from 1.
    pub document: usize,
    /// Counts from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads a text of YAML or JSON documents. Documents end at a line that begins with `---`, as
/// kubectl has it; empty ones are left out.
///
/// # Errors
///
/// [`DocumentsError`] for the first document that can't be read; for more than [`BYTES_MAX`] bytes
/// or [`DOCUMENTS_MAX`] documents.
pub fn read(text: &str) -> Result<Vec<PlainDocument>, DocumentsError> {
    let refused = |document, line, message| DocumentsError { document, line, message };
    if text.len() > BYTES_MAX {
        let message = format!("the text has {} bytes, at most {BYTES_MAX} are read", text.len());
        return Err(refused(1, 1, message));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut documents = Vec::new();
    for (number, (line, piece)) in (1..).zip(split(text)) {
        // `defaultMode: 0400` is octal to kubectl, and a decimal would be other rights.
        let options = serde_saphyr::options! { legacy_octal_numbers: true };
        let parsed = serde_saphyr::from_str_with_options(piece, options);
        let value: Option<Value> = parsed.map_err(|error: serde_saphyr::Error| {
            let within = error.location().map_or(1, |place| place.line().max(1));
            let within = usize::try_from(within).unwrap_or(1);
            refused(number, line + within - 1, shown(&error))
        })?;
        let Some(value) = value.filter(|value| !value.is_null()) else { continue };
        if documents.len() == DOCUMENTS_MAX {
            let message = format!("more than {DOCUMENTS_MAX} documents");
            return Err(refused(number, line, message));
        }
        documents.push(PlainDocument { number, line, value });
    }
    Ok(documents)
}

/// The library's words without its picture of the text, which may hold what nobody should see.
fn shown(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    text.chars().take(300).collect()
}

/// The pieces between separators, each with the line on which it begins.
fn split(text: &str) -> Vec<(usize, &str)> {
    let mut pieces = Vec::new();
    let (mut begin, mut first, mut at) = (0, 1, 0);
    for (number, line) in (1..).zip(text.split_inclusive('\n')) {
        if is_separator(line) {
            pieces.push((first, &text[begin..at]));
            // What follows on the same line (`--- # a comment`, `--- {a: 1}`) belongs to the next.
            begin = at + "---".len();
            first = number;
        }
        at += line.len();
    }
    pieces.push((first, &text[begin..]));
    // A separator before the first document separates nothing.
    if pieces.len() > 1 && pieces[0].1.lines().all(is_empty_line) {
        pieces.remove(0);
    }
    pieces
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

fn is_empty_line(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#') || line.starts_with('%')
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn places(text: &str) -> Vec<(usize, usize, Value)> {
        let documents = read(text).expect(text).into_iter();
        documents.map(|document| (document.number, document.line, document.value)).collect()
    }

    #[test]
    fn documents_and_where_they_begin() {
        let cases = [
            ("", vec![]),
            ("# nothing\n", vec![]),
            ("a: 1\n", vec![(1, 1, json!({"a": 1}))]),
            ("---\na: 1\n", vec![(1, 1, json!({"a": 1}))]),
            ("# first\n---\na: 1\n", vec![(1, 2, json!({"a": 1}))]),
            ("a: 1\n---\nb: 2\n", vec![(1, 1, json!({"a": 1})), (2, 2, json!({"b": 2}))]),
            ("a: 1\n---\n---\nb: 2\n", vec![(1, 1, json!({"a": 1})), (3, 3, json!({"b": 2}))]),
            ("a: 1\r\n--- # two\r\nb: 2", vec![(1, 1, json!({"a": 1})), (2, 2, json!({"b": 2}))]),
            (r#"{"a": [1, null]}"#, vec![(1, 1, json!({"a": [1, null]}))]),
            ("a: |\n  ---\n  x\n", vec![(1, 1, json!({"a": "---\nx\n"}))]),
            ("a: ${x}\n", vec![(1, 1, json!({"a": "${x}"}))]),
            (
                "a: [0400, 0644, 0o17, 10, '0400']",
                vec![(1, 1, json!({"a": [256, 420, 15, 10, "0400"]}))],
            ),
            ("\u{feff}a: 1\n", vec![(1, 1, json!({"a": 1}))]),
            ("x: &x {a: 1}\ny: *x\n", vec![(1, 1, json!({"x": {"a": 1}, "y": {"a": 1}}))]),
        ];
        for (text, expected) in cases {
            assert_eq!(places(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_document_and_its_line() {
        let cases = [
            ("a: [1\n", 1, 1..=2),
            ("a: 1\n---\nb: 2\nc: [\n", 2, 4..=5),
            ("a: 1\na: 2\n", 1, 2..=2),
            ("a: 1\n---\nb: *nothing\n", 2, 3..=3),
        ];
        for (text, document, lines) in cases {
            let error = read(text).expect_err(text);
            assert_eq!(error.document, document, "{text:?}: {error}");
            assert!(lines.contains(&error.line), "{text:?}: {error}");
            assert!(!error.message.contains(char::is_control), "{error}");
        }
    }

    #[test]
    fn what_would_take_too_long_is_refused() {
        assert!(read(&"x".repeat(BYTES_MAX + 1)).is_err());
        assert!(read(&"---\na: 1\n".repeat(DOCUMENTS_MAX + 1)).is_err());
        let laughs = (1..12).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
            let items = vec![format!("*a{}", n - 1); 9].join(", ");
            format!("{text}a{n}: &a{n} [{items}]\n")
        });
        assert!(read(&laughs).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
    }
}
