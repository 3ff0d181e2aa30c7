//! From YAML with the language's tags to the JSON tree that means the same.
//!
//! `!Parameter x` becomes `{"$type": "Parameter", "name": "x"}`, `!Fn.f [a]` becomes
//! `{"$fn.f": ["a"]}`. Nothing is evaluated here, and no name is looked up.

use crate::diagnostic::{Code, Diagnostic, printable, quote};
use crate::source::{SourceFile, Span};
use crate::suggest::closest;
use crate::yaml::scalar::{self, Meaning};
use crate::yaml::{self, Kind, Node, Scalar, Tag, TagName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value};

/// Levels of a JSON tree. Readers of JSON stop at 128, and a plan wraps trees into a few more.
const DEPTH_MAX: usize = 110;
/// Values that aliases may repeat, in the whole file, on top of those that are written: fifty for
/// each of 40,000 steps.
const REPEATED_MAX: usize = 2_000_000;
/// The tags of the language, for suggestions.
const TAGS: &[&str] =
    &["Answer", "Connection", "Data", "Output", "Parameter", "Secret", "Fn.concat", "Fn.equals"];

/// Reads a text that holds one value with tags, for example a `spec` on its own.
///
/// # Errors
///
/// What is wrong with the text, if anything is.
pub fn value_of(source: &SourceFile) -> Result<Value, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let value = match yaml::read::read(source, &mut found) {
        Some(node) => Values::new(&mut found, node.tree_len()).expression(&node),
        None => {
            if found.is_empty() {
                found.push(Diagnostic::new(Code::WrongType, Span::default(), "the text is empty"));
            }
            Value::Null
        }
    };
    if found.iter().any(Diagnostic::is_error) { Err(found) } else { Ok(value) }
}

/// Makes JSON out of YAML, within bounds for a whole file.
pub(crate) struct Values<'f> {
    pub(crate) found: &'f mut Vec<Diagnostic>,
    left: usize,
    exhausted: bool,
}

/// Whether tags mean something at a place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Inside of `spec`, `env`, `when`, `binding`.
    Expression,
    /// Everywhere else.
    Data,
}

impl<'f> Values<'f> {
    /// For a file with `nodes` values.
    pub(crate) fn new(found: &'f mut Vec<Diagnostic>, nodes: usize) -> Self {
        Self { found, left: nodes + REPEATED_MAX, exhausted: false }
    }

    /// Whether the bounds were reached. Nobody may walk the tree again then: aliases can make
    /// that take for ever.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// The value of a node in whose place expressions are evaluated.
    pub(crate) fn expression(&mut self, node: &Node) -> Value {
        self.value(node, Place::Expression, 0)
    }

    /// The value of a node that is plain data. Relay drops tags there, so each gets a warning.
    pub(crate) fn data(&mut self, node: &Node) -> Value {
        self.value(node, Place::Data, 0)
    }

    /// The value of a mapping without its own tag.
    pub(crate) fn expressions(&mut self, node: &Node) -> Value {
        if let Some(name) = node.local_tag() {
            self.dropped(node, name);
        }
        self.collection(node, Place::Expression, 0)
    }

    /// Says that a tag has no effect.
    pub(crate) fn dropped(&mut self, node: &Node, name: &str) {
        let span = node.tag().map_or(node.span(), |tag| tag.span);
        let message = format!("the tag `!{}` has no effect here", printable(name));
        self.found.push(
            Diagnostic::new(Code::DroppedTag, span, message)
                .labelled("dropped")
                .noting("tags work inside of `spec`, `env`, `when` and `binding` only")
                .helping("leave the tag away, or move the value to where it is used"),
        );
    }

    fn value(&mut self, node: &Node, place: Place, depth: usize) -> Value {
        if !self.may_go_on(node, depth) {
            return Value::Null;
        }
        match (node.tag(), place) {
            (Some(Tag { name: TagName::Local(name), .. }), Place::Expression) => {
                self.tagged(node, name, depth)
            }
            (Some(Tag { name: TagName::Local(name), .. }), Place::Data) => {
                self.dropped(node, name);
                match node.kind() {
                    Kind::Scalar(scalar) => Value::from(scalar.text),
                    _ => self.collection(node, place, depth),
                }
            }
            (tag, _) => match node.kind() {
                Kind::Scalar(scalar) => self.scalar(node, scalar, tag, place),
                _ => self.collection(node, place, depth),
            },
        }
    }

