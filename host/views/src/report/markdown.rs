//! Text from outside in Markdown, so that it stays text.
//!
//! A span of code is the one place where nothing is interpreted: no emphasis, no link, no HTML, no
//! mention of a user. It ends only at as many backticks as it began with.

use crate::escape;
use std::borrow::Cow;

/// The most characters of one text.
const CHARACTERS_MAX: usize = 300;

/// `text` as a span of code, cut where it is long.
pub(super) fn code(text: &str) -> String {
    span(&cut(&escape::plain(text)))
}

/// As [`code`], for a cell of a table: there a bar would begin the next one, also between
/// backticks. Not every reader of tables agrees what a backslash before an escaped bar means.
pub(super) fn cell(text: &str) -> String {
    let plain = escape::plain(text);
    let mut safe = String::with_capacity(plain.len());
    for character in cut(&plain).chars() {
        match character {
            '|' if safe.ends_with('\\') => safe.push_str(r"\u{7c}"),
            '|' => safe.push_str(r"\|"),
            other => safe.push(other),
        }
    }
    span(&safe)
}

/// `text` as a block of code, line by line and not cut.
pub(super) fn block(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(escape::plain).collect();
    let text = lines.join("\n");
    let fence = "`".repeat(longest_run(&text).max(2) + 1);
    format!("{fence}text\n{text}\n{fence}")
}

fn span(text: &str) -> String {
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(text) + 1);
    // One blank at each end is taken away again where both have one.
    let edge = |c: char| c == '`' || c == ' ';
    let pad = if text.starts_with(edge) || text.ends_with(edge) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_ends_where_its_text_does() {
        let cases = [
            ("plain", "`plain`"),
            ("", "(empty)"),
            ("a`b", "``a`b``"),
            ("`", "`` ` ``"),
            ("``` a", "```` ``` a ````"),
            (" a ", "`  a  `"),
            ("<b>*x*</b> @ana #5", "`<b>*x*</b> @ana #5`"),
            ("a\n# b\u{1b}", r"`a\n# b\u{1b}`"),
            ("a|b", "`a|b`"),
        ];
        for (text, expected) in cases {
            assert_eq!(code(text), expected, "{text:?}");
        }
        let long = code(&"ä".repeat(1_000));
        assert_eq!(long.chars().count(), CHARACTERS_MAX + "``…".chars().count());
    }

    #[test]
    fn a_cell_holds_no_bare_bar() {
        let cases = [
            ("a|b", r"`a\|b`"),
            (r"a\|b", r"`a\\u{7c}b`"),
            (r"a\\|b", r"`a\\\u{7c}b`"),
            ("||", r"`\|\|`"),
            (r"a\", r"`a\`"),
        ];
        for (text, expected) in cases {
            assert_eq!(cell(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_block_has_a_longer_fence_than_any_line_of_it() {
        assert_eq!(block("a\nb\u{1b}"), "```text\na\nb\\u{1b}\n```");
        assert_eq!(block("````\n<b>"), "`````text\n````\n<b>\n`````");
    }
}
