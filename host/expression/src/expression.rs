//! What may stand where a workflow takes a value: data, references, calls, templates.
//!
//! An expression is made from Relay's JSON tree and can be written as one again. It holds no
//! value that it refers to. Making one never fails: a mistake is kept and reported when the
//! expression is evaluated.

mod collect;
mod read;
mod write;

use crate::fault::Fault;
use crate::parser::ParseError;
use crate::references::References;
use crate::syntax::Ast;
use crate::template::Template;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value, or how to get one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Expression {
    /// Inert data. A text with `${` in it stays as it is.
    Literal(Value),
    /// A list with something to evaluate in it.
    List(Vec<Expression>),
    /// A mapping with something to evaluate in it. Keys are never evaluated.
    Map(BTreeMap<String, Expression>),
    /// A name for a value that is elsewhere.
    Reference(Reference),
    /// A function call, `!Fn.name`.
    Call(Call),
    /// A text with `${…}` in it.
    Template(Template),
    /// Encoded data, `!!binary`.
    Encoded(Encoded),
    /// A mistake, which makes every evaluation fail.
    Malformed(Malformed),
}

/// A name for a value that is elsewhere.
#[derive(Clone, Debug)]
pub struct Reference {
    pub(crate) target: Box<Target>,
    /// The mapping as written: additional keys are ignored, but kept.
    pub(crate) written: Value,
}

impl Reference {
    /// What is referred to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }
}

/// What a mapping with `$type` refers to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// `!Parameter`
    Parameter {
        /// The parameter's name.
        name: String,
    },
    /// `!Secret`
    Secret {
        /// The secret's name.
        name: String,
    },
    /// `!Connection`
    Connection {
        /// The connection's type.
        kind: String,
        /// The connection's name.
        name: String,
    },
    /// `!Output`
    Output {
        /// The step that sets it.
        from: String,
        /// The output's name.
        name: String,
    },
    /// `!Answer`
    Answer {
        /// The step that asks.
        ask: String,
        /// The answer's name.
        name: String,
    },
    /// `!Data`
    Data {
        /// Which data; `None` is the default one.
        name: Option<String>,
        /// What to take from it.
        query: DataQuery,
    },
}

/// The query of a `!Data`, read ahead.
#[derive(Clone, Debug)]
pub struct DataQuery {
    pub(crate) text: String,
    pub(crate) parsed: Result<Arc<Ast>, ParseError>,
}

impl DataQuery {
    /// The query as written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with the query, if anything.
    #[must_use]
    pub fn error(&self) -> Option<&ParseError> {
        self.parsed.as_ref().err()
    }
}

/// A function call in a tree.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) name: String,
    pub(crate) argument: Box<Expression>,
    /// The argument was a single expression that could not be evaluated yet. It is written as a
    /// list of one, but may still turn out to be the list of all arguments.
    pub(crate) waiting: bool,
}

impl Call {
    /// The function's name, known or not.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A list for positional arguments, a mapping for keywords, or one argument.
    #[must_use]
    pub fn argument(&self) -> &Expression {
        &self.argument
    }
}

/// Data in an encoding.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub(crate) encoding: String,
    pub(crate) data: Box<Expression>,
}

/// A tree that can't be evaluated.
#[derive(Clone, Debug)]
pub struct Malformed {
    pub(crate) written: Value,
    pub(crate) fault: Box<Fault>,
}

impl Malformed {
    /// What is wrong.
    #[must_use]
    pub fn error(&self) -> crate::EvaluateError {
        self.fault.as_ref().clone().into()
    }
}

impl Expression {
    /// Reads Relay's JSON tree: `$type`, `$encoding`, `$fn.NAME` and `${…}` in texts.
    ///
    /// Total: a mistake becomes an expression that fails when it is evaluated, and so does what
    /// is nested deeper than [`crate::limits::DEPTH_MAX`].
    #[must_use]
    pub fn from_tree(tree: &Value) -> Self {
        read::expression(tree, 0)
    }

    /// Inert data: nothing in `value` is evaluated, whatever it looks like.
    #[must_use]
    pub fn literal(value: Value) -> Self {
        Self::Literal(value)
    }

    /// The tree from which [`Expression::from_tree`] reads an expression of the same meaning.
    ///
    /// It is what the author wrote, with what is resolved filled in. Inert data that looks like
    /// something to evaluate (`${…}` in a parameter's text) is written so that it stays inert:
    /// that is what makes it safe to keep a half-evaluated expression and go on from it.
    #[must_use]
    pub fn to_tree(&self) -> Value {
        write::tree(self, write::Inert::Protected)
    }

    /// The tree as Relay's API shows it, for people. Inert data stands there as it is, so this
    /// must never be read as an expression again; use [`Expression::to_tree`] for that.
    #[must_use]
    pub fn to_shown(&self) -> Value {
        write::tree(self, write::Inert::AsIs)
    }

    /// What the expression refers to, as far as its text tells: names in mappings, and paths
    /// with constant keys in templates. Names that are computed are not known before a run, and
    /// a whole root (`${parameters}`) names nothing.
    #[must_use]
    pub fn references(&self) -> References {
        collect::references(self)
    }

    /// The value if there is nothing to evaluate.
    #[must_use]
    pub fn as_literal(&self) -> Option<&Value> {
        match self {
            Self::Literal(value) => Some(value),
            _ => None,
        }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.to_tree() == other.to_tree()
    }
}

impl Serialize for Expression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_tree().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Expression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|tree| Self::from_tree(&tree))
    }
}
