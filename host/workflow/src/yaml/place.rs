//! Finds a part of a scalar's text in what was written for it.
//!
//! Quotes, escapes, folded lines and indentation stand between the two, so this walks both side
//! by side and gives up where they don't agree.

use std::ops::Range;

/// The bytes of `written` that became the bytes `part` of `text`.
pub(super) fn find(written: &str, text: &str, part: Range<usize>) -> Option<Range<usize>> {
    let mut sides = Sides { written, at: start(written), escapes: written.starts_with('"') };
    let mut begin = None;
    for (offset, character) in text.char_indices() {
        if offset >= part.end && begin.is_some() {
            break;
        }
        let place = sides.next(character)?;
        if offset >= part.start && begin.is_none() {
            begin = Some(place);
        }
    }
    // A place behind the last character, where something is missing.
    let begin = begin.unwrap_or(sides.at);
    let end = if part.is_empty() { begin } else { sides.at.max(begin) };
    Some(begin..end)
}

/// Where the text itself begins: after a quote, or after the first line of a block.
fn start(written: &str) -> usize {
    match written.as_bytes().first() {
        Some(b'"' | b'\'') => 1,
        Some(b'|' | b'>') => written.find('\n').map_or(0, |end| end + 1),
        _ => 0,
    }
}

struct Sides<'w> {
    written: &'w str,
    at: usize,
    escapes: bool,
}

impl Sides<'_> {
    fn peek(&self) -> Option<char> {
        self.written[self.at..].chars().next()
    }

    /// Goes over the next character of the text; where it was written.
    fn next(&mut self, wanted: char) -> Option<usize> {
        loop {
            let place = self.at;
            let found = self.peek()?;
            if found == '\\' && self.escapes {
                let escape = self.written[place + 1..].chars().next()?;
                let length = match escape {
                    'x' => 4,
                    'u' => 6,
                    'U' => 10,
                    _ => 1 + escape.len_utf8(),
                };
                self.at = self.written.len().min(place + length);
                if !self.written.is_char_boundary(self.at) {
                    return None;
                }
                // A line that goes on leaves nothing in the text.
                if escape == '\n' || escape == '\r' {
                    continue;
                }
                return Some(place);
            }
            self.at += found.len_utf8();
            if found == wanted {
                // Two single quotes are one.
                if found == '\'' && self.written.starts_with('\'') && self.peek() == Some('\'') {
                    self.at += 1;
                }
                return Some(place);
            }
            // A line break may have become a space; otherwise it is indentation.
            if found == '\n' && wanted == ' ' {
                return Some(place);
            }
            if !found.is_whitespace() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_scalar() {
        let cases = [
            ("abc", "abc", 1..2, Some("b")),
            ("\"abc\"", "abc", 1..2, Some("b")),
            ("'a''bc'", "a'bc", 2..4, Some("bc")),
            ("\"a\\nbc\"", "a\nbc", 2..3, Some("b")),
            ("\"a\\u00e9bc\"", "aébc", 3..4, Some("b")),
            ("\"a\\\n  bc\"", "abc", 1..3, Some("bc")),
            ("|\n  ab\n  cd\n", "ab\ncd\n", 3..5, Some("cd")),
            (">\n  ab\n  cd\n", "ab cd\n", 3..5, Some("cd")),
            ("ab\n  cd", "ab cd", 3..5, Some("cd")),
            ("ab", "ab", 2..2, Some("")),
            ("xy", "ab", 0..1, None),
        ];
        for (written, text, part, expected) in cases {
            let found = find(written, text, part.clone());
            assert_eq!(found.map(|range| &written[range]), expected, "{written} {part:?}");
        }
    }
}
