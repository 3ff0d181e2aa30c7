//! From text to a tree, through the events of a YAML parser. The only file that knows that parser.
//!
//! Finds what is wrong with the YAML itself: syntax, size, keys, anchors, merge keys.

use super::{Id, Node, Raw, RawKind, Tag, TagName, Tree};
use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::source::{SourceFile, Span};
use crate::yaml::scalar::{self, Meaning};
use granit_parser::{Event, Parser, ScalarStyle, ScanError};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of a file. A workflow of 40,000 steps has about 10 MiB.
pub(crate) const FILE_BYTES_MAX: usize = 16 << 20;
/// Nodes of a file, and as many again for what merge keys copy: what 16 MiB of ordinary YAML
/// hold, and still no more than a few hundred MiB of memory.
const NODES_MAX: usize = 3_000_000;
/// Collections inside of each other. A tag makes two levels of JSON out of one, and JSON readers
/// stop at 128.
const DEPTH_MAX: usize = 60;

/// Reads the first document of a text. Nothing if the text is empty or its syntax is broken.
pub(crate) fn read(source: &SourceFile, found: &mut Vec<Diagnostic>) -> Option<Node> {
    if source.text().len() > FILE_BYTES_MAX {
        let message =
            format!("the file has {} bytes; {FILE_BYTES_MAX} is the most", source.text().len());
        found.push(Diagnostic::new(Code::YamlLimit, Span::default(), message));
        return None;
    }
    let mut builder = Builder {
        found,
        tree: Tree { text: source.shared_text(), nodes: Vec::new() },
        open: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        merged: 0,
    };
    let mut documents = 0;
    for event in Parser::new_from_str_with_options(source.text(), options()) {
        let (event, span) = match event {
            Ok(event) => event,
            // What follows the first document is not read, so it may be anything.
            Err(_) if documents > 0 && builder.open.is_empty() && builder.root.is_some() => break,
            Err(error) => {
                builder.found.push(syntax(source, &error));
                return None;
            }
        };
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents == 2 {
                    builder.found.push(second_document(bytes(span)));
                    break;
                }
            }
            event => builder.event(event, span)?,
        }
    }
    let root = builder.root?;
    Some(Node::new(Arc::new(builder.tree), root))
}

fn options() -> granit_parser::Options {
    granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        block_scalar_eof_without_line_feed: true,
        flow_nesting_limit: 2 * DEPTH_MAX,
        block_nesting_limit: 2 * DEPTH_MAX,
    }
}

/// Puts events together. Ends early (`None`) when the text is too large to go on.
struct Builder<'a> {
    found: &'a mut Vec<Diagnostic>,
    tree: Tree,
    open: Vec<Open>,
    root: Option<Id>,
    anchors: HashMap<usize, Anchor>,
    merged: usize,
}

/// A collection that is not complete yet.
struct Open {
    children: Vec<Id>,
    start: Span,
    flow: bool,
    anchor: usize,
    tag: Option<Box<Tag>>,
}

