//! Reads single values of a document: a text, a list of texts, a mapping. Says what is wrong.
//!
//! Each finding carries the place in the form that Relay's own checks use (`steps.0.image`).

use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::source::{Span, Spanned};
use crate::suggest::closest;
use crate::tags::Values;
use crate::yaml::scalar::{self, Meaning};
use crate::yaml::{Kind, Node, Tag, TagName};
use std::fmt;

/// A place in the document, as a chain on the stack so that it costs nothing until it is shown.
#[derive(Clone, Copy)]
pub(super) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    segment: Segment<'a>,
}

#[derive(Clone, Copy)]
enum Segment<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(super) const ROOT: Path<'static> = Path { parent: None, segment: Segment::Root };

    pub(super) fn key<'b>(&'b self, key: &'b str) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Key(key) }
    }

    pub(super) fn index<'b>(&'b self, index: usize) -> Path<'b> {
        Path { parent: Some(self), segment: Segment::Index(index) }
    }

    /// The nearest key, for messages.
    fn name(&self) -> String {
        match (self.segment, self.parent) {
            (Segment::Key(key), _) => quote(key),
            (Segment::Index(_), Some(parent)) => format!("an item of {}", parent.name()),
            _ => "a workflow".to_owned(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent
            && !matches!(parent.segment, Segment::Root)
        {
            write!(f, "{parent}.")?;
        }
        match self.segment {
            Segment::Root => f.write_str("(root)"),
            Segment::Key(key) => f.write_str(&printable(key)),
            Segment::Index(index) => write!(f, "{index}"),
        }
    }
}

/// Whether a text may be empty.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Unknown keys for which the one that was meant is looked for; more are told without that.
const SUGGESTIONS_MAX: usize = 1000;

/// Reads values and collects what is wrong with them.
pub(super) struct Fields<'f> {
    pub(super) values: Values<'f>,
    suggestions_left: usize,
}

impl<'f> Fields<'f> {
    pub(super) fn new(values: Values<'f>) -> Self {
        Self { values, suggestions_left: SUGGESTIONS_MAX }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.values.found.push(diagnostic);
    }

    /// A text, with or without quotes; a number is none.
    pub(super) fn text(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        empty: Empty,
    ) -> Option<Spanned<String>> {
        let text = self.any_text(node, path)?;
        if text.value.is_empty() && empty == Empty::Refused {
            let message = format!("{} is empty", path.name());
            let help = "write at least one character";
            let diagnostic = Diagnostic::new(Code::EmptyText, text.span, message).helping(help);
            self.report(diagnostic.at(path.to_string()));
            return None;
        }
        Some(text)
    }

    fn any_text(&mut self, node: &Node, path: &Path<'_>) -> Option<Spanned<String>> {
        let Kind::Scalar(scalar) = node.kind() else {
            self.wrong_type(node, path, "a text");
            return None;
        };
        let is_text = match node.tag() {
            Some(Tag { name: TagName::Local(name), .. }) => {
                self.values.dropped(node, name);
                true
            }
            Some(Tag { name: TagName::Core(name), .. }) => name == "str",
            Some(_) => false,
            // A date is a text that happens to look like one.
            None => {
                !scalar.plain
                    || matches!(scalar::resolve(scalar.text), Meaning::Text | Meaning::Timestamp(_))
            }
        };
        if is_text {
            return Some(Spanned::new(scalar.text.to_owned(), node.span()));
        }
        let diagnostic = self.type_mistake(node, path, "a text");
        let diagnostic = if scalar.text.is_empty() || node.tag().is_some() {
            diagnostic
        } else {
            let quoted = format!("\"{}\"", printable(scalar.text));
            let help = format!("put it between quotes: {quoted}");
            diagnostic.helping(help).fixed_by(node.span(), quoted)
        };
        self.report(diagnostic);
        None
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        empty: Empty,
    ) -> Vec<Spanned<String>> {
        if !self.is_sequence(node, path) {
            return Vec::new();
        }
        let items = node.items().enumerate();
        items.filter_map(|(index, item)| self.text(&item, &path.index(index), empty)).collect()
    }

