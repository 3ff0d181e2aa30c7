//! Every finding at its place: workflows in which comments say what must be found and where.
//!
//! A comment of the form `# ^^^ code: text` belongs to the line above it. The first `^` stands
//! below the first character of the finding, and if there is more than one `^`, they are as many
//! as the finding's characters. `#< code: text` points at the first character of the line. What no
//! comment announces must not be found.

mod plugins;
mod references;
mod rules;
mod shape;
mod yaml;

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use workflow::{
    CheckOptions, Code, Diagnostic, Manifest, PluginPin, Resolution, Signature, Signatures,
    SourceFile, check,
};

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, column, width, code, text } = self;
        write!(f, "{line}:{column} ({width}) {code}: {text}")
    }
}

/// The codes that some fixture has shown, for [`every_code_is_shown_by_a_fixture`].
static SHOWN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    line: usize,
    column: usize,
    /// 0 where a fixture does not say.
    width: usize,
    code: String,
    text: String,
}

/// Checks a fixture with the usual plugins and the usual connections.
#[track_caller]
fn finds(text: &str) {
    let known = [("kubernetes", "prod"), ("kubernetes", "test"), ("datadog", "keys")];
    let known = known.map(|(kind, name)| (kind.to_owned(), name.to_owned()));
    let options = CheckOptions { known_connections: Some(known.into()), ..CheckOptions::default() };
    finds_with(text, &options);
}

#[track_caller]
fn finds_with(text: &str, options: &CheckOptions) {
    let source = SourceFile::new("fixture.yaml", text);
    let expected = announced(text);
    let checked = check(&source, &signatures(), options);
    let mut found = Vec::new();
    for diagnostic in &checked.diagnostics {
        let start = source.position(diagnostic.span.start);
        found.push(Finding {
            line: start.line,
            column: start.column,
            width: source.slice(diagnostic.span).chars().count(),
            code: diagnostic.code.to_string(),
            text: diagnostic.message.clone(),
        });
        SHOWN.lock().expect("no test panics here").insert(diagnostic.code.as_str());
    }
    found.sort();
    let fits = |found: &Finding, expected: &Finding| {
        (found.line, found.column, &found.code) == (expected.line, expected.column, &expected.code)
            && (expected.width == 0 || expected.width == found.width)
            && found.text.contains(&expected.text)
    };
    let lost: Vec<String> = expected
        .iter()
        .filter(|expected| !found.iter().any(|found| fits(found, expected)))
        .map(Finding::to_string)
        .collect();
    let surplus: Vec<String> = found
        .iter()
        .filter(|found| !expected.iter().any(|expected| fits(found, expected)))
        .map(Finding::to_string)
        .collect();
    assert!(
        lost.is_empty() && surplus.is_empty() && found.len() == expected.len(),
        "in{text}not found: {lost:#?}\nnot announced: {surplus:#?}"
    );
    for diagnostic in &checked.diagnostics {
        expect_that_the_fix_repairs(&source, diagnostic, options);
    }
    let has_error = checked.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(checked.workflow.is_none(), has_error);
}

/// Makes the change that a finding offers; the same finding must be gone then.
#[track_caller]
fn expect_that_the_fix_repairs(source: &SourceFile, found: &Diagnostic, options: &CheckOptions) {
    let Some(fix) = &found.fix else { return };
    let mut text = source.text().to_owned();
    text.replace_range(fix.span.start..fix.span.end, &fix.replacement);
    let repaired = check(&SourceFile::new("repaired.yaml", text), &signatures(), options);
    let left = repaired.diagnostics.iter().find(|left| {
        (left.code, &left.message, left.span.start)
            == (found.code, &found.message, found.span.start)
    });
    assert_eq!(left, None, "the change that was offered does not help");
}

/// The findings that a fixture's comments announce.
fn announced(text: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut line = 0;
    for (number, content) in text.lines().enumerate() {
        let Some(comment) = content.strip_prefix('#') else {
            line = number + 1;
            continue;
        };
        let (column, width, rest) = match comment.strip_prefix('<') {
            Some(rest) => (1, 0, rest),
            None => {
                let Some(at) = comment.find('^') else { continue };
                let rest = comment[at..].trim_start_matches('^');
                let width = comment[at..].len() - rest.len();
                (comment[..at].chars().count() + 2, if width == 1 { 0 } else { width }, rest)
            }
        };
        let (code, text) = rest.trim().split_once(": ").unwrap_or((rest.trim(), ""));
        let (code, text) = (code.to_owned(), text.to_owned());
        found.push(Finding { line, column, width, code, text });
    }
    found.sort();
    found
}

