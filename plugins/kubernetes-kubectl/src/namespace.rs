//! Names as Kubernetes has them: RFC 1123 labels and subdomains.
//!
//! A name that passes here is safe in a path, a message and a rule.

use bowline_sdk::Failure;

/// The longest label.
pub const LABEL_MAX: usize = 63;
/// The longest subdomain.
pub const SUBDOMAIN_MAX: usize = 253;

/// Checks that `text` is a namespace's name, an RFC 1123 label.
///
/// # Errors
///
/// `config`, with the text escaped.
pub fn check(text: &str) -> Result<&str, Failure> {
    if is_label(text) {
        return Ok(text);
    }
    let shown = bowline_sdk::shown(text);
    Err(Failure::config(format!(
        "`namespace` is no valid RFC 1123 label: `{shown}`; use 1 to {LABEL_MAX} of a-z, 0-9 and `-`"
    )))
}

/// Checks that `text` is an object's name, an RFC 1123 subdomain.
///
/// # Errors
///
/// `config`, with the text escaped.
pub fn check_name(text: &str) -> Result<&str, Failure> {
    let labels_fit = text.split('.').all(|part| is_label_of(part, SUBDOMAIN_MAX));
    if text.len() <= SUBDOMAIN_MAX && labels_fit {
        return Ok(text);
    }
    let shown = bowline_sdk::shown(text);
    Err(Failure::config(format!(
        "this is no valid RFC 1123 name: `{shown}`; use 1 to {SUBDOMAIN_MAX} of a-z, 0-9, `-` and `.`, \
         starting and ending with a letter or digit"
    )))
}

fn is_label(text: &str) -> bool {
    is_label_of(text, LABEL_MAX)
}

fn is_label_of(text: &str, max: usize) -> bool {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    (1..=max).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_strictly() {
        let long = "a".repeat(254);
        let cases = [
            ("web", true, true),
            ("web-2", true, true),
            ("web.v2", false, true),
            ("0", true, true),
            ("", false, false),
            ("-web", false, false),
            ("web-", false, false),
            ("web..x", false, false),
            (".web", false, false),
            ("Web", false, false),
            ("web_x", false, false),
            ("web/x", false, false),
            ("../x", false, false),
            ("web%2fx", false, false),
            ("web x", false, false),
            ("web\0", false, false),
            ("nginx-é", false, false),
            ("wеb", false, false), // a Cyrillic `е`
            (&long[..63], true, true),
            (&long[..64], false, true),
            (&long[..253], false, true),
            (&long, false, false),
        ];
        for (text, label, name) in cases {
            assert_eq!(check(text).is_ok(), label, "{text:?} as a namespace");
            assert_eq!(check_name(text).is_ok(), name, "{text:?} as a name");
        }
    }

    #[test]
    fn k06_a_look_alike_is_shown_for_what_it_is() {
        let failure = check_name("w\u{435}b\0").expect_err("a look-alike");
        assert!(failure.message().contains(r"`w\u{435}b\u{0}`"), "{failure}");
        assert!(check_name(&"x/".repeat(500)).expect_err("long").message().len() < 400);
    }
}
