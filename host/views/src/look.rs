//! How a view is to look, and the rows that keep to it.
//!
//! Widths are columns of a terminal, not bytes; colour never carries a meaning alone.

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::Offset;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How a view is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether escape sequences for colour are wanted.
    pub color: bool,
    /// Whether to draw with ASCII only. Names and messages stay as they are.
    pub ascii: bool,
    /// The most columns that a drawn line may take; `usize::MAX` for no end.
    pub width: usize,
    /// The reader's distance from UTC, for times of day.
    pub offset: Offset,
    /// Whether lines that a step writes for its author (trace, debug) are shown while it runs.
    pub detail: bool,
}

impl Look {
    /// For a file or a pipe: no colour, lines as long as they are, UTC.
    pub const PLAIN: Self =
        Self { color: false, ascii: false, width: usize::MAX, offset: Offset::UTC, detail: false };

    /// The time of day of `at` (milliseconds since 1970), as `14:03:01`.
    #[must_use]
    pub(crate) fn time(&self, at: i64) -> String {
        let time = self.offset.to_datetime(timestamp(at));
        format!("{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
    }

    /// Day and time of `at`, as `2026-11-22 14:03:01`.
    #[must_use]
    pub(crate) fn date(&self, at: i64) -> String {
        let day = self.offset.to_datetime(timestamp(at)).date();
        format!("{:04}-{:02}-{:02} {}", day.year(), day.month(), day.day(), self.time(at))
    }
}

/// A point in time as RFC 3339 in UTC, always with milliseconds, so that texts sort by time.
pub(crate) fn rfc3339(at: i64) -> String {
    format!("{:.3}", timestamp(at))
}

/// A time that no calendar holds, which only a damaged journal could have, is shown as 1970.
fn timestamp(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A length of time in milliseconds as `0.8s`, `21s`, `1m12s` or `2h05m`.
pub(crate) fn duration(millis: i64) -> String {
    let millis = millis.max(0);
    let seconds = millis / 1000;
    match seconds {
        0..10 => format!("{seconds}.{}s", millis % 1000 / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number of bytes as `312 B`, `1.2 KiB` or `3.4 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = u128::from(count) * 10 / u128::from(unit);
        format!("{}.{}", tenths / 10, tenths % 10)
    };
    match count {
        0..0x400 => format!("{count} B"),
        0x400..0x10_0000 => format!("{} KiB", tenths(0x400)),
        _ => format!("{} MiB", tenths(0x10_0000)),
    }
}

pub(crate) const PLAIN: Style = Style::new();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const BUSY: Style = AnsiColor::Yellow.on_default();

/// A line that is being put together from pieces.
#[derive(Default)]
pub(crate) struct Row {
    pieces: Vec<(Style, String)>,
}

impl Row {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// `text` must have passed through `escape` if it comes from outside.
    pub(crate) fn add(mut self, style: Style, text: impl Into<String>) -> Self {
        self.pieces.push((style, text.into()));
        self
    }

    /// `text`, and blanks up to `columns`.
    pub(crate) fn column(self, style: Style, text: &str, columns: usize) -> Self {
        let blanks = columns.saturating_sub(text.width());
        self.add(style, text).add(PLAIN, " ".repeat(blanks))
    }

    /// The line, cut to the width of `look`, without blanks at its end.
    pub(crate) fn draw(self, look: &Look) -> String {
        let mut left = look.width;
        let whole: usize = self.pieces.iter().map(|(_, text)| text.trim_end().width()).sum();
        let total: usize = self.pieces.iter().map(|(_, text)| text.width()).sum();
        let cut = total > left && whole > 0;
        if cut {
            // Room for the sign that something is missing.
            left = left.saturating_sub(mark(look).width());
        }
        let mut line = String::new();
        for (style, text) in &self.pieces {
            let part = prefix(text, left);
            left = left.saturating_sub(part.width());
            if look.color && *style != PLAIN && !part.trim().is_empty() {
                line.push_str(&format!("{style}{part}{style:#}"));
            } else {
                line.push_str(part);
            }
            if part.len() < text.len() {
                break;
            }
        }
        let kept = line.trim_end().len();
        line.truncate(kept);
        if cut && look.width > 0 {
            line.push_str(mark(look));
        }
        line
    }
}

/// Stands for what was cut off.
fn mark(look: &Look) -> &'static str {
    if look.ascii { "~" } else { "…" }
}

/// The longest beginning of `text` that fits into `columns`.
fn prefix(text: &str, columns: usize) -> &str {
    let mut used = 0;
    for (start, character) in text.char_indices() {
        used += character.width().unwrap_or(0);
        if used > columns {
            return &text[..start];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            (-5, "0.0s"),
            (0, "0.0s"),
            (849, "0.8s"),
            (9_999, "9.9s"),
            (21_400, "21s"),
            (72_000, "1m12s"),
            (3_599_999, "59m59s"),
            (7_500_000, "2h05m"),
            (i64::MAX, "2562047788015h12m"),
        ];
        for (millis, expected) in cases {
            assert_eq!(duration(millis), expected, "{millis}");
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_300, "1.2 KiB"),
            (1_048_575, "1023.9 KiB"),
            (3_565_159, "3.4 MiB"),
            (u64::MAX, "17592186044415.9 MiB"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

    #[test]
    fn times() {
        let look = Look { offset: jiff::tz::offset(2), ..Look::PLAIN };
        assert_eq!(look.time(1_795_356_181_000), "16:03:01");
        assert_eq!(Look::PLAIN.date(1_795_356_181_000), "2026-11-22 14:03:01");
        assert_eq!(rfc3339(1_795_356_181_500), "2026-11-22T14:03:01.500Z");
        assert_eq!(rfc3339(i64::MAX), "1970-01-01T00:00:00.000Z", "no panic on nonsense");
    }

    #[test]
    fn rows_keep_to_the_width() {
        let draw = |width, color, ascii| {
            Row::new()
                .column(BOLD, "größe", 8)
                .add(BAD, "日本語")
                .add(PLAIN, " end  ")
                .draw(&Look { width, color, ascii, ..Look::PLAIN })
        };
        let cases = [
            (usize::MAX, "größe   日本語 end"),
            (20, "größe   日本語 end"),
            (16, "größe   日本語…"),
            (13, "größe   日本…"),
            (12, "größe   日…"),
            (3, "gr…"),
            (1, "…"),
            (0, ""),
        ];
        for (width, expected) in cases {
            let line = draw(width, false, false);
            assert_eq!(line, expected, "{width}");
            assert!(line.width() <= width, "{width}");
        }
        assert_eq!(draw(13, true, true), "\u{1b}[1mgröße\u{1b}[0m   \u{1b}[31m日本\u{1b}[0m~");
    }
}
