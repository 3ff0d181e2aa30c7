//! The credentials inside what a client sends: a header's value holds its own parts, a URL a
//! password. Each part may be echoed alone, so each is looked for alone.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use effects::Secret;
use percent_encoding::percent_decode_str;

/// What must not get out of a header's value: all of it, what follows the scheme's name, and of
/// `Basic` the pair and the password that are encoded there.
pub(crate) fn of_header(value: &str) -> Vec<Secret> {
    let mut secrets = vec![secret(value)];
    let Some((scheme, rest)) = value.trim().split_once(' ') else { return secrets };
    secrets.push(secret(rest));
    if !scheme.eq_ignore_ascii_case("basic") {
        return secrets;
    }
    let encoded = rest.trim();
    let bytes = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded));
    if let Some(pair) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
        if let Some((_user, password)) = pair.split_once(':') {
            secrets.push(secret(password));
        }
        secrets.push(Secret::new(pair));
    }
    secrets
}

/// What must not get out of a URL with a password: the password as written and as meant, and the
/// header that a client makes of it.
pub(crate) fn of_url(url: &str) -> Vec<Secret> {
    let Some((_scheme, rest)) = url.split_once("://") else { return Vec::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user_info, _host)) = authority.rsplit_once('@') else { return Vec::new() };
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = user_info.split_once(':').unwrap_or(("", user_info));
    let basic = STANDARD.encode(format!("{}:{}", decoded(user), decoded(password)));
    vec![secret(user_info), secret(password), Secret::new(decoded(password)), Secret::new(basic)]
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revealed(secrets: &[Secret]) -> Vec<&str> {
        secrets.iter().map(Secret::reveal).collect()
    }

    #[test]
    fn a_header_gives_away_its_parts() {
        let basic = STANDARD.encode("ci:hunter22");
        let cases = [
            ("abc123".to_owned(), vec!["abc123"]),
            ("Bearer abc123".to_owned(), vec!["Bearer abc123", "abc123"]),
            ("Token token=abc".to_owned(), vec!["Token token=abc", "token=abc"]),
            (
                format!("basic {basic}"),
                vec!["basic Y2k6aHVudGVyMjI=", "Y2k6aHVudGVyMjI=", "hunter22", "ci:hunter22"],
            ),
            ("Basic !!".to_owned(), vec!["Basic !!", "!!"]),
        ];
        for (value, expected) in cases {
            assert_eq!(revealed(&of_header(&value)), expected, "{value}");
        }
    }

    #[test]
    fn a_proxy_gives_away_its_password() {
        let secrets = of_url("http://ci:p%40ss@proxy.example.com:3128/");
        let basic = STANDARD.encode("ci:p@ss");
        assert_eq!(revealed(&secrets), ["ci:p%40ss", "p%40ss", "p@ss", &basic]);
        for plain in ["http://proxy.example.com", "proxy.example.com", "http://h/@x", ""] {
            assert!(of_url(plain).is_empty(), "{plain}");
        }
    }
}
