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
    let headers = headers.into_iter().map(|(name, value)| {
        let plain = decoded_where_needed(&redactor, value.as_bytes());
        (name, plain.and_then(|plain| String::from_utf8(plain).ok()).unwrap_or(value))
    });
    let headers: Vec<_> = headers.collect();
    let told =
        |(name, value): &(String, String)| redactor.finds_in_name(name) || redactor.finds(value);
    let echoed = headers.iter().any(told) || finds(&redactor, &body);
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
/// credential: `\u0043ANARY` means the same to whoever parses it. Percent signs hide one as well.
pub(crate) fn plain_if_needed(redactor: &Redactor, body: Vec<u8>) -> Vec<u8> {
    let escaped = body.windows(2).any(|pair| matches!(pair, b"\\u" | b"\\/"));
    let plain = escaped.then(|| without_escapes(&body)).flatten().map(String::into_bytes);
    let seen = plain.as_deref().unwrap_or(&body);
    if let Some(decoded) = decoded_where_needed(redactor, seen) {
        return decoded;
    }
    match plain {
        Some(plain) if finds(redactor, &plain) => plain,
        _ => body,
    }
}

/// `bytes` in which each credential that percent signs hide stands as itself, so that whoever takes
/// credentials out finds it. Nothing else changes. None where none is hidden: an encoder may
/// escape any character, and no list of forms holds all that comes of it.
fn decoded_where_needed(redactor: &Redactor, bytes: &[u8]) -> Option<Vec<u8>> {
    let (decoded, origins) = percent_decoded(bytes)?;
    let mut out = Vec::with_capacity(bytes.len());
    let mut copied = 0;
    for place in redactor.places(&decoded) {
        let (from, to) = (origins[place.start], origins[place.end]);
        if to - from > place.len() {
            out.extend_from_slice(&bytes[copied..from]);
            out.extend_from_slice(&decoded[place]);
            copied = to;
        }
    }
    out.extend_from_slice(&bytes[copied..]);
    (copied > 0).then_some(out)
}

/// `bytes` with all their escapes decoded, and where each of its bytes comes from; one more says
/// where the last ends. None without an escape.
fn percent_decoded(bytes: &[u8]) -> Option<(Vec<u8>, Vec<usize>)> {
    if !bytes.contains(&b'%') {
        return None;
    }
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut decoded, mut origins) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        origins.push(at);
        let escape = match bytes.get(at + 1..at + 3) {
            Some([high, low]) if *byte == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        decoded.push(escape.map_or(*byte, |(high, low)| high << 4 | low));
        at += if escape.is_some() { 3 } else { 1 };
    }
    origins.push(at);
    Some((decoded, origins))
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
    fn e09_a_credential_behind_percent_signs_is_found() {
        let each: String = KEY.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let cases = [
            (format!("a=%41&key={each}&b=%42"), "a=%41&key=***&b=%42"),
            ("100% CANARY%2f0123%2245\\6789%".to_owned(), "100% ***%"),
            (r#"{"a":"\u0025\u0034\u0033ANARY/0123%2245%5c6789"}"#.to_owned(), r#"{"a":"***"}"#),
            ("a=%41%zz%4".to_owned(), "a=%41%zz%4"),
        ];
        for (body, expected) in cases {
            let seen = examine(&needles(), false, "h:443", answer(&body)).expect("an answer");
            let clean = Redactor::new(vec![needles()]).bytes(seen.body).0;
            assert_eq!(String::from_utf8_lossy(&clean), expected, "{body}");
            let strict = examine(&needles(), true, "h:443", answer(&body));
            assert_eq!(strict.is_err(), expected.contains("***"), "{body}");
        }
    }

    #[test]
    fn a_strict_connection_looks_at_headers_too() {
        let cases = [
            ("location", format!("https://h/?key={KEY}")),
            ("location", "https://h/?key=%43ANARY/0123%2245\\6789".to_owned()),
            ("x-key-31323334", "y".to_owned()),
            ("x-canary%2f0123%2245%5c6789", "y".to_owned()),
        ];
        for (name, value) in cases {
            let mut echo = answer("");
            echo.headers.push((name.to_owned(), value));
            let known = [KEY, "X-Key-31323334"].map(|key| Secret::new(key.to_owned()));
            let needles = Arc::new(Needles::new(&known));
            let error = examine(&needles, true, "h:443", echo).unwrap_err();
            assert_eq!((error.code, error.sent), ("connection.echoed-secret", true), "{name}");
            assert!(!error.message.contains(KEY), "{}", error.message);
        }
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
