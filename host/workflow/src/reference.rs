//! Finds what an expression refers to and calls, with the place of each.
//!
//! Walks the text in the order of evaluation: what the evaluator would leave alone (mapping keys,
//! names of references, unknown `$type`s) is left alone here too. Nothing is looked up.

mod template;

use crate::document::Written;
use crate::source::{Span, Spanned};
use crate::yaml::{Kind, Node};

/// Something in an expression that a rule may want to look at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Site {
    pub(crate) what: What,
    /// Of the first name that it has, or else of the whole.
    pub(crate) span: Span,
    /// Whether the expression goes on with something else when this has no value (`coalesce`).
    pub(crate) guarded: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Parameter(String),
    /// `${parameters}` as a whole.
    AllParameters,
    Secret,
    Connection {
        kind: String,
        name: Spanned<String>,
    },
    /// Something inside of a connection, such as its key.
    InsideConnection,
    /// Without a name: all outputs of a step.
    Output {
        step: String,
        name: Option<Spanned<String>>,
    },
    Answer {
        step: String,
    },
    Status {
        step: String,
    },
    Data,
    Call {
        function: String,
        arguments: Arguments,
    },
    /// A reference without what it needs.
    Malformed(String),
    /// A template that can't be read.
    BadTemplate(String),
    /// A template that begins with a name that exists nowhere.
    UnknownRoot(String),
}

/// How a function is called.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arguments {
    Positional(usize),
    Keywords(Vec<String>),
    /// A reference that may come to a list or a mapping.
    Computed,
}

/// Nesting up to which is looked; [`crate::tags`] has refused what is deeper.
const DEPTH_MAX: usize = 128;

/// Everything that a value refers to, in the order of the text.
pub(crate) fn sites(written: &Written) -> Vec<Site> {
    let mut walk = Walk { sites: Vec::new() };
    walk.value(&written.node, false, 0);
    walk.sites
}

/// Like [`sites`] for a mapping whose own tag has no effect.
pub(crate) fn sites_of_mapping(written: &Written) -> Vec<Site> {
    let mut walk = Walk { sites: Vec::new() };
    for (_, value) in written.node.entries() {
        walk.value(&value, false, 1);
    }
    walk.sites
}

struct Walk {
    sites: Vec<Site>,
}

impl Walk {
    fn push(&mut self, what: What, span: Span, guarded: bool) {
        self.sites.push(Site { what, span, guarded });
    }

    fn value(&mut self, node: &Node, guarded: bool, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if let Some(tag) = node.local_tag() {
            match tag.strip_prefix("Fn.") {
                // The tags room has said what is wrong with it.
                Some("") => (),
                Some(function) => self.tagged_call(node, function, guarded, depth),
                None => self.tagged_reference(node, tag, guarded),
            }
            return;
        }
        match node.kind() {
            Kind::Scalar(scalar) if node.tag().is_none_or(|tag| !tag.is_core("binary")) => {
                if scalar.text.contains("${") {
                    template::sites(node, scalar.text, guarded, &mut self.sites);
                }
            }
            Kind::Scalar(_) => (),
            Kind::Sequence => {
                node.items().for_each(|item| self.value(&item, guarded, depth + 1));
            }
            Kind::Mapping => self.mapping(node, guarded, depth),
        }
    }

    fn mapping(&mut self, node: &Node, guarded: bool, depth: usize) {
        if let Some(kind) = node.get("$type") {
            self.reference_in_json_form(node, &kind, guarded);
            return;
        }
        if node.get("$encoding").is_some_and(|encoding| encoding.is_text()) {
            if let Some(data) = node.get("data") {
                self.value(&data, guarded, depth + 1);
            }
            return;
        }
        let mut entries = node.entries();
        if entries.len() == 1
            && let Some((key, arguments)) = entries.next()
            && let Some(function) = key.text().and_then(|key| key.strip_prefix("$fn."))
        {
            self.call(&arguments, function, key.span(), guarded, depth);
            return;
        }
        node.entries().for_each(|(_, value)| self.value(&value, guarded, depth + 1));
    }

    /// `{$type: Parameter, name: x}`. An unknown type makes it plain data.
    fn reference_in_json_form(&mut self, node: &Node, kind: &Node, guarded: bool) {
        let fields: &[&str] = match kind.text().filter(|_| kind.is_text()) {
            Some("Parameter" | "Secret") => &["name"],
            Some("Data") => &["query"],
            Some("Connection") => &["type", "name"],
            Some("Output") if node.get("from").is_none() => &["taskName", "name"],
            Some("Output") => &["from", "name"],
            Some("Answer") => &["askRef", "name"],
            _ => return,
        };
        let kind = kind.text().unwrap_or_default();
        let values: Vec<Option<Node>> = fields.iter().map(|field| node.get(field)).collect();
        self.reference(node, kind, fields.iter().copied().zip(values), guarded);
    }

