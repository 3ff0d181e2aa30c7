//! A document as HTML, with Relay's line breaks.
//!
//! Blocks are separated by empty lines, and quotes, dashes and fractions are set typographically.

use super::smart::Smart;
use super::{Element, Kind};

pub(super) fn render(document: &Element) -> String {
    let mut html = Html { out: String::new(), started: false, smart: Smart::default() };
    html.children(document, &[]);
    html.out
}

struct Html {
    out: String,
    /// Whether a tag was written; there is no line break before the first one.
    started: bool,
    smart: Smart,
}

/// An element's place: what it is in, outermost first.
type Parents<'a> = [&'a Element];

impl Html {
    fn tag(&mut self, text: &str) {
        self.out.push_str(text);
        self.started = true;
    }

    fn line(&mut self) {
        if self.started {
            self.out.push('\n');
        }
    }

    fn children(&mut self, element: &Element, parents: &Parents<'_>) {
        let mut inner = parents.to_vec();
        inner.push(element);
        for (index, child) in element.children.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| element.children.get(before));
            let is_last = index + 1 == element.children.len();
            self.element(child, &inner, before, is_last);
        }
    }

    fn element(
        &mut self,
        element: &Element,
        parents: &Parents<'_>,
        before: Option<&Element>,
        is_last: bool,
    ) {
        let in_item = parents.last().is_some_and(|parent| parent.kind == Kind::Item);
        match &element.kind {
            Kind::Document => self.children(element, parents),
            Kind::Paragraph => self.paragraph(element, parents, before, in_item && is_last),
            Kind::Heading(level) => {
                self.line();
                self.tag(&format!("<h{level}>"));
                self.children(element, parents);
                self.tag(&format!("</h{level}>"));
                if !(in_item && is_last) {
                    self.line();
                }
            }
            Kind::BlockQuote => self.block("blockquote", element, parents),
            Kind::Table => self.block("table", element, parents),
            Kind::TableHead => self.block("thead", element, parents),
            Kind::TableBody => self.block("tbody", element, parents),
            Kind::TableRow => self.block("tr", element, parents),
            Kind::TableCell { heading, align } => {
                let name = if *heading { "th" } else { "td" };
                if before.is_none() {
                    self.line();
                }
                match *align {
                    "" => self.tag(&format!("<{name}>")),
                    align => self.tag(&format!("<{name} align=\"{align}\">")),
                }
                self.children(element, parents);
                self.tag(&format!("</{name}>"));
                self.line();
            }
            Kind::CodeBlock { language, text } => self.code_block(language, text, in_item),
            Kind::HtmlBlock(html) => {
                self.line();
                self.tag(html.trim_end_matches('\n'));
                self.line();
            }
            Kind::List { start, .. } => self.list(element, parents, *start, in_item, is_last),
            Kind::Item => self.item(element, parents, before.is_none()),
            Kind::Rule => {
                self.line();
                self.tag("<hr>");
                self.line();
            }
            Kind::LineBreak => {
                self.tag("<br>");
                self.line();
            }
            Kind::Emphasis => self.inline("em", element, parents),
            Kind::Strong => self.inline("strong", element, parents),
            Kind::Strikethrough => self.inline("del", element, parents),
            Kind::Link { target, title } => {
                let title = attribute(" title", title);
                self.tag(&format!("<a href=\"{}\"{title}>", escaped(target)));
                self.children(element, parents);
                self.tag("</a>");
            }
            Kind::Image { target, title } => {
                let (alt, title) = (escaped(&plain(element)), attribute(" title", title));
                self.tag(&format!("<img src=\"{}\" alt=\"{alt}\"{title} />", escaped(target)));
            }
            Kind::Text(text) => self.smart.write(&escaped(text), &mut self.out),
            Kind::Code(text) => self.tag(&format!("<code>{}</code>", escaped(text))),
            Kind::Html(html) => self.tag(html),
        }
    }

    fn inline(&mut self, name: &str, element: &Element, parents: &Parents<'_>) {
        self.tag(&format!("<{name}>"));
        self.children(element, parents);
        self.tag(&format!("</{name}>"));
    }

    fn block(&mut self, name: &str, element: &Element, parents: &Parents<'_>) {
        self.line();
        self.inline(name, element, parents);
        self.line();
    }

    fn paragraph(
        &mut self,
        element: &Element,
        parents: &Parents<'_>,
        before: Option<&Element>,
        ends_item: bool,
    ) {
        let in_quote = parents.last().is_some_and(|parent| parent.kind == Kind::BlockQuote);
        if before.is_some() || in_quote {
            self.line();
        }
        self.inline("p", element, parents);
        if !ends_item {
            self.line();
        }
    }

    fn code_block(&mut self, language: &str, text: &str, in_item: bool) {
        self.line();
        let class = match language {
            "" => String::new(),
            language => format!(" class=\"language-{}\"", escaped(language)),
        };
        self.tag(&format!("<pre><code{class}>{}</code></pre>", escaped(text)));
        if !in_item {
            self.line();
        }
    }

    fn list(
        &mut self,
        element: &Element,
        parents: &Parents<'_>,
        start: Option<u64>,
        in_item: bool,
        is_last: bool,
    ) {
        self.line();
        let around = parents.iter().rev().nth(1).map(|list| &list.kind);
        if in_item && matches!(around, Some(Kind::List { tight: true, .. })) {
            self.line();
        }
        let (open, close) = match start {
            None => ("<ul>".to_owned(), "</ul>"),
            Some(0 | 1) => ("<ol>".to_owned(), "</ol>"),
            Some(start) => (format!("<ol start=\"{start}\">"), "</ol>"),
        };
        self.tag(&open);
        self.line();
        self.children(element, parents);
        self.tag(close);
        if !in_item || !is_last {
            self.line();
        }
    }

    fn item(&mut self, element: &Element, parents: &Parents<'_>, is_first: bool) {
        let list = parents.last().map(|list| &list.kind);
        if !is_first && matches!(list, Some(Kind::List { tight: false, .. })) {
            self.line();
        }
        self.tag("<li>");
        self.children(element, parents);
        self.tag("</li>");
        self.line();
    }
}

fn attribute(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!("{name}=\"{}\"", escaped(value)) }
}

fn plain(element: &Element) -> String {
    match &element.kind {
        Kind::Text(text) | Kind::Code(text) => text.clone(),
        _ => element.children.iter().map(plain).collect(),
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
