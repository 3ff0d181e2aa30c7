//! The duration of `@every`: `1h30m`, `1.5h`, `90s`.
//!
//! At least a second, in whole seconds.

use crate::fault::quoted;
use jiff::SignedDuration;

const UNITS: &[(&str, f64)] = &[
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("m", 60.0),
    ("h", 3600.0),
];

/// The most seconds that a period may take: the largest that Relay can hold, 292 years.
const SECONDS_MAX: f64 = 9_223_372_036.0;

pub(super) fn parse(text: &str) -> Result<SignedDuration, String> {
    let seconds = seconds(text)?;
    Ok(SignedDuration::from_secs((seconds.floor() as i64).max(1)))
}

fn seconds(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {}", quoted(text));
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(0.0);
    }
    if unsigned.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| c != '.' && !c.is_ascii_digit());
        let (number, after) = rest.split_at(number_end.unwrap_or(rest.len()));
        if number.is_empty() || number.matches('.').count() > 1 || number == "." {
            return Err(invalid());
        }
        let unit_end = after.find(|c: char| c == '.' || c.is_ascii_digit());
        let (unit, more) = after.split_at(unit_end.unwrap_or(after.len()));
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {}", quoted(text)));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let (unit, text) = (quoted(unit), quoted(text));
            return Err(format!("time: unknown unit {unit} in duration {text}"));
        };
        total += number.parse::<f64>().map_err(|_| invalid())? * scale;
        rest = more;
    }
    if total > SECONDS_MAX {
        return Err(invalid());
    }
    Ok(if text.starts_with('-') { -total } else { total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods() {
        let cases = [
            ("1h30m", Ok(5400)),
            ("1.5h", Ok(5400)),
            ("500ms", Ok(1)),
            ("-5m", Ok(1)),
            ("0", Ok(1)),
            (".5m", Ok(30)),
            ("", Err("time: invalid duration \"\"")),
            ("1d", Err("time: unknown unit \"d\" in duration \"1d\"")),
            ("1h30", Err("time: missing unit in duration \"1h30\"")),
            ("1..5h", Err("time: invalid duration \"1..5h\"")),
            ("99999999999h", Err("time: invalid duration \"99999999999h\"")),
        ];
        for (text, expected) in cases {
            let expected = expected.map(SignedDuration::from_secs).map_err(str::to_owned);
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
