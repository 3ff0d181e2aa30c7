//! Evaluating a tree: everything that can be is filled in, the rest stays as an expression.

use super::call::{Arguments, Style};
use super::machine::Machine;
use super::node::{Level, Node};
use crate::datum::Datum;
use crate::expression::{Call, Encoded, Target};
use crate::fault::Fault;
use crate::limits::OUTPUT_BYTES_MAX;
use crate::references::{References, Trace};
use crate::template::{Piece, Template};
use crate::{Expression, encoding, json, show};
use serde_json::Value;
use std::collections::BTreeMap;

/// What became of an expression.
pub(crate) enum Part<'s> {
    Json(&'s Value),
    Data(Datum),
    List(Vec<Part<'s>>),
    Map(Vec<(&'s str, Part<'s>)>),
    /// What can't be evaluated yet.
    Left(Expression),
}

/// What became of an expression, and what it referred to.
pub(crate) struct Outcome<'s> {
    pub(crate) part: Part<'s>,
    pub(crate) trace: Trace,
}

impl Part<'_> {
    /// The finished value. Only for an outcome that is complete.
    pub(crate) fn to_datum(&self) -> Result<Datum, Fault> {
        match self {
            Self::Json(json) => Datum::from_json(json),
            Self::Data(datum) => Ok(datum.clone()),
            Self::List(items) => {
                Datum::list(items.iter().map(Self::to_datum).collect::<Result<_, _>>()?)
            }
            Self::Map(fields) => {
                let fields =
                    fields.iter().map(|(key, part)| Ok(((*key).to_owned(), part.to_datum()?)));
                Datum::map(fields.collect::<Result<_, Fault>>()?)
            }
            Self::Left(expression) => Datum::from_json(&expression.to_shown()),
        }
    }

    /// The part as an expression: inert where it is finished.
    pub(crate) fn into_expression(self, machine: &Machine<'_>) -> Result<Expression, Fault> {
        Ok(match self {
            Self::Json(json) => Expression::Literal(machine.copy(json)?),
            Self::Data(datum) => Expression::Literal(machine.write_datum(&datum)?),
            Self::Left(expression) => expression,
            Self::List(parts) => {
                let items: Vec<Expression> = parts
                    .into_iter()
                    .enumerate()
                    .map(|(index, part)| {
                        part.into_expression(machine).map_err(|fault| fault.at(index.to_string()))
                    })
                    .collect::<Result<_, _>>()?;
                if items.iter().all(|item| item.as_literal().is_some()) {
                    Expression::Literal(Value::Array(
                        items.into_iter().filter_map(literal).collect(),
                    ))
                } else {
                    Expression::List(items)
                }
            }
            Self::Map(parts) => {
                let fields: Vec<(String, Expression)> = parts
                    .into_iter()
                    .map(|(key, part)| {
                        let part = part.into_expression(machine).map_err(|fault| fault.at(key))?;
                        Ok((key.to_owned(), part))
                    })
                    .collect::<Result<_, Fault>>()?;
                if fields.iter().all(|(_, value)| value.as_literal().is_some()) {
                    let fields = fields.into_iter().filter_map(|(k, v)| Some((k, literal(v)?)));
                    Expression::Literal(Value::Object(fields.collect()))
                } else {
                    Expression::Map(fields.into_iter().collect())
                }
            }
        })
    }
}

fn literal(expression: Expression) -> Option<Value> {
    match expression {
        Expression::Literal(value) => Some(value),
        _ => None,
    }
}

