//! Durations as Go writes them: `90s`, `1m30s`, `500ms`. A bare number counts seconds.
//!
//! Whole numbers only: fractions would bring the printing of floats into the component.

use std::time::Duration;

/// The longest that is understood: a week, as kubectl has it.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Reads a duration. None for anything else, a negative one included; more than a week is a week.
#[must_use]
pub fn read(text: &str) -> Option<Duration> {
    let mut sum = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let factor = match &rest[..unit] {
            "ms" => 1,
            "s" => 1000,
            // Only a number that stands alone may lack its unit.
            "" if text.len() == end => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        sum = sum.saturating_add(Duration::from_millis(number.saturating_mul(factor)));
        rest = &rest[unit..];
    }
    (!text.is_empty()).then_some(sum.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_does() {
        let cases = [
            ("90s", Some(90_000)),
            ("1m30s", Some(90_000)),
            ("500ms", Some(500)),
            ("2h", Some(7_200_000)),
            ("0", Some(0)),
            ("0s", Some(0)),
            ("45", Some(45_000)),
            ("99999999999999h", Some(604_800_000)),
            ("", None),
            ("-1s", None),
            ("1.5s", None),
            ("s", None),
            ("5 s", None),
            ("1m30", None),
            ("5d", None),
            ("fünf", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).map(|it| it.as_millis()), expected, "{text}");
        }
    }
}