/// The plugins that the fixtures know.
fn signatures() -> Signatures {
    let known = vec!["rollback".to_owned(), "timeline".to_owned(), "anything".to_owned()];
    let mut signatures = BTreeMap::from([
        (
            "rollback".to_owned(),
            found(
                "rollback",
                rollback_inputs(),
                rollback_outputs(),
                json!({
                    "cluster": {"type": "kubernetes", "from": ["/cluster/connection", "/connection"],
                                "reason": "Writes back the earlier template", "allow": []},
                }),
            ),
        ),
        (
            "timeline".to_owned(),
            found(
                "timeline",
                json!({
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["incident", "connection"],
                    "properties": {"incident": {"type": "string"}, "content": {"type": "string"},
                                   "connection": {"type": "object"}},
                }),
                json!({}),
                json!({
                    "datadog": {"type": "datadog", "from": ["/connection"], "reason": "Writes the cell",
                                "optional": true, "allow": []},
                }),
            ),
        ),
        ("anything".to_owned(), found("anything", json!({}), json!({}), json!({}))),
        (
            "broken-schema".to_owned(),
            found("broken-schema", json!({"type": 5}), json!({}), json!({})),
        ),
        (
            "refused".to_owned(),
            Resolution::Refused {
                code: "plugin.core-module".to_owned(),
                message: "build it as a component".to_owned(),
            },
        ),
    ]);
    for missing in ["roll-back", "rollbakc", "nowhere"] {
        signatures.insert(missing.to_owned(), Resolution::Missing { known: known.clone() });
    }
    signatures
}

fn rollback_inputs() -> Value {
    json!({
        "type": "object",
        "required": ["deployment"],
        "properties": {
            "deployment": {"type": "string", "minLength": 1},
            "namespace": {"type": "string"},
            "timeoutSeconds": {"type": "integer", "minimum": 1},
            "mode": {"enum": ["undo", "pause"]},
            "cluster": {"type": "object", "additionalProperties": false,
                        "properties": {"name": {"type": "string"}, "connection": {}}},
            "connection": {},
            "labels": {"type": "array", "maxItems": 2, "items": {"type": "string"}},
        },
    })
}

fn rollback_outputs() -> Value {
    json!({"type": "object", "properties": {"revision": {"type": "integer"}, "previous": {}}})
}

fn found(name: &str, inputs: Value, outputs: Value, connections: Value) -> Resolution {
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": 1, "name": name, "version": "1.0.0", "summary": "For tests",
        "inputs": inputs, "outputs": outputs, "connections": connections,
    }))
    .expect("a manifest");
    let pin = PluginPin {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        digest: format!("sha256:{}", "0".repeat(64)),
        signer: None,
    };
    Resolution::Found(Box::new(Signature { pin, manifest }))
}

#[test]
fn a_file_of_mistakes_is_told_in_part_and_stays_refused() {
    let mut text = "steps:\n".to_owned();
    for step in 0..3000 {
        text.push_str(&format!(
            "- {{name: step-{step}, image: anything, bogus: 1, dependsOn: x}}\n"
        ));
    }
    let checked = check(&SourceFile::new("a.yaml", text), &signatures(), &CheckOptions::default());

    assert!(checked.workflow.is_none());
    assert_eq!(checked.diagnostics.len(), 1001);
    let last = checked.diagnostics.last().expect("a finding");
    assert_eq!(last.message, "there are 5000 more findings, which are not told");
    assert!(checked.diagnostics[..1000].iter().all(Diagnostic::is_error), "errors come first");
    SHOWN.lock().expect("no test panics here").insert(last.code.as_str());
}

/// Runs all fixtures again, because tests may run in any order.
#[test]
fn every_code_is_shown_by_a_fixture() {
    yaml::all();
    shape::all();
    references::all();
    rules::all();
    plugins::all();
    a_file_of_mistakes_is_told_in_part_and_stays_refused();
    let shown = SHOWN.lock().expect("no test panics here").clone();
    let hidden: Vec<&str> =
        Code::ALL.iter().map(|code| code.as_str()).filter(|code| !shown.contains(code)).collect();
    assert!(hidden.is_empty(), "no fixture shows {hidden:?}");
}

/// Makes a test of each fixture, and a function that runs them all.
macro_rules! fixtures {
    ($($name:ident $text:literal)+) => {
        $(#[test] fn $name() { crate::finds($text); })+
        pub(crate) fn all() { $(crate::finds($text);)+ }
    };
}
pub(crate) use fixtures;
