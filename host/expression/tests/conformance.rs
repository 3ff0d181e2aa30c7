//! Runs Relay's conformance cases that are about expressions.
//!
//! The case file is not part of the project: `BOWLINE_CONFORMANCE` names it, else it is looked
//! for beside the project.

#[path = "conformance/cases.rs"]
mod cases;

use serde_json::Value;
use std::path::{Path, PathBuf};

/// At least this many of a hundred cases must pass.
const PASSED_PERCENT_MIN: usize = 99;

#[test]
#[allow(clippy::disallowed_methods)]
fn conformance() {
    let path = std::env::var("BOWLINE_CONFORMANCE").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/relay/conformance.json"),
        PathBuf::from,
    );
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no conformance cases at {}; set BOWLINE_CONFORMANCE", path.display());
        return;
    };
    let all: Vec<Value> = serde_json::from_str(&text).expect("the case file is a JSON list");
    let mut passed = 0;
    let mut failed = Vec::new();
    let mut reworded = Vec::new();
    for case in &all {
        match cases::run(case) {
            None => {}
            Some(Ok(cases::Passed::Exactly)) => passed += 1,
            Some(Ok(cases::Passed::OtherWords(words))) => {
                passed += 1;
                reworded.push(format!("{}: {words}", cases::id(case)));
            }
            Some(Err(why)) => failed.push(format!("{}: {why}", cases::id(case))),
        }
    }
    println!("{passed} passed, {} failed", failed.len());
    for line in &failed {
        println!("failed {line}");
    }
    for line in &reworded {
        println!("passed in other words {line}");
    }
    let total = passed + failed.len();
    assert!(total > 0, "no case of a kind that is known");
    assert!(passed * 100 >= total * PASSED_PERCENT_MIN, "{} of {total} failed", failed.len());
}
