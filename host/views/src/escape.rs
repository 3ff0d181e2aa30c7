//! Makes text from outside safe to show.
//!
//! A step may be written to deceive: with an escape sequence it could clear the screen, with
//! a line break invent lines of ours, with a change of direction show a name backwards.

use std::borrow::Cow;
use std::fmt::Write;

/// `text` with everything that could steer a terminal written out, for example `\n` and
/// `\u{1b}`. Other text, back-slashes included, stays as it is.
#[must_use]
pub fn plain(text: &str) -> Cow<'_, str> {
    if !text.chars().any(steers) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if steers(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// A JSON text that means the same, in which nothing could steer a terminal either: JSON
/// itself only asks for the first 32 characters to be written out.
#[must_use]
pub fn json(text: String) -> String {
    if !text.chars().any(steers) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if steers(character) {
            // Such characters occur in strings only, so this is JSON's own notation.
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing into a text can't fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(character);
        }
    }
    safe
}

/// `text` as one word of a POSIX shell, for commands that a person may copy.
#[must_use]
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let tame =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@' | '+');
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(tame) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", plain(text).replace('\'', r"'\''")))
}

/// Control characters (C0, DEL, C1), line and paragraph separators, and what changes the
/// direction of writing or can't be seen.
fn steers(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let cases = [
            ("", ""),
            ("plain größe 😀 \\n", "plain größe 😀 \\n"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("\u{1b}[2J\u{9b}31m\u{7f}\0", r"\u{1b}[2J\u{9b}31m\u{7f}\u{0}"),
            ("abc\u{202e}txt.exe\u{2066}\u{200b}", r"abc\u{202e}txt.exe\u{2066}\u{200b}"),
            ("\u{2028}\u{feff}\u{e0041}", r"\u{2028}\u{feff}\u{e0041}"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text), expected, "{text:?}");
        }
    }

    #[test]
    fn json_means_the_same() {
        let value = serde_json::json!({"a\u{9b}": "x\u{1b}\u{202e}\u{e0041}😀ö", "b": [1, null]});

        let safe = json(value.to_string());

        assert!(!safe.chars().any(steers), "{safe:?}");
        assert!(safe.contains("😀ö"), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).expect("still JSON"), value);
    }

    #[test]
    fn words_survive_a_shell() {
        let cases = [
            ("deploy-web_2.yaml", "deploy-web_2.yaml"),
            ("größe 2", "'größe 2'"),
            ("it's; rm -rf $HOME", r"'it'\''s; rm -rf $HOME'"),
            ("", "''"),
            ("-p", "'-p'"),
        ];
        for (text, expected) in cases {
            assert_eq!(shell_word(text), expected, "{text:?}");
        }
    }
}
