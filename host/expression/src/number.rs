//! Numbers as Relay knows them: 64-bit floats, read and written in four ways.
//!
//! Every form follows what workflows already rely on, down to the digit: literals and numeric
//! texts, plain text (`toString`), shown text (`'x' + 1`), JSON. It must not know expressions.

use serde_json::Value;

/// Why a text is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatProblem {
    /// Not of the form of a number.
    Syntax,
    /// Too large for 64 bits.
    Range,
}

impl FloatProblem {
    /// The problem in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Syntax => "invalid syntax",
            Self::Range => "value out of range",
        }
    }
}

/// Reads a number: decimal or hexadecimal with `p`, `_` between digits, `inf` and `nan`.
pub(crate) fn parse(text: &str) -> Result<f64, FloatProblem> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let magnitude = match lower.as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" if digits.len() == text.len() => return Ok(f64::NAN),
        _ => finite(&lower)?,
    };
    Ok(if negative { -magnitude } else { magnitude })
}

fn finite(lower: &str) -> Result<f64, FloatProblem> {
    if !underscores_separate_digits(lower) {
        return Err(FloatProblem::Syntax);
    }
    let bare: String = lower.chars().filter(|&c| c != '_').collect();
    let value = match bare.strip_prefix("0x") {
        Some(hexadecimal) => hexadecimal_float(hexadecimal)?,
        None if is_decimal_float(&bare) => bare.parse().map_err(|_| FloatProblem::Syntax)?,
        None => return Err(FloatProblem::Syntax),
    };
    if f64::is_infinite(value) { Err(FloatProblem::Range) } else { Ok(value) }
}

/// An underscore stands between two digits, or between a base prefix and a digit.
fn underscores_separate_digits(lower: &str) -> bool {
    let hexadecimal = lower.starts_with("0x");
    let prefixed = hexadecimal || lower.starts_with("0b") || lower.starts_with("0o");
    let is_digit = |c: char| c.is_ascii_digit() || hexadecimal && c.is_ascii_hexdigit();
    let mut before = if prefixed { '0' } else { '^' };
    for c in lower.chars().skip(if prefixed { 2 } else { 0 }) {
        if c == '_' {
            if before != '0' {
                return false;
            }
            before = '_';
        } else if is_digit(c) {
            before = '0';
        } else if before == '_' {
            return false;
        } else {
            before = '!';
        }
    }
    before != '_'
}

fn is_decimal_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let exponent_is_good = exponent.is_none_or(|part| {
        let part = part.strip_prefix(['+', '-']).unwrap_or(part);
        !part.is_empty() && digits(part)
    });
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent_is_good
}

/// Reads `1.8p3` of `0x1.8p3`. The exponent is required, as in Go.
fn hexadecimal_float(text: &str) -> Result<f64, FloatProblem> {
    let (mantissa, exponent) = text.split_once('p').ok_or(FloatProblem::Syntax)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(FloatProblem::Syntax);
    }
    let power = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    if power.is_empty() || !power.bytes().all(|b| b.is_ascii_digit()) {
        return Err(FloatProblem::Syntax);
    }
    let mut bits: u64 = 0;
    let mut scale: i64 = 0;
    for (place, c) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = c.to_digit(16).ok_or(FloatProblem::Syntax)?;
        if bits < 1 << 58 {
            bits = bits << 4 | u64::from(digit);
            scale -= if place >= whole.len() { 4 } else { 0 };
        } else {
            // A bit that is lost still decides the rounding.
            bits |= u64::from(digit != 0);
            scale += if place >= whole.len() { 0 } else { 4 };
        }
    }
    let power: i64 = power.parse().unwrap_or(1 << 32);
    let power = if exponent.starts_with('-') { -power } else { power };
    Ok(scaled(bits as f64, power.saturating_add(scale)))
}

fn scaled(mut value: f64, power: i64) -> f64 {
    let mut left = power.clamp(-4400, 4400) as i32;
    while left != 0 {
        let step = left.clamp(-1000, 1000);
        value *= 2f64.powi(step);
        left -= step;
    }
    value
}

