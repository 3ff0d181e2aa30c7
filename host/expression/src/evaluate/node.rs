//! A value on its way through an expression: finished, borrowed, or not evaluated yet.
//!
//! Laziness is a part of the language: only what a path touches is evaluated, and only what is
//! used counts as referred to.

use super::machine::Machine;
use crate::datum::{Datum, json_type_name};
use crate::fault::Fault;
use crate::references::Trace;
use crate::syntax::Ast;
use crate::{Expression, show};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// A value, or what will become one.
#[derive(Clone)]
pub(crate) enum Node<'s> {
    /// Finished and inert.
    Data(Datum),
    /// Finished and inert, still in the scope.
    Json(&'s Value),
    /// A part of a tree, to be evaluated with the scope.
    Tree(&'s Expression),
    /// A list whose items are values of any kind.
    List(Rc<Vec<Node<'s>>>),
    /// A mapping whose values are values of any kind.
    Map(Rc<BTreeMap<String, Node<'s>>>),
    /// Something that a template can begin with.
    Root(Root),
    /// The result of an operation whose references do not count before it is used.
    Counted(Rc<Counted<'s>>),
    /// An argument that has not been evaluated.
    Thunk(Rc<Thunk<'s>>),
}

/// The roots of templates, and what they lead to.
#[derive(Clone, Debug)]
pub(crate) enum Root {
    /// `$`
    All,
    Parameters,
    Secrets,
    Connections,
    ConnectionsOf(String),
    Outputs,
    OutputsOf(String),
    Steps,
    StatusOf(String),
    Data(String),
}

/// A value with the references that it took to get it.
pub(crate) struct Counted<'s> {
    /// Nothing if a reference was not found.
    pub(crate) value: Option<Node<'s>>,
    pub(crate) trace: Trace,
}

/// An expression with the `$` it is to be evaluated in.
pub(crate) struct Thunk<'s> {
    pub(crate) ast: Arc<Ast>,
    pub(crate) root: Node<'s>,
    pub(crate) done: OnceCell<(Node<'s>, Trace)>,
}

impl<'s> Node<'s> {
    pub(crate) const NULL: Self = Self::Data(Datum::Null);

    pub(crate) fn counted(value: Option<Self>, trace: Trace) -> Self {
        Self::Counted(Rc::new(Counted { value, trace }))
    }

    pub(crate) fn thunk(ast: &Arc<Ast>, root: &Self) -> Self {
        let done = OnceCell::new();
        Self::Thunk(Rc::new(Thunk { ast: Arc::clone(ast), root: root.clone(), done }))
    }

    /// The type of a value that is evaluated one level.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Data(datum) => datum.type_name(),
            Self::Json(json) => json_type_name(json),
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
            Self::Tree(Expression::List(_)) => "[]interface {}",
            Self::Tree(_) | Self::Root(_) => "map[string]interface {}",
            Self::Counted(_) | Self::Thunk(_) => "<nil>",
        }
    }

    /// The value without evaluating anything: trees as they are written, nothing for what is
    /// not known.
    pub(crate) fn raw(&self) -> Result<Datum, Fault> {
        match self {
            Self::Data(datum) => Ok(datum.clone()),
            Self::Json(json) => Datum::from_json(json),
            Self::Tree(expression) => Datum::from_json(&expression.to_shown()),
            Self::List(items) => {
                Datum::list(items.iter().map(Self::raw).collect::<Result<_, _>>()?)
            }
            Self::Map(fields) => {
                let fields = fields.iter().map(|(key, value)| Ok((key.clone(), value.raw()?)));
                Datum::map(fields.collect::<Result<_, Fault>>()?)
            }
            Self::Root(_) | Self::Counted(_) | Self::Thunk(_) => Ok(Datum::Null),
        }
    }
}

/// What one level of evaluation gave.
pub(crate) struct Level<'s> {
    /// Null if something was not found.
    pub(crate) node: Node<'s>,
    pub(crate) trace: Trace,
}

impl<'s> Machine<'s> {
    /// Evaluates `node` one level: lists and mappings are there, what is in them may not be.
    pub(crate) fn level(&self, node: &Node<'s>) -> Result<Level<'s>, Fault> {
        self.spend(1)?;
        let known = |node: Node<'s>| Level { node, trace: Trace::default() };
        match node {
            Node::Data(_) | Node::Json(_) | Node::List(_) | Node::Map(_) => Ok(known(node.clone())),
            Node::Tree(expression) => self.tree_level(expression),
            Node::Root(root) => self.expand(root),
            Node::Counted(counted) => self.level_of(counted.value.as_ref(), &counted.trace),
            Node::Thunk(thunk) => {
                if thunk.done.get().is_none() {
                    let mut trace = Trace::default();
                    let value = self.term(&thunk.ast, &thunk.root, &mut trace)?;
                    // Evaluation may have come here twice; both found the same.
                    let _ = thunk.done.set((value, trace));
                }
                match thunk.done.get() {
                    Some((value, trace)) => self.level_of(Some(value), trace),
                    None => Ok(known(Node::NULL)),
                }
            }
        }
    }

    fn level_of(&self, value: Option<&Node<'s>>, trace: &Trace) -> Result<Level<'s>, Fault> {
        let mut trace = trace.clone();
        let Some(value) = value.filter(|_| trace.is_complete()) else {
            return Ok(Level { node: Node::NULL, trace });
        };
        let inner = self.level(value)?;
        trace.merge(inner.trace);
        let node = if trace.is_complete() { inner.node } else { Node::NULL };
        Ok(Level { node, trace })
    }

    /// Evaluates `node` to its end, or to nothing if something was not found.
    pub(crate) fn finish(&self, node: &Node<'s>) -> Result<(Option<Datum>, Trace), Fault> {
        if let Node::Tree(expression) = node {
            let outcome = self.tree(expression, usize::MAX)?;
            let complete = outcome.trace.is_complete();
            let datum = if complete { Some(outcome.part.to_datum()?) } else { None };
            self.spend_bytes(datum.as_ref().map_or(0, Datum::bytes))?;
            return Ok((datum, outcome.trace));
        }
        let Level { node, mut trace } = self.level(node)?;
        if !trace.is_complete() {
            return Ok((None, trace));
        }
        let datum = match &node {
            Node::Data(datum) => Some(datum.clone()),
            Node::Json(json) => {
                let datum = Datum::from_json(json)?;
                self.spend_bytes(datum.bytes())?;
                Some(datum)
            }
            Node::List(items) => self.finish_list(items, &mut trace)?,
            Node::Map(fields) => self.finish_map(fields, &mut trace)?,
            Node::Tree(Expression::List(_) | Expression::Map(_)) => {
                let (datum, inner) = self.finish(&node)?;
                trace.merge(inner);
                datum
            }
            other => Some(other.raw()?),
        };
        Ok((datum, trace))
    }

    fn finish_list(&self, items: &[Node<'s>], trace: &mut Trace) -> Result<Option<Datum>, Fault> {
        let mut found = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let (datum, inner) = self.finish(item).map_err(|fault| fault.at(index.to_string()))?;
            trace.merge(inner);
            found.extend(datum);
        }
        if trace.is_complete() { Datum::list(found).map(Some) } else { Ok(None) }
    }

    fn finish_map(
        &self,
        fields: &BTreeMap<String, Node<'s>>,
        trace: &mut Trace,
    ) -> Result<Option<Datum>, Fault> {
        let mut found = BTreeMap::new();
        for (key, value) in fields {
            let (datum, inner) = self.finish(value).map_err(|fault| fault.at(key.as_str()))?;
            trace.merge(inner);
            found.extend(datum.map(|datum| (key.clone(), datum)));
        }
        if trace.is_complete() { Datum::map(found).map(Some) } else { Ok(None) }
    }
}

/// A key as it appears in the path of a message.
pub(crate) fn shown_key(key: &Datum) -> Result<String, Fault> {
    show::brief(key)
}
