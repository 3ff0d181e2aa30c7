//! Foreign text on its way to people: cleaned, put on one line, cut without breaking a letter.
//!
//! Pure. Which marks notify somebody, and which are formatting, is known to each service alone.

/// What stands at the end of a text that [`line()`] has cut.
const ELLIPSIS: char = '…';

/// `text` with line ends as LF, without control characters (tabs stay) and without those that turn
/// the direction of text, so that people read what was written.
#[must_use]
pub fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|letter| !is_deceptive(*letter)).collect()
}

/// `text` cleaned and on one line, blanks in a row as one, at most `characters_max` characters;
/// and whether it had to be cut, which an `…` at its end shows.
#[must_use]
pub fn line(text: &str, characters_max: usize) -> (String, bool) {
    let clean = clean(text);
    let words: Vec<&str> = clean.split_whitespace().collect();
    let line = words.join(" ");
    let short = first_letters(&line, characters_max);
    if short.len() == line.len() {
        return (line, false);
    }
    let mut short = first_letters(&line, characters_max.saturating_sub(1)).trim_end().to_owned();
    short.push(ELLIPSIS);
    (short, true)
}

/// The first `count` characters of `text`, fewer when the cut would split what is seen as one
/// letter: a joined emoji, a flag, a letter with its accents.
#[must_use]
pub fn first_letters(text: &str, count: usize) -> &str {
    let letters: Vec<(usize, char)> = text.char_indices().take(count.saturating_add(1)).collect();
    if letters.len() <= count {
        return text;
    }
    let mut end = count;
    while end > 0 && belongs_together(letters[end - 1].1, letters[end].1) {
        end -= 1;
    }
    &text[..letters[end].0]
}

fn is_deceptive(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// Whether two characters in a row may be parts of one letter: combining marks, joined emoji,
/// variants, skin tones, flags.
fn belongs_together(one: char, next: char) -> bool {
    let extends = matches!(next, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}'
        | '\u{200c}' | '\u{200d}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}');
    let flag = |letter: char| matches!(letter, '\u{1f1e6}'..='\u{1f1ff}');
    extends || one == '\u{200d}' || flag(one) && flag(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cleaned() {
        let cases = [
            ("a\r\nb\rc", "a\nb\nc"),
            ("nul\0 bell\u{7} tab\t.", "nul bell tab\t."),
            ("evil\u{202e}txt.exe\u{2066}", "eviltxt.exe"),
            ("schön 👩‍👩‍👧 \"ok\"", "schön 👩‍👩‍👧 \"ok\""),
        ];
        for (text, expected) in cases {
            assert_eq!(clean(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_has_no_breaks_and_a_length() {
        let cases = [
            (" a\n b\tc ", 10, "a b c", false),
            ("", 10, "", false),
            ("abcdef", 6, "abcdef", false),
            ("abcdefg", 6, "abcde…", true),
            ("abcd 👍🏽x", 6, "abcd…", true),
            ("🇩🇪 🇫🇷", 4, "🇩🇪…", true),
        ];
        for (text, max, expected, cut) in cases {
            assert_eq!(line(text, max), (expected.to_owned(), cut), "{text:?}");
            assert!(line(text, max).0.chars().count() <= max, "{text:?}");
        }
    }
}
