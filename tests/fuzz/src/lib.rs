//! What the three targets share: the world that random texts are evaluated in, and what must hold
//! of every outcome. A broken promise panics, which is how a fuzzer hears of it.

use expression::{Expression, References, Scope, Value, evaluate};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use workflow::render::{self, Colour};
use workflow::{CheckOptions, Diagnostic, Signatures, SourceFile, check, plan};

/// A secret inside of a mapping: no message may show what is inside of a value.
const CANARY: &str = "canary-40-characters-of-a-secret-value-x";
/// No message is longer than this and the text that it is about, in bytes.
const MESSAGE_MAX: usize = 8_192;

/// A run in the middle: some values are there, one secret among them.
#[must_use]
pub fn world() -> Scope {
    let parameters = [
        ("a", json!("text")),
        ("b", json!({"x": [1, {"y": "${secrets.key}"}], "x y": {"z": 3}, "": null})),
        ("c", json!([1, "${connections.datadog.keys.apiKey}", {"$type": "Secret", "name": "key"}])),
        ("d", json!(4.5)),
        ("e", json!({"$fn.concat": ["never", "evaluated"], "inside": {"of": CANARY}})),
        ("long", json!("x".repeat(100_000))),
    ];
    Scope {
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        secrets: [("key".to_owned(), json!("hidden"))].into(),
        outputs: [("step".to_owned(), [("out".to_owned(), json!("${1 +}"))].into())].into(),
        now: "2024-02-29T12:00:00Z".parse().ok(),
        ..Scope::default()
    }
}

/// The same world before the step has run and the secret was read.
#[must_use]
pub fn world_before() -> Scope {
    Scope { outputs: BTreeMap::new(), secrets: BTreeMap::new(), ..world() }
}

/// Evaluates a tree at once and in two parts, and compares.
///
/// # Panics
///
/// When the parts come to another value than the whole, or when what was found is not inert.
pub fn evaluate_both_ways(tree: &Value) {
    let expression = Expression::from_tree(tree);
    let _ = expression.references();
    let at_once = evaluate(&expression, &world());
    if let Err(error) = &at_once {
        let message = error.to_string();
        let length_max = MESSAGE_MAX + 8 * tree.to_string().len();
        assert!(message.len() <= length_max, "{} bytes of message", message.len());
        let reached = tree.to_string().contains("of");
        assert!(reached || !message.contains(CANARY), "a message shows an inside: {message}");
    }
    let (Ok(at_once), Ok(first)) = (at_once, evaluate(&expression, &world_before())) else {
        return;
    };
    // What is not known yet may decide `coalesce`, `exists` and a whole root without being missed;
    // such a value is not compared.
    if !within(&at_once.resolved, &[&first.resolved, &first.unresolved]) {
        return;
    }
    if let (true, Ok(second)) = (at_once.complete(), evaluate(&first.rest, &world()))
        && second.complete()
    {
        assert_eq!(second.value(), at_once.value(), "in two parts: {tree}");
    }
    if let Some(value) = at_once.value() {
        let again = Expression::from_tree(&Expression::literal(value.clone()).to_tree());
        let again = evaluate(&again, &world()).expect("inert data evaluates");
        assert_eq!(again.value(), Some(value), "what was returned is not inert: {tree}");
    }
}

/// Checks a text as `bowline check` does, draws every finding, and plans what can be planned.
///
/// # Panics
///
/// When a finding lies outside of the text, or could steer a terminal.
pub fn look_at(bytes: &[u8]) {
    let Ok(source) = SourceFile::from_bytes("fuzz.yaml", bytes) else { return };
    let options = CheckOptions { allow_missing_plugins: true, ..CheckOptions::default() };
    let checked = check(&source, &Signatures::new(), &options);
    let has_error = checked.diagnostics.iter().any(Diagnostic::is_error);
    assert_eq!(checked.workflow.is_none(), has_error, "a workflow, or an error");
    for diagnostic in &checked.diagnostics {
        let span = diagnostic.span;
        assert!(span.start <= span.end && span.end <= source.text().len(), "{diagnostic:?}");
        for colour in [Colour::Never, Colour::Always] {
            let drawn = render::text(diagnostic, &source, colour);
            let steers = |c: char| c.is_control() && c != '\n';
            match colour {
                Colour::Never => assert!(!drawn.contains(steers), "{drawn:?}"),
                // Only colours: an escape is followed by `[`, digits and `m`.
                Colour::Always => assert!(only_colours(&drawn), "{drawn:?}"),
            }
        }
        let _ = render::json(diagnostic, &source).to_string();
    }
    let Some(workflow) = checked.workflow else { return };
    let _ = workflow.graph();
    if let Ok(planned) = plan(&workflow, "sha256:0", BTreeMap::new()) {
        let written = serde_json::to_string(&planned).expect("a plan is data");
        let read = serde_json::from_str(&written).expect("what was written is read");
        assert_eq!(planned, read, "a plan comes back as it was");
    }
}

fn within(found: &References, known: &[&References]) -> bool {
    let all = |names: fn(&References) -> Vec<String>| -> BTreeSet<String> {
        known.iter().flat_map(|references| names(references)).collect()
    };
    let secrets: fn(&References) -> Vec<String> =
        |r| r.secrets.iter().map(|s| format!("{s:?}")).collect();
    let outputs: fn(&References) -> Vec<String> =
        |r| r.outputs.iter().map(|o| format!("{o:?}")).collect();
    let is_within = |names: fn(&References) -> Vec<String>| {
        let known = all(names);
        names(found).iter().all(|name| known.contains(name))
    };
    is_within(secrets) && is_within(outputs)
}

fn only_colours(drawn: &str) -> bool {
    let mut pieces = drawn.split('\u{1b}');
    let first = pieces.next().unwrap_or_default();
    let plain = |text: &str| !text.contains(|c: char| c.is_control() && c != '\n');
    plain(first)
        && pieces.all(|piece| {
            piece.strip_prefix('[').and_then(|rest| rest.split_once('m')).is_some_and(
                |(code, rest)| {
                    code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';') && plain(rest)
                },
            )
        })
}
