//! The text of a cell: cleaned, bounded, and marked so that it is found again.
//!
//! Pure. The text is the workflow author's Markdown; where foreign values were joined into it, which
//! part is whose can't be told any more, so Markdown stays and only what deceives or disturbs is
//! taken out. Foreign values that are given apart go in as code.

mod cut;
mod values;

use bowline_sdk::{Failure, log, text};
use datadog_api::{Mark, quiet};
use serde_json::{Map, Value};

/// The most characters of a cell's text, mark included. What the service takes is not documented;
/// this is what it takes for events.
pub const CHARACTERS_MAX: usize = 4000;

/// The whole text of the cell.
///
/// # Errors
///
/// `config` when nothing is left to post, or when one of `values` can't stand in a text.
pub fn cell(
    content: &str,
    values: &Map<String, Value>,
    notify: bool,
    mark: &Mark,
) -> Result<String, Failure> {
    let text = trimmed(&values::fill(content, values)?);
    if text.is_empty() {
        return Err(Failure::config(
            "`timeline_cell_content` is empty; give the text that the timeline should show",
        ));
    }
    let (text, mentions) = if notify { (text, 0) } else { quiet(&text) };
    if mentions > 0 {
        log::info!("{mentions} mentions notify nobody; set `notify: true` to let them");
    }
    let room = CHARACTERS_MAX.saturating_sub(mark.line().chars().count() + 2);
    let (text, cut) = cut::to(&text, room);
    if cut {
        log::warn!("`timeline_cell_content` is cut to {CHARACTERS_MAX} characters");
    }
    Ok(format!("{text}\n\n{}", mark.line()))
}

/// The text cleaned, without blank lines at either end.
fn trimmed(content: &str) -> String {
    let kept = text::clean(content);
    let kept = kept.trim_end();
    // The first line keeps its indentation: four blanks make a code block.
    let blank = kept.len() - kept.trim_start().len();
    let start = kept[..blank].rfind('\n').map_or(0, |end| end + 1);
    kept[start..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark::new("00112233445566778899aabbccddeeff", "run-1", "update")
    }

    const LINE: &str = "`bowline run run-1, step update, 00112233445566778899aabbccddeeff`";

    #[test]
    fn t14_a_text_is_cleaned_and_marked() {
        let cases = [
            ("Rolled back: web", "Rolled back: web"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("  \n\n    indented code\n\n", "    indented code"),
            ("nul\0 bell\u{7} tab\t.", "nul bell tab\t."),
            ("evil\u{202e}txt.exe\u{2066}", "eviltxt.exe"),
            ("[link](https://x) **bold** | `code`", "[link](https://x) **bold** | `code`"),
            ("schön 👩‍👩‍👧 ok", "schön 👩‍👩‍👧 ok"),
            ("mail a@b.example, nginx@sha256:00", "mail a@b.example, nginx@sha256:00"),
            ("ask @oncall now", "ask @\u{200d}oncall now"),
            ("(@a @b) @ c", "(@\u{200d}a @\u{200d}b) @ c"),
        ];
        for (text, expected) in cases {
            let cell = cell(text, &Map::new(), false, &mark()).expect(text);
            assert_eq!(cell, format!("{expected}\n\n{LINE}"), "{text:?}");
            assert!(mark().is_in(&cell));
        }
    }

    #[test]
    fn t13_a_mention_notifies_only_when_asked_to() {
        let quiet = cell("ask @oncall", &Map::new(), false, &mark()).expect("a cell");
        assert!(quiet.starts_with("ask @\u{200d}oncall\n"), "{quiet}");
        assert_eq!(
            cell("@oncall", &Map::new(), true, &mark()).ok(),
            Some(format!("@oncall\n\n{LINE}"))
        );
    }

    #[test]
    fn t11_nothing_is_not_posted() {
        for text in ["", "  \n\t\r\n", "\0\u{202e}"] {
            let failure = cell(text, &Map::new(), false, &mark()).expect_err(text);
            assert_eq!(failure.code(), "config", "{text:?}");
        }
    }

    #[test]
    fn t10_a_long_text_is_cut_and_keeps_its_mark() {
        let cell = cell(&"ä".repeat(100_000), &Map::new(), false, &mark()).expect("a cell");
        assert!(cell.chars().count() <= CHARACTERS_MAX, "{}", cell.chars().count());
        assert!(cell.ends_with(LINE));
        assert!(cell.contains("… (cut)"), "{}", &cell[cell.len() - 200..]);
    }
}
