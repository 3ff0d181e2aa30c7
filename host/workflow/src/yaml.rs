//! YAML as a tree that remembers where everything stood.
//!
//! `read` is the only door to a YAML library; this file only holds what came through. Aliases
//! share what they stand for, so a tree is never larger than its text; whoever walks one must
//! bound depth and steps itself.

mod place;
pub(crate) mod read;
pub(crate) mod scalar;
mod timestamp;

use crate::source::Span;
use scalar::Meaning;
use std::ops::Range;
use std::sync::Arc;

/// A place in a tree. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Node {
    tree: Arc<Tree>,
    id: Id,
    at: Span,
}

/// What a place holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind<'a> {
    /// A text that may mean a number, a date …
    Scalar(Scalar<'a>),
    /// A list.
    Sequence,
    /// Keys and values.
    Mapping,
}

/// A text as written between quotes, or without.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar<'a> {
    /// After escapes and folding.
    pub(crate) text: &'a str,
    /// Whether it had no quotes, so that `5` is a number.
    pub(crate) plain: bool,
}

/// A tag in front of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    /// Which one.
    pub(crate) name: TagName,
    /// Where it stands.
    pub(crate) span: Span,
}

/// The name of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TagName {
    /// `!Parameter`, without the exclamation mark.
    Local(String),
    /// `!!str`, without the exclamation marks.
    Core(String),
    /// `!<tag:example.com,2000:x>`, whole.
    Other(String),
}

impl Tag {
    /// Whether it is `!!` and this name.
    pub(crate) fn is_core(&self, wanted: &str) -> bool {
        matches!(&self.name, TagName::Core(name) if name == wanted)
    }
}

type Id = u32;

/// All nodes of a document. A node's children come before it.
#[derive(Debug)]
pub(crate) struct Tree {
    text: Arc<str>,
    nodes: Vec<Raw>,
}

#[derive(Debug)]
struct Raw {
    span: Span,
    tag: Option<Box<Tag>>,
    kind: RawKind,
}

#[derive(Debug)]
enum RawKind {
    Scalar { text: Box<str>, plain: bool },
    Sequence(Box<[Id]>),
    Mapping(Box<[(Id, Id)]>),
    Alias(Id),
}

impl Node {
    fn new(tree: Arc<Tree>, id: Id) -> Self {
        let raw = tree.raw(id);
        let at = raw.span;
        let id = match raw.kind {
            RawKind::Alias(target) => target,
            _ => id,
        };
        Self { tree, id, at }
    }

    fn raw(&self) -> &Raw {
        self.tree.raw(self.id)
    }

    fn child(&self, id: Id) -> Self {
        Self::new(Arc::clone(&self.tree), id)
    }

    /// How many nodes the whole tree has.
    pub(crate) fn tree_len(&self) -> usize {
        self.tree.nodes.len()
    }

    /// Where it stands: the alias if it was reached through one.
    #[must_use]
    pub fn span(&self) -> Span {
        self.at
    }

    /// What it holds.
    pub(crate) fn kind(&self) -> Kind<'_> {
        match &self.raw().kind {
            RawKind::Scalar { text, plain } => Kind::Scalar(Scalar { text, plain: *plain }),
            RawKind::Sequence(_) => Kind::Sequence,
            // An alias never leads to an alias: `new` has followed it.
            RawKind::Mapping(_) | RawKind::Alias(_) => Kind::Mapping,
        }
    }

    /// The tag in front of it.
    pub(crate) fn tag(&self) -> Option<&Tag> {
        self.raw().tag.as_deref()
    }

    /// The name of its tag if that is one of the language's own (`!Parameter`).
    pub(crate) fn local_tag(&self) -> Option<&str> {
        match self.tag() {
            Some(Tag { name: TagName::Local(name), .. }) => Some(name),
            _ => None,
        }
    }

    /// The items of a sequence; none for anything else.
    pub(crate) fn items(&self) -> impl ExactSizeIterator<Item = Self> + '_ {
        let items: &[Id] = match &self.raw().kind {
            RawKind::Sequence(items) => items,
            _ => &[],
        };
        items.iter().map(|&id| self.child(id))
    }

    /// The entries of a mapping, merge keys already followed; none for anything else.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = (Self, Self)> + '_ {
        let entries: &[(Id, Id)] = match &self.raw().kind {
            RawKind::Mapping(entries) => entries,
            _ => &[],
        };
        entries.iter().map(|&(key, value)| (self.child(key), self.child(value)))
    }

    /// The value under a key of a mapping.
    pub(crate) fn get(&self, wanted: &str) -> Option<Self> {
        self.entries().find(|(key, _)| key.text() == Some(wanted)).map(|(_, value)| value)
    }

    /// The text of a scalar, whatever type it has.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.kind() {
            Kind::Scalar(scalar) => Some(scalar.text),
            _ => None,
        }
    }

    /// Where a part of a scalar's text (in bytes) stands in the file; the whole scalar if the
    /// text was written in a form that hides it.
    pub(crate) fn place_in_text(&self, part: Range<usize>) -> Span {
        let span = self.raw().span;
        let written = self.written(span);
        let place = self.text().and_then(|text| place::find(written, text, part));
        place.map_or(self.at, |place| Span::new(span.start + place.start, span.start + place.end))
    }

    /// Whether it is a scalar that means a text, as far as quotes and `!!str` say so.
    pub(crate) fn is_text(&self) -> bool {
        match self.kind() {
            Kind::Scalar(scalar) => {
                !scalar.plain
                    || self.tag().is_some_and(|tag| tag.is_core("str"))
                    || self.is_plainly_text()
            }
            _ => false,
        }
    }

    /// Whether it is a scalar that would mean a text without quotes too.
    pub(crate) fn is_plainly_text(&self) -> bool {
        match self.kind() {
            Kind::Scalar(scalar) => {
                matches!(scalar::resolve(scalar.text), Meaning::Text | Meaning::Timestamp(_))
            }
            _ => false,
        }
    }

    /// Where to point for the node as a whole, its tag included: on its first line only.
    pub(crate) fn head(&self) -> Span {
        if self.at != self.raw().span {
            return self.at;
        }
        let value = self.head_of_value();
        match self.tag() {
            Some(tag) if self.written(tag.span.join(value)).contains('\n') => tag.span,
            Some(tag) => tag.span.join(value),
            None => value,
        }
    }

    fn head_of_value(&self) -> Span {
        let written = self.written(self.at);
        if written.starts_with(['[', '{']) {
            let end = if written.contains('\n') { self.at.start + 1 } else { self.at.end };
            return Span::new(self.at.start, end);
        }
        match &self.raw().kind {
            RawKind::Mapping(entries) if !entries.is_empty() => {
                let key = self.tree.raw(entries[0].0).span;
                // A merged key stands somewhere else.
                if key.start >= self.at.start && key.end <= self.at.end { key } else { self.at }
            }
            RawKind::Sequence(items) if !items.is_empty() => self.child(items[0]).head_of_value(),
            _ => self.at,
        }
    }

    fn written(&self, span: Span) -> &str {
        self.tree.text.get(span.start..span.end).unwrap_or_default()
    }
}

impl Tree {
    fn raw(&self, id: Id) -> &Raw {
        &self.nodes[id as usize]
    }
}
