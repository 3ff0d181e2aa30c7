//! Everything that can go wrong inside an evaluation, layer by layer.
//!
//! The wording follows Relay's, since runbook authors search for it. A fault carries its cause
//! inside its text; [`crate::EvaluateError`] is what other rooms see of it.

use crate::parser::ParseError;
use crate::show::cut;

/// What went wrong, outermost layer first.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("path {}: {cause}", quoted(&dotted(keys)))]
    Path {
        /// Innermost key first.
        keys: Vec<String>,
        cause: Box<Fault>,
    },
    #[error("evaluating template {}: {cause}", quoted(start))]
    Template { start: &'static str, cause: Box<Fault> },
    #[error("{0}")]
    Parse(#[from] ParseError),
    #[error("could not evaluate a {kind} type: {cause}")]
    Reference { kind: &'static str, cause: Box<Fault> },
    #[error("could not evaluate encoding {}: {cause}", quoted(name))]
    Encoding { name: String, cause: Box<Fault> },
    #[error("invocation of function {} failed: {cause}", quoted(name))]
    Invocation { name: String, cause: Box<Fault> },
    #[error("{label}: {cause}")]
    Argument { label: String, cause: Box<Fault> },
    #[error("query {}: {cause}", quoted(query))]
    Query { query: String, cause: Box<Fault> },
    #[error("array index {index}: {cause}")]
    ArrayIndex { index: usize, cause: Box<Fault> },

    #[error("unknown key {}", cut(.0))]
    UnknownKey(String),
    #[error("unknown field {}", cut(.0))]
    UnknownField(String),
    #[error("index {0} out of bounds")]
    OutOfBounds(i64),
    #[error(
        "unexpected string index {} for slice, must be convertible to int: \
         strconv.ParseInt: parsing {}: {problem}",
        quoted(&cut(text)),
        quoted(&cut(text))
    )]
    TextIndex { text: String, problem: &'static str },
    #[error("unexpected index type {0} for slice")]
    IndexType(&'static str),
    #[error("unexpected key type {0} for map")]
    KeyType(&'static str),
    #[error("unsupported value type {kind} for select of field {}", cut(field))]
    Select { kind: &'static str, field: String },
    #[error("the required field {} could not be found", quoted(.0))]
    MissingField(&'static str),
    #[error("default data resolver could not be found")]
    NoDefaultData,
    #[error("data resolver {} could not be found", quoted(.0))]
    NoData(String),

    #[error("function not found{}", did_you_mean(.0))]
    UnknownFunction(Option<&'static str>),
    #[error("arg not found")]
    MissingArgument,
    #[error("keyword arguments cannot be used")]
    Keywords,
    #[error("unexpected number of arguments: {got} (wanted {wanted})")]
    Arity { got: usize, wanted: String },
    #[error("unexpected type {got} (wanted {wanted})")]
    ValueType { got: &'static str, wanted: &'static str },
    #[error("unexpected value {0}, wanted one of \"deep\" or \"shallow\"")]
    MergeMode(String),
    #[error("convert: type not supported; use `html` or `jira`")]
    MarkdownTarget,
    #[error("{0}")]
    JsonText(String),
    #[error("transfer: unknown encoding type")]
    UnknownEncoding,
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),

    #[error("operand of type {0} is not supported")]
    Operand(&'static str),
    #[error("operands of types {0} and {1} are not supported")]
    Operands(&'static str, &'static str),
    #[error("invalid operation ({left}) {symbol} ({right})")]
    Operation { left: &'static str, symbol: &'static str, right: &'static str },
    #[error("unexpected {shown}({kind}) expected number")]
    NoNumber { shown: String, kind: &'static str },
    #[error("unexpected {0} expected bool")]
    NoBool(&'static str),
    #[error("error parsing regexp: {0}")]
    Pattern(String),
    #[error("json: unsupported value: {0}")]
    Unencodable(String),
    #[error("jsonpath: unknown variable type string; a path begins with `$`, `@` or a dot")]
    Variable,
    #[error("could not call function: jsonpath: unknown variable type string")]
    CallInPath,

    #[error("`steps` has no value of its own; name a step and `failed`, `skipped` or `succeeded`")]
    StepsRoot,
    #[error("the current time is not known here")]
    NoClock,
    #[error("nested deeper than {} levels", crate::limits::DEPTH_MAX)]
    TooDeep,
    #[error("a value would take more than {} MiB", crate::limits::OUTPUT_BYTES_MAX >> 20)]
    TooLarge,
    #[error("the expression needs more work than {} steps", crate::limits::WORK_MAX)]
    TooMuchWork,
}

/// A kind of mistake, coarse enough to decide on, named as authors look it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// The text is no expression.
    Parse,
    /// A key or a root that is not there.
    UnknownKey,
    /// An index outside of its list.
    IndexOutOfBounds,
    /// An index that is no number, a key that is no text.
    BadIndex,
    /// A key asked of a text, a number, a boolean or null.
    UnsupportedSelect,
    /// A reference without its name.
    MissingField,
    /// No such function.
    FunctionNotFound,
    /// Too many or too few arguments.
    Arity,
    /// A keyword argument that is required.
    ArgMissing,
    /// Keywords given to a function without any.
    KeywordNotAllowed,
    /// An argument of the wrong type.
    ArgType,
    /// An operator between types that it has no meaning for.
    OperatorType,
    /// `convertMarkdown` to an unknown format.
    Markdown,
    /// A text that is no JSON.
    JsonParse,
    /// An unknown encoding, or data that is not of its encoding.
    Encoding,
    /// A value that JSON can't hold: an infinity, or what is no number.
    Unencodable,
    /// A bound of [`crate::limits`].
    Limit,
    /// Anything else.
    Eval,
}

impl Class {
    /// The class in kebab-case, as diagnostics print it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parse => "parse",
            Self::UnknownKey => "unknown-key",
            Self::IndexOutOfBounds => "index-out-of-bounds",
            Self::BadIndex => "bad-index",
            Self::UnsupportedSelect => "unsupported-select",
            Self::MissingField => "missing-field",
            Self::FunctionNotFound => "function-not-found",
            Self::Arity => "arity",
            Self::ArgMissing => "arg-missing",
            Self::KeywordNotAllowed => "keyword-not-allowed",
            Self::ArgType => "arg-type",
            Self::OperatorType => "operator-type",
            Self::Markdown => "markdown",
            Self::JsonParse => "json-parse",
            Self::Encoding => "encoding",
            Self::Unencodable => "unencodable",
            Self::Limit => "limit",
            Self::Eval => "eval",
        }
    }
}

impl Fault {
    /// This fault, found below `key`.
    pub(crate) fn at(self, key: impl Into<String>) -> Self {
        match self {
            Self::Path { mut keys, cause } => {
                keys.push(key.into());
                Self::Path { keys, cause }
            }
            cause => Self::Path { keys: vec![key.into()], cause: Box::new(cause) },
        }
    }

    /// This fault, found inside the braces that `start` opens.
    pub(crate) fn in_template(self, start: &'static str) -> Self {
        Self::Template { start, cause: Box::new(self) }
    }

    pub(crate) fn in_reference(self, kind: &'static str) -> Self {
        Self::Reference { kind, cause: Box::new(self) }
    }

    pub(crate) fn in_encoding(self, name: &str) -> Self {
        Self::Encoding { name: name.to_owned(), cause: Box::new(self) }
    }

    pub(crate) fn in_call(self, name: &str) -> Self {
        Self::Invocation { name: name.to_owned(), cause: Box::new(self) }
    }

    pub(crate) fn in_argument(self, label: String) -> Self {
        Self::Argument { label, cause: Box::new(self) }
    }

    pub(crate) fn in_query(self, query: &str) -> Self {
        Self::Query { query: query.to_owned(), cause: Box::new(self) }
    }

    /// The layer below this one.
    fn cause(&self) -> Option<&Self> {
        match self {
            Self::Path { cause, .. }
            | Self::Template { cause, .. }
            | Self::Reference { cause, .. }
            | Self::Encoding { cause, .. }
            | Self::Invocation { cause, .. }
            | Self::Argument { cause, .. }
            | Self::Query { cause, .. }
            | Self::ArrayIndex { cause, .. } => Some(cause),
            _ => None,
        }
    }

    fn innermost(&self) -> &Self {
        std::iter::successors(Some(self), |fault| fault.cause()).last().unwrap_or(self)
    }

    /// Whether this says that something is not there, which `exists` and a default of `path` forgive.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(
            self.innermost(),
            Self::UnknownKey(_) | Self::UnknownField(_) | Self::OutOfBounds(_)
        )
    }

    /// Whether a JSONPath must report this instead of finding nothing.
    pub(crate) fn stops_a_jsonpath(&self) -> bool {
        matches!(
            self,
            Self::Path { .. }
                | Self::Reference { .. }
                | Self::Encoding { .. }
                | Self::Invocation { .. }
                | Self::Variable
        ) || self.class() == Class::Limit
    }

    /// The kind of mistake at the bottom.
    pub(crate) fn class(&self) -> Class {
        match self.innermost() {
            Self::Parse(_) | Self::Variable => Class::Parse,
            Self::UnknownKey(_) | Self::UnknownField(_) => Class::UnknownKey,
            Self::OutOfBounds(_) => Class::IndexOutOfBounds,
            Self::TextIndex { .. } | Self::IndexType(_) | Self::KeyType(_) => Class::BadIndex,
            Self::Select { .. } => Class::UnsupportedSelect,
            Self::MissingField(_) | Self::NoDefaultData | Self::NoData(_) => Class::MissingField,
            Self::UnknownFunction(_) => Class::FunctionNotFound,
            Self::Arity { .. } => Class::Arity,
            Self::MissingArgument => Class::ArgMissing,
            Self::Keywords => Class::KeywordNotAllowed,
            Self::ValueType { .. } | Self::MergeMode(_) => Class::ArgType,
            Self::MarkdownTarget => Class::Markdown,
            Self::JsonText(_) => Class::JsonParse,
            Self::UnknownEncoding | Self::Base64(_) => Class::Encoding,
            Self::Operand(_)
            | Self::Operands(..)
            | Self::Operation { .. }
            | Self::NoNumber { .. }
            | Self::NoBool(_)
            | Self::Pattern(_) => Class::OperatorType,
            Self::Unencodable(_) => Class::Unencodable,
            Self::TooDeep | Self::TooLarge | Self::TooMuchWork => Class::Limit,
            Self::CallInPath | Self::StepsRoot | Self::NoClock => Class::Eval,
            Self::Path { .. }
            | Self::Template { .. }
            | Self::Reference { .. }
            | Self::Encoding { .. }
            | Self::Invocation { .. }
            | Self::Argument { .. }
            | Self::Query { .. }
            | Self::ArrayIndex { .. } => Class::Eval,
        }
    }

    /// The keys from the root of the tree to the mistake, outermost first.
    pub(crate) fn keys(&self) -> Vec<String> {
        match self {
            Self::Path { keys, .. } => keys.iter().rev().cloned().collect(),
            _ => Vec::new(),
        }
    }
}

fn dotted(innermost_first: &[String]) -> String {
    innermost_first.iter().rev().map(String::as_str).collect::<Vec<_>>().join(".")
}

fn did_you_mean(name: &Option<&'static str>) -> String {
    name.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// `text` in double quotes, with everything unprintable escaped.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_paths_become_one() {
        let fault = Fault::UnknownKey("nope".into()).at("b").at("1").at("a");
        assert_eq!(fault.to_string(), "path \"a.1.b\": unknown key nope");
        assert_eq!(fault.keys(), ["a", "1", "b"]);
        assert_eq!(fault.class(), Class::UnknownKey);
    }

    #[test]
    fn a_template_between_two_paths_keeps_both() {
        let fault = Fault::UnknownKey("nope".into()).at("nope").in_template("${").at("a");
        let text = "path \"a\": evaluating template \"${\": path \"nope\": unknown key nope";
        assert_eq!(fault.to_string(), text);
        assert_eq!(fault.keys(), ["a"]);
        assert!(fault.is_absence());
    }

    #[test]
    fn quotes_hide_control_characters() {
        assert_eq!(quoted("a\"\u{1b}\n\u{85}é"), "\"a\\\"\\x1b\\n\\u0085é\"");
    }
}
