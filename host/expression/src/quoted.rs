//! Quoted texts inside expressions: `"…"` and `'…'` with escapes, `` `…` `` without.
//!
//! Escapes can spell bytes that are no UTF-8 (`\xff`), so the result is bytes.

/// The bytes of a quoted token, or `None` if it is malformed or not closed.
pub(crate) fn unquote(token: &str) -> Option<Vec<u8>> {
    let quote = token.chars().next()?;
    let inner = token.strip_prefix(quote)?.strip_suffix(quote)?;
    match quote {
        '`' if !inner.contains('`') => Some(inner.bytes().filter(|&b| b != b'\r').collect()),
        '"' | '\'' if !inner.contains('\n') => unescape(inner, quote),
        _ => None,
    }
}

fn unescape(inner: &str, quote: char) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        if c == quote {
            return None;
        }
        if c != '\\' {
            push(&mut out, c);
            continue;
        }
        match rest.next()? {
            'a' => out.push(0x07),
            'b' => out.push(0x08),
            'f' => out.push(0x0c),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(0x0b),
            '\\' => out.push(b'\\'),
            c if c == quote => push(&mut out, c),
            'x' => out.push(u8::try_from(digits(&mut rest, 16, 2, 0)?).ok()?),
            'u' => push(&mut out, scalar(digits(&mut rest, 16, 4, 0)?, quote)?),
            'U' => push(&mut out, scalar(digits(&mut rest, 16, 8, 0)?, quote)?),
            c @ '0'..='7' => {
                out.push(u8::try_from(digits(&mut rest, 8, 2, c.to_digit(8)?)?).ok()?);
            }
            _ => return None,
        }
    }
    Some(out)
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend(c.encode_utf8(&mut [0; 4]).bytes());
}

fn digits(rest: &mut std::str::Chars<'_>, base: u32, count: usize, first: u32) -> Option<u32> {
    let mut value = first;
    for _ in 0..count {
        value = value.checked_mul(base)?.checked_add(rest.next()?.to_digit(base)?)?;
    }
    Some(value)
}

/// Half of a surrogate pair is no character: an error in `"…"`, a replacement in `'…'`.
fn scalar(code: u32, quote: char) -> Option<char> {
    match char::from_u32(code) {
        None if quote == '\'' && code <= 0x10_ffff => Some(char::REPLACEMENT_CHARACTER),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let cases: &[(&str, Option<&[u8]>)] = &[
            (r"'it\'s'", Some(b"it's")),
            (r#"'a"b'"#, Some(b"a\"b")),
            (r#""a\tb\\""#, Some(b"a\tb\\")),
            (r#""\x41\101\u00e9""#, Some("AAé".as_bytes())),
            (r#""\xff""#, Some(b"\xff")),
            (r"'\ud800'", Some("\u{fffd}".as_bytes())),
            (r#""\ud800""#, None),
            (r#""\d""#, None),
            (r#"'\"'"#, None),
            (r#""\'""#, None),
            (r#""\400""#, None),
            (r#""abc"#, None),
            (r#"""#, None),
            (r"'\'", None),
            ("'a\nb'", None),
            ("`raw \\ \r\n`", Some(b"raw \\ \n")),
        ];
        for (token, expected) in cases {
            assert_eq!(unquote(token).as_deref(), *expected, "{token}");
        }
    }
}
