//! Evaluating a JSONPath over a tree.
//!
//! A path that leads nowhere finds nothing; that is no mistake. Once a step can find several
//! values (`*`, `..`, a filter), the result is a list. What is not known yet is left out of it.

use super::jsonpath_syntax::{Ast, From, Step};
use crate::datum::Datum;
use crate::evaluate::{Level, Machine, Node, select};
use crate::fault::{Class, Fault};
use crate::operator::{self, Infix};
use crate::references::Trace;
use crate::{pattern, show};
use serde_json::Value;
use std::collections::BTreeMap;

/// What visiting a value costs: results of a path can be many times larger than its text.
const VISIT_STEPS: usize = 8;

/// Evaluates `ast` over `root`. What it refers to goes into `trace`.
pub(super) fn evaluate<'s>(
    machine: &Machine<'s>,
    ast: &Ast,
    root: &Node<'s>,
    trace: &mut Trace,
) -> Result<Node<'s>, Fault> {
    Walk { machine, trace }.value(ast, root, Some(root))
}

/// The items of a list of any kind.
pub(super) fn items<'s>(node: &Node<'s>) -> Option<Vec<Node<'s>>> {
    match node {
        Node::List(items) => Some(items.to_vec()),
        Node::Json(Value::Array(items)) => Some(items.iter().map(Node::Json).collect()),
        Node::Data(Datum::List(list)) => Some(list.items.iter().cloned().map(Node::Data).collect()),
        _ => None,
    }
}

struct Walk<'m, 's, 't> {
    machine: &'m Machine<'s>,
    trace: &'t mut Trace,
}

