//! Markdown text to a tree of elements.
//!
//! Depth is bounded here: what is nested deeper is hung onto the deepest element.

use super::{Element, Kind};
use pulldown_cmark::{Alignment, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Deeper than any note that a person writes.
const DEPTH_MAX: usize = 64;

/// What a bare address in a text begins with.
const SCHEMES: &[&str] = &["https://", "http://", "ftp://", "mailto:"];

pub(super) fn document(source: &str) -> Element {
    let mut reader = Reader::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(source, options) {
        reader.event(event);
    }
    reader.finish()
}

struct Reader {
    open: Vec<Element>,
    /// Elements that were too deep to open.
    flattened: usize,
    alignments: Vec<Alignment>,
    column: usize,
}

impl Reader {
    fn new() -> Self {
        let root = Element { kind: Kind::Document, children: Vec::new() };
        Self { open: vec![root], flattened: 0, alignments: Vec::new(), column: 0 }
    }

    fn finish(mut self) -> Element {
        while self.open.len() > 1 {
            self.close();
        }
        let root = self.open.pop();
        root.unwrap_or(Element { kind: Kind::Document, children: Vec::new() })
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(end) => self.end(end),
            Event::Text(text) => self.text(&text),
            Event::SoftBreak => self.text("\n"),
            Event::HardBreak => self.push(Kind::LineBreak),
            Event::Code(text) => self.push(Kind::Code(text.into_string())),
            Event::Html(text) => self.raw(&text),
            Event::InlineHtml(text) => self.push(Kind::Html(text.into_string())),
            Event::Rule => self.push(Kind::Rule),
            Event::InlineMath(text) | Event::DisplayMath(text) | Event::FootnoteReference(text) => {
                self.text(&text);
            }
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }),
        }
    }

    fn push(&mut self, kind: Kind) {
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(Element { kind, children: Vec::new() });
        }
    }

    fn open(&mut self, kind: Kind) {
        if self.open.len() > DEPTH_MAX {
            self.flattened += 1;
        } else {
            self.open.push(Element { kind, children: Vec::new() });
        }
    }

    fn close(&mut self) {
        if self.flattened > 0 {
            self.flattened -= 1;
            return;
        }
        let Some(mut element) = self.open.pop() else { return };
        if let Kind::List { tight, .. } = &mut element.kind {
            let loose = |item: &Element| item.children.iter().any(|c| c.kind == Kind::Paragraph);
            *tight = !element.children.iter().any(loose);
        }
        if !matches!(element.kind, Kind::Link { .. }) && !self.is_in_link() {
            element.children = element.children.into_iter().flat_map(linked).collect();
        }
        if let Some(parent) = self.open.last_mut() {
            parent.children.push(element);
        }
    }

    fn is_in_link(&self) -> bool {
        self.open.iter().any(|element| matches!(element.kind, Kind::Link { .. }))
    }

    fn text(&mut self, text: &str) {
        let Some(parent) = self.open.last_mut() else { return };
        if let Kind::CodeBlock { text: code, .. } = &mut parent.kind {
            code.push_str(text);
        } else if let Some(Element { kind: Kind::Text(before), .. }) = parent.children.last_mut() {
            before.push_str(text);
        } else {
            self.push(Kind::Text(text.to_owned()));
        }
    }

    fn raw(&mut self, text: &str) {
        match self.open.last_mut().map(|parent| &mut parent.kind) {
            Some(Kind::HtmlBlock(html)) => html.push_str(text),
            _ => self.push(Kind::Html(text.to_owned())),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        let kind = match tag {
            Tag::Paragraph => Kind::Paragraph,
            Tag::Heading { level, .. } => Kind::Heading(level_number(level)),
            Tag::BlockQuote(_) => Kind::BlockQuote,
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                let language = info.split_whitespace().next().unwrap_or_default().to_owned();
                Kind::CodeBlock { language, text: String::new() }
            }
            Tag::CodeBlock(CodeBlockKind::Indented) => {
                Kind::CodeBlock { language: String::new(), text: String::new() }
            }
            Tag::HtmlBlock => Kind::HtmlBlock(String::new()),
            Tag::List(start) => Kind::List { start, tight: true },
            Tag::Item => Kind::Item,
            Tag::Table(alignments) => {
                self.alignments = alignments;
                Kind::Table
            }
            Tag::TableHead => {
                self.column = 0;
                self.open(Kind::TableHead);
                Kind::TableRow
            }
            Tag::TableRow => {
                self.column = 0;
                let has_body = self.open.iter().any(|element| element.kind == Kind::TableBody);
                if self.flattened == 0 && !has_body {
                    self.open(Kind::TableBody);
                }
                Kind::TableRow
            }
            Tag::TableCell => self.cell(),
            Tag::Emphasis => Kind::Emphasis,
            Tag::Strong => Kind::Strong,
            Tag::Strikethrough => Kind::Strikethrough,
            Tag::Link { dest_url, title, .. } => {
                Kind::Link { target: dest_url.into_string(), title: title.into_string() }
            }
            Tag::Image { dest_url, title, .. } => {
                Kind::Image { target: dest_url.into_string(), title: title.into_string() }
            }
            _ => Kind::Paragraph,
        };
        self.open(kind);
    }

    fn cell(&mut self) -> Kind {
        let heading = self.open.iter().any(|element| element.kind == Kind::TableHead);
        let align = match self.alignments.get(self.column) {
            Some(Alignment::Left) => "left",
            Some(Alignment::Center) => "center",
            Some(Alignment::Right) => "right",
            _ => "",
        };
        self.column += 1;
        Kind::TableCell { heading, align }
    }

    fn end(&mut self, end: TagEnd) {
        self.close();
        match end {
            TagEnd::TableHead => self.close(),
            // The first close was that of the body, which no event ends.
            TagEnd::Table if self.open.last().is_some_and(|open| open.kind == Kind::Table) => {
                self.close();
            }
            _ => {}
        }
    }
}

fn level_number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// A text with the bare addresses in it made into links.
fn linked(element: Element) -> Vec<Element> {
    let Kind::Text(text) = &element.kind else { return vec![element] };
    let mut found = Vec::new();
    let mut rest = text.as_str();
    let mut plain = String::new();
    while let Some(start) = next_address(rest) {
        let address = address(&rest[start..]);
        plain.push_str(&rest[..start]);
        rest = &rest[start + address.len()..];
        if SCHEMES.contains(&address) {
            plain.push_str(address);
            continue;
        }
        if !plain.is_empty() {
            found.push(leaf(Kind::Text(std::mem::take(&mut plain))));
        }
        let kind = Kind::Link { target: address.to_owned(), title: String::new() };
        let children = vec![leaf(Kind::Text(address.to_owned()))];
        found.push(Element { kind, children });
    }
    if found.is_empty() {
        return vec![element];
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        found.push(leaf(Kind::Text(plain)));
    }
    found
}

fn leaf(kind: Kind) -> Element {
    Element { kind, children: Vec::new() }
}

fn next_address(text: &str) -> Option<usize> {
    SCHEMES
        .iter()
        .flat_map(|scheme| text.match_indices(scheme))
        .map(|(at, _)| at)
        .filter(|&at| !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
        .min()
}

/// The address that `text` begins with, without the punctuation of the sentence around it.
fn address(text: &str) -> &str {
    let end = text.find(|c: char| c.is_whitespace() || c == '<').unwrap_or(text.len());
    let address = &text[..end];
    let address = address.strip_suffix(['.', ',', ';']).unwrap_or(address);
    match address.strip_suffix(')') {
        Some(without) if without.matches('(').count() < address.matches(')').count() => without,
        _ => address,
    }
}
