//! What a JSONPath says.
//!
//! Besides paths there are operators, so that filters can compare. There are no functions.

use crate::datum::Datum;
use crate::operator::Infix;
use crate::parser::{self, Grammar, ParseError, Parser, deepest, nodes};
use crate::query::jsonpath;
use crate::quoted::unquote;
use crate::scanner::{Mode, Token};
use std::sync::Arc;

/// A parsed JSONPath expression.
#[derive(Debug)]
pub(super) enum Ast {
    Const(Datum),
    List(Vec<Arc<Ast>>),
    Map(Vec<(Arc<Ast>, Arc<Ast>)>),
    Not(Arc<Ast>),
    Negative(Arc<Ast>),
    Chain(Arc<Ast>, Vec<(Infix, Arc<Ast>)>),
    Path {
        from: From,
        steps: Vec<Step>,
    },
    /// A name that is no path: a mistake once it is evaluated.
    Variable,
    /// A call: likewise.
    Call,
}

/// What a path begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// `$`
    Root,
    /// `@`
    Current,
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Step {
    Child(Arc<Ast>),
    Wildcard,
    Descent,
    Range([Arc<Ast>; 3]),
    Union(Vec<Arc<Ast>>),
    Filter(Arc<Ast>),
    Script(Arc<Ast>),
}

type Parsed = parser::Parsed<Ast>;

const PATH_START: &str = "\"$\", \"@\", \".\", \"[\" or \"(\"";
/// More items than any list has.
const RANGE_END: f64 = 2_147_483_647.0;

/// Reads `text` as one JSONPath expression.
pub(super) fn parse(text: &str) -> Result<Arc<Ast>, ParseError> {
    let mut parser = Parser::new(text, 0, is_name);
    let node = parse_part(&mut parser)?;
    parser.end()?;
    Ok(node)
}

/// Reads what starts where `parser` stands. A path may begin without its `$`.
pub(super) fn parse_part(parser: &mut Parser<'_>) -> Result<Arc<Ast>, ParseError> {
    let first = parser.scan();
    parser.push_back("JSONPath expression", PATH_START);
    let parsed = match first {
        Token::Symbol('.' | '[' | '(') => JsonPath.path(parser, From::Root)?,
        _ => parser.expression(&JsonPath)?,
    };
    Ok(parsed.node)
}

/// Names as Kubernetes has them: `k8s-app`, `web/html`.
pub(super) fn is_name(c: char, first: bool) -> bool {
    c == '_' || c.is_alphabetic() || !first && (matches!(c, '-' | '/') || c.is_numeric())
}

struct JsonPath;

impl Grammar for JsonPath {
    type Node = Parsed;
    type Operator = Infix;
    const SYMBOLS: &'static [&'static str] = &[
        "==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "**", "<<", ">>", "??", "+", "-", "*", "/",
        "%", "<", ">", "&", "|", "^",
    ];

    fn operand(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        match parser.scan() {
            Token::Int | Token::Float => {
                let value =
                    parser::number(parser.token_text()).map_err(|text| parser.error(text))?;
                Ok(Parsed::leaf(Ast::Const(Datum::Number(value))))
            }
            Token::Char | Token::Text | Token::Raw => {
                let bytes = unquote(parser.token_text())
                    .ok_or_else(|| parser.error("could not parse string: invalid syntax"))?;
                Ok(Parsed::leaf(Ast::Const(Datum::from_bytes(bytes))))
            }
            Token::Ident => self.name(parser),
            Token::Symbol('$') => self.path(parser, From::Root),
            Token::Symbol('@') => self.path(parser, From::Current),
            Token::Symbol('(') => {
                let inner = parser.expression(self)?;
                match parser.scan() {
                    Token::Symbol(')') => Ok(inner),
                    _ => Err(parser.unexpected("parentheses", "\")\"")),
                }
            }
            Token::Symbol('[') => self.list(parser),
            Token::Symbol('{') => self.map(parser),
            Token::Symbol('!') => self.prefix(parser, Ast::Not, jsonpath::not),
            Token::Symbol('-') => self.prefix(parser, Ast::Negative, jsonpath::negative),
            _ => Err(parser.unexpected("extensions", "")),
        }
    }

    fn infix(&self, text: &str) -> parser::Infix<Infix> {
        let bits = |infix: &Infix| {
            use Infix::{BitAnd, BitOr, BitXor, ShiftLeft, ShiftRight};
            matches!(infix, BitAnd | BitOr | BitXor | ShiftLeft | ShiftRight)
        };
        match Infix::named(text).filter(|infix| !bits(infix)) {
            Some(operator) => parser::Infix::Operator(operator, operator.precedence()),
            None => parser::Infix::None,
        }
    }

    fn combine(&self, operator: Infix, left: Parsed, right: Parsed) -> Result<Parsed, String> {
        if let Ast::Const(b) = &*right.node {
            if let Ast::Const(a) = &*left.node {
                let value = jsonpath::infix(operator, a, b).map_err(|fault| fault.to_string())?;
                return Ok(Parsed::leaf(Ast::Const(value)));
            }
            if matches!(operator, Infix::Matches | Infix::MatchesNot) {
                // A bad pattern is a mistake even if nothing is ever compared with it.
                jsonpath::infix(operator, &Datum::Null, b).map_err(|fault| fault.to_string())?;
            }
        }
        let inner = left.depth.max(right.depth);
        match Arc::try_unwrap(left.node) {
            Ok(Ast::Chain(first, mut rest)) => {
                rest.push((operator, right.node));
                Parsed::at(Ast::Chain(first, rest), left.depth.max(right.depth + 1))
            }
            Ok(other) => {
                Parsed::above(Ast::Chain(Arc::new(other), vec![(operator, right.node)]), inner)
            }
            Err(shared) => Parsed::above(Ast::Chain(shared, vec![(operator, right.node)]), inner),
        }
    }

    fn pipe(&self, _: Vec<Parsed>) -> Result<Parsed, String> {
        Err("unknown operator |>".to_owned())
    }
}