impl<'s> Machine<'s> {
    /// Evaluates the outermost `levels` of `expression`.
    pub(crate) fn tree(
        &self,
        expression: &'s Expression,
        levels: usize,
    ) -> Result<Outcome<'s>, Fault> {
        self.spend(1)?;
        let left = || Part::Left(expression.clone());
        if levels == 0 {
            return Ok(Outcome { part: left(), trace: Trace::default() });
        }
        match expression {
            Expression::Literal(value) => {
                Ok(Outcome { part: Part::Json(value), trace: Trace::default() })
            }
            Expression::List(_) | Expression::Map(_) if levels == 1 => {
                Ok(Outcome { part: left(), trace: Trace::default() })
            }
            Expression::List(items) => self.list(items, levels - 1),
            Expression::Map(fields) => self.map(fields, levels - 1),
            Expression::Reference(reference) => {
                let (node, trace) = self.reference(&reference.target)?;
                let part = match node {
                    Some(Node::Json(json)) => Part::Json(json),
                    Some(node) => Part::Data(node.raw()?),
                    None => left(),
                };
                Ok(Outcome { part, trace })
            }
            Expression::Template(template) => {
                let (value, trace) =
                    self.template(template, &Node::Root(super::node::Root::All))?;
                let part = if trace.is_complete() { Part::Data(value) } else { left() };
                Ok(Outcome { part, trace })
            }
            Expression::Encoded(encoded) => self.encoded(encoded),
            Expression::Call(call) => self.tree_call(call),
            Expression::Malformed(malformed) => Err(malformed.fault.as_ref().clone()),
        }
    }

    fn list(&self, items: &'s [Expression], levels: usize) -> Result<Outcome<'s>, Fault> {
        let mut trace = Trace::default();
        let mut parts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let outcome = self.tree(item, levels).map_err(|fault| fault.at(index.to_string()))?;
            trace.merge(outcome.trace);
            parts.push(outcome.part);
        }
        Ok(Outcome { part: Part::List(parts), trace })
    }

    fn map(
        &self,
        fields: &'s BTreeMap<String, Expression>,
        levels: usize,
    ) -> Result<Outcome<'s>, Fault> {
        let mut trace = Trace::default();
        let mut parts = Vec::with_capacity(fields.len());
        for (key, value) in fields {
            let outcome = self.tree(value, levels).map_err(|fault| fault.at(key.as_str()))?;
            trace.merge(outcome.trace);
            parts.push((key.as_str(), outcome.part));
        }
        Ok(Outcome { part: Part::Map(parts), trace })
    }

    /// Evaluates `expression` one level.
    pub(crate) fn tree_level(&self, expression: &'s Expression) -> Result<Level<'s>, Fault> {
        let known = |node: Node<'s>| Level { node, trace: Trace::default() };
        match expression {
            Expression::Literal(value) => Ok(known(Node::Json(value))),
            Expression::List(items) => {
                Ok(known(Node::List(items.iter().map(Node::Tree).collect::<Vec<_>>().into())))
            }
            Expression::Map(fields) => {
                let fields = fields.iter().map(|(key, value)| (key.clone(), Node::Tree(value)));
                Ok(known(Node::Map(fields.collect::<BTreeMap<_, _>>().into())))
            }
            Expression::Reference(reference) => {
                let (node, trace) = self.reference(&reference.target)?;
                Ok(Level { node: node.unwrap_or(Node::NULL), trace })
            }
            _ => {
                let outcome = self.tree(expression, usize::MAX)?;
                let complete = outcome.trace.is_complete();
                let node = if complete { Node::Data(outcome.part.to_datum()?) } else { Node::NULL };
                Ok(Level { node, trace: outcome.trace })
            }
        }
    }

    /// What `target` names, if it is there.
    fn reference(&self, target: &Target) -> Result<(Option<Node<'s>>, Trace), Fault> {
        let scope = self.scope();
        let nested = |map: &'s BTreeMap<String, BTreeMap<String, Value>>, a: &str, b: &str| {
            map.get(a).and_then(|inner| inner.get(b))
        };
        let found = match target {
            Target::Parameter { name } => scope.parameters.get(name),
            Target::Secret { name } => scope.secrets.get(name),
            Target::Connection { kind, name } => nested(&scope.connections, kind, name),
            Target::Output { from, name } => nested(&scope.outputs, from, name),
            Target::Answer { ask, name } => nested(&scope.answers, ask, name),
            Target::Data { .. } => None,
        };
        let note = |found: bool| {
            Trace::note(found, |noted: &mut References| match target.clone() {
                Target::Parameter { name } => _ = noted.parameters.insert(name),
                Target::Secret { name } => _ = noted.secrets.insert(name),
                Target::Connection { kind, name } => _ = noted.connections.insert((kind, name)),
                Target::Output { from, name } => _ = noted.outputs.insert((from, Some(name))),
                Target::Answer { ask, name } => _ = noted.answers.insert((ask, name)),
                Target::Data { name, .. } => _ = noted.data.insert(name.unwrap_or_default()),
            })
        };
        match target {
            Target::Data { name, query } => {
                let value = self
                    .data(name.as_deref(), query)
                    .map_err(|fault| fault.in_reference("Data"))?;
                Ok((Some(value), note(true)))
            }
            _ => Ok((found.map(Node::Json), note(found.is_some()))),
        }
    }

    fn data(
        &self,
        name: Option<&str>,
        query: &crate::expression::DataQuery,
    ) -> Result<Node<'s>, Fault> {
        let scope = self.scope();
        let name = match name {
            Some(name) => name,
            None => scope.default_data.as_deref().ok_or(Fault::NoDefaultData)?,
        };
        let data = scope.data.get(name).ok_or_else(|| Fault::NoData(name.to_owned()))?;
        let in_query = |fault: Fault| fault.in_query(&query.text);
        let ast = query.parsed.as_ref().map_err(|error| in_query(error.clone().into()))?;
        let (value, _) = self.evaluate_term(ast, &Node::Json(data)).map_err(in_query)?;
        Ok(value.map_or(Node::NULL, Node::Data))
    }

    fn encoded(&self, encoded: &'s Encoded) -> Result<Outcome<'s>, Fault> {
        let in_encoding = |fault: Fault| fault.in_encoding(&encoded.encoding);
        let Outcome { part, trace } = self.tree(&encoded.data, usize::MAX).map_err(in_encoding)?;
        if !trace.is_complete() {
            let data = Box::new(part.into_expression(self).map_err(in_encoding)?);
            let rest = Encoded { encoding: encoded.encoding.clone(), data };
            return Ok(Outcome { part: Part::Left(Expression::Encoded(rest)), trace });
        }
        let value = decode(&encoded.encoding, &part.to_datum()?).map_err(in_encoding)?;
        Ok(Outcome { part: Part::Data(value), trace })
    }

    fn tree_call(&self, call: &'s Call) -> Result<Outcome<'s>, Fault> {
        let in_call = |fault: Fault| fault.in_call(&call.name);
        let level = self.level(&Node::Tree(&call.argument)).map_err(in_call)?;
        let waiting = !level.trace.is_complete();
        let style = match &level.node {
            _ if waiting => Style::Positional(vec![Node::Tree(&call.argument)]),
            Node::List(items) => Style::Positional(items.to_vec()),
            Node::Json(Value::Array(items)) => {
                Style::Positional(items.iter().map(Node::Json).collect())
            }
            Node::Data(Datum::List(list)) => {
                Style::Positional(list.items.iter().cloned().map(Node::Data).collect())
            }
            Node::Map(fields) => {
                Style::Keyword(fields.iter().map(|(k, v)| (k.clone(), v.clone())).collect())
            }
            Node::Json(Value::Object(fields)) => {
                Style::Keyword(fields.iter().map(|(k, v)| (k.clone(), Node::Json(v))).collect())
            }
            Node::Data(Datum::Map(map)) => Style::Keyword(
                map.fields.iter().map(|(k, v)| (k.clone(), Node::Data(v.clone()))).collect(),
            ),
            single => Style::Positional(vec![single.clone()]),
        };
        let mut arguments = Arguments::new(self, style);
        let value = crate::function::call(&call.name, &mut arguments).map_err(in_call)?;
        let mut trace = level.trace;
        let (residue, inner) = arguments.into_residue();
        trace.merge(inner);
        match value {
            Some(value) if trace.is_complete() => Ok(Outcome { part: Part::Data(value), trace }),
            _ => {
                let argument = residue.into_expression(self, waiting)?;
                let rest = Call { name: call.name.clone(), argument: Box::new(argument), waiting };
                Ok(Outcome { part: Part::Left(Expression::Call(rest)), trace })
            }
        }
    }

    /// The value of a template whose `$` is `root`; null pieces where something was not found.
    pub(crate) fn template(
        &self,
        template: &Template,
        root: &Node<'s>,
    ) -> Result<(Datum, Trace), Fault> {
        let mut trace = Trace::default();
        let mut values = Vec::with_capacity(template.pieces().len());
        for piece in template.pieces() {
            values.push(match piece {
                Piece::Text(text) => Datum::Text(text.clone()),
                Piece::Expression(ast) => {
                    let (value, inner) =
                        self.piece(ast, root).map_err(|fault| fault.in_template("${"))?;
                    trace.merge(inner);
                    value
                }
            });
        }
        Ok((self.joined(values)?, trace))
    }

    /// The pieces of a template as one value: as it is if it is the only one, else a text.
    /// Empty texts are no pieces.
    fn joined(&self, mut values: Vec<Datum>) -> Result<Datum, Fault> {
        values.retain(|value| !value.is_empty_text());
        if values.len() < 2 {
            return Ok(values.pop().unwrap_or_else(|| Datum::text("")));
        }
        let mut joined = Vec::new();
        for value in &values {
            let piece = formatted(value)?;
            self.spend_bytes(piece.len())?;
            joined.extend_from_slice(&piece);
            if joined.len() > OUTPUT_BYTES_MAX {
                return Err(Fault::TooLarge);
            }
        }
        Ok(Datum::from_bytes(joined))
    }

    fn piece(&self, ast: &crate::syntax::Ast, root: &Node<'s>) -> Result<(Datum, Trace), Fault> {
        let mut trace = Trace::default();
        let node = self.term(ast, root, &mut trace)?;
        if !trace.is_complete() {
            return Ok((node.raw()?, trace));
        }
        let (value, inner) = self.finish(&node)?;
        trace.merge(inner);
        Ok((value.unwrap_or(Datum::Null), trace))
    }
}

/// A piece of a template as text: texts and times as they are, everything else as JSON.
fn formatted(datum: &Datum) -> Result<Vec<u8>, Fault> {
    match datum {
        Datum::Text(_) | Datum::Bytes(_) | Datum::Time(_) => show::bytes(datum),
        other => json::indented(other).map(String::into_bytes),
    }
}

fn decode(name: &str, data: &Datum) -> Result<Datum, Fault> {
    let Some(bytes) = data.as_bytes() else {
        let got = if data.is_null() { "%!s(<nil>)" } else { data.type_name() };
        return Err(Fault::ValueType { got, wanted: "string" });
    };
    encoding::decode(name, &String::from_utf8_lossy(bytes)).map(Datum::from_bytes).map_err(
        |error| match error {
            encoding::EncodingError::Base64(at) => Fault::Base64(at),
            _ => Fault::UnknownEncoding,
        },
    )
}
