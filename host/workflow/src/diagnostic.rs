//! A finding in a workflow's text: what, where, and what to do about it.
//!
//! How a finding is drawn is in [`crate::render`]. Texts of the input stand in messages only in
//! the form that [`quote`] gives them, so that nothing in a file can steer a terminal.

mod code;

pub use code::Code;

use crate::source::Span;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A run could not mean anything. There is no [`crate::Workflow`].
    Error,
    /// A run is possible and probably not what the author wanted.
    Warning,
    /// Something to tidy up.
    Hint,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The rule that found it.
    pub code: Code,
    /// Usually what [`Code::severity`] says; some options make it milder.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// What is wrong, in one line: lower case, without full stop.
    pub message: String,
    /// A few words for the place itself.
    pub label: Option<String>,
    /// Other places that belong to it.
    pub labels: Vec<Label>,
    /// Why, where that is not plain.
    pub note: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
    /// A change that would repair it.
    pub fix: Option<Fix>,
    /// The place in the document, for example `steps.0.image`; empty where there is none.
    pub at: String,
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What is there.
    pub text: String,
}

/// A change to the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What to take out.
    pub span: Span,
    /// What to put in.
    pub replacement: String,
}

impl Diagnostic {
    /// A finding with the usual severity of its code and nothing but a message.
    #[must_use]
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: code.severity(),
            span,
            message: message.into(),
            label: None,
            labels: Vec::new(),
            note: None,
            help: None,
            fix: None,
            at: String::new(),
        }
    }

    /// Says a few words at the place itself.
    #[must_use]
    pub fn labelled(mut self, text: impl Into<String>) -> Self {
        self.label = Some(text.into());
        self
    }

    /// Points at another place too.
    #[must_use]
    pub fn pointing(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says why.
    #[must_use]
    pub fn noting(mut self, text: impl Into<String>) -> Self {
        self.note = Some(text.into());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn helping(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Offers a change.
    #[must_use]
    pub fn fixed_by(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// Gives it another severity than its code has.
    #[must_use]
    pub const fn with_severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Says where in the document it is, for example `steps.0.image`.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.at = path.into();
        self
    }

    /// Whether it stands in the way of a run.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Characters of a name that a message shows; the rest becomes `…`.
const QUOTED_CHARACTERS_MAX: usize = 80;

/// A name of the input for a message: in back-ticks, cut, and without anything that a terminal
/// could obey.
#[must_use]
pub fn quote(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len().min(QUOTED_CHARACTERS_MAX) + 2);
    quoted.push('`');
    for (count, character) in name.chars().enumerate() {
        if count == QUOTED_CHARACTERS_MAX {
            quoted.push('…');
            break;
        }
        push_printable(&mut quoted, character);
    }
    quoted.push('`');
    quoted
}

/// A longer text of the input for a message: as it is, but printable.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut printed = String::with_capacity(text.len());
    text.chars().for_each(|character| push_printable(&mut printed, character));
    printed
}

fn push_printable(text: &mut String, character: char) {
    if character.is_control() || steers(character) {
        text.extend(character.escape_default());
    } else {
        text.push(character);
    }
}

/// Whether a character changes the direction or the lines of the text around it.
pub(crate) fn steers(character: char) -> bool {
    matches!(
        character,
        '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_without_their_power() {
        let cases = [
            ("build", "`build`"),
            ("größe", "`größe`"),
            ("\u{1b}[2J", "`\\u{1b}[2J`"),
            ("a\nb", "`a\\nb`"),
            ("\u{202e}txt", "`\\u{202e}txt`"),
            ("\u{9b}31m", "`\\u{9b}31m`"),
        ];
        for (name, expected) in cases {
            assert_eq!(quote(name), expected);
        }
        assert_eq!(quote(&"x".repeat(100)), format!("`{}…`", "x".repeat(80)));
    }
}