impl JsonPath {
    fn finish(parser: &Parser<'_>, ast: Ast, inner: usize) -> Result<Parsed, ParseError> {
        Parsed::above(ast, inner).map_err(|text| parser.error(text))
    }

    fn prefix(
        &self,
        parser: &mut Parser<'_>,
        build: fn(Arc<Ast>) -> Ast,
        apply: fn(&Datum) -> Result<Datum, crate::fault::Fault>,
    ) -> Result<Parsed, ParseError> {
        let operand = parser.nested(|parser| self.operand(parser))?;
        match &*operand.node {
            Ast::Const(datum) => {
                let value = apply(datum).map_err(|fault| parser.error(fault.to_string()))?;
                Ok(Parsed::leaf(Ast::Const(value)))
            }
            _ => Self::finish(parser, build(operand.node), operand.depth),
        }
    }

    fn list(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        let mut items = Vec::new();
        loop {
            match parser.scan() {
                Token::Symbol(',') => {}
                Token::Symbol(']') => {
                    let depth = deepest(&items);
                    return Self::finish(parser, Ast::List(nodes(items)), depth);
                }
                _ => {
                    parser.push_back("array", "\",\" or \"]\"");
                    items.push(parser.expression(self)?);
                }
            }
        }
    }

    fn map(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        let mut fields = Vec::new();
        let mut depth = 0;
        loop {
            match parser.scan() {
                Token::Symbol(',') => {}
                Token::Symbol('}') => return Self::finish(parser, Ast::Map(fields), depth),
                _ => {
                    parser.push_back("object", "\",\" or \"}\"");
                    let key = parser.expression(self)?;
                    parser.scan();
                    let value = parser.expression(self)?;
                    depth = depth.max(key.depth).max(value.depth);
                    fields.push((key.node, value.node));
                }
            }
        }
    }

    /// `true`, `false`, or something that JSONPath has no use for.
    fn name(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        match parser.token_text() {
            "true" => return Ok(Parsed::leaf(Ast::Const(Datum::Bool(true)))),
            "false" => return Ok(Parsed::leaf(Ast::Const(Datum::Bool(false)))),
            _ => {}
        }
        loop {
            match parser.scan() {
                Token::Symbol('.') => {
                    if parser.scan() != Token::Ident {
                        return Err(parser.unexpected("field", "Ident"));
                    }
                }
                Token::Symbol('[') => {
                    parser.expression(self)?;
                    if parser.scan() != Token::Symbol(']') {
                        return Err(parser.unexpected("array key", "\"]\""));
                    }
                }
                Token::Symbol('(') => return self.call(parser),
                _ => {
                    parser.push_back("variable", "\".\", \"(\" or \"[\"");
                    return Ok(Parsed::leaf(Ast::Variable));
                }
            }
        }
    }

    fn call(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        if parser.scan() == Token::Symbol(')') {
            return Ok(Parsed::leaf(Ast::Call));
        }
        parser.push_back("scan arguments", "\")\"");
        loop {
            parser.expression(self)?;
            match parser.scan() {
                Token::Symbol(')') => return Ok(Parsed::leaf(Ast::Call)),
                Token::Symbol(',') => {}
                _ => return Err(parser.unexpected("arguments", "\")\" or \",\"")),
            }
        }
    }

    fn path(&self, parser: &mut Parser<'_>, from: From) -> Result<Parsed, ParseError> {
        let mut steps = Vec::new();
        let mut depth = 0;
        loop {
            match parser.scan_as(Mode::Characters) {
                Token::Symbol('.') => self.dot(parser, &mut steps, &mut depth)?,
                Token::Symbol('[') => self.bracket(parser, &mut steps, &mut depth)?,
                Token::Symbol('(') => self.script(parser, &mut steps, &mut depth)?,
                _ => {
                    parser.push_back("JSONPath", "\".\", \"[\" or \"(\"");
                    return Self::finish(parser, Ast::Path { from, steps }, depth);
                }
            }
        }
    }

    fn child(name: &str) -> Step {
        Step::Child(Arc::new(Ast::Const(Datum::text(name))))
    }