    fn may_go_on(&mut self, node: &Node, depth: usize) -> bool {
        if self.exhausted {
            return false;
        }
        let message = if depth > DEPTH_MAX {
            format!(
                "values stand more than {DEPTH_MAX} levels deep here, aliases and tags included"
            )
        } else if self.left == 0 {
            format!("aliases repeat more than {REPEATED_MAX} values")
        } else {
            self.left -= 1;
            return true;
        };
        self.exhausted = true;
        self.found.push(Diagnostic::new(Code::YamlLimit, node.span(), message));
        false
    }

    fn collection(&mut self, node: &Node, place: Place, depth: usize) -> Value {
        match node.kind() {
            Kind::Sequence => {
                node.items().map(|item| self.value(&item, place, depth + 1)).collect()
            }
            _ => {
                let mut map = Map::new();
                for (key, value) in node.entries() {
                    let value = self.value(&value, place, depth + 1);
                    map.insert(key.text().unwrap_or_default().to_owned(), value);
                }
                Value::Object(map)
            }
        }
    }

    fn scalar(
        &mut self,
        node: &Node,
        scalar: Scalar<'_>,
        tag: Option<&Tag>,
        place: Place,
    ) -> Value {
        let Some(tag) = tag else {
            return if scalar.plain { self.plain(node, scalar.text) } else { scalar.text.into() };
        };
        match &tag.name {
            TagName::Core(name) if name == "str" => scalar.text.into(),
            TagName::Core(name) if name == "binary" => self.binary(node, scalar.text, place),
            TagName::Core(name) => self.of_core_type(node, scalar.text, name),
            TagName::Local(name) | TagName::Other(name) => {
                let message = format!("the language has no tag {}", quote(name));
                self.found.push(Diagnostic::new(Code::UnknownTag, tag.span, message));
                Value::Null
            }
        }
    }

    /// The value of a text without quotes.
    fn plain(&mut self, node: &Node, text: &str) -> Value {
        match scalar::resolve(text) {
            Meaning::Null => Value::Null,
            Meaning::Bool(value) => value.into(),
            Meaning::Int(value) => value.into(),
            Meaning::Unsigned(value) => value.into(),
            Meaning::Timestamp(value) => value.into(),
            Meaning::Text => text.into(),
            Meaning::Float(value) => match Number::from_f64(value) {
                Some(number) => number.into(),
                None => {
                    let message = format!("{} can't be part of a value", quote(text));
                    let help = "write a finite number, or put it between quotes";
                    let diagnostic = Diagnostic::new(Code::NotFinite, node.span(), message);
                    self.found.push(diagnostic.helping(help));
                    Value::Null
                }
            },
        }
    }

    /// A text after `!!int` and the like. Quotes don't matter then.
    fn of_core_type(&mut self, node: &Node, text: &str, name: &str) -> Value {
        let meaning = scalar::resolve(text);
        let fits = matches!(
            (&meaning, name),
            (Meaning::Int(_) | Meaning::Unsigned(_), "int" | "float")
                | (Meaning::Float(_), "float")
                | (Meaning::Null, "null")
                | (Meaning::Bool(_), "bool")
                | (Meaning::Timestamp(_), "timestamp")
        );
        if fits {
            return self.plain(node, text);
        }
        let message = format!(
            "{} is {}, which does not fit the tag `!!{}` before it",
            quote(text),
            meaning.article(),
            printable(name)
        );
        self.found.push(Diagnostic::new(Code::YamlValue, node.span(), message));
        Value::Null
    }

    fn binary(&mut self, node: &Node, text: &str, place: Place) -> Value {
        if place == Place::Expression {
            return object([("$encoding", "base64".into()), ("data", text.into())]);
        }
        let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        match STANDARD.decode(compact).map(String::from_utf8) {
            Ok(Ok(text)) => text.into(),
            _ => {
                let message = "the text after `!!binary` is no base64, or no text inside of it";
                self.found.push(Diagnostic::new(Code::YamlValue, node.span(), message));
                Value::Null
            }
        }
    }

    fn tagged(&mut self, node: &Node, name: &str, depth: usize) -> Value {
        match name {
            "Parameter" | "Secret" => self.one(node, name, "name", depth),
            "Data" => self.one(node, name, "query", depth),
            "Connection" => self.two(node, name, ["type", "name"], depth),
            "Output" => self.two(node, name, ["from", "name"], depth),
            "Answer" => self.two(node, name, ["askRef", "name"], depth),
            _ => match name.strip_prefix("Fn.") {
                Some("") => {
                    let message = "the name of a function is missing after `!Fn.`";
                    self.refuse_form(
                        node,
                        message.to_owned(),
                        "write for example `!Fn.concat [a, b]`",
                    )
                }
                Some(function) => self.call(node, function, depth),
                None => self.unknown_tag(node, name),
            },
        }
    }

