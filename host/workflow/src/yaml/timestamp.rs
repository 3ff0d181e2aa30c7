//! Dates and times without quotes, in the four forms that Go's yaml.v3 knows.
//!
//! They become texts in the form of RFC 3339, because that is what they are in JSON.

use jiff::civil::Date;
use std::fmt::Write as _;

/// Reads `2020-1-2`, `2020-1-2 3:4:5.6`, `2020-1-2T3:4:5Z` or the same with an offset.
pub(crate) fn read(text: &str) -> Option<String> {
    let mut rest = Rest(text);
    let year = rest.digits(4, 4)?;
    rest.one_of("-")?;
    let month = rest.digits(1, 2)?;
    rest.one_of("-")?;
    let day = rest.digits(1, 2)?;
    let small = |number: u32| i8::try_from(number).ok();
    Date::new(i16::try_from(year).ok()?, small(month)?, small(day)?).ok()?;
    let mut out = format!("{year:04}-{month:02}-{day:02}T");
    let Some(separator) = rest.one_of("Tt ") else {
        out.push_str("00:00:00Z");
        return rest.0.is_empty().then_some(out);
    };
    time(&mut rest, &mut out)?;
    match separator {
        ' ' => out.push('Z'),
        _ => zone(&mut rest, &mut out)?,
    }
    rest.0.is_empty().then_some(out)
}

fn time(rest: &mut Rest<'_>, out: &mut String) -> Option<()> {
    let hour = rest.digits(1, 2).filter(|&hour| hour < 24)?;
    rest.one_of(":")?;
    let minute = rest.digits(1, 2).filter(|&minute| minute < 60)?;
    rest.one_of(":")?;
    let second = rest.digits(1, 2).filter(|&second| second < 60)?;
    write!(out, "{hour:02}:{minute:02}:{second:02}").ok()?;
    if rest.one_of(".,").is_some() {
        let length = rest.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = rest.0.split_at(length);
        if digits.is_empty() {
            return None;
        }
        rest.0 = after;
        let nanoseconds = digits[..length.min(9)].trim_end_matches('0');
        if !nanoseconds.is_empty() {
            write!(out, ".{nanoseconds}").ok()?;
        }
    }
    Some(())
}

fn zone(rest: &mut Rest<'_>, out: &mut String) -> Option<()> {
    match rest.one_of("Z+-")? {
        'Z' => out.push('Z'),
        sign => {
            let hours = rest.digits(2, 2).filter(|&hours| hours <= 24)?;
            rest.one_of(":")?;
            let minutes = rest.digits(2, 2).filter(|&minutes| minutes < 60)?;
            if hours == 0 && minutes == 0 {
                out.push('Z');
            } else {
                write!(out, "{sign}{hours:02}:{minutes:02}").ok()?;
            }
        }
    }
    Some(())
}

/// What is still to be read.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// A number of `min` to `max` digits.
    fn digits(&mut self, min: usize, max: usize) -> Option<u32> {
        let length = self.0.bytes().take(max).take_while(u8::is_ascii_digit).count();
        let (digits, after) = self.0.split_at(length);
        if length < min {
            return None;
        }
        self.0 = after;
        digits.parse().ok()
    }

    fn one_of(&mut self, wanted: &str) -> Option<char> {
        let first = self.0.chars().next().filter(|&first| wanted.contains(first))?;
        self.0 = &self.0[first.len_utf8()..];
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        let cases = [
            ("2020-01-01", Some("2020-01-01T00:00:00Z")),
            ("2020-1-2", Some("2020-01-02T00:00:00Z")),
            ("2001-12-14t21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-12-14 21:59:43", Some("2001-12-14T21:59:43Z")),
            ("2001-12-14T1:2:3Z", Some("2001-12-14T01:02:03Z")),
            ("2001-12-14T1:2:3.000Z", Some("2001-12-14T01:02:03Z")),
            ("2001-12-14T1:2:3+00:00", Some("2001-12-14T01:02:03Z")),
            ("2001-12-14T1:2:3.1234567891Z", Some("2001-12-14T01:02:03.123456789Z")),
            ("2001-12-14T1:2:3", None),
            ("2001-12-14 1:2:3Z", None),
            ("2001-12-14 24:00:00", None),
            ("2021-02-29", None),
            ("20-01-01", None),
            ("2020-01", None),
            ("2020-01-01x", None),
            ("2020-01-01T", None),
            ("2020-001-01", None),
            ("äöü", None),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
