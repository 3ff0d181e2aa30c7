//! Evaluating what stands inside `${…}`.
//!
//! References are counted where they are used: the right side of `false && …` is not, and an
//! operation counts when its result is.

use super::call::{Arguments, Style};
use super::machine::Machine;
use super::node::Node;
use crate::datum::Datum;
use crate::fault::Fault;
use crate::operator::{self, Infix, Prefix};
use crate::references::Trace;
use crate::show;
use crate::syntax::{Ast, CallArguments};
use std::collections::BTreeMap;
use std::sync::Arc;

impl<'s> Machine<'s> {
    /// Evaluates `ast` to its end, or to nothing if something was not found.
    pub(crate) fn evaluate_term(
        &self,
        ast: &Ast,
        root: &Node<'s>,
    ) -> Result<(Option<Datum>, Trace), Fault> {
        if let Ast::Const(datum) = ast {
            return Ok((Some(datum.clone()), Trace::default()));
        }
        let mut trace = Trace::default();
        let node = self.term(ast, root, &mut trace)?;
        if !trace.is_complete() {
            return Ok((None, trace));
        }
        let (datum, inner) = self.finish(&node)?;
        trace.merge(inner);
        Ok((datum, trace))
    }

    /// Evaluates `ast`, as lazily as the language does. What it refers to goes into `trace`.
    pub(crate) fn term(
        &self,
        ast: &Ast,
        root: &Node<'s>,
        trace: &mut Trace,
    ) -> Result<Node<'s>, Fault> {
        self.spend(1)?;
        match ast {
            Ast::Const(datum) => Ok(Node::Data(datum.clone())),
            Ast::List(items) => {
                let items: Vec<Node<'s>> = items
                    .iter()
                    .map(|item| self.term(item, root, trace))
                    .collect::<Result<_, _>>()?;
                Ok(Node::List(items.into()))
            }
            Ast::Map(fields) => self.map_term(fields, root, trace),
            Ast::Prefix(prefix, operand) => self.prefix_term(*prefix, operand, root),
            Ast::Chain(first, rest) => self.chain(first, rest, root),
            Ast::Pipe(stages) => {
                let mut value = root.clone();
                for stage in stages {
                    value = self.term(stage, &value, trace)?;
                }
                Ok(value)
            }
            Ast::Path(keys) => self.path(keys, root, trace),
            Ast::Call(name, arguments) => self.call_term(name, arguments, root),
            Ast::RefusedCall(name) => Err(Fault::UnknownFunction(None).in_call(name)),
        }
    }

    fn map_term(
        &self,
        fields: &[(Arc<Ast>, Arc<Ast>)],
        root: &Node<'s>,
        trace: &mut Trace,
    ) -> Result<Node<'s>, Fault> {
        let mut found = BTreeMap::new();
        for (key, value) in fields {
            let value = self.term(value, root, trace)?;
            let (key, inner) = self.evaluate_term(key, root)?;
            trace.merge(inner);
            found.insert(show::text(&key.unwrap_or(Datum::Null))?, value);
        }
        Ok(Node::Map(found.into()))
    }

    fn prefix_term(
        &self,
        prefix: Prefix,
        operand: &Ast,
        root: &Node<'s>,
    ) -> Result<Node<'s>, Fault> {
        let (operand, trace) = self.evaluate_term(operand, root)?;
        let value = match operand {
            Some(operand) => Some(Node::Data(operator::prefix(prefix, &operand)?)),
            None => None,
        };
        Ok(Node::counted(value, trace))
    }

    fn chain(
        &self,
        first: &Ast,
        rest: &[(Infix, Arc<Ast>)],
        root: &Node<'s>,
    ) -> Result<Node<'s>, Fault> {
        let (mut left, mut trace) = self.evaluate_term(first, root)?;
        for (infix, right) in rest {
            if let Some(decided) = left.as_ref().and_then(|it| operator::short_circuit(*infix, it))
            {
                left = Some(decided);
                continue;
            }
            let (right, inner) = self.evaluate_term(right, root)?;
            trace.merge(inner);
            left = match (left, right) {
                (Some(a), Some(b)) => Some(operator::infix(*infix, &a, &b)?),
                _ => None,
            };
        }
        Ok(Node::counted(left.map(Node::Data), trace))
    }

    fn call_term(
        &self,
        name: &str,
        arguments: &CallArguments,
        root: &Node<'s>,
    ) -> Result<Node<'s>, Fault> {
        let style = match arguments {
            CallArguments::Positional(arguments) => {
                Style::Positional(arguments.iter().map(|ast| Node::thunk(ast, root)).collect())
            }
            CallArguments::Keyword(arguments) => Style::Keyword(
                arguments.iter().map(|(key, ast)| (key.clone(), Node::thunk(ast, root))).collect(),
            ),
        };
        let mut arguments = Arguments::new(self, style);
        let value =
            crate::function::call(name, &mut arguments).map_err(|fault| fault.in_call(name))?;
        let (_, trace) = arguments.into_residue();
        Ok(Node::counted(value.map(Node::Data), trace))
    }
}
