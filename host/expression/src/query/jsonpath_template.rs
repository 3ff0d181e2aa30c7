//! kubectl's templates: `{.items[*].name}` and `{range .items[*]}…{end}` inside a text.
//!
//! The result is always one text. Lists are joined with spaces; null and what is not known are
//! empty.

use super::jsonpath;
use super::jsonpath_syntax::{self, Ast, is_name};
use crate::datum::Datum;
use crate::evaluate::{Machine, Node};
use crate::fault::Fault;
use crate::limits::OUTPUT_BYTES_MAX;
use crate::parser::{ParseError, Parser};
use crate::references::Trace;
use crate::scanner::Token;
use crate::show;
use std::sync::Arc;

/// A part of a template.
#[derive(Debug)]
pub(super) enum Piece {
    Text(String),
    Value(Arc<Ast>),
    Range { over: Arc<Ast>, body: Vec<Piece> },
}

/// Why reading a body came to its end.
#[derive(PartialEq, Eq)]
enum Ended {
    /// The text is over.
    Text,
    /// `{end}`, of which `end` was the last token.
    Range,
}

/// Reads a template.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, ParseError> {
    let mut parser = Parser::new(text, 0, is_name);
    match body(&mut parser, text)? {
        (pieces, Ended::Text) => Ok(pieces),
        (_, Ended::Range) => Err(parser.unexpected("operator", "")),
    }
}

fn body(parser: &mut Parser<'_>, text: &str) -> Result<(Vec<Piece>, Ended), ParseError> {
    let mut pieces = Vec::new();
    loop {
        let start = parser.offset();
        let rest = &text[start..];
        let plain = rest.find('{').unwrap_or(rest.len());
        if plain > 0 {
            pieces.push(Piece::Text(rest[..plain].to_owned()));
        }
        if plain == rest.len() {
            parser.jump(text.len());
            return Ok((pieces, Ended::Text));
        }
        parser.jump(start + plain + 1);
        match parser.scan() {
            Token::Ident if parser.token_text() == "range" => {
                pieces.push(parser.nested(|parser| range(parser, text))?);
            }
            Token::Ident if parser.token_text() == "end" => return Ok((pieces, Ended::Range)),
            Token::Ident if !matches!(parser.token_text(), "true" | "false") => {
                return Err(parser.unexpected("JSONPath template", "\"}\""));
            }
            _ => {
                parser.push_back("JSONPath expression", "");
                pieces.push(Piece::Value(jsonpath_syntax::parse_part(parser)?));
            }
        }
        if parser.scan() != Token::Symbol('}') {
            return Err(parser.unexpected("JSONPath template", "\"}\""));
        }
    }
}

/// What follows `range`, up to and with the `end` that closes it.
fn range(parser: &mut Parser<'_>, text: &str) -> Result<Piece, ParseError> {
    let over = jsonpath_syntax::parse_part(parser)?;
    if parser.scan() != Token::Symbol('}') {
        return Err(parser.unexpected("JSONPath template range", "\"}\""));
    }
    match body(parser, text)? {
        (body, Ended::Range) => Ok(Piece::Range { over, body }),
        (_, Ended::Text) => {
            parser.scan();
            Err(parser.unexpected("JSONPath template range end", ""))
        }
    }
}

/// The text that a template comes to over `root`.
pub(super) fn evaluate<'s>(
    machine: &Machine<'s>,
    pieces: &[Piece],
    root: &Node<'s>,
) -> Result<(Datum, Trace), Fault> {
    let mut trace = Trace::default();
    let mut out = Vec::new();
    write(machine, pieces, root, &mut trace, &mut out)?;
    Ok((Datum::from_bytes(out), trace))
}

fn write<'s>(
    machine: &Machine<'s>,
    pieces: &[Piece],
    root: &Node<'s>,
    trace: &mut Trace,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    for piece in pieces {
        machine.spend(1)?;
        match piece {
            Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Value(ast) => {
                let node = jsonpath::evaluate(machine, ast, root, trace)
                    .map_err(|fault| fault.in_template("{"))?;
                out.extend_from_slice(&formatted(machine, &node, trace)?);
            }
            Piece::Range { over, body } => {
                let node = jsonpath::evaluate(machine, over, root, trace)
                    .map_err(|fault| fault.in_template("{"))?;
                let level = machine.level(&node)?;
                trace.merge(level.trace);
                for item in jsonpath::items(&level.node).unwrap_or_default() {
                    write(machine, body, &item, trace, out)?;
                }
            }
        }
        if out.len() > OUTPUT_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
    }
    Ok(())
}

fn formatted<'s>(
    machine: &Machine<'s>,
    node: &Node<'s>,
    trace: &mut Trace,
) -> Result<Vec<u8>, Fault> {
    let (datum, inner) = machine.finish(node)?;
    trace.merge(inner);
    let datum = match datum {
        Some(datum) => datum,
        None => node.raw()?,
    };
    match &datum {
        Datum::Null => Ok(Vec::new()),
        Datum::List(list) => {
            let items: Vec<Vec<u8>> =
                list.items.iter().map(show::bytes).collect::<Result<_, _>>()?;
            Ok(items.join(&b' '))
        }
        other => show::bytes(other),
    }
}
