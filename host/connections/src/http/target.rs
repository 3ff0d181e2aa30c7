//! The path and query of a guest's request: taken only if it can be read in one way.
//!
//! What passes is a [`Target`], and nothing changes it any more: the text that the rules looked at
//! is, byte for byte, what stands in the request line. Pure; knows no scope, no client, no network.

use effects::{CallError, Layer};
use percent_encoding::percent_decode_str;
use reqwest::Url;

/// Bytes of path and query.
const BYTES_MAX: usize = 8 << 10;

/// Characters of a path that servers read in different ways.
const AMBIGUOUS: &[char] = &['\\', ';', '|', '^', '`', '"', '<', '>', '{', '}'];

/// Characters that a server which normalises Unicode turns into `/`, `\`, `.`, `%` or `;`.
const LOOK_ALIKES: &[char] = &[
    '\u{2024}', '\u{2025}', '\u{2026}', '\u{2044}', '\u{2215}', '\u{2216}', '\u{29f5}', '\u{29f8}',
    '\u{29f9}', '\u{fe52}', '\u{fe54}', '\u{fe68}', '\u{fe6a}', '\u{ff05}', '\u{ff0e}', '\u{ff0f}',
    '\u{ff1b}', '\u{ff3c}', '\u{ff61}',
];

/// A path, perhaps with a query, that means one thing only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a>(&'a str);

impl<'a> Target<'a> {
    /// Takes `text` if there is no doubt about what it means.
    pub(crate) fn parse(text: &'a str) -> Result<Self, CallError> {
        let refused = |what: &str| {
            // Without the query: this is put on record, and the values of queries are not.
            let (path, more) = text.split_once('?').map_or((text, ""), |(path, _)| (path, "?…"));
            let shown: String = path.chars().take(80).collect();
            invalid(format!("the path `{}{more}` {what}", shown.escape_debug()))
        };
        if !Layer::Shape.on() {
            return Ok(Self(text));
        }
        if text.len() > BYTES_MAX {
            return Err(invalid(format!("the path has more than {BYTES_MAX} bytes")));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(refused("holds characters that must be percent-encoded"));
        }
        if text.contains('#') {
            return Err(refused("has a fragment, which never leaves a client"));
        }
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        check_path(path).map_err(refused)?;
        query.map_or(Ok(()), check_query).map_err(refused)?;
        Ok(Self(text))
    }

    /// `base` and this as one URL that means exactly these two, one after the other.
    pub(crate) fn below(self, base: &Url) -> Result<Url, CallError> {
        let text = format!("{}{}", base.as_str().trim_end_matches('/'), self.0);
        let url = Url::parse(&text).map_err(|error| invalid(format!("not a URL: {error}")))?;
        if Layer::Shape.on() && (url.as_str() != text || url.origin() != base.origin()) {
            return Err(invalid("the path would be sent in another form than it was given"));
        }
        Ok(url)
    }
}

fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err("must start with one `/`: the host belongs to the connection");
    };
    if path.contains(AMBIGUOUS) {
        return Err("holds a character that servers read in different ways");
    }
    if rest.is_empty() {
        return Ok(());
    }
    // One slash at the end is part of many an API; the path without it is another path.
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    rest.split('/').try_for_each(check_segment)
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    match segment {
        "" => return Err("has an empty segment"),
        "." | ".." => return Err("has a dot segment"),
        _ => {}
    }
    check_escapes(segment)?;
    if !segment.contains('%') {
        return Ok(());
    }
    let plain = percent_decode_str(segment)
        .decode_utf8()
        .map_err(|_| "has percent-encoded bytes that are not UTF-8")?;
    if plain.chars().any(char::is_control) {
        return Err("has an encoded control character");
    }
    // What was encoded and what was not can't be told apart behind the first server that decodes.
    let encoded = |c: char| plain.matches(c).count() > segment.matches(c).count();
    if plain.contains('%') || ['.', '/', '\\'].into_iter().any(encoded) {
        return Err("has an encoded dot, slash, backslash or percent sign");
    }
    if plain.contains(LOOK_ALIKES) {
        return Err("has a character that looks like a separator");
    }
    Ok(())
}

fn check_query(query: &str) -> Result<(), &'static str> {
    if query.contains([';', '\\']) {
        return Err("has a `;` or a backslash in its query, which servers read in different ways");
    }
    check_escapes(query)?;
    if query.contains("%00") {
        return Err("has an encoded NUL");
    }
    let names = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
    for name in names {
        let plain = percent_decode_str(name).decode_utf8();
        if plain.map_err(|_| "names a query parameter in bytes that are not UTF-8")?.contains('\0')
        {
            return Err("has an encoded NUL");
        }
    }
    Ok(())
}

