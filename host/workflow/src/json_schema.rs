//! The one way in which a plugin's JSON Schemas become validators.
//!
//! A schema is a stranger's. It reaches for no other document, its patterns are small and take
//! time in proportion to the text, and what it refers to is counted before anything follows it.
//! Both those who check inputs before a run and those who check them during one build it here.

mod work;

use crate::diagnostic::printable;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// Bytes that one compiled pattern may take.
const PATTERN_SIZE_MAX: usize = 128 << 10;

/// Bytes of one pattern's text.
const PATTERN_BYTES_MAX: usize = 1_000;

/// Patterns in one schema.
const PATTERNS_MAX: usize = 64;

/// Characters of what the library says about a schema.
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// Builds the validator of a schema of draft 2020-12.
///
/// # Errors
///
/// What is wrong with the schema, in words: it is none, refers to something outside of it, or
/// asks for more work than 64 patterns of 1,000 bytes and 10,000 visits for each value.
pub fn validator(schema: &Value) -> Result<Validator, String> {
    let mut patterns = 0;
    check_members(schema, true, &mut patterns)?;
    work::check(schema)?;
    let patterns =
        PatternOptions::regex().size_limit(PATTERN_SIZE_MAX).dfa_size_limit(PATTERN_SIZE_MAX);
    let options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(patterns);
    options.build(schema).map_err(|error| {
        // It may quote all of the schema.
        let text = printable(&error.to_string());
        text.chars().take(MESSAGE_CHARACTERS_MAX).collect()
    })
}

/// Looks at every mapping in the schema, wherever it stands: at its patterns, and whether it
/// gives a part of the schema another address, so that references would lead elsewhere.
fn check_members(value: &Value, is_root: bool, patterns: &mut usize) -> Result<(), String> {
    match value {
        Value::Array(values) => {
            values.iter().try_for_each(|value| check_members(value, false, patterns))
        }
        Value::Object(members) => {
            for (name, member) in members {
                match (name.as_str(), member) {
                    ("pattern", Value::String(pattern)) => count_pattern(pattern, patterns)?,
                    ("patternProperties", Value::Object(of_patterns)) => {
                        of_patterns.keys().try_for_each(|key| count_pattern(key, patterns))?;
                    }
                    ("$id", Value::String(_)) if !is_root => return Err(no_address("$id")),
                    (
                        address @ ("$anchor" | "$dynamicAnchor" | "$dynamicRef" | "$recursiveRef"),
                        Value::String(_),
                    ) => return Err(no_address(address)),
                    _ => {}
                }
                check_members(member, false, patterns)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn no_address(keyword: &str) -> String {
    format!("it uses `{keyword}`, and a plugin's schema refers to its parts by `#/…` alone")
}

fn count_pattern(pattern: &str, patterns: &mut usize) -> Result<(), String> {
    *patterns += 1;
    if *patterns > PATTERNS_MAX {
        return Err(format!("it has more than {PATTERNS_MAX} patterns"));
    }
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(format!(
            "it has a pattern of {} bytes, and {PATTERN_BYTES_MAX} are allowed",
            pattern.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
