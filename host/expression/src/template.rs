//! Texts with `${…}` in them: `deployment.apps/${parameters.name}`.
//!
//! This reads them; evaluation is elsewhere. A checker uses [`parse`] to put a caret under a
//! mistake inside the text.

use crate::parser::{ParseError, Parser};
use crate::scanner::Token;
use crate::syntax::{self, Ast};
use std::sync::Arc;

/// A text in pieces.
#[derive(Clone, Debug)]
pub struct Template {
    source: Arc<str>,
    pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Text(Arc<str>),
    Expression(Arc<Ast>),
}

/// Why a text is no template, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// Bytes from the start of the text to what does not fit.
    pub offset_bytes: usize,
    /// Bytes from the start of the text to the end of what does not fit.
    pub end_bytes: usize,
    /// What does not fit, without the position.
    pub message: String,
}

impl Template {
    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether there is no `${…}` in it, so that it stands for itself.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.pieces.iter().all(|piece| matches!(piece, Piece::Text(_)))
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }
}

/// Reads a text with `${…}` in it. There is no escape: `$${x}` is plain text, `${'$'}{x}` too.
///
/// ```
/// let template = expression::template::parse("to ${parameters.name}").unwrap();
/// assert!(!template.is_plain());
/// let error = expression::template::parse("to ${parameters.}").unwrap_err();
/// assert_eq!(error.offset_bytes, 16);
/// ```
///
/// # Errors
///
/// [`TemplateError`] for the first mistake inside a `${…}`, or for one that is not closed.
pub fn parse(text: &str) -> Result<Template, TemplateError> {
    read(text, true).map_err(|error| TemplateError {
        offset_bytes: error.offset_bytes(),
        end_bytes: error.end_bytes(),
        message: error.message().to_owned(),
    })
}

pub(crate) fn read(text: &str, functions: bool) -> Result<Template, ParseError> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        plain.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        let Some(next) = after.chars().next().filter(|&next| next != '{') else {
            if after.is_empty() {
                plain.push('$');
                rest = after;
                break;
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
            }
            let start = text.len() - after.len() + 1;
            let (expression, end) = enclosed(text, start, functions)?;
            pieces.push(Piece::Expression(expression));
            rest = &text[end..];
            continue;
        };
        // A dollar takes the next character with it, so `$${` begins no expression.
        plain.push('$');
        plain.push(next);
        rest = &after[next.len_utf8()..];
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into()));
    }
    Ok(Template { source: text.into(), pieces })
}

/// The expression from the byte `start` on, and the byte after its closing brace.
fn enclosed(text: &str, start: usize, functions: bool) -> Result<(Arc<Ast>, usize), ParseError> {
    let mut parser = Parser::new(text, start, syntax::is_name);
    let expression = syntax::parse_part(&mut parser, functions)?;
    match parser.scan() {
        Token::Symbol('}') => Ok((expression, parser.offset())),
        _ => Err(parser.unexpected("template \"${\" end", "\"}\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_and_what_is_not() {
        let cases = [
            ("plain", true),
            ("$", true),
            ("}", true),
            ("$ {x}", true),
            ("$${x}", true),
            ("$$${x}", false),
            ("\\${x}", false),
            ("a${x}b${y}", false),
            ("${'}'}", false),
        ];
        for (text, plain) in cases {
            assert_eq!(parse(text).unwrap().is_plain(), plain, "{text}");
        }
    }

    #[test]
    fn a_mistake_is_found_where_it_stands() {
        let cases = [
            ("${", 2, "unexpected EOF while scanning extensions"),
            ("größe ${}", 10, "unexpected \"}\" while scanning extensions"),
            ("${a b}", 4, "unexpected Ident while scanning template \"${\" end expected \"}\""),
            ("${x} ${1 +}", 10, "unexpected \"}\" while scanning extensions"),
        ];
        for (text, offset_bytes, message) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(
                (error.offset_bytes, error.message.as_str()),
                (offset_bytes, message),
                "{text}"
            );
        }
    }
}
