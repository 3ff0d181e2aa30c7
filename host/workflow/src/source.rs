//! The text of a workflow with a name, and places in it.
//!
//! Places are counted in bytes, because that is what slices of a text take. Lines and columns
//! exist for people only and are computed when something is shown.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// A text and where it came from.
#[derive(Debug)]
pub struct SourceFile {
    path: String,
    text: Arc<str>,
    line_starts: OnceLock<Vec<usize>>,
}

/// Why bytes are no [`SourceFile`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The bytes are something else than text.
    #[error("`{path}` is not UTF-8 text from byte {offset} on (line {line}); save it as UTF-8")]
    NotUtf8 {
        /// As given.
        path: String,
        /// The first byte that does not belong to a text.
        offset: usize,
        /// The line of that byte, from 1.
        line: usize,
    },
}

/// A part of a text, as byte offsets: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A place as people count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl SourceFile {
    /// Takes a text in. A byte-order mark at its start is dropped, because it is no content.
    #[must_use]
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Self { path: path.into(), text: text.into(), line_starts: OnceLock::new() }
    }

    /// Takes the bytes of a file in.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotUtf8`] if they are not UTF-8.
    pub fn from_bytes(path: impl Into<String>, bytes: &[u8]) -> Result<Self, SourceError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(path, text)),
            Err(error) => {
                let offset = error.valid_up_to();
                let line = 1 + bytes[..offset].iter().filter(|&&byte| byte == b'\n').count();
                Err(SourceError::NotUtf8 { path: path.into(), offset, line })
            }
        }
    }

    /// Where the text came from, for messages.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The whole text, to be kept.
    pub(crate) fn shared_text(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// The text inside `span`; empty if the span does not fit this text.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// The line and column of a byte offset. An offset beyond the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.floor(offset);
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset);
        let start = starts.get(line.wrapping_sub(1)).copied().unwrap_or_default();
        Position { line, column: 1 + self.text[start..offset].chars().count() }
    }

    /// The bytes from the start of `span`'s first line to the end of its last one.
    pub(crate) fn lines_around(&self, span: Span) -> Range<usize> {
        let start = self.floor(span.start);
        let end = self.floor(span.end).max(start);
        let first = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let last = self.text[end..].find('\n').map_or(self.text.len(), |at| end + at);
        first..last
    }

    /// The nearest place at or before `offset` where a character begins.
    fn floor(&self, offset: usize) -> usize {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        offset
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let breaks = self.text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
            std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect()
        })
    }
}

impl Span {
    /// The part from `start` to before `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest part that holds both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// What was read.
    pub value: T,
    /// From where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Puts a value at its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_characters() {
        let source = SourceFile::new("a.yaml", "größe: 1\nb: ß\n");
        let cases =
            [(0, 1, 1), (4, 1, 4), (6, 1, 5), (8, 1, 7), (11, 2, 1), (16, 2, 5), (99, 3, 1)];
        for (offset, line, column) in cases {
            assert_eq!(source.position(offset), Position { line, column }, "{offset}");
        }
        assert_eq!(source.position(5), source.position(4), "inside of a character");
    }

    #[test]
    fn a_byte_order_mark_is_no_content() {
        assert_eq!(SourceFile::new("a", "\u{feff}a: 1").text(), "a: 1");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let error = SourceFile::from_bytes("a.yaml", b"a: 1\nb: \xff\n").expect_err("not text");
        assert_eq!(error, SourceError::NotUtf8 { path: "a.yaml".into(), offset: 8, line: 2 });
    }

    #[test]
    fn lines_around_a_span() {
        let source = SourceFile::new("a", "one\ntwo\nthree");
        assert_eq!(&source.text()[source.lines_around(Span::new(5, 6))], "two");
        assert_eq!(&source.text()[source.lines_around(Span::new(5, 9))], "two\nthree");
        assert_eq!(&source.text()[source.lines_around(Span::new(99, 99))], "three");
    }
}