    fn dot(
        &self,
        parser: &mut Parser<'_>,
        steps: &mut Vec<Step>,
        depth: &mut usize,
    ) -> Result<(), ParseError> {
        match parser.scan() {
            Token::Ident | Token::Int => steps.push(Self::child(parser.token_text())),
            Token::Symbol('*') => steps.push(Step::Wildcard),
            Token::Symbol('.') => {
                steps.push(Step::Descent);
                self.after_descent(parser, steps, depth)?;
            }
            _ => return Err(parser.unexpected("JSON select", "Ident, Int, \".\" or \"*\"")),
        }
        Ok(())
    }

    fn after_descent(
        &self,
        parser: &mut Parser<'_>,
        steps: &mut Vec<Step>,
        depth: &mut usize,
    ) -> Result<(), ParseError> {
        match parser.scan() {
            Token::Ident => steps.push(Self::child(parser.token_text())),
            Token::Symbol('*') => steps.push(Step::Wildcard),
            Token::Symbol('(') => self.script(parser, steps, depth)?,
            Token::Symbol('[') => {
                self.bracket(parser, steps, depth)?;
                if matches!(steps.last(), Some(Step::Range(_))) {
                    let text = "jsonpath: mapper cannot be combined with range query";
                    return Err(parser.error(text));
                }
            }
            _ => parser.push_back("JSON mapper", "\"[\", Ident, \"*\" or \"(\""),
        }
        Ok(())
    }

    fn script(
        &self,
        parser: &mut Parser<'_>,
        steps: &mut Vec<Step>,
        depth: &mut usize,
    ) -> Result<(), ParseError> {
        let script = parser.expression(self)?;
        if parser.scan() != Token::Symbol(')') {
            return Err(parser.unexpected("JSONPath script", "\")\""));
        }
        *depth = script.depth.max(*depth);
        steps.push(Step::Script(script.node));
        Ok(())
    }

    fn bracket(
        &self,
        parser: &mut Parser<'_>,
        steps: &mut Vec<Step>,
        depth: &mut usize,
    ) -> Result<(), ParseError> {
        let (keys, separator) = self.bracket_keys(parser)?;
        *depth = deepest(&keys).max(*depth);
        let mut keys = nodes(keys);
        let step = match (separator, keys.len()) {
            ('*', _) => Step::Wildcard,
            (',', _) => Step::Union(keys),
            (':', 0..=3) => {
                let number = |value: f64| Arc::new(Ast::Const(Datum::Number(value)));
                let defaults = [number(0.0), number(RANGE_END), number(1.0)];
                keys.extend(defaults.into_iter().skip(keys.len()));
                let range = <[Arc<Ast>; 3]>::try_from(keys);
                Step::Range(range.map_err(|_| parser.error("jsonpath: no range"))?)
            }
            (':', _) => {
                let text = "jsonpath: range query must be of the format [min:max:step]";
                return Err(parser.error(text));
            }
            ('?', 1) => Step::Filter(keys.remove(0)),
            ('?', _) => return Err(parser.error("jsonpath: filter needs exactly one key")),
            (_, 1) => Step::Child(keys.remove(0)),
            (other, _) => {
                return Err(parser.error(format!("jsonpath: unexpected separator '{other}'")));
            }
        };
        steps.push(step);
        Ok(())
    }

    /// The keys up to the closing bracket, and the character that tells what they mean.
    fn bracket_keys(&self, parser: &mut Parser<'_>) -> Result<(Vec<Parsed>, char), ParseError> {
        let mut keys: Vec<Parsed> = Vec::new();
        let mut separator: Option<char> = None;
        loop {
            let next = match parser.scan() {
                Token::Symbol('?') => {
                    if parser.scan() != Token::Symbol('(') {
                        return Err(parser.unexpected("JSONPath filter", "\"(\""));
                    }
                    parser.push_back("JSONPath filter", "");
                    Token::Symbol('?')
                }
                Token::Symbol(':') => {
                    let bound = if keys.len() == 1 { RANGE_END } else { 0.0 };
                    keys.push(Parsed::leaf(Ast::Const(Datum::Number(bound))));
                    Token::Symbol(':')
                }
                Token::Symbol('*') => {
                    if parser.scan() != Token::Symbol(']') {
                        return Err(parser.unexpected("JSON bracket star", "\"]\""));
                    }
                    return Ok((Vec::new(), '*'));
                }
                Token::Symbol(']') if separator == Some(':') => Token::Symbol(']'),
                _ => {
                    parser.push_back("jsonpath brackets", "");
                    keys.push(parser.expression(self)?);
                    parser.scan()
                }
            };
            let mark = match next {
                Token::Symbol(']') => return Ok((keys, separator.unwrap_or(']'))),
                Token::Symbol('?') if !keys.is_empty() => {
                    return Err(parser.unexpected("JSON filter", "\"]\""));
                }
                Token::Symbol(mark @ (':' | ',' | '?')) => mark,
                _ => return Err(parser.unexpected("JSON bracket separator", "\":\" or \",\"")),
            };
            let first = *separator.get_or_insert(mark);
            if first != mark {
                let text = format!("jsonpath: mixed '{first}' and '{mark}' in JSON bracket");
                return Err(parser.error(text));
            }
        }
    }
}