/// The digits without exponent: `1000000000000000000000`, `0.1`, `1`.
pub(crate) fn plain(number: f64) -> String {
    match special(number) {
        Some(word) => word.to_owned(),
        None => number.to_string(),
    }
}

/// As a value is shown inside a text: `10`, `1.5`, `1e+07`.
pub(crate) fn shown(number: f64) -> String {
    if let Some(word) = special(number) {
        return word.to_owned();
    }
    let (mantissa, exponent) = scientific(number);
    if (-4..6).contains(&exponent) {
        return number.to_string();
    }
    format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// As JSON; `None` for infinities and for what is not a number.
pub(crate) fn json(number: f64) -> Option<String> {
    if !number.is_finite() {
        return None;
    }
    let magnitude = number.abs();
    if magnitude == 0.0 || (1e-6..1e21).contains(&magnitude) {
        return Some(number.to_string());
    }
    let (mantissa, exponent) = scientific(number);
    Some(format!("{mantissa}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs()))
}

fn special(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number == f64::INFINITY {
        Some("+Inf")
    } else if number == f64::NEG_INFINITY {
        Some("-Inf")
    } else {
        None
    }
}

fn scientific(number: f64) -> (String, i32) {
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => (mantissa.to_owned(), exponent.parse().unwrap_or(0)),
        None => (text, 0),
    }
}

/// A whole number for the bit operators; what does not fit becomes the smallest one.
pub(crate) fn to_int(number: f64) -> i64 {
    let in_range = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&number);
    if in_range { number as i64 } else { i64::MIN }
}

/// A JSON number that prints as an integer when it is one.
pub(crate) fn to_json(number: f64) -> Option<Value> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if number.fract() == 0.0 && number.abs() <= WHOLE_MAX {
        return Some(Value::from(number as i64));
    }
    serde_json::Number::from_f64(number).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_numbers() {
        let cases = [
            ("1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("010", 10.0),
            ("1_000", 1000.0),
            ("1e3", 1000.0),
            ("-2.5E-1", -0.25),
            ("+7", 7.0),
            ("0x10p0", 16.0),
            ("0x1.8p1", 3.0),
            ("Inf", f64::INFINITY),
            ("-infinity", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
        assert!(parse("nan").is_ok_and(f64::is_nan));
    }

    #[test]
    fn texts_that_are_none() {
        for text in [
            "", " 1", "1 ", "0x10", "0b1", "0o7", "1e", "e1", ".", "1__0", "_1", "1_", "1_.5",
            "+nan", "x", "1.2.3", "0x", "0xp1", "--1", "1e+",
        ] {
            assert_eq!(parse(text), Err(FloatProblem::Syntax), "{text}");
        }
        assert_eq!(parse("1e400"), Err(FloatProblem::Range));
        assert_eq!(parse("0x1p5000"), Err(FloatProblem::Range));
    }

    #[test]
    fn the_same_number_in_three_forms() {
        let cases = [
            (1.0, "1", "1", "1"),
            (1.5, "1.5", "1.5", "1.5"),
            (-0.5, "-0.5", "-0.5", "-0.5"),
            (1e7, "10000000", "1e+07", "10000000"),
            (123_456.0, "123456", "123456", "123456"),
            (1_234_567.0, "1234567", "1.234567e+06", "1234567"),
            (1e21, "1000000000000000000000", "1e+21", "1e+21"),
            (1e-5, "0.00001", "1e-05", "0.00001"),
            (1e-7, "0.0000001", "1e-07", "1e-7"),
            (0.0001, "0.0001", "0.0001", "0.0001"),
        ];
        for (number, plain_text, shown_text, json_text) in cases {
            assert_eq!(plain(number), plain_text);
            assert_eq!(shown(number), shown_text);
            assert_eq!(json(number).as_deref(), Some(json_text));
        }
        assert_eq!(json(f64::INFINITY), None);
        assert_eq!(shown(f64::INFINITY), "+Inf");
    }

    #[test]
    fn integers_stay_integers_in_json() {
        assert_eq!(to_json(1e6).map(|v| v.to_string()), Some("1000000".to_owned()));
        assert_eq!(to_json(1.5).map(|v| v.to_string()), Some("1.5".to_owned()));
        assert_eq!(to_json(f64::NAN), None);
    }
}