/// Each `%` begins an escape of two hexadecimal digits.
fn check_escapes(text: &str) -> Result<(), &'static str> {
    let whole = text.split('%').skip(1).all(|after| {
        let digits = after.as_bytes();
        digits.len() >= 2 && digits[..2].iter().all(u8::is_ascii_hexdigit)
    });
    if whole { Ok(()) } else { Err("has a percent sign that begins no escape") }
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::invalid("http.invalid-path", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn e01_e02_what_can_be_read_in_two_ways_is_refused() {
        let cases = [
            ("/", true),
            ("/api/v2/incidents?page[size]=100&page%5Boffset%5D=0", true),
            ("/a/%20b", true),
            ("/a/%C3%A4", true),
            ("/a/b.c/..d", true),
            ("/a?q=a/../b//c%2F%0A", true),
            ("", false),
            ("a", false),
            ("http:/x", false),
            ("https://evil/", false),
            ("//evil/x", false),
            ("/\\evil", false),
            ("\\\\evil", false),
            ("/a/../b", false),
            ("/a/..", false),
            ("/./a", false),
            ("/a/%2e%2e/b", false),
            ("/a/%2E./b", false),
            ("/a/.%2e/b", false),
            ("/a/%252e", false),
            ("/a/%25252e", false),
            ("/a//b", false),
            ("/a/", true),
            ("/api/v1/things/?page=1", true),
            ("/a//", false),
            ("//", false),
            ("/a//?b=c", false),
            ("/a/%2f", false),
            ("/a/../", false),
            ("/a/;x=1", false),
            ("/a;x=1/b", false),
            ("/a%2Fb", false),
            ("/a%5cb", false),
            ("/a#b", false),
            ("/a?b#c", false),
            ("/a b", false),
            ("/a\tb", false),
            ("/a\r\nX: y", false),
            ("/a%0d%0aX:%20y", false),
            ("/a%00", false),
            ("/a%7f", false),
            ("/\u{ff0f}a", false),
            ("/a%ef%bc%8fb", false),
            ("/a/%e2%80%a4%e2%80%a4/b", false),
            ("/a/%c0%ae%c0%ae/b", false),
            ("/a%c0%afb", false),
            ("/a%e0%80%afb", false),
            ("/a%", false),
            ("/a%2", false),
            ("/a%zz", false),
            ("/a\0", false),
            ("/a?b=%", false),
            ("/a?b;c=1", false),
            ("/a?b=\\", false),
            ("/a?%ff=1", false),
            ("/a?b=%00", false),
        ];
        for (path, expected) in cases {
            assert_eq!(Target::parse(path).is_ok(), expected, "{path:?}");
        }
        assert!(Target::parse(&format!("/{}", "x".repeat(9000))).is_err());
        let told = Target::parse("/a?key=hunter2 hunter2").unwrap_err().message;
        assert!(told.contains("`/a?…`") && !told.contains("hunter2"), "{told}");
    }

    fn base() -> Url {
        Url::parse("https://api.example.com/base/").unwrap()
    }

    #[test]
    fn a_target_goes_below_the_base_and_nowhere_else() {
        for path in
            ["/", "/a/", "/a/b?x=1&y[z]=2", "/a/%20b", "/a:b@c", "/@evil.example", "/a?u=//e/"]
        {
            let url = Target::parse(path).unwrap().below(&base()).unwrap();
            assert_eq!(url.as_str(), format!("https://api.example.com/base{path}"));
            assert_eq!(url.host_str(), Some("api.example.com"));
        }
        for path in ["@evil.example/", ".evil.example/", ":1@evil.example/"] {
            let root = Url::parse("https://api.example.com").unwrap();
            assert!(Target(path).below(&root).is_err(), "{path}: the second wall stands alone");
        }
    }

    proptest! {
        /// What is matched is what is sent: of all texts that pass, the request line holds exactly
        /// the text, and no server that decodes it finds another path in it.
        #[test]
        fn what_was_matched_is_what_is_sent(parts in proptest::collection::vec(
            prop_oneof![
                Just("/"), Just("."), Just(".."), Just("%2e"), Just("%2F"), Just("%5c"),
                Just("%25"), Just("%c0%af"), Just("%ef%bc%8f"), Just("\\"), Just(";"), Just("?"),
                Just("#"), Just("@"), Just(":"), Just("&"), Just("="), Just("a"), Just("%41"),
                Just("//"), Just("%"), Just("[b]"), Just("'"), Just("{"), Just("\t"), Just("ä"),
            ],
            0..12,
        )) {
            let text = format!("/{}", parts.concat());
            let Ok(target) = Target::parse(&text) else { return Ok(()) };
            let Ok(url) = target.below(&base()) else { return Ok(()) };
            prop_assert_eq!(url.as_str(), format!("https://api.example.com/base{text}"));
            let sent: http::Uri = url.as_str().parse().expect("what the client makes of it");
            let line = sent.path_and_query().expect("a request line").as_str();
            prop_assert_eq!(line, format!("/base{text}"));
            let path = text.split('?').next().expect("a path");
            let decoded = percent_decode_str(path).decode_utf8().expect("UTF-8");
            let mut depth = 0;
            for (sent, read) in path.split('/').zip(decoded.split(['/', '\\'])) {
                depth += 1;
                prop_assert!(!matches!(read, "." | ".."), "{} in {}", sent, path);
            }
            prop_assert_eq!(depth, decoded.split(['/', '\\']).count());
        }
    }
}
