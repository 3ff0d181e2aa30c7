//! What a scalar without quotes means.
//!
//! The rules are those of the YAML reader that Relay uses (Go's yaml.v3): YAML 1.2 with octal
//! numbers, underscores and dates of YAML 1.1. `yes`, `on` and `off` are texts.

use super::timestamp;

/// The meaning of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    Null,
    Bool(bool),
    Int(i64),
    /// Only for numbers above the range of `Int`.
    Unsigned(u64),
    /// May be infinite or not a number.
    Float(f64),
    /// In the form of RFC 3339.
    Timestamp(String),
    Text,
}

impl Meaning {
    /// For messages: "an integer".
    pub(crate) fn article(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Unsigned(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Timestamp(_) => "a date",
            Self::Text => "a text",
        }
    }
}

/// What a plain text means when no tag says otherwise.
pub(crate) fn resolve(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Meaning::Null,
        "true" | "True" | "TRUE" => return Meaning::Bool(true),
        "false" | "False" | "FALSE" => return Meaning::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Meaning::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Meaning::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Meaning::Float(f64::NEG_INFINITY),
        _ => (),
    }
    match text.as_bytes()[0] {
        b'.' => float(text).map_or(Meaning::Text, Meaning::Float),
        b'0'..=b'9' | b'+' | b'-' => match timestamp::read(text) {
            Some(timestamp) => Meaning::Timestamp(timestamp),
            None => number(&text.replace('_', "")),
        },
        _ => Meaning::Text,
    }
}

fn number(text: &str) -> Meaning {
    if let Some(integer) = integer(text) {
        return integer;
    }
    float(text).map_or(Meaning::Text, Meaning::Float)
}

/// A whole number: decimal, or with the prefix of another base. A leading `0` means octal.
fn integer(text: &str) -> Option<Meaning> {
    let (negative, digits) = match text.as_bytes()[0] {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    // Rust's own reader would take a second sign.
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if negative {
        return 0_i64.checked_sub_unsigned(size).map(Meaning::Int);
    }
    Some(i64::try_from(size).map_or(Meaning::Unsigned(size), Meaning::Int))
}

/// A decimal fraction or exponent that fits a double: `1.5`, `1.`, `.5`, `1e3`, `08`.
fn float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        None => digits(mantissa),
        Some((whole, "")) => digits(whole),
        Some(("", part)) => digits(part),
        Some((whole, part)) => digits(whole) && digits(part),
    };
    let exponent_fits = exponent
        .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !mantissa_fits || !exponent_fits {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars() {
        let text = |text: &str| Meaning::Timestamp(text.to_owned());
        let cases = [
            ("", Meaning::Null),
            ("~", Meaning::Null),
            ("yes", Meaning::Text),
            ("on", Meaning::Text),
            ("nullx", Meaning::Text),
            ("True", Meaning::Bool(true)),
            ("017", Meaning::Int(15)),
            ("0o17", Meaning::Int(15)),
            ("-0o17", Meaning::Int(-15)),
            ("0x10", Meaning::Int(16)),
            ("-0x10", Meaning::Int(-16)),
            ("0b11", Meaning::Int(3)),
            ("1_000", Meaning::Int(1000)),
            ("+5", Meaning::Int(5)),
            ("+-5", Meaning::Text),
            ("0", Meaning::Int(0)),
            ("-9223372036854775808", Meaning::Int(i64::MIN)),
            ("12345678901234567890", Meaning::Unsigned(12_345_678_901_234_567_890)),
            ("123456789012345678901", Meaning::Float(123_456_789_012_345_678_901.0)),
            ("08", Meaning::Float(8.0)),
            ("0o8", Meaning::Text),
            ("1e3", Meaning::Float(1000.0)),
            ("1.", Meaning::Float(1.0)),
            (".5", Meaning::Float(0.5)),
            (".", Meaning::Text),
            (".e5", Meaning::Text),
            ("1e400", Meaning::Text),
            ("1.2.3", Meaning::Text),
            ("-", Meaning::Text),
            ("+", Meaning::Text),
            ("0x", Meaning::Text),
            ("-.inf", Meaning::Float(f64::NEG_INFINITY)),
            ("infinity", Meaning::Text),
            ("2020-01-01", text("2020-01-01T00:00:00Z")),
            ("2020-13-01", Meaning::Text),
            ("10.0.0.1", Meaning::Text),
            ("12:30:45", Meaning::Text),
            ("_5", Meaning::Text),
            ("5_", Meaning::Int(5)),
        ];
        for (written, expected) in cases {
            assert_eq!(resolve(written), expected, "{written}");
        }
        assert!(matches!(resolve(".nan"), Meaning::Float(number) if number.is_nan()));
    }
}