#[derive(Clone, Copy)]
enum Anchor {
    Open,
    Complete(Id),
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) -> Option<()> {
        let at = bytes(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                // The parser shows a value that is not there as `~`.
                let text = if plain && at.start == at.end { "".into() } else { text.into() };
                let kind = RawKind::Scalar { text, plain };
                let id = self.push(Raw { span: at, tag: tag_of(tag.as_deref(), span), kind })?;
                self.name(anchor, Anchor::Complete(id));
                self.add(id);
            }
            Event::SequenceStart(style, anchor, tag) | Event::MappingStart(style, anchor, tag) => {
                self.name(anchor, Anchor::Open);
                let flow = style == granit_parser::StructureStyle::Flow;
                let tag = tag_of(tag.as_deref(), span);
                self.open.push(Open { children: Vec::new(), start: at, flow, anchor, tag });
                if self.open.len() > DEPTH_MAX {
                    let message = format!("values stand more than {DEPTH_MAX} levels deep here");
                    self.found.push(Diagnostic::new(Code::YamlLimit, at, message));
                    return None;
                }
            }
            Event::SequenceEnd => {
                self.end(at, |_, children| Some(RawKind::Sequence(children.into_boxed_slice())))?
            }
            Event::MappingEnd => self.end(at, Self::mapping)?,
            Event::Alias(anchor) => {
                let id = self.alias(anchor, at)?;
                self.add(id);
            }
            Event::UnresolvedAlias(name) => {
                let message = format!("no anchor is called {}", quote(&name));
                let help = format!(
                    "write `&{}` in front of the value that it stands for",
                    printable(&name)
                );
                self.found.push(Diagnostic::new(Code::YamlAlias, at, message).helping(help));
                let id = self.nothing(at)?;
                self.add(id);
            }
            _ => (),
        }
        Some(())
    }

    fn push(&mut self, raw: Raw) -> Option<Id> {
        if self.tree.nodes.len() >= NODES_MAX {
            let message = format!("the file has more than {NODES_MAX} values");
            self.found.push(Diagnostic::new(Code::YamlLimit, raw.span, message));
            return None;
        }
        let id = Id::try_from(self.tree.nodes.len()).ok()?;
        self.tree.nodes.push(raw);
        Some(id)
    }

    fn nothing(&mut self, span: Span) -> Option<Id> {
        let kind = RawKind::Scalar { text: "".into(), plain: true };
        self.push(Raw { span, tag: None, kind })
    }

    /// Notes what an anchor stands for. Number 0 means that there is none.
    fn name(&mut self, anchor: usize, state: Anchor) {
        if anchor != 0 {
            self.anchors.insert(anchor, state);
        }
    }

    fn add(&mut self, id: Id) {
        match self.open.last_mut() {
            Some(open) => open.children.push(id),
            None => self.root = Some(id),
        }
    }

    fn end(
        &mut self,
        at: Span,
        kind: impl FnOnce(&mut Self, Vec<Id>) -> Option<RawKind>,
    ) -> Option<()> {
        let Open { children, start, flow, anchor, tag } = self.open.pop()?;
        let end = match children.last() {
            Some(&last) if !flow => self.tree.raw(last).span.end.max(start.start),
            _ if flow => at.end,
            _ => start.end,
        };
        let kind = kind(self, children)?;
        let id = self.push(Raw { span: Span::new(start.start, end), tag, kind })?;
        self.name(anchor, Anchor::Complete(id));
        self.add(id);
        Some(())
    }

    fn alias(&mut self, anchor: usize, at: Span) -> Option<Id> {
        let target = match self.anchors.get(&anchor) {
            Some(Anchor::Complete(target)) => *target,
            _ => {
                let diagnostic = Diagnostic::new(
                    Code::YamlAlias,
                    at,
                    "the value that this alias stands for contains the alias itself",
                );
                self.found.push(diagnostic.helping("write the value out, or leave it away"));
                return self.nothing(at);
            }
        };
        let target = match self.tree.raw(target).kind {
            RawKind::Alias(further) => further,
            _ => target,
        };
        self.push(Raw { span: at, tag: None, kind: RawKind::Alias(target) })
    }

    /// The entries of a mapping: its own first, then what its merge keys bring along.
    fn mapping(&mut self, children: Vec<Id>) -> Option<RawKind> {
        let mut entries = Vec::with_capacity(children.len() / 2);
        let mut merges = Vec::new();
        for pair in children.chunks_exact(2) {
            if self.is_merge_key(pair[0]) {
                merges.push((pair[0], pair[1]));
            } else {
                self.expect_text_key(pair[0]);
                entries.push((pair[0], pair[1]));
            }
        }
        self.expect_different_keys(entries.iter().chain(&merges).map(|&(key, _)| key));
        for (_, value) in merges {
            self.merge(&mut entries, value)?;
        }
        Some(RawKind::Mapping(entries.into_boxed_slice()))
    }

    fn is_merge_key(&self, key: Id) -> bool {
        let raw = self.tree.raw(key);
        let tagged = match raw.tag.as_deref() {
            None => true,
            Some(Tag { name: TagName::Core(name), .. }) => name == "merge",
            Some(_) => false,
        };
        tagged && matches!(&raw.kind, RawKind::Scalar { text, plain: true } if **text == *"<<")
    }

    fn target(&self, id: Id) -> &Raw {
        match &self.tree.raw(id).kind {
            RawKind::Alias(target) => self.tree.raw(*target),
            _ => self.tree.raw(id),
        }
    }

    fn expect_text_key(&mut self, key: Id) {
        let raw = self.target(key);
        let what = match (&raw.kind, raw.tag.as_deref().map(|tag| &tag.name)) {
            (RawKind::Scalar { .. }, Some(TagName::Core(name))) if name == "str" => return,
            (_, Some(TagName::Local(name))) => {
                format!("a value with the tag `!{}`", printable(name))
            }
            (RawKind::Scalar { plain: false, .. }, _) => return,
            (RawKind::Scalar { text, .. }, _) => match scalar::resolve(text) {
                Meaning::Text => return,
                Meaning::Null => "empty".to_owned(),
                meaning => meaning.article().to_owned(),
            },
            (RawKind::Sequence(_), _) => "a list".to_owned(),
            (RawKind::Mapping(_) | RawKind::Alias(_), _) => "a mapping".to_owned(),
        };
        let span = self.tree.raw(key).span;
        let mut diagnostic =
            Diagnostic::new(Code::YamlKey, span, format!("this key is {what}; keys are texts"));
        if let RawKind::Scalar { text, .. } = &raw.kind {
            let quoted = format!("\"{}\"", printable(text));
            diagnostic = diagnostic.helping(format!("put it between quotes: {quoted}"));
            diagnostic = diagnostic.fixed_by(span, quoted);
        }
        self.found.push(diagnostic);
    }

    fn expect_different_keys(&mut self, keys: impl Iterator<Item = Id>) {
        let mut seen: HashMap<&str, Id> = HashMap::new();
        let mut twice = Vec::new();
        for key in keys {
            let RawKind::Scalar { text, .. } = &self.target(key).kind else { continue };
            if let Some(first) = seen.insert(text, key) {
                seen.insert(text, first);
                twice.push((key, first));
            }
        }
        for (key, first) in twice {
            let name = match &self.target(key).kind {
                RawKind::Scalar { text, .. } => quote(text),
                _ => continue,
            };
            let message = format!("the key {name} stands here for the second time");
            self.found.push(
                Diagnostic::new(Code::YamlDuplicateKey, self.tree.raw(key).span, message)
                    .labelled("again")
                    .pointing(self.tree.raw(first).span, "first here")
                    .helping("keep one of the two"),
            );
        }
    }

    /// Adds the entries of what follows `<<`: a mapping, or a list of mappings, the earlier ones
    /// winning over the later ones and written keys over both.
    fn merge(&mut self, entries: &mut Vec<(Id, Id)>, value: Id) -> Option<()> {
        let span = self.tree.raw(value).span;
        let sources: Vec<Id> = match &self.target(value).kind {
            RawKind::Sequence(items) if self.target(value).tag.is_none() => items.to_vec(),
            _ => vec![value],
        };
        let mut known: std::collections::HashSet<Box<str>> =
            entries.iter().filter_map(|&(key, _)| self.key_text(key)).map(Into::into).collect();
        for source in sources {
            let more = match self.target(source) {
                Raw { kind: RawKind::Mapping(more), tag: None, .. } => more.clone(),
                _ => {
                    let message = "`<<` takes a mapping, an alias of one, or a list of those";
                    self.found.push(Diagnostic::new(Code::YamlMerge, span, message));
                    continue;
                }
            };
            self.merged += more.len();
            if self.merged > NODES_MAX {
                let message = format!("merge keys copy more than {NODES_MAX} entries");
                self.found.push(Diagnostic::new(Code::YamlLimit, span, message));
                return None;
            }
            for &(key, value) in &more {
                if self.key_text(key).is_some_and(|text| known.insert(text.into())) {
                    entries.push((key, value));
                }
            }
        }
        Some(())
    }

    fn key_text(&self, key: Id) -> Option<&str> {
        match &self.target(key).kind {
            RawKind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

fn bytes(span: granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or_default();
    Span::new(range.start, range.end.max(range.start))
}

fn tag_of(tag: Option<&granit_parser::Tag>, span: granit_parser::Span) -> Option<Box<Tag>> {
    const CORE: &str = "tag:yaml.org,2002:";
    let tag = tag?;
    let whole = format!("{}{}", tag.handle(), tag.suffix());
    let name = if whole == "!" {
        // The non-specific tag says nothing.
        return None;
    } else if let Some(core) = whole.strip_prefix(CORE).or_else(|| whole.strip_prefix("!!")) {
        TagName::Core(core.to_owned())
    } else if let Some(local) = whole.strip_prefix('!') {
        TagName::Local(local.to_owned())
    } else {
        TagName::Other(whole)
    };
    Some(Box::new(Tag { name, span: span.tag_span().map_or_else(|| bytes(span), bytes) }))
}

fn second_document(span: Span) -> Diagnostic {
    let message = "only the first document of a file is read, and this is the second";
    Diagnostic::new(Code::YamlDocuments, span, message).helping("put it into a file of its own")
}

fn syntax(source: &SourceFile, error: &ScanError) -> Diagnostic {
    use granit_parser::ErrorKind;
    let start = error.marker().byte_offset().unwrap_or_default();
    let length = source.text().get(start..).and_then(|rest| rest.chars().next());
    let end = start + length.filter(|&first| first != '\n').map_or(0, char::len_utf8);
    let span = Span::new(start, end);
    let message = printable(&error.info());
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => {
            let message = format!("values stand more than {DEPTH_MAX} levels deep here");
            Diagnostic::new(Code::YamlLimit, span, message)
        }
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed => {
            Diagnostic::new(Code::YamlSyntax, span, message).helping("indent with spaces")
        }
        ErrorKind::MappingValueNotAllowed => Diagnostic::new(Code::YamlSyntax, span, message)
            .helping("a text that holds `: ` needs quotes; a key needs a line of its own"),
        ErrorKind::UnexpectedCharacter { .. } => {
            Diagnostic::new(Code::YamlSyntax, span, message).helping("put the text between quotes")
        }
        _ => Diagnostic::new(Code::YamlSyntax, span, message),
    }
}
