//! The text of a cell: cleaned, bounded, and marked so that it is found again.
//!
//! Pure. The text is the workflow author's Markdown with foreign values joined into it; which part
//! is whose can't be told here, so Markdown stays and only what deceives or disturbs is taken out.

mod cut;

use bowline_sdk::{Context, Failure, log, shown};

/// The most characters of a cell's text, mark included. What the service takes is not documented;
/// this is what it takes for events.
pub const CHARACTERS_MAX: usize = 4000;

/// The line that tells this step's cell from all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    key: String,
    line: String,
}

impl Mark {
    /// The mark of this step in this run: the same for all its attempts, and for no other step.
    #[must_use]
    pub fn of(ctx: &Context) -> Self {
        Self::new(&ctx.idempotency_key(), &ctx.run_id(), &ctx.step())
    }

    fn new(key: &str, run: &str, step: &str) -> Self {
        // Inside a code span only a back-tick could end it.
        let step: String = step.chars().take(80).map(|c| if c == '`' { '\'' } else { c }).collect();
        Self { key: key.to_owned(), line: format!("`bowline run {run}, step {step}, {key}`") }
    }

    /// Whether a cell's text carries this mark.
    #[must_use]
    pub fn is_in(&self, text: &str) -> bool {
        !self.key.is_empty() && text.contains(&self.key)
    }

    /// The line as it stands in the cell.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }
}

/// The whole text of the cell.
///
/// # Errors
///
/// `config` when nothing is left to post.
pub fn cell(text: &str, notify: bool, mark: &Mark) -> Result<String, Failure> {
    let text = clean(text);
    if text.is_empty() {
        return Err(Failure::config(
            "`timeline_cell_content` is empty; give the text that the timeline should show",
        ));
    }
    let (text, mentions) = if notify { (text, 0) } else { quiet(&text) };
    if mentions > 0 {
        log::info!("{mentions} mentions notify nobody; set `notify: true` to let them");
    }
    let room = CHARACTERS_MAX.saturating_sub(mark.line.chars().count() + 2);
    let (text, cut) = cut::to(&text, room);
    if cut {
        log::warn!("`timeline_cell_content` is cut to {CHARACTERS_MAX} characters");
    }
    Ok(format!("{text}\n\n{}", mark.line))
}

/// Line ends as LF; without control characters and those that turn the direction of text; without
/// blank lines at either end.
fn clean(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let kept: String = text.chars().filter(|c| !is_deceptive(*c)).collect();
    let kept = kept.trim_end();
    // The first line keeps its indentation: four blanks make a code block.
    let blank = kept.len() - kept.trim_start().len();
    let start = kept[..blank].rfind('\n').map_or(0, |end| end + 1);
    kept[start..].to_owned()
}

fn is_deceptive(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// Mentions broken by a zero-width joiner, and how many there were. An `@` inside a word (an
/// e-mail address, an image's digest) is none.
fn quiet(text: &str) -> (String, usize) {
    let mut quiet = String::with_capacity(text.len());
    let mut mentions = 0;
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        quiet.push(letter);
        let named = letters.peek().is_some_and(|next| next.is_alphanumeric() || *next == '_');
        if letter == '@' && named && !before.is_alphanumeric() {
            quiet.push('\u{200d}');
            mentions += 1;
        }
        before = letter;
    }
    (quiet, mentions)
}

/// Checks the internal id of an incident and gives it back as it is, since the grant names it.
///
/// # Errors
///
/// `config` for everything but 32 hexadecimal digits, with or without the dashes of a UUID.
pub fn incident_id(text: &str) -> Result<&str, Failure> {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let shaped = lengths == [8, 4, 4, 4, 12] || lengths == [32];
    if shaped && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
        return Ok(text);
    }
    let shown = shown(text);
    Err(Failure::config(format!(
        "`incident_id` is no incident id: `{shown}`; give the internal id (UUID), for example the \
         output `incident_id` of `datadog-incident-extract-id`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark::new("00112233445566778899aabbccddeeff", "run-1", "update")
    }

    const LINE: &str = "`bowline run run-1, step update, 00112233445566778899aabbccddeeff`";

    #[test]
    fn a_text_is_cleaned_and_marked() {
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
            let cell = cell(text, false, &mark()).expect(text);
            assert_eq!(cell, format!("{expected}\n\n{LINE}"), "{text:?}");
            assert!(mark().is_in(&cell));
        }
        assert_eq!(cell("@oncall", true, &mark()).ok(), Some(format!("@oncall\n\n{LINE}")));
    }

    #[test]
    fn nothing_is_not_posted() {
        for text in ["", "  \n\t\r\n", "\0\u{202e}"] {
            let failure = cell(text, false, &mark()).expect_err(text);
            assert_eq!(failure.code(), "config", "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_and_keeps_its_mark() {
        let cell = cell(&"ä".repeat(100_000), false, &mark()).expect("a cell");
        assert!(cell.chars().count() <= CHARACTERS_MAX, "{}", cell.chars().count());
        assert!(cell.ends_with(LINE));
        assert!(cell.contains("… (cut)"), "{}", &cell[cell.len() - 200..]);
    }

    #[test]
    fn a_step_name_does_not_break_out_of_the_mark() {
        let mark = Mark::new("k", "r", "a`](http://evil)`");
        assert_eq!(mark.line(), "`bowline run r, step a'](http://evil)', k`");
        assert!(!Mark::new("", "r", "s").is_in("anything"));
    }

    #[test]
    fn only_an_id_leads_into_a_path() {
        for id in ["6248184c-3ce0-54e7-a9f3-8db44efede9d", "6248184C3CE054E7A9F38DB44EFEDE9D"] {
            assert_eq!(incident_id(id).ok(), Some(id));
        }
        for id in [
            "",
            "5",
            "IR-5",
            "../x",
            "6248184c-3ce0-54e7-a9f3-8db44efede9d/timeline",
            "6248184c-3ce0-54e7-a9f3-8db44efede9d?x",
            " 6248184c-3ce0-54e7-a9f3-8db44efede9d",
            "6248184c-3ce0-54e7-a9f3-8db44efede9g",
            "$INCIDENT_UUID",
            "--------------------------------",
        ] {
            let failure = incident_id(id).expect_err(id);
            assert_eq!(failure.code(), "config", "{id}");
        }
    }
}
