//! Runs the cases that were recorded on Relay's own engine and its checker, those about
//! expressions included.
//!
//! `BOWLINE_CONFORMANCE` names another file of cases. Files that cases mention are in the folder
//! `workflows` beside it. Without a file the test says so and passes.

mod documents;
#[path = "../../../expression/tests/conformance/cases.rs"]
mod expressions;
mod runs;
mod values;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// What became of a case.
enum Outcome {
    Passed,
    /// With a message of the same class; the message.
    PassedInOtherWords(String),
    /// Why not.
    Failed(String),
    /// Nothing here answers to it: it is about Relay's own services.
    NoCounterpart,
}

impl Outcome {
    fn of(result: Result<(), String>) -> Self {
        result.map_or_else(Self::Failed, |()| Self::Passed)
    }
}

fn run(case: &Value, folder: &Path) -> Option<Outcome> {
    let kind = case["kind"].as_str().unwrap_or_default();
    Some(match kind {
        "yaml-parse" => Outcome::of(values::yaml_parse(case)),
        "expr-yaml" => Outcome::of(values::expr_yaml(case)),
        "workflow" => Outcome::of(documents::workflow(case, folder)),
        "workflow-parameter" => Outcome::of(documents::parameter(case)),
        "run" => Outcome::of(runs::run(case)),
        "metadata-api" => runs::metadata_api(case),
        _ => match expressions::run(case)? {
            Ok(expressions::Passed::Exactly) => Outcome::Passed,
            Ok(expressions::Passed::OtherWords(words)) => Outcome::PassedInOtherWords(words),
            Err(why) => Outcome::Failed(why),
        },
    })
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the environment says which cases to run")]
fn the_recorded_cases_come_out_the_same() {
    let usual = "../../../shared/relay/conformance.json";
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(usual);
    let path = std::env::var("BOWLINE_CONFORMANCE").map_or(usual, PathBuf::from);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: there is no file of cases; name one with BOWLINE_CONFORMANCE");
        return;
    };
    let cases: Vec<Value> = serde_json::from_str(&text).expect("read the cases");
    let folder = path.parent().expect("a folder").join("workflows");
    let (mut passed, mut beyond, mut failed) = (0, Vec::new(), Vec::new());
    for case in &cases {
        let id = expressions::id(case);
        match run(case, &folder) {
            Some(Outcome::Passed) => passed += 1,
            Some(Outcome::PassedInOtherWords(words)) => {
                passed += 1;
                println!("passed in other words: {id}: {words}");
            }
            Some(Outcome::Failed(why)) => failed.push(format!("{id}: {why}")),
            Some(Outcome::NoCounterpart) => beyond.push(id),
            None => (),
        }
    }
    // The line break before it keeps the line apart from what the test runner has begun to write.
    println!("\n{passed} passed, {} failed", failed.len());
    println!("{} cases are about services that have no counterpart: {beyond:?}", beyond.len());
    failed.iter().for_each(|failure| println!("{failure}"));
    let allowed = (passed + failed.len()) / 100;
    assert!(failed.len() <= allowed, "{} of {} cases failed", failed.len(), passed + failed.len());
}
