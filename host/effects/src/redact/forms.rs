//! The ways in which a credential may be written: what usual encoders make of it. Knows no list of
//! credentials and searches nothing.

use super::SECRET_BYTES_MIN;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::fmt::Write as _;
use std::iter;

/// What encoders of percent signs leave alone: all but letters and digits are encoded by the first,
/// then those of RFC 3986, of Python's `quote`, of JavaScript, and of forms.
const PERCENT: [&AsciiSet; 5] = [
    NON_ALPHANUMERIC,
    UNRESERVED,
    &UNRESERVED.remove(b'/'),
    &UNRESERVED.remove(b'!').remove(b'\'').remove(b'(').remove(b')').remove(b'*'),
    &UNRESERVED.add(b'~').remove(b'*'),
];

/// All but the unreserved characters of RFC 3986.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The ways in which `secret` may turn up.
pub(super) fn of(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let mut forms = vec![bytes.to_vec()];
    forms.extend(base64_forms(bytes));
    let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    forms.push(hex.to_uppercase().into_bytes());
    forms.push(hex.into_bytes());
    forms.extend(percent_forms(secret));
    // In JSON, in JSON inside of JSON, and as messages and pages quote what they repeat.
    let mut quoted = html_forms(secret);
    quoted.extend([secret.to_owned(), secret.escape_debug().to_string()]);
    for quoted in quoted {
        let in_json = |text: &String| Value::from(text.as_str()).to_string();
        let nested = iter::successors(Some(quoted), |text| {
            let json = in_json(text);
            Some(json[1..json.len() - 1].to_owned())
        });
        forms.extend(nested.take(3).map(String::into_bytes));
    }
    forms
}

/// What each of the encoders makes of `secret`, with small and with capital hexadecimal digits, and
/// with a blank as a blank or as the plus of a form.
fn percent_forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for kept in PERCENT {
        let capital = utf8_percent_encode(secret, kept).to_string();
        for text in [small_digits(&capital), capital] {
            forms.push(text.replace("%20", "+").into_bytes());
            forms.push(text.into_bytes());
        }
    }
    forms
}

/// A percent-encoded text whose escapes, and nothing else, are in small letters.
fn small_digits(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // What an encoder wrote has two digits behind each percent sign.
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        text.push('%');
        text.push_str(&digits.to_ascii_lowercase());
        text.push_str(rest);
    }
    text
}

/// `secret` in a page: encoders agree on `&amp;`, `&lt;` and `&gt;`, and not on the quotes.
fn html_forms(secret: &str) -> Vec<String> {
    let text = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut forms = Vec::new();
    for double in ["\"", "&quot;", "&#34;", "&#x22;"] {
        for single in ["'", "&#39;", "&#x27;", "&#039;", "&apos;"] {
            forms.push(text.replace('"', double).replace('\'', single));
        }
    }
    forms
}

/// The characters of a base64 text that `bytes` alone decide, for each place at which they may
/// stand inside the encoded data.
fn base64_forms(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for (before, skip) in [(0, 0), (1, 2), (2, 3)] {
        let mut padded = vec![0; before];
        padded.extend_from_slice(bytes);
        let whole = padded.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = engine.encode(&padded);
            if let Some(form) = text.get(skip..whole)
                && form.len() >= SECRET_BYTES_MIN
            {
                forms.push(form.as_bytes().to_vec());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_usual_encoders_make_of_a_credential_is_found() {
        let cases = [
            // RFC 3986, as most libraries do it.
            ("CANARY-0a_1b.2c~3d/e+f", "CANARY-0a_1b.2c~3d%2Fe%2Bf"),
            ("CANARY-0a_1b.2c~3d/e+f", "CANARY-0a_1b.2c~3d%2fe%2bf"),
            // Python's `quote`.
            ("CANARY-0a_1b.2c~3d/e+f", "CANARY-0a_1b.2c~3d/e%2Bf"),
            ("CANARY-0a_1b.2c~3d/e+f", "CANARY-0a_1b.2c~3d/e%2bf"),
            // Forms: of Python, and of browsers.
            ("CANARY a~b*c/d", "CANARY+a~b%2Ac%2Fd"),
            ("CANARY a~b*c/d", "CANARY+a%7Eb*c%2Fd"),
            ("CANARY a~b*c/d", "CANARY+a%7eb*c%2fd"),
            // `encodeURIComponent`.
            ("CANARY'(a)!b/c d", "CANARY'(a)!b%2Fc%20d"),
            // All but letters and digits, with small digits, and capitals as they are.
            ("CANARY-Ab/Cd", "CANARY%2dAb%2fCd"),
            ("CANARY-Ab/Cd", "CANARY%2DAb%2FCd"),
            // Pages: Python, Go, and those that leave one quote.
            ("CANARY&<a>\"b'c", "CANARY&amp;&lt;a&gt;&quot;b&#x27;c"),
            ("CANARY&<a>\"b'c", "CANARY&amp;&lt;a&gt;&#34;b&#39;c"),
            ("CANARY&<a>\"b'c", "CANARY&amp;&lt;a&gt;&quot;b'c"),
            ("CANARY&<a>\"b'c", "CANARY&amp;&lt;a&gt;\\\"b'c"),
        ];
        for (secret, encoded) in cases {
            assert!(of(secret).contains(&encoded.as_bytes().to_vec()), "{secret}: {encoded}");
        }
    }
}
