//! Finds what a text with `${…}` refers to, and where.
//!
//! The expression room says *what* a template refers to. The places come from a look at the
//! letters here: a reference whose place is not plain gets the whole text.

mod letters;

use super::{Arguments, Site, What};
use crate::source::{Span, Spanned};
use crate::yaml::Node;
use expression::{Expression, template};
use letters::{Letters, Word};
use serde_json::Value;

/// The names that a path may begin with, somewhere.
const ROOTS: &[&str] = &["parameters", "outputs", "steps", "connections", "secrets", "event"];

/// Adds what `text`, the value of `node`, refers to.
pub(super) fn sites(node: &Node, text: &str, guarded: bool, sites: &mut Vec<Site>) {
    match template::parse(text) {
        Ok(_) => {
            let letters = Letters::of(text);
            let calls = |name| letters.calls.iter().any(|call| call.text == name);
            let guarded = guarded || calls("coalesce");
            // `exists` is there to ask whether a path leads anywhere.
            let any_root = calls("exists");
            let mut template = Template { node, letters, guarded, any_root, sites };
            template.calls();
            template.references(text);
            template.roots();
        }
        Err(error) => {
            let end = error.end_bytes.max(error.offset_bytes);
            let span = node.place_in_text(error.offset_bytes..end);
            let message = format!("this is no expression: {}", error.message);
            sites.push(Site { what: What::BadTemplate(message), span, guarded });
        }
    }
}

struct Template<'a> {
    node: &'a Node,
    letters: Letters,
    guarded: bool,
    any_root: bool,
    sites: &'a mut Vec<Site>,
}

impl Template<'_> {
    fn push(&mut self, what: What, span: Span) {
        self.sites.push(Site { what, span, guarded: self.guarded });
    }

    fn place(&self, word: &Word) -> Span {
        self.node.place_in_text(word.range.clone())
    }

    /// The places of the words of a path, each time that it stands in the text; one time without
    /// places if it can't be seen.
    fn places(&self, path: &[&str]) -> Vec<Vec<Span>> {
        let paths = self.letters.paths(path).into_iter();
        let spans: Vec<Vec<Span>> =
            paths.map(|words| words.iter().map(|word| self.place(word)).collect()).collect();
        if spans.is_empty() { vec![vec![self.node.span(); path.len()]] } else { spans }
    }

    fn calls(&mut self) {
        for call in std::mem::take(&mut self.letters.calls) {
            let span = self.place(&call);
            let arguments = Arguments::Computed;
            self.push(What::Call { function: call.text, arguments }, span);
        }
    }

    fn references(&mut self, text: &str) {
        let found = Expression::from_tree(&Value::from(text)).references();
        for name in found.parameters {
            for spans in self.places(&["parameters", &name]) {
                self.push(What::Parameter(name.clone()), spans[1]);
            }
        }
        for (kind, name) in found.connections {
            for spans in self.places(&["connections", &kind, &name]) {
                let name = Spanned::new(name.clone(), spans[2]);
                self.push(What::Connection { kind: kind.clone(), name }, spans[1]);
            }
        }
        for (step, name) in found.outputs {
            let mut path = vec!["outputs", step.as_str()];
            path.extend(name.as_deref());
            for spans in self.places(&path) {
                let name = name.clone().map(|name| Spanned::new(name, spans[2]));
                self.push(What::Output { step: step.clone(), name }, spans[1]);
            }
        }
        for (step, property) in found.statuses {
            for spans in self.places(&["steps", &step, &property]) {
                self.push(What::Status { step: step.clone() }, spans[1]);
            }
        }
    }

    /// Whole roots, events, and names that are no root. To the right of `|>` a path begins in
    /// another value, of which nothing is known here.
    fn roots(&mut self) {
        let paths = std::mem::take(&mut self.letters.paths);
        for path in paths.iter().filter(|path| !path.piped) {
            let Some(root) = path.words.first() else { continue };
            if let ("connections", Some(inside)) = (root.text.as_str(), path.words.get(3)) {
                let span = self.place(inside);
                self.push(What::InsideConnection, span);
            }
            let whole = path.words.len() == 1;
            let what = match root.text.as_str() {
                "parameters" if whole => What::AllParameters,
                "secrets" => What::Secret,
                "event" => What::Data,
                name if !self.any_root && !ROOTS.contains(&name) => {
                    What::UnknownRoot(name.to_owned())
                }
                _ => continue,
            };
            let span = self.place(root);
            self.push(what, span);
        }
    }
}