    /// Whether a node is a list; if not, that is reported.
    pub(super) fn is_sequence(&mut self, node: &Node, path: &Path<'_>) -> bool {
        self.expect(node, path, "a list", matches!(node.kind(), Kind::Sequence))
    }

    /// Whether a node is a mapping; if not, that is reported.
    pub(super) fn is_mapping(&mut self, node: &Node, path: &Path<'_>) -> bool {
        self.expect(node, path, "a mapping", matches!(node.kind(), Kind::Mapping))
    }

    fn expect(&mut self, node: &Node, path: &Path<'_>, wanted: &str, fits: bool) -> bool {
        if !fits {
            self.wrong_type(node, path, wanted);
        } else if let Some(name) = node.local_tag() {
            self.values.dropped(node, name);
        }
        fits
    }

    fn wrong_type(&mut self, node: &Node, path: &Path<'_>, wanted: &str) {
        let diagnostic = self.type_mistake(node, path, wanted);
        self.report(diagnostic);
    }

    fn type_mistake(&self, node: &Node, path: &Path<'_>, wanted: &str) -> Diagnostic {
        let message = format!("{} must be {wanted}, this is {}", path.name(), what(node));
        let mut span = node.head();
        if span.start == span.end {
            // An empty value has no place of its own.
            span = node.span();
        }
        Diagnostic::new(Code::WrongType, span, message)
            .labelled(format!("must be {wanted}"))
            .at(path.to_string())
    }

    /// A text that is one of a few.
    pub(super) fn choice(
        &mut self,
        node: &Node,
        path: &Path<'_>,
        allowed: &[&str],
    ) -> Option<Spanned<String>> {
        let text = self.any_text(node, path)?;
        if allowed.contains(&text.value.as_str()) {
            return Some(text);
        }
        let choices = allowed.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>();
        let message = format!("{} can't be {}", path.name(), quote(&text.value));
        let diagnostic = Diagnostic::new(Code::UnsupportedValue, text.span, message);
        let diagnostic = match closest(&text.value, allowed.iter().copied()) {
            Some(choice) => {
                diagnostic.helping(format!("did you mean `{choice}`?")).fixed_by(text.span, choice)
            }
            None => diagnostic.helping(format!("it can be {}", choices.join(" or "))),
        };
        self.report(diagnostic.at(path.to_string()));
        None
    }

    /// Says that a key is missing from the mapping at `span`.
    pub(super) fn missing(&mut self, span: Span, path: &Path<'_>, key: &str, help: &str) {
        let message = format!("`{key}` is missing");
        let diagnostic = Diagnostic::new(Code::MissingKey, span, message).helping(help);
        self.report(diagnostic.at(path.to_string()));
    }

    /// Says that a key means nothing.
    pub(super) fn unknown_key(&mut self, key: &Node, path: &Path<'_>, known: &[&str]) {
        let name = key.text().unwrap_or_default();
        let message = format!("{} has no effect: the language has no such key here", quote(name));
        let diagnostic = Diagnostic::new(Code::UnknownKey, key.span(), message);
        let meant = self.suggestions_left.checked_sub(1).and_then(|left| {
            self.suggestions_left = left;
            closest(name, known.iter().copied())
        });
        let diagnostic = match meant {
            Some(meant) => {
                diagnostic.helping(format!("did you mean `{meant}`?")).fixed_by(key.span(), meant)
            }
            None => diagnostic.helping(format!("the keys are `{}`", known.join("`, `"))),
        };
        self.report(diagnostic.at(path.key(name).to_string()));
    }
}

/// What a node is, for messages.
pub(super) fn what(node: &Node) -> &'static str {
    match node.kind() {
        Kind::Sequence => "a list",
        Kind::Mapping => "a mapping",
        Kind::Scalar(scalar) if scalar.plain && node.tag().is_none() => {
            match scalar::resolve(scalar.text) {
                Meaning::Null if scalar.text.is_empty() => "empty",
                meaning => meaning.article(),
            }
        }
        Kind::Scalar(_) => "a text",
    }
}
