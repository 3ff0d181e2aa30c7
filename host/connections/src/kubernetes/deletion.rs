//! What a step may say about how something is deleted.

use effects::{CallError, Layer};
use serde_json::{Map, Value};

/// Seconds that a deletion may leave an object: a day.
const GRACE_SECONDS_MAX: u64 = 86_400;

/// What a deletion's options may hold.
const OPTIONS: &[&str] = &["gracePeriodSeconds", "propagationPolicy"];

/// Of a deletion's options only these, and only with values that the API knows: others change what
/// is deleted.
pub(crate) fn check_options(given: &Map<String, Value>) -> Result<(), CallError> {
    let good = |(key, value): (&String, &Value)| match key.as_str() {
        "gracePeriodSeconds" => value.as_u64().is_some_and(|s| s <= GRACE_SECONDS_MAX),
        "propagationPolicy" => {
            matches!(value.as_str(), Some("Background" | "Foreground" | "Orphan"))
        }
        _ => false,
    };
    match given.iter().find(|option| !good(*option)) {
        Some((key, _)) if Layer::Shape.on() => Err(CallError::invalid(
            "kubernetes.invalid-delete",
            format!(
                "`{}` is not one of {}, or has no value that it can have",
                key.escape_debug(),
                OPTIONS.join(", ")
            ),
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn f11_a_deletion_takes_two_options_and_their_values() {
        let cases = [
            (json!({}), true),
            (json!({"gracePeriodSeconds": 0, "propagationPolicy": "Foreground"}), true),
            (json!({"gracePeriodSeconds": -1}), false),
            (json!({"gracePeriodSeconds": "0"}), false),
            (json!({"gracePeriodSeconds": 1e300}), false),
            (json!({"propagationPolicy": "Everything"}), false),
            (json!({"orphanDependents": true}), false),
            (json!({"dryRun": []}), false),
            (json!({"preconditions": {}}), false),
            (json!({"ignoreStoreReadErrorWithClusterBreakingPotential": true}), false),
        ];
        for (options, expected) in cases {
            let given = options.as_object().cloned().unwrap();
            assert_eq!(check_options(&given).is_ok(), expected, "{options}");
        }
    }
}