/// What a step finds.
enum Found<'s> {
    Nothing,
    One(Node<'s>),
    Many(Vec<Node<'s>>),
}

impl<'s> Walk<'_, 's, '_> {
    /// `root` is what `$` means; a filter has none.
    fn value(
        &mut self,
        ast: &Ast,
        current: &Node<'s>,
        root: Option<&Node<'s>>,
    ) -> Result<Node<'s>, Fault> {
        self.machine.spend(1)?;
        match ast {
            Ast::Const(datum) => Ok(Node::Data(datum.clone())),
            Ast::List(items) => {
                let items: Vec<Node<'s>> = items
                    .iter()
                    .map(|item| self.value(item, current, root))
                    .collect::<Result<_, _>>()?;
                Ok(Node::List(items.into()))
            }
            Ast::Map(fields) => {
                let mut found = BTreeMap::new();
                for (key, value) in fields {
                    let value = self.value(value, current, root)?;
                    let key = self.datum(key, current, root)?;
                    found.insert(show::text(&key)?, value);
                }
                Ok(Node::Map(found.into()))
            }
            Ast::Not(operand) => not(&self.datum(operand, current, root)?).map(Node::Data),
            Ast::Negative(operand) => {
                negative(&self.datum(operand, current, root)?).map(Node::Data)
            }
            Ast::Chain(first, rest) => {
                let mut left = self.datum(first, current, root)?;
                for (operator, right) in rest {
                    if decides(*operator, &left) {
                        continue;
                    }
                    let right = self.datum(right, current, root)?;
                    left = infix(*operator, &left, &right)?;
                }
                Ok(Node::Data(left))
            }
            Ast::Path { from: From::Current, steps } => self.path(steps, current),
            Ast::Path { from: From::Root, steps } => match root {
                Some(root) => self.path(steps, root),
                None => Err(Fault::Select { kind: "jsonpath.value", field: "$".to_owned() }),
            },
            Ast::Variable => Err(Fault::Variable),
            Ast::Call => Err(Fault::CallInPath),
        }
    }

    fn datum(
        &mut self,
        ast: &Ast,
        current: &Node<'s>,
        root: Option<&Node<'s>>,
    ) -> Result<Datum, Fault> {
        let datum = self.value(ast, current, root)?.raw()?;
        self.machine.spend_bytes(datum.bytes())?;
        Ok(datum)
    }

    fn path(&mut self, steps: &[Step], start: &Node<'s>) -> Result<Node<'s>, Fault> {
        let mut found = Found::One(start.clone());
        for step in steps {
            found = match found {
                Found::Nothing => return Ok(Node::NULL),
                Found::One(node) => self.step_or_nothing(step, &node)?,
                Found::Many(nodes) => {
                    let mut all = Vec::new();
                    for node in &nodes {
                        match self.step_or_nothing(step, node)? {
                            Found::Nothing => {}
                            Found::One(node) => all.push(node),
                            Found::Many(nodes) => all.extend(nodes),
                        }
                    }
                    Found::Many(all)
                }
            };
        }
        Ok(match found {
            Found::Nothing => Node::NULL,
            Found::One(node) => node,
            Found::Many(nodes) => Node::List(nodes.into()),
        })
    }

    fn step_or_nothing(&mut self, step: &Step, node: &Node<'s>) -> Result<Found<'s>, Fault> {
        match self.step(step, node) {
            Err(fault) if !fault.stops_a_jsonpath() => Ok(Found::Nothing),
            other => other,
        }
    }

    fn step(&mut self, step: &Step, node: &Node<'s>) -> Result<Found<'s>, Fault> {
        match step {
            Step::Child(key) => {
                let key = self.datum(key, node, Some(node))?;
                Ok(self.child(node, &key)?.map_or(Found::Nothing, Found::One))
            }
            Step::Wildcard => self.children(node).map(Found::Many),
            Step::Descent => {
                let mut all = Vec::new();
                self.descend(node, &mut all)?;
                Ok(Found::Many(all))
            }
            Step::Range(bounds) => self.range(bounds, node),
            Step::Union(keys) => {
                let mut all = Vec::new();
                for key in keys {
                    let key = self.datum(key, node, Some(node));
                    match key.and_then(|key| self.child(node, &key)) {
                        Ok(found) => all.extend(found),
                        Err(fault) if fault.class() == Class::Limit => return Err(fault),
                        Err(_) => {}
                    }
                }
                Ok(Found::Many(all))
            }
            Step::Filter(filter) => {
                let mut all = self.children(node)?;
                let mut failed = None;
                all.retain(|child| match self.datum(filter, child, None) {
                    Ok(datum) => operator::to_bool(&datum) == Some(true),
                    Err(fault) => {
                        if fault.class() == Class::Limit {
                            failed = Some(fault);
                        }
                        false
                    }
                });
                failed.map_or(Ok(Found::Many(all)), Err)
            }
            Step::Script(script) => self.value(script, node, Some(node)).map(Found::One),
        }
    }

    /// The value under `key`, evaluated one level; nothing if it is not known.
    fn child(&mut self, node: &Node<'s>, key: &Datum) -> Result<Option<Node<'s>>, Fault> {
        self.machine.spend(VISIT_STEPS)?;
        let Level { node, trace: mut noted } = self.machine.level(node)?;
        if !noted.is_complete() {
            self.trace.merge(noted);
            return Ok(None);
        }
        let Level { node, trace: inner } = self.machine.level(&select(&node, key)?)?;
        noted.merge(inner);
        let complete = noted.is_complete();
        self.trace.merge(noted);
        Ok(complete.then_some(node))
    }

    fn children(&mut self, node: &Node<'s>) -> Result<Vec<Node<'s>>, Fault> {
        let Level { node, trace } = self.machine.level(node)?;
        let known = trace.is_complete();
        self.trace.merge(trace);
        let mut found = Vec::new();
        for key in if known { keys(&node) } else { Vec::new() } {
            match self.child(&node, &key) {
                Ok(child) => found.extend(child),
                Err(fault) if fault.class() == Class::Limit => return Err(fault),
                // A child that can't be evaluated spoils its brothers, but never the query.
                Err(_) => return Err(Fault::UnknownKey(show::brief(&key)?)),
            }
        }
        Ok(found)
    }

    fn descend(&mut self, node: &Node<'s>, all: &mut Vec<Node<'s>>) -> Result<(), Fault> {
        // The next value is always the last one here, so the order is that of the text.
        let mut waiting = vec![node.clone()];
        while let Some(next) = waiting.pop() {
            let mut children = self.children(&next)?;
            all.push(next);
            children.reverse();
            waiting.append(&mut children);
        }
        Ok(())
    }

    fn range(
        &mut self,
        bounds: &[std::sync::Arc<Ast>; 3],
        node: &Node<'s>,
    ) -> Result<Found<'s>, Fault> {
        let mut numbers = [0_i64; 3];
        for (number, bound) in numbers.iter_mut().zip(bounds) {
            let datum = self.datum(bound, node, Some(node))?;
            let value =
                operator::to_number(&datum).ok_or_else(|| Fault::IndexType(datum.type_name()))?;
            *number = crate::number::to_int(value.trunc());
        }
        let Level { node, trace } = self.machine.level(node)?;
        self.trace.merge(trace);
        let Some(items) = items(&node) else {
            return match keys(&node).is_empty()
                && !matches!(node.type_name(), "map[string]interface {}")
            {
                true => Err(Fault::IndexType(node.type_name())),
                false => Ok(Found::Many(Vec::new())),
            };
        };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let clamp = |at: i64| if at < 0 { (length + at).max(0) } else { at.min(length) };
        let (min, max) = (clamp(numbers[0].max(-length)), clamp(numbers[1].max(-length)));
        if min > max {
            return Ok(Found::Nothing);
        }
        let step = if numbers[2] == 0 { 1 } else { numbers[2] };
        let stride = usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX);
        let places: Vec<i64> = if step > 0 {
            (min..max).step_by(stride).collect()
        } else {
            (min..max).rev().step_by(stride).collect()
        };
        let mut found = Vec::new();
        for place in places {
            found.extend(self.child(&node, &Datum::Number(place as f64))?);
        }
        Ok(Found::Many(found))
    }
}

/// The keys of a mapping, or the indices of a list.
fn keys(node: &Node<'_>) -> Vec<Datum> {
    match node {
        Node::Map(fields) => fields.keys().map(|key| Datum::text(key.as_str())).collect(),
        Node::Json(Value::Object(fields)) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            keys.into_iter().map(|key| Datum::text(key.as_str())).collect()
        }
        Node::Data(Datum::Map(map)) => {
            map.fields.keys().map(|key| Datum::text(key.as_str())).collect()
        }
        other => {
            let length = items(other).map_or(0, |items| items.len());
            (0..length).map(|index| Datum::Number(index as f64)).collect()
        }
    }
}

/// Whether the left operand alone decides, and so is the result.
fn decides(operator: Infix, left: &Datum) -> bool {
    matches!((operator, left), (Infix::And, Datum::Bool(false)) | (Infix::Or, Datum::Bool(true)))
}

pub(super) fn not(operand: &Datum) -> Result<Datum, Fault> {
    let value = operator::to_bool(operand).ok_or_else(|| Fault::NoBool(operand.type_name()))?;
    Ok(Datum::Bool(!value))
}

pub(super) fn negative(operand: &Datum) -> Result<Datum, Fault> {
    match operator::to_number(operand) {
        Some(value) => Ok(Datum::Number(-value)),
        None => Err(Fault::NoNumber { shown: show::brief(operand)?, kind: operand.type_name() }),
    }
}

/// An operator inside a JSONPath: as in expressions, but a list equals each of its items, and
/// null can be matched with a pattern.
pub(super) fn infix(operator: Infix, left: &Datum, right: &Datum) -> Result<Datum, Fault> {
    let matches = || {
        let expression = show::text(right)?;
        pattern::is_match(&expression, &show::bytes(left)?)
    };
    match operator {
        Infix::Equal => Ok(Datum::Bool(equal(left, right))),
        Infix::NotEqual => Ok(Datum::Bool(!equal(left, right))),
        Infix::Matches => matches().map(Datum::Bool),
        Infix::MatchesNot => matches().map(|found| Datum::Bool(!found)),
        Infix::And | Infix::Or if decides(operator, left) => Ok(left.clone()),
        _ => operator::infix(operator, left, right).map_err(|fault| match fault {
            Fault::Operands(left, right) => {
                Fault::Operation { left, symbol: operator.symbol(), right }
            }
            other => other,
        }),
    }
}

fn equal(left: &Datum, right: &Datum) -> bool {
    operator::converted_equal(left, right).unwrap_or_else(|| match (left, right) {
        (Datum::List(list), other) | (other, Datum::List(list))
            if list.items.iter().any(|item| item == other) =>
        {
            true
        }
        _ => left == right,
    })
}