    fn call(&mut self, node: &Node, function: &str, depth: usize) -> Value {
        let arguments = match node.kind() {
            Kind::Scalar(scalar) => vec![self.plain(node, scalar.text)].into(),
            _ => self.collection(node, Place::Expression, depth + 1),
        };
        object([(&format!("$fn.{function}"), arguments)])
    }

    /// `!Parameter x`, `!Parameter [x]` or `!Parameter {name: x}`.
    fn one(&mut self, node: &Node, tag: &str, field: &str, depth: usize) -> Value {
        let value = match node.kind() {
            Kind::Scalar(scalar) => Some(self.plain(node, scalar.text)),
            Kind::Sequence => {
                let mut items = node.items();
                (items.len() == 1)
                    .then(|| items.next())
                    .flatten()
                    .map(|item| self.value(&item, Place::Expression, depth + 1))
            }
            Kind::Mapping => (node.entries().len() == 1)
                .then(|| node.get(field))
                .flatten()
                .map(|item| self.value(&item, Place::Expression, depth + 1)),
        };
        match value {
            Some(value) => object([("$type", tag.into()), (field, value)]),
            None => {
                let message = format!("`!{tag}` takes one {field}");
                self.refuse_form(node, message, &format!("write `!{tag} {}`", field.to_uppercase()))
            }
        }
    }

    /// `!Output {from: s, name: n}` or `!Output [s, n]`.
    fn two(&mut self, node: &Node, tag: &str, fields: [&str; 2], depth: usize) -> Value {
        let pair = match node.kind() {
            Kind::Scalar(_) => None,
            Kind::Sequence => {
                let items: Vec<Node> =
                    if node.items().len() == 2 { node.items().collect() } else { Vec::new() };
                <[Node; 2]>::try_from(items).ok()
            }
            Kind::Mapping if node.entries().len() == 2 => {
                node.get(fields[0]).zip(node.get(fields[1])).map(|(first, second)| [first, second])
            }
            Kind::Mapping => None,
        };
        let Some([first, second]) = pair else {
            let message =
                format!("`!{tag}` takes `{}` and `{}`, and nothing else", fields[0], fields[1]);
            let [first, second] = fields;
            let help = format!("write `!{tag} {{{first}: …, {second}: …}}`");
            return self.refuse_form(node, message, &help);
        };
        let first = self.value(&first, Place::Expression, depth + 1);
        let second = self.value(&second, Place::Expression, depth + 1);
        object([("$type", tag.into()), (fields[0], first), (fields[1], second)])
    }

    fn refuse_form(&mut self, node: &Node, message: String, help: &str) -> Value {
        let tag = node.tag().map_or(node.span(), |tag| tag.span);
        let span = match node.kind() {
            Kind::Scalar(_) => tag.join(node.span()),
            _ => tag,
        };
        self.found.push(Diagnostic::new(Code::TagForm, span, message).helping(help));
        Value::Null
    }

    fn unknown_tag(&mut self, node: &Node, name: &str) -> Value {
        let span = node.tag().map_or(node.span(), |tag| tag.span);
        let message = format!("the language has no tag {}", quote(&format!("!{name}")));
        let diagnostic = Diagnostic::new(Code::UnknownTag, span, message);
        let diagnostic = match closest(name, TAGS.iter().copied()) {
            Some(known) => diagnostic
                .helping(format!("did you mean `!{known}`?"))
                .fixed_by(span, format!("!{known}")),
            None => diagnostic.helping(
                "the tags are `!Parameter`, `!Output`, `!Connection`, `!Secret`, `!Data`, \
                 `!Answer` and `!Fn.NAME`; a text that begins with `!` needs quotes",
            ),
        };
        self.found.push(diagnostic);
        Value::Null
    }
}

fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Where in the text a place of the JSON tree stands: the deepest node on the way to it.
pub(crate) fn locate<'p>(node: &Node, path: impl IntoIterator<Item = &'p str>) -> Node {
    let mut node = node.clone();
    for segment in path {
        // The function's own level exists in JSON only.
        if node.local_tag().is_some() && segment.starts_with("$fn.") {
            continue;
        }
        let child = match node.kind() {
            Kind::Mapping => node.get(segment),
            Kind::Sequence => segment.parse().ok().and_then(|index| node.items().nth(index)),
            Kind::Scalar(_) => None,
        };
        match child {
            Some(child) => node = child,
            None => break,
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(text: &str) -> Result<Value, Vec<(&'static str, String)>> {
        let source = SourceFile::new("test.yaml", text);
        value_of(&source).map_err(|found| {
            found.into_iter().map(|d| (d.code.as_str(), source.slice(d.span).to_owned())).collect()
        })
    }

    #[test]
    fn tags_become_their_json_form() {
        let cases = [
            ("a: !Parameter x", json!({"a": {"$type": "Parameter", "name": "x"}})),
            ("!Parameter", json!({"$type": "Parameter", "name": null})),
            ("!Parameter 5", json!({"$type": "Parameter", "name": 5})),
            ("!<!Parameter> s", json!({"$type": "Parameter", "name": "s"})),
            ("!Parameter {name: x}", json!({"$type": "Parameter", "name": "x"})),
            ("!Secret [x]", json!({"$type": "Secret", "name": "x"})),
            ("!Output [a, b]", json!({"$type": "Output", "from": "a", "name": "b"})),
            ("!Fn.concat 'true'", json!({"$fn.concat": [true]})),
            ("!Fn.merge\n  objects: [{a: 1}]", json!({"$fn.merge": {"objects": [{"a": 1}]}})),
            (
                "!Fn.concat [a, !Fn.concat [!Parameter x]]",
                json!({"$fn.concat": ["a", {"$fn.concat": [{"$type": "Parameter", "name": "x"}]}]}),
            ),
            ("!!binary aGk=", json!({"$encoding": "base64", "data": "aGk="})),
            ("!!set {a, b}", json!({"a": null, "b": null})),
            ("!!str 5", json!("5")),
            ("!!int '5'", json!(5)),
            ("! 5", json!(5)),
            (
                "a: &x !Parameter s\nb: *x",
                json!({
                "a": {"$type": "Parameter", "name": "s"}, "b": {"$type": "Parameter", "name": "s"}}),
            ),
            (
                "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}",
                json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 3}}),
            ),
            ("b: {<<: [{p: 1}, {p: 2, q: 2}]}", json!({"b": {"p": 1, "q": 2}})),
            ("'<<': 1", json!({"<<": 1})),
            ("a: |\n  x\n  y", json!({"a": "x\ny"})),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_pointed_at() {
        let cases = [
            ("a: !Fetch ball", "unknown-tag", "!Fetch"),
            ("a: !Fn x", "unknown-tag", "!Fn"),
            ("a: !Fn. x", "tag-form", "!Fn. x"),
            ("a: !Output x", "tag-form", "!Output x"),
            ("a: !Output [a]", "tag-form", "!Output"),
            ("a: !Connection {type: a, nm: b}", "tag-form", "!Connection"),
            ("a: !Parameter [s, x]", "tag-form", "!Parameter"),
            ("a: !!int x", "yaml-value", "x"),
            ("a: .inf", "not-finite", ".inf"),
            ("5: x", "yaml-key", "5"),
            ("true: x", "yaml-key", "true"),
            ("? [a]\n: x", "yaml-key", "[a]"),
            ("a: 1\na: 2", "yaml-duplicate-key", "a"),
            ("a: [*u]", "yaml-alias", "*u"),
            ("a: &a [*a]", "yaml-alias", "*a"),
            ("a: {<<: 5}", "yaml-merge", "5"),
            ("a: b: c", "yaml-syntax", ":"),
            ("a: 'x", "yaml-syntax", "'"),
        ];
        for (text, code, at) in cases {
            let found = read(text).expect_err(text);
            assert_eq!(found.first(), Some(&(code, at.to_owned())), "{text}: {found:?}");
        }
    }

    #[test]
    fn aliases_can_t_be_used_to_fill_the_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..10 {
            let items = vec![format!("*a{}", n - 1); 9].join(", ");
            text.push_str(&format!("a{n}: &a{n} [{items}]\n"));
        }
        let found = read(&text).expect_err("too large");
        assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["yaml-limit"]);
    }

    #[test]
    fn a_place_in_the_tree_is_found_in_the_text() {
        let source = SourceFile::new("a", "args: !Fn.concat [a, !Parameter x]\nb: {c: [1, 2]}\n");
        let mut found = Vec::new();
        let node = yaml::read::read(&source, &mut found).expect("YAML");
        let at = |path: &[&str]| source.slice(locate(&node, path.iter().copied()).span());
        assert_eq!(at(&["args", "$fn.concat", "0"]), "a");
        assert_eq!(at(&["args", "$fn.concat", "1", "name"]), "x");
        assert_eq!(at(&["b", "c", "1"]), "2");
        assert_eq!(at(&["b", "zzz"]), "{c: [1, 2]}");
    }
}
