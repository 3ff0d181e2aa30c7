//! Paths: `parameters.name`, `outputs['step'].list[-1]`, `$.a.b`.
//!
//! Only what lies on the path is evaluated.

use super::machine::Machine;
use super::node::{Level, Node, Root, shown_key};
use crate::datum::Datum;
use crate::fault::Fault;
use crate::references::{References, Trace};
use crate::scope::Roots;
use crate::syntax::Ast;
use crate::{Expression, number, timestamp};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

impl<'s> Machine<'s> {
    /// Follows `keys` from `root`. Null, with a note in `trace`, if something was not found.
    pub(super) fn path(
        &self,
        keys: &[Arc<Ast>],
        root: &Node<'s>,
        trace: &mut Trace,
    ) -> Result<Node<'s>, Fault> {
        let mut parents = Vec::with_capacity(keys.len());
        self.follow(keys, root, trace, &mut parents).map_err(|fault| {
            parents.into_iter().rev().fold(fault, |fault, key: String| fault.at(key))
        })
    }

    fn follow(
        &self,
        keys: &[Arc<Ast>],
        root: &Node<'s>,
        trace: &mut Trace,
        parents: &mut Vec<String>,
    ) -> Result<Node<'s>, Fault> {
        let mut at = root.clone();
        for key in keys {
            let (key, inner) = self.evaluate_term(key, root)?;
            trace.merge(inner);
            let Some(key) = key else { return Ok(Node::NULL) };
            parents.push(shown_key(&key)?);
            at = match &at {
                Node::Root(from) => self.root_key(from, &key)?,
                other => {
                    let Level { node, trace: inner } = self.level(other)?;
                    let complete = inner.is_complete();
                    trace.merge(inner);
                    if !complete {
                        return Ok(Node::NULL);
                    }
                    select(&node, &key)?
                }
            };
        }
        let Level { node, trace: inner } = self.level(&at)?;
        let complete = inner.is_complete();
        trace.merge(inner);
        Ok(if complete { node } else { Node::NULL })
    }

    fn root_key(&self, from: &Root, key: &Datum) -> Result<Node<'s>, Fault> {
        let name = text_key(key)?;
        let scope = self.scope();
        let found =
            |value: Option<&'s Value>, note: fn(&mut References, String, String), of: &str| {
                let trace =
                    Trace::note(value.is_some(), |noted| note(noted, of.to_owned(), name.clone()));
                Node::counted(value.map(Node::Json), trace)
            };
        Ok(match from {
            Root::All => self.root(&name)?,
            Root::Connections => Node::Root(Root::ConnectionsOf(name)),
            Root::Outputs => Node::Root(Root::OutputsOf(name)),
            Root::Steps => Node::Root(Root::StatusOf(name)),
            Root::Parameters => {
                found(scope.parameters.get(&name), |to, _, name| _ = to.parameters.insert(name), "")
            }
            Root::Secrets => {
                found(scope.secrets.get(&name), |to, _, name| _ = to.secrets.insert(name), "")
            }
            Root::ConnectionsOf(kind) => found(
                scope.connections.get(kind).and_then(|named| named.get(&name)),
                |to, kind, name| _ = to.connections.insert((kind, name)),
                kind,
            ),
            Root::OutputsOf(step) => found(
                scope.outputs.get(step).and_then(|named| named.get(&name)),
                |to, step, name| _ = to.outputs.insert((step, Some(name))),
                step,
            ),
            Root::StatusOf(step) => {
                let fact = scope.steps.get(step).and_then(|facts| facts.property(&name));
                let trace = Trace::note(fact.is_some(), |noted| {
                    noted.statuses.insert((step.clone(), name));
                });
                Node::counted(fact.map(|fact| Node::Data(Datum::Bool(fact))), trace)
            }
            Root::Data(data) => {
                let value = scope.data.get(data).unwrap_or(&Value::Null);
                let value = select(&Node::Json(value), key)?;
                let trace = Trace::note(true, |noted| _ = noted.data.insert(data.clone()));
                Node::counted(Some(value), trace)
            }
        })
    }

    fn root(&self, name: &str) -> Result<Node<'s>, Fault> {
        let Roots { parameters, secrets, connections, outputs, steps } = self.scope().roots;
        let root = match name {
            "parameters" if parameters => Root::Parameters,
            "secrets" if secrets => Root::Secrets,
            "connections" if connections => Root::Connections,
            "outputs" if outputs => Root::Outputs,
            "steps" if steps => Root::Steps,
            _ if self.scope().data.contains_key(name) => Root::Data(name.to_owned()),
            _ => return Err(Fault::UnknownKey(name.to_owned())),
        };
        Ok(Node::Root(root))
    }

    /// A root as a value: everything that is there.
    pub(super) fn expand(&self, root: &Root) -> Result<Level<'s>, Fault> {
        let scope = self.scope();
        let mut noted = References::default();
        let node = match root {
            Root::All => self.all_roots()?,
            Root::Parameters => {
                noted.parameters.extend(scope.parameters.keys().cloned());
                values(&scope.parameters)
            }
            Root::Secrets => {
                noted.secrets.extend(scope.secrets.keys().cloned());
                values(&scope.secrets)
            }
            Root::Connections => {
                noted.connections.extend(pairs(&scope.connections));
                groups(&scope.connections)
            }
            Root::ConnectionsOf(kind) => {
                let names = scope.connections.get(kind);
                noted.connections.extend(
                    names.into_iter().flatten().map(|(name, _)| (kind.clone(), name.clone())),
                );
                names.map_or_else(|| Node::Map(BTreeMap::new().into()), values)
            }
            Root::Outputs => {
                noted.outputs.extend(pairs(&scope.outputs).map(|(step, name)| (step, Some(name))));
                groups(&scope.outputs)
            }
            Root::OutputsOf(step) => {
                let names = scope.outputs.get(step);
                noted.outputs.extend(
                    names.into_iter().flatten().map(|(name, _)| (step.clone(), Some(name.clone()))),
                );
                names.map_or_else(|| Node::Map(BTreeMap::new().into()), values)
            }
            Root::Steps => return Err(Fault::StepsRoot),
            Root::StatusOf(_) => Node::NULL,
            Root::Data(name) => {
                noted.data.insert(name.clone());
                scope.data.get(name).map_or(Node::NULL, Node::Json)
            }
        };
        Ok(Level { node, trace: Trace::note(true, |trace| *trace = noted) })
    }

    /// `$`: every root but `steps`, which has no value.
    fn all_roots(&self) -> Result<Node<'s>, Fault> {
        let mut fields = BTreeMap::new();
        for name in self.scope().data.keys() {
            fields.insert(name.clone(), self.root(name)?);
        }
        for name in ["connections", "outputs", "parameters", "secrets"] {
            if let Ok(root @ Node::Root(_)) = self.root(name) {
                fields.insert(name.to_owned(), root);
            }
        }
        Ok(Node::Map(fields.into()))
    }
}

