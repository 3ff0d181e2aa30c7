//! The spellings of an incident's number. Strict: what is not understood is asked about, since a
//! wrong guess writes into somebody else's incident.

use crate::PublicIdInput;
use bowline_sdk::{Failure, shown};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// A public number, at least 1, and the prefix that stood before it.
    Number {
        /// At most `i64::MAX`, as Datadog's.
        number: u64,
        /// For example `IR`.
        prefix: Option<String>,
    },
    /// An internal id in its usual form: lower case, with dashes.
    Internal(String),
}

/// Reads the input.
///
/// # Errors
///
/// `config`, with the forms that are understood.
pub fn read(input: &PublicIdInput) -> Result<Wanted, Failure> {
    let text = match input {
        PublicIdInput::Number(number) => number.to_string(),
        PublicIdInput::Text(text) => text.trim().to_owned(),
    };
    if text.starts_with('$') {
        let shown = shown(&text);
        return Err(Failure::config(format!(
            "`public_id` is `{shown}`: a variable that the webhook has not replaced; send the value"
        )));
    }
    understand(&text).ok_or_else(|| {
        let shown = shown(&text);
        Failure::config(format!(
            "`public_id` is no incident number: `{shown}`; give it as `5`, `IR-5`, `#5`, the \
             incident's web address, or its internal id (UUID)"
        ))
    })
}

fn understand(text: &str) -> Option<Wanted> {
    let text = match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(address) => from_address(address)?,
        None => text,
    };
    if let Some(id) = internal(text) {
        return Some(Wanted::Internal(id));
    }
    let text = text.strip_prefix('#').unwrap_or(text);
    let (prefix, digits) = match text.rsplit_once('-') {
        Some((prefix, digits)) => (Some(prefix), digits),
        None => (None, text),
    };
    let is_prefix = |prefix: &str| {
        prefix.starts_with(|c: char| c.is_ascii_alphabetic())
            && prefix.len() <= 32
            && prefix.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if prefix.is_some_and(|prefix| !is_prefix(prefix)) {
        return None;
    }
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = digits.parse::<u64>().ok()?;
    let in_range = (1..=i64::MAX as u64).contains(&number);
    in_range.then(|| Wanted::Number { number, prefix: prefix.map(str::to_owned) })
}

/// The segment after `/incidents/` in a web address.
fn from_address(address: &str) -> Option<&str> {
    let (_, path) = address.split_once('/')?;
    let path = path.split(['?', '#']).next()?;
    let mut segments = path.split('/');
    segments.find(|segment| *segment == "incidents")?;
    segments.next()
}

/// A UUID with or without dashes, brought into its usual form.
fn internal(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let shaped = lengths == [8, 4, 4, 4, 12] || lengths == [32];
    if !shaped || !parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return None;
    }
    let digits = parts.concat().to_ascii_lowercase();
    let (a, b, c, d, e) =
        (&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]);
    Some(format!("{a}-{b}-{c}-{d}-{e}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Option<(u64, Option<String>)> {
        match read(&PublicIdInput::Text(text.to_owned())) {
            Ok(Wanted::Number { number, prefix }) => Some((number, prefix)),
            _ => None,
        }
    }

    #[test]
    fn d01_every_spelling_of_a_number_is_understood() {
        for text in [
            "5",
            " 5 ",
            "005",
            "#5",
            "5\n",
            "https://app.datadoghq.com/incidents/5",
            "https://app.datadoghq.eu/incidents/5?tab=timeline",
            "https://acme.datadoghq.com/incidents/5/a-title",
            "http://app.datadoghq.com/incidents/5#x",
        ] {
            assert_eq!(wanted(text), Some((5, None)), "{text}");
        }
        for (text, prefix) in [
            ("IR-5", "IR"),
            ("ir-5", "ir"),
            ("#IR-5", "IR"),
            ("IR-005", "IR"),
            (" IR-5 ", "IR"),
            ("SEC-5", "SEC"),
        ] {
            assert_eq!(wanted(text), Some((5, Some(prefix.to_owned()))), "{text}");
        }
        assert_eq!(wanted("9223372036854775807"), Some((9_223_372_036_854_775_807, None)));
        let number = Wanted::Number { number: 5, prefix: None };
        assert_eq!(read(&PublicIdInput::Number(5)).ok(), Some(number));
    }

    #[test]
    fn d03_an_internal_id_is_brought_into_its_usual_form() {
        let expected = Wanted::Internal("6248184c-3ce0-54e7-a9f3-8db44efede9d".into());
        for text in [
            "6248184c-3ce0-54e7-a9f3-8db44efede9d",
            "6248184C3CE054E7A9F38DB44EFEDE9D",
            "https://app.datadoghq.com/incidents/6248184c-3ce0-54e7-a9f3-8db44efede9d",
        ] {
            assert_eq!(
                read(&PublicIdInput::Text(text.into())).ok(),
                Some(expected.clone()),
                "{text}"
            );
        }
        let digits = read(&PublicIdInput::Text("12345678901234567890123456789012".into()));
        assert!(matches!(digits, Ok(Wanted::Internal(_))), "{digits:?}");
    }

    #[test]
    fn d04_anything_else_is_refused_with_the_forms_that_are_understood() {
        for text in [
            "",
            " ",
            "0",
            "-3",
            "5.0",
            "+5",
            "IR-",
            "-",
            "#",
            "five",
            "5; drop",
            "5 6",
            "IR--5",
            "5-IR",
            "IR-5-x",
            "9223372036854775808",
            "99999999999999999999",
            "５",
            "https://app.datadoghq.com/monitors/5",
            "https://app.datadoghq.com/incidents/",
            "https://",
            "6248184c-3ce0-54e7-a9f3-8db44efede9",
            "../5",
            "5/../6",
            "5%2f",
            "\0",
        ] {
            let failure = read(&PublicIdInput::Text(text.into())).expect_err(text);
            assert_eq!(failure.code(), "config", "{text}");
            assert!(failure.message().contains("give it as `5`, `IR-5`"), "{text}: {failure}");
        }
        for number in [0, -3] {
            assert!(read(&PublicIdInput::Number(number)).is_err(), "{number}");
        }
        let left =
            read(&PublicIdInput::Text("$INCIDENT_PUBLIC_ID".into())).expect_err("a variable");
        assert!(left.message().contains("has not replaced"), "{left}");
    }
}
