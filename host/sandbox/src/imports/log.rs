//! `bowline:plugin/log`: lines for the people who follow the run, under a budget.

use crate::bindings::log::{Host, Level};
use crate::state::StepState;
use effects::Layer;
use std::borrow::Cow;

/// Bytes of one message.
const MESSAGE_BYTES_MAX: usize = 8 << 10;

/// Pairs of one line.
const FIELDS_MAX: usize = 16;

/// Bytes of one pair's value.
const FIELD_BYTES_MAX: usize = 1 << 10;

/// Bytes that are looked through for credentials at once, where far fewer are kept.
const WINDOW_BYTES: usize = 96 << 10;

/// Bytes at the end of a window that was cut which are not kept: a credential that begins there
/// would be there by half, and half of one is not found.
const SEAM_BYTES: usize = 16 << 10;

/// What the log of an attempt may hold; then lines are dropped and counted.
#[derive(Debug)]
pub(crate) struct LogBudget {
    lines: u32,
    bytes: usize,
    pub(crate) dropped: u64,
}

impl Default for LogBudget {
    fn default() -> Self {
        Self { lines: 2_000, bytes: 1 << 20, dropped: 0 }
    }
}

impl LogBudget {
    /// Whether a line of `bytes` may be written.
    fn take(&mut self, bytes: usize) -> bool {
        if !Layer::Log.on() {
            return true;
        }
        if self.lines == 0 || self.bytes < bytes {
            // The log is full from here on; so whoever goes on costs the host nothing more.
            self.lines = 0;
            self.dropped += 1;
            return false;
        }
        self.lines -= 1;
        self.bytes -= bytes;
        true
    }
}

impl LogBudget {
    /// Whether nothing more can be written; the line that was to be is counted.
    fn is_spent(&mut self) -> bool {
        let spent = self.lines == 0 && Layer::Log.on();
        self.dropped += u64::from(spent);
        spent
    }
}

impl Host for StepState {
    async fn write(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> wasmtime::Result<()> {
        // Before anything is searched: who writes for ever must not make the host work for ever.
        if self.log_budget.is_spent() {
            return Ok(());
        }
        let fields = fields
            .into_iter()
            .take(FIELDS_MAX)
            .filter(|(name, _)| super::runtime::check_output_name(name).is_ok())
            .filter(|(name, _)| !self.attempt.redactor().finds(name))
            .map(|(name, value)| (name, self.clean_up_to(&value, FIELD_BYTES_MAX)))
            .collect();
        let level = match level {
            Level::Trace => journal::Level::Trace,
            Level::Debug => journal::Level::Debug,
            Level::Info => journal::Level::Info,
            Level::Warn => journal::Level::Warn,
            Level::Error => journal::Level::Error,
        };
        self.log_line(level, &message, fields);
        Ok(())
    }

    async fn enabled(&mut self, level: Level) -> wasmtime::Result<bool> {
        Ok(!matches!(level, Level::Trace))
    }
}

impl StepState {
    /// Writes one line, redacted and free of control characters.
    pub(crate) fn log_line(
        &mut self,
        level: journal::Level,
        message: &str,
        fields: Vec<(String, String)>,
    ) {
        let message = self.clean_up_to(message, MESSAGE_BYTES_MAX);
        self.log_clean(level, message, fields);
    }

    /// Writes text that was cleaned already, in pieces that are short enough for a line.
    pub(crate) fn log_pieces(&mut self, level: journal::Level, text: &str, stream: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            let piece = cut(rest, MESSAGE_BYTES_MAX);
            rest = &rest[piece.len()..];
            let fields = vec![("stream".to_owned(), stream.to_owned())];
            self.log_clean(level, piece.to_owned(), fields);
        }
    }

    fn log_clean(&mut self, level: journal::Level, message: String, fields: Vec<(String, String)>) {
        let bytes = message.len() + fields.iter().map(|(n, v)| n.len() + v.len()).sum::<usize>();
        if self.log_budget.take(bytes) {
            self.attempt.recorder().log(level, message, fields);
        }
    }

    /// At most `bytes_max` bytes of `text`, without credentials, and with control characters made
    /// visible. Searched before it is cut: a credential across the cut would be left by half.
    pub(crate) fn clean_up_to(&self, text: &str, bytes_max: usize) -> String {
        let clean = self.redact_window(text);
        escape_controls(cut(&clean, bytes_max))
    }

    /// The beginning of `text` without credentials; all of it when it is short.
    pub(crate) fn redact_window<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let window = cut(text, WINDOW_BYTES);
        self.redact_cut(window, window.len() < text.len())
    }

    /// `text` without credentials, and without its end if more came behind it.
    pub(crate) fn redact_cut<'a>(&self, text: &'a str, more_came: bool) -> Cow<'a, str> {
        let clean = self.attempt.redactor().text(text);
        if !more_came {
            return clean;
        }
        let kept = clean.len().saturating_sub(SEAM_BYTES);
        Cow::Owned(cut(&clean, kept).to_owned())
    }
}

/// At most `bytes_max` bytes of `text`, never half a character.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Escapes what moves a terminal's cursor or turns text around; tabs and line ends stay.
pub(crate) fn escape_controls(text: &str) -> String {
    let moves = |c: char| {
        (c.is_control() && c != '\t' && c != '\n')
            || matches!(
                c,
                '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}'
            )
    };
    if !text.contains(moves) || !Layer::Escape.on() {
        return text.to_owned();
    }
    text.chars().fold(String::with_capacity(text.len() + 16), |mut out, c| {
        if moves(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_counts_lines_and_bytes_and_what_was_dropped() {
        let mut lines = LogBudget { lines: 2, bytes: 10, dropped: 0 };
        assert!(lines.take(4) && lines.take(6));
        assert!(!lines.take(0), "no line left");
        assert_eq!(lines.dropped, 1);

        let mut bytes = LogBudget { lines: 9, bytes: 10, dropped: 0 };
        assert!(bytes.take(4) && !bytes.is_spent());
        assert!(!bytes.take(7), "too long");
        assert!(!bytes.take(1), "and nothing after it, since lines are told in their order");
        assert!(bytes.is_spent());
        assert_eq!(bytes.dropped, 3);
    }

    #[test]
    fn what_would_move_the_cursor_is_shown_instead() {
        let cases = [
            ("plain ä\n\ttext", "plain ä\n\ttext"),
            ("a\x1b[2Jb", "a\\u{1b}[2Jb"),
            ("a\rb\0", "a\\u{d}b\\u{0}"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ];
        for (text, expected) in cases {
            assert_eq!(escape_controls(text), expected);
        }
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aäb", 2), "a");
        assert_eq!(cut("aäb", 3), "aä");
        assert_eq!(cut("ab", 100), "ab");
    }
}