fn values<'s>(map: &'s BTreeMap<String, Value>) -> Node<'s> {
    let fields: BTreeMap<_, _> =
        map.iter().map(|(key, value)| (key.clone(), Node::Json(value))).collect();
    Node::Map(fields.into())
}

fn groups<'s>(map: &'s BTreeMap<String, BTreeMap<String, Value>>) -> Node<'s> {
    let fields: BTreeMap<_, _> =
        map.iter().map(|(key, inner)| (key.clone(), values(inner))).collect();
    Node::Map(fields.into())
}

fn pairs(
    map: &BTreeMap<String, BTreeMap<String, Value>>,
) -> impl Iterator<Item = (String, String)> + '_ {
    map.iter().flat_map(|(outer, inner)| inner.keys().map(|key| (outer.clone(), key.clone())))
}

/// The value under `key` of something that is evaluated one level.
pub(crate) fn select<'s>(from: &Node<'s>, key: &Datum) -> Result<Node<'s>, Fault> {
    match from {
        Node::Data(Datum::List(list)) => {
            Ok(Node::Data(list.items[index(key, list.items.len())?].clone()))
        }
        Node::Json(Value::Array(items)) => Ok(Node::Json(&items[index(key, items.len())?])),
        Node::List(items) => Ok(items[index(key, items.len())?].clone()),
        Node::Tree(Expression::List(items)) => Ok(Node::Tree(&items[index(key, items.len())?])),
        Node::Data(Datum::Map(map)) => {
            field(key, |name| map.fields.get(name).cloned().map(Node::Data))
        }
        Node::Json(Value::Object(fields)) => field(key, |name| fields.get(name).map(Node::Json)),
        Node::Map(fields) => field(key, |name| fields.get(name).cloned()),
        Node::Tree(Expression::Map(fields)) => field(key, |name| fields.get(name).map(Node::Tree)),
        Node::Data(Datum::Time(_)) => Err(Fault::UnknownField(text_key(key)?)),
        scalar => Err(Fault::Select { kind: scalar.type_name(), field: text_key(key)? }),
    }
}

fn field<'s>(key: &Datum, get: impl FnOnce(&str) -> Option<Node<'s>>) -> Result<Node<'s>, Fault> {
    let name = text_key(key)?;
    get(&name).ok_or(Fault::UnknownKey(name))
}

fn text_key(key: &Datum) -> Result<String, Fault> {
    match key {
        Datum::Text(text) => Ok(text.to_string()),
        Datum::Bytes(bytes) => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Datum::Number(value) => Ok(number::plain(*value)),
        Datum::Time(time) => Ok(timestamp::shown(*time)),
        other => Err(Fault::KeyType(other.type_name())),
    }
}

/// The place of `key` in a list; negative keys count from its end.
pub(crate) fn index(key: &Datum, length: usize) -> Result<usize, Fault> {
    let wanted = match key {
        Datum::Number(value) => number::to_int(value.trunc()),
        Datum::Text(text) => whole_number(text)
            .map_err(|problem| Fault::TextIndex { text: text.to_string(), problem })?,
        other => return Err(Fault::IndexType(other.type_name())),
    };
    let length_int = i64::try_from(length).unwrap_or(i64::MAX);
    let from_start = if wanted < 0 { wanted.saturating_add(length_int) } else { wanted };
    match usize::try_from(from_start) {
        Ok(place) if place < length => Ok(place),
        _ => Err(Fault::OutOfBounds(wanted)),
    }
}

fn whole_number(text: &str) -> Result<i64, &'static str> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("invalid syntax");
    }
    text.parse::<i32>().map(i64::from).map_err(|_| "value out of range")
}
