//! The arguments of a function call, evaluated when the function asks for them.
//!
//! What was evaluated is remembered, so that a call that can't be finished yet keeps it.

use super::machine::Machine;
use super::node::Node;
use super::tree::Part;
use crate::Expression;
use crate::datum::Datum;
use crate::fault::{Fault, quoted};
use crate::references::Trace;
use std::collections::BTreeMap;

/// Arguments as they were given.
pub(crate) enum Style<'s> {
    Positional(Vec<Node<'s>>),
    Keyword(BTreeMap<String, Node<'s>>),
}

/// One call's arguments. A slot is a place in the list, or one of the function's keywords.
pub(crate) struct Arguments<'m, 's> {
    machine: &'m Machine<'s>,
    style: Style<'s>,
    slots: Vec<Slot<'s>>,
    trace: Trace,
}

struct Slot<'s> {
    label: String,
    keyword: Option<&'static str>,
    node: Option<Node<'s>>,
    evaluated: Option<Part<'s>>,
}

/// What is left of the arguments of a call that can't be finished.
pub(crate) struct Residue<'s> {
    slots: Vec<Slot<'s>>,
    positional: bool,
}

impl<'m, 's> Arguments<'m, 's> {
    pub(crate) fn new(machine: &'m Machine<'s>, style: Style<'s>) -> Self {
        Self { machine, style, slots: Vec::new(), trace: Trace::default() }
    }

    pub(crate) fn machine(&self) -> &'m Machine<'s> {
        self.machine
    }

    pub(crate) fn has_keyword(&self, name: &str) -> bool {
        matches!(&self.style, Style::Keyword(nodes) if nodes.contains_key(name))
    }

    /// Gives each argument a slot: those in the list, or those called `keywords` in this order.
    /// Other keywords are ignored.
    pub(crate) fn assign(&mut self, keywords: &[&'static str]) {
        self.slots = match &self.style {
            Style::Positional(nodes) => nodes
                .iter()
                .enumerate()
                .map(|(index, node)| Slot {
                    label: format!("arg {}", index + 1),
                    keyword: None,
                    node: Some(node.clone()),
                    evaluated: None,
                })
                .collect(),
            Style::Keyword(nodes) => keywords
                .iter()
                .map(|keyword| Slot {
                    label: format!("arg {}", quoted(keyword)),
                    keyword: Some(keyword),
                    node: nodes.get(*keyword).cloned(),
                    evaluated: None,
                })
                .collect(),
        };
    }

    pub(crate) fn is_keyword(&self) -> bool {
        matches!(self.style, Style::Keyword(_))
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn is_given(&self, slot: usize) -> bool {
        self.slots.get(slot).is_some_and(|slot| slot.node.is_some())
    }

    /// The argument, not evaluated.
    pub(crate) fn node(&self, slot: usize) -> Option<&Node<'s>> {
        self.slots.get(slot)?.node.as_ref()
    }

    /// `fault`, said of the argument in `slot`.
    pub(crate) fn blame(&self, slot: usize, fault: Fault) -> Fault {
        match self.slots.get(slot) {
            Some(slot) => fault.in_argument(slot.label.clone()),
            None => fault,
        }
    }

    /// The argument in `slot` and what it refers to; nothing if something was not found. The
    /// references do not count before [`Arguments::count`].
    pub(crate) fn try_value(&mut self, slot: usize) -> Result<(Option<Datum>, Trace), Fault> {
        let Some(node) = self.node(slot).cloned() else {
            return Ok((Some(Datum::Null), Trace::default()));
        };
        let (value, evaluated, trace) =
            self.evaluate(&node).map_err(|fault| self.blame(slot, fault))?;
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.evaluated = evaluated;
        }
        Ok((value, trace))
    }

    fn evaluate(&self, node: &Node<'s>) -> Result<(Option<Datum>, Option<Part<'s>>, Trace), Fault> {
        if let Node::Tree(expression) = node {
            let outcome = self.machine.tree(expression, usize::MAX)?;
            let complete = outcome.trace.is_complete();
            let value = if complete { Some(outcome.part.to_datum()?) } else { None };
            self.machine.spend_bytes(value.as_ref().map_or(0, Datum::bytes))?;
            return Ok((value, Some(outcome.part), outcome.trace));
        }
        let (value, trace) = self.machine.finish(node)?;
        Ok((value.clone(), value.map(Part::Data), trace))
    }

    /// Counts references as used by this call.
    pub(crate) fn count(&mut self, trace: Trace) {
        self.trace.merge(trace);
    }

    /// The argument in `slot`, counted; nothing if something was not found.
    pub(crate) fn value(&mut self, slot: usize) -> Result<Option<Datum>, Fault> {
        let (value, trace) = self.try_value(slot)?;
        self.count(trace);
        Ok(value)
    }

    /// All arguments in the order of their slots; nothing if something was not found in any.
    pub(crate) fn values(&mut self) -> Result<Option<Vec<Datum>>, Fault> {
        let mut values = Vec::with_capacity(self.slots.len());
        for slot in 0..self.slots.len() {
            values.push(self.value(slot)?);
        }
        Ok(values.into_iter().collect())
    }

    /// Ends the call: what is left of the arguments, and what was referred to.
    pub(crate) fn into_residue(self) -> (Residue<'s>, Trace) {
        let positional = !self.is_keyword();
        (Residue { slots: self.slots, positional }, self.trace)
    }
}

impl<'s> Residue<'s> {
    /// The arguments as an expression; `single` if they were one that may still be all of them.
    pub(crate) fn into_expression(
        self,
        machine: &Machine<'s>,
        single: bool,
    ) -> Result<Expression, Fault> {
        let mut arguments = Vec::new();
        for slot in self.slots {
            let Some(node) = slot.node else { continue };
            let expression = match (slot.evaluated, node) {
                (Some(part), _) => part.into_expression(machine)?,
                (None, Node::Tree(expression)) => expression.clone(),
                (None, node) => Expression::Literal(node.raw()?.to_json()?),
            };
            arguments.push((slot.keyword.unwrap_or_default().to_owned(), expression));
        }
        if !self.positional {
            return Ok(Expression::Map(arguments.into_iter().collect()));
        }
        let mut arguments = arguments.into_iter().map(|(_, argument)| argument);
        match arguments.next() {
            Some(first) if single => Ok(first),
            first => Ok(Expression::List(first.into_iter().chain(arguments).collect())),
        }
    }
}
