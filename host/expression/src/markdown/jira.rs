//! A document in Jira's notation, as far as Relay went.
//!
//! Code, links and images have marks; a `- - -` between words is a rule, and the `%%%` that
//! Datadog puts around a monitor's message is taken off.

use super::{Element, Kind};

pub(super) fn render(document: &Element) -> String {
    let mut out = String::new();
    write(document, &Kind::Document, &mut out);
    out
}

fn write(element: &Element, parent: &Kind, out: &mut String) {
    if let Kind::Text(text) = &element.kind {
        match parent {
            Kind::Link { .. } => {
                out.push('[');
                out.push_str(text);
            }
            Kind::Image { .. } => out.push_str("\n\n"),
            _ => out.push_str(&plain(text)),
        }
    }
    if let Kind::Code(text) = &element.kind {
        out.push_str("{code}");
        out.push_str(text);
        out.push_str("{code}");
    }
    for child in &element.children {
        write(child, &element.kind, out);
    }
    match &element.kind {
        Kind::Link { target, .. } => {
            out.push('|');
            out.push_str(target);
            out.push(']');
        }
        Kind::Image { target, .. } => {
            if matches!(parent, Kind::Link { .. }) {
                out.push('[');
            }
            out.push('!');
            out.push_str(target);
            out.push('!');
        }
        _ => {}
    }
}

fn plain(text: &str) -> String {
    let ruled = rules(text);
    let bare = ruled.strip_prefix("%%% ").unwrap_or(&ruled);
    bare.strip_suffix(" %%%").unwrap_or(bare).to_owned()
}

/// `text` with each `---` or `- - -` that stands alone made into a rule.
fn rules(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut at_start = true;
    while let Some(c) = rest.chars().next() {
        if (at_start || c.is_ascii_whitespace())
            && let Some(after) = rule(rest)
        {
            out.push_str("\n----\n");
            rest = after;
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
        at_start = false;
    }
    out
}

/// What follows the rule that `text` begins with, white space included.
fn rule(text: &str) -> Option<&str> {
    let blank =
        |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_whitespace()).len();
    let mut rest = &text[blank(text)..];
    for dash in 0..3 {
        if dash > 0 {
            rest = &rest[blank(rest)..];
        }
        rest = rest.strip_prefix('-')?;
    }
    let after = &rest[blank(rest)..];
    (after.is_empty() || after.len() < rest.len()).then_some(after)
}