    fn tagged_reference(&mut self, node: &Node, tag: &str, guarded: bool) {
        let fields: &[&str] = match tag {
            "Parameter" | "Secret" => &["name"],
            "Data" => &["query"],
            "Connection" => &["type", "name"],
            "Output" => &["from", "name"],
            "Answer" => &["askRef", "name"],
            _ => return,
        };
        if matches!(node.kind(), Kind::Scalar(_)) && fields.len() == 1 {
            self.reference_by_scalar(node, tag, fields[0], guarded);
            return;
        }
        let values: Vec<Option<Node>> = match node.kind() {
            Kind::Scalar(_) => return,
            Kind::Sequence => node.items().map(Some).collect(),
            Kind::Mapping => fields.iter().map(|field| node.get(field)).collect(),
        };
        // Another number of values was refused as a form that the tag does not have.
        if values.len() == fields.len() && values.iter().all(Option::is_some) {
            self.reference(node, tag, fields.iter().copied().zip(values), guarded);
        }
    }

    /// `!Parameter x`. Quotes don't count here: `!Parameter 'true'` has no name.
    fn reference_by_scalar(&mut self, node: &Node, tag: &str, field: &str, guarded: bool) {
        let (text, span) = (node.text().unwrap_or_default(), node.span());
        let what = match tag {
            _ if !node.is_plainly_text() => What::Malformed(not_a_name(tag, field)),
            "Parameter" => What::Parameter(text.to_owned()),
            "Data" => What::Data,
            _ => What::Secret,
        };
        let empty = span.start == span.end;
        let span = if empty { node.tag().map_or(span, |tag| tag.span) } else { span };
        self.push(what, span, guarded);
    }

    fn reference<'n>(
        &mut self,
        node: &Node,
        kind: &str,
        fields: impl Iterator<Item = (&'n str, Option<Node>)>,
        guarded: bool,
    ) {
        let mut texts = Vec::new();
        for (field, value) in fields {
            match value {
                Some(value) if is_name(&value) => {
                    texts.push((value.text().unwrap_or_default().to_owned(), value.span()));
                }
                other => {
                    let span = other.as_ref().map_or_else(|| node.head(), Node::head);
                    self.push(What::Malformed(not_a_name(kind, field)), span, guarded);
                    return;
                }
            }
        }
        let mut texts = texts.into_iter();
        let Some((first, span)) = texts.next() else { return };
        let name = texts.next().map(|(name, span)| Spanned::new(name, span));
        let what = match (kind, name) {
            ("Parameter", _) => What::Parameter(first),
            ("Secret", _) => What::Secret,
            ("Data", _) => What::Data,
            ("Connection", Some(name)) => What::Connection { kind: first, name },
            ("Output", name) => What::Output { step: first, name },
            _ => What::Answer { step: first },
        };
        self.push(what, span, guarded);
    }

    fn tagged_call(&mut self, node: &Node, function: &str, guarded: bool, depth: usize) {
        let span = node.tag().map_or(node.span(), |tag| tag.span);
        match node.kind() {
            Kind::Scalar(scalar) => {
                let arguments = Arguments::Positional(1);
                self.push(What::Call { function: function.to_owned(), arguments }, span, guarded);
                if scalar.text.contains("${") {
                    let guarded = guarded || function == "coalesce";
                    template::sites(node, scalar.text, guarded, &mut self.sites);
                }
            }
            _ => self.arguments(node, function, span, guarded, depth),
        }
    }

    /// The arguments of `{$fn.f: …}`.
    fn call(&mut self, node: &Node, function: &str, span: Span, guarded: bool, depth: usize) {
        let plain = node.local_tag().is_none()
            && ["$type", "$encoding"].iter().all(|key| node.get(key).is_none());
        match node.kind() {
            Kind::Sequence | Kind::Mapping if plain => {
                self.arguments(node, function, span, guarded, depth);
            }
            _ => {
                let computed = !plain || node.text().is_some_and(|text| text.contains("${"));
                let arguments =
                    if computed { Arguments::Computed } else { Arguments::Positional(1) };
                self.push(What::Call { function: function.to_owned(), arguments }, span, guarded);
                self.value(node, guarded || function == "coalesce", depth + 1);
            }
        }
    }

    fn arguments(&mut self, node: &Node, function: &str, span: Span, guarded: bool, depth: usize) {
        let keywords =
            || node.entries().map(|(key, _)| key.text().unwrap_or_default().to_owned()).collect();
        let arguments = match node.kind() {
            Kind::Mapping => Arguments::Keywords(keywords()),
            _ => Arguments::Positional(node.items().len()),
        };
        self.push(What::Call { function: function.to_owned(), arguments }, span, guarded);
        let guarded = guarded || function == "coalesce";
        node.items().for_each(|item| self.value(&item, guarded, depth + 1));
        node.entries().for_each(|(_, value)| self.value(&value, guarded, depth + 1));
    }
}

fn not_a_name(kind: &str, field: &str) -> String {
    format!("the `{field}` of a reference to {} must be a plain text", article(kind))
}

fn article(kind: &str) -> String {
    let kind = kind.to_lowercase();
    let article = if kind.starts_with(['a', 'o']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Whether a value is a text, and not an expression that would come to one.
fn is_name(value: &Node) -> bool {
    value.tag().is_none_or(|tag| tag.is_core("str")) && value.is_text()
}
