//! What a server tells of the credentials that it was sent.
//!
//! The layer of every call takes them out of the answer. Here an answer is first brought into a
//! form in which they can be found, and a connection that is set to `strict` gives up on a server
//! that echoes at all: then nothing of the answer gets out.

use effects::{Answer, Layer, Needles, Reason, Redactor, SendError};
use std::sync::Arc;

/// The answer as it goes on, if it may. `place` says for people which server it was.
pub(crate) fn examine(
    needles: &Arc<Needles>,
    strict: bool,
    place: &str,
    answer: Answer,
) -> Result<Answer, SendError> {
    let Answer { status, headers, body } = answer;
    let redactor = Redactor::new(vec![Arc::clone(needles)]);
    let body = plain_if_needed(&redactor, body);
    let echoed = headers.iter().any(|(_, value)| redactor.finds(value)) || finds(&redactor, &body);
    if echoed {
        tracing::warn!(place, "an answer held a credential of its own connection");
    }
    if echoed && strict && Layer::Redact.on() {
        return Err(refused(place));
    }
    Ok(Answer { status, headers, body })
}

/// Why an answer that echoes is withheld.
pub(crate) fn refused(place: &str) -> SendError {
    SendError {
        reason: Reason::Remote,
        code: "connection.echoed-secret",
        message: format!(
            "`{place}` sent a credential of this connection back, and the connection is set to \
             `strict`; the answer is withheld"
        ),
        sent: true,
        permanent: true,
    }
}

/// `body`, or the same JSON without escapes of plain characters where such an escape hides a
/// credential: `\u0043ANARY` means the same to whoever parses it.
pub(crate) fn plain_if_needed(redactor: &Redactor, body: Vec<u8>) -> Vec<u8> {
    let escaped = body.windows(2).any(|pair| matches!(pair, b"\\u" | b"\\/"));
    if !escaped {
        return body;
    }
    let Some(plain) = without_escapes(&body) else { return body };
    if finds(redactor, plain.as_bytes()) { plain.into_bytes() } else { body }
}

fn finds(redactor: &Redactor, body: &[u8]) -> bool {
    match std::str::from_utf8(body) {
        Ok(text) => redactor.finds(text),
        Err(_) => redactor.bytes(body.to_vec()).1 > 0,
    }
}

/// A JSON text in which each character stands as itself that may. Nothing else changes, and the
/// text means what it meant. None for bytes that are not UTF-8.
fn without_escapes(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        plain.push_str(&rest[..start]);
        let escape = &rest[start..];
        let (character, length) = match escape.as_bytes().get(1) {
            Some(b'/') => (Some('/'), 2),
            Some(b'u') => escaped_character(escape),
            Some(byte) if byte.is_ascii() => (None, 2),
            _ => (None, 1),
        };
        match character {
            // These two can't stand as themselves, but there is a shorter way to write them.
            Some('"') => plain.push_str("\\\""),
            Some('\\') => plain.push_str("\\\\"),
            Some(character) if !character.is_control() => plain.push(character),
            _ => plain.push_str(&escape[..length]),
        }
        rest = &escape[length..];
    }
    plain.push_str(rest);
    Some(plain)
}

/// The character of an escape such as `\u00e4`, or of a pair of them, and how long it is written.
fn escaped_character(escape: &str) -> (Option<char>, usize) {
    let unit = |at: usize| {
        let digits = escape.get(at..at + 6)?.strip_prefix("\\u")?;
        let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
    };
    let Some(first) = unit(0) else { return (None, 2) };
    if let Some(character) = char::from_u32(u32::from(first)) {
        return (Some(character), 6);
    }
    let pair = unit(6).and_then(|second| char::decode_utf16([first, second]).next()?.ok());
    if pair.is_some() { (pair, 12) } else { (None, 6) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use effects::Secret;
    use serde_json::Value;

    const KEY: &str = "CANARY/0123\"45\\6789";

    fn needles() -> Arc<Needles> {
        Arc::new(Needles::new([&Secret::new(KEY.to_owned())]))
    }

    fn escaped(text: &str) -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect()
    }

    fn answer(body: &str) -> Answer {
        Answer { status: 200, headers: vec![], body: body.as_bytes().to_vec() }
    }

    #[test]
    fn e09_a_credential_behind_escapes_of_json_is_found() {
        let cases = [
            (format!(r#"{{"a":"{}"}}"#, escaped(KEY)), true),
            (r#"{"a":"CANARY\/0123\"45\\6789"}"#.to_owned(), true),
            (r#"{"a":"\u0043ANARY/0123\u002245\u005c678\u0039"}"#.to_owned(), true),
            (r#"{"a":"\\u0043ANARY/0123\"45\\6789"}"#.to_owned(), false),
            (r#"{"a":"x \u003c y"}"#.to_owned(), false),
        ];
        for (body, hidden) in cases {
            let seen = examine(&needles(), false, "h:443", answer(&body)).expect("an answer");
            let clean = Redactor::new(vec![needles()]).bytes(seen.body.clone()).0;
            assert_eq!(clean != body.as_bytes(), hidden, "{body}");
            if !hidden {
                assert_eq!(seen.body, body.as_bytes(), "what hides nothing stays as it came");
            }
            let strict = examine(&needles(), true, "h:443", answer(&body));
            assert_eq!(
                strict.err().map(|error| error.code),
                hidden.then_some("connection.echoed-secret")
            );
        }
    }

    #[test]
    fn a_strict_connection_looks_at_headers_too() {
        let mut echo = answer("");
        echo.headers.push(("location".to_owned(), format!("https://h/?key={KEY}")));
        let error = examine(&needles(), true, "h:443", echo).unwrap_err();
        assert_eq!((error.code, error.sent), ("connection.echoed-secret", true));
        assert!(!error.message.contains(KEY), "{}", error.message);
    }

    #[test]
    fn without_its_escapes_a_json_text_means_the_same() {
        let cases = [
            r#"{"a":"\u0041\u00e4\ud83d\ude00\/\\u0041\"\n\t"}"#,
            r#"["\u0000\u001f\u0022\u005c\\","\ud800","\uDC00x","\u12"]"#,
            r#"{"\u0061":1,"b":"\\"}"#,
            r#""ends in \"#,
            "no JSON \\u004 \\x ä\\ä",
        ];
        for text in cases {
            let plain = without_escapes(text.as_bytes()).expect("UTF-8");
            let value = |text: &str| serde_json::from_str::<Value>(text).ok();
            assert_eq!(value(text), value(&plain), "{text} -> {plain}");
        }
        assert_eq!(without_escapes(br#""\u0041\/""#).as_deref(), Some(r#""A/""#));
    }
}
