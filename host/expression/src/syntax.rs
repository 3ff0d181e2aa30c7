//! The expression language inside `${…}`: what a text says, not what it comes to.
//!
//! Operations between constants are computed here, so a mistake in one is found when the
//! workflow is read. Nothing else is evaluated.

use crate::datum::Datum;
use crate::operator::{self, Infix, Prefix};
use crate::parser::{self, Grammar, ParseError, Parser, deepest, nodes};
use crate::quoted::unquote;
use crate::scanner::{Mode, Token};
use std::sync::Arc;

/// A parsed expression.
#[derive(Debug)]
pub(crate) enum Ast {
    Const(Datum),
    List(Vec<Arc<Ast>>),
    Map(Vec<(Arc<Ast>, Arc<Ast>)>),
    Prefix(Prefix, Arc<Ast>),
    /// Left-associative, whatever the precedences were.
    Chain(Arc<Ast>, Vec<(Infix, Arc<Ast>)>),
    /// Each stage is the `$` of the next.
    Pipe(Vec<Arc<Ast>>),
    /// Keys from `$` on.
    Path(Vec<Arc<Ast>>),
    Call(String, CallArguments),
    /// A call where the language has no functions: a mistake once it is evaluated.
    RefusedCall(String),
}

/// The arguments of a call, in one of two styles.
#[derive(Debug)]
pub(crate) enum CallArguments {
    Positional(Vec<Arc<Ast>>),
    Keyword(Vec<(String, Arc<Ast>)>),
}

/// Reads `text` as one expression.
pub(crate) fn parse(text: &str) -> Result<Arc<Ast>, ParseError> {
    parse_all(text, &Language { functions: true })
}

/// Reads `text` as a query: an expression without functions.
pub(crate) fn parse_query(text: &str) -> Result<Arc<Ast>, ParseError> {
    parse_all(text, &Language { functions: false })
}

fn parse_all(text: &str, language: &Language) -> Result<Arc<Ast>, ParseError> {
    let mut parser = Parser::new(text, 0, is_name);
    let parsed = parser.expression(language)?;
    parser.end()?;
    Ok(parsed.node)
}

/// Reads the expression that starts where `parser` stands. What follows is pushed back.
pub(crate) fn parse_part(parser: &mut Parser<'_>, functions: bool) -> Result<Arc<Ast>, ParseError> {
    parser.expression(&Language { functions }).map(|parsed| parsed.node)
}

/// Letters and `_` begin a name; digits and `-` go on with it.
pub(crate) fn is_name(c: char, first: bool) -> bool {
    c == '_' || c.is_alphabetic() || !first && (c == '-' || c.is_numeric())
}

type Parsed = parser::Parsed<Ast>;

fn constant(parsed: &Parsed) -> Option<&Datum> {
    match &*parsed.node {
        Ast::Const(datum) => Some(datum),
        _ => None,
    }
}

struct Language {
    functions: bool,
}

impl Grammar for Language {
    type Node = Parsed;
    type Operator = Infix;
    const SYMBOLS: &'static [&'static str] = &[
        "==", "!=", "<=", ">=", "=~", "!~", "&&", "||", "|>", "**", "<<", ">>", "??", "+", "-",
        "*", "/", "%", "<", ">", "&", "|", "^",
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
            Token::Symbol('$') => self.path(parser, Vec::new()),
            Token::Symbol('(') => {
                let inner = parser.expression(self)?;
                match parser.scan() {
                    Token::Symbol(')') => Ok(inner),
                    _ => Err(parser.unexpected("parentheses", "\")\"")),
                }
            }
            Token::Symbol('[') => self.list(parser),
            Token::Symbol('{') => self.map(parser),
            Token::Symbol('!') => self.prefix(parser, Prefix::Not),
            Token::Symbol('-') => self.prefix(parser, Prefix::Negative),
            Token::Symbol('~') => self.prefix(parser, Prefix::Complement),
            _ => Err(parser.unexpected("extensions", "")),
        }
    }

    fn infix(&self, text: &str) -> parser::Infix<Infix> {
        match Infix::named(text) {
            Some(operator) => parser::Infix::Operator(operator, operator.precedence()),
            None if text == "|>" => parser::Infix::Pipe,
            None => parser::Infix::None,
        }
    }

    fn combine(&self, operator: Infix, left: Parsed, right: Parsed) -> Result<Parsed, String> {
        if let (Some(a), Some(b)) = (constant(&left), constant(&right)) {
            let value = operator::infix(operator, a, b).map_err(|fault| fault.to_string())?;
            return Ok(Parsed::leaf(Ast::Const(value)));
        }
        // A longer chain is not deeper, but its new link may be.
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

    fn pipe(&self, stages: Vec<Parsed>) -> Result<Parsed, String> {
        let depth = deepest(&stages);
        Parsed::above(Ast::Pipe(nodes(stages)), depth)
    }
}

impl Language {
    fn finish(parser: &Parser<'_>, ast: Ast, inner: usize) -> Result<Parsed, ParseError> {
        Parsed::above(ast, inner).map_err(|text| parser.error(text))
    }

    fn prefix(&self, parser: &mut Parser<'_>, prefix: Prefix) -> Result<Parsed, ParseError> {
        let operand = parser.nested(|parser| self.operand(parser))?;
        match constant(&operand) {
            Some(constant) => {
                let value = operator::prefix(prefix, constant)
                    .map_err(|fault| parser.error(fault.to_string()))?;
                Ok(Parsed::leaf(Ast::Const(value)))
            }
            None => Self::finish(parser, Ast::Prefix(prefix, operand.node), operand.depth),
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
                    // Any token may stand between key and value; published workflows use a comma.
                    parser.scan();
                    let value = parser.expression(self)?;
                    depth = depth.max(key.depth).max(value.depth);
                    fields.push((key.node, value.node));
                }
            }
        }
    }

    /// A constant, a call, or a path that starts with a name.
    fn name(&self, parser: &mut Parser<'_>) -> Result<Parsed, ParseError> {
        let name = parser.token_text();
        let constant = match name {
            "true" => Some(Datum::Bool(true)),
            "false" => Some(Datum::Bool(false)),
            "null" => Some(Datum::Null),
            _ => None,
        };
        if let Some(constant) = constant {
            return Ok(Parsed::leaf(Ast::Const(constant)));
        }
        if parser.scan_as(Mode::NoFloats) == Token::Symbol('(') {
            return self.call(parser, name);
        }
        parser.push_back("identifier", "\".\", \"[\" or \"(\"");
        self.path(parser, vec![Parsed::leaf(Ast::Const(Datum::text(name)))])
    }

    fn path(&self, parser: &mut Parser<'_>, mut keys: Vec<Parsed>) -> Result<Parsed, ParseError> {
        loop {
            match parser.scan_as(Mode::NoFloats) {
                Token::Symbol('.') => match parser.scan_as(Mode::NoFloats) {
                    Token::Ident => {
                        keys.push(Parsed::leaf(Ast::Const(Datum::text(parser.token_text()))));
                    }
                    _ => {
                        parser.push_back("field", "");
                        keys.push(parser.nested(|parser| self.operand(parser))?);
                    }
                },
                Token::Symbol('[') => {
                    keys.push(parser.expression(self)?);
                    if parser.scan() != Token::Symbol(']') {
                        return Err(parser.unexpected("key", "\"]\""));
                    }
                }
                _ => {
                    parser.push_back("variable", "\".\" or \"[\"");
                    let depth = deepest(&keys);
                    return Self::finish(parser, Ast::Path(nodes(keys)), depth);
                }
            }
        }
    }

    fn call(&self, parser: &mut Parser<'_>, name: &str) -> Result<Parsed, ParseError> {
        let mut arguments = Vec::new();
        match parser.scan() {
            Token::Symbol(')') => {
                let none = CallArguments::Positional(Vec::new());
                return self.finish_call(parser, name, none, 0);
            }
            Token::Ident if parser.peek() == Some(':') => {
                return self.keyword_call(parser, name);
            }
            _ => parser.push_back("function argument", "\":\", \",\" or \")\""),
        }
        loop {
            arguments.push(parser.expression(self)?);
            if !Self::another_argument(parser)? {
                let depth = deepest(&arguments);
                let arguments = CallArguments::Positional(nodes(arguments));
                return self.finish_call(parser, name, arguments, depth);
            }
        }
    }

    /// The first argument's name was the last token.
    fn keyword_call(&self, parser: &mut Parser<'_>, name: &str) -> Result<Parsed, ParseError> {
        let mut arguments: Vec<(String, Arc<Ast>)> = Vec::new();
        let mut depth = 0;
        loop {
            let keyword = parser.token_text().to_owned();
            if parser.scan() != Token::Symbol(':') {
                return Err(parser.unexpected("function argument name", "\":\""));
            }
            let value = parser.expression(self)?;
            depth = depth.max(value.depth);
            arguments.retain(|(before, _)| *before != keyword);
            arguments.push((keyword, value.node));
            if !Self::another_argument(parser)? {
                let arguments = CallArguments::Keyword(arguments);
                return self.finish_call(parser, name, arguments, depth);
            }
            if parser.scan() != Token::Ident {
                return Err(parser.unexpected("function argument name", "Ident"));
            }
        }
    }

    fn finish_call(
        &self,
        parser: &Parser<'_>,
        name: &str,
        arguments: CallArguments,
        depth: usize,
    ) -> Result<Parsed, ParseError> {
        let name = name.to_owned();
        let call = if self.functions { Ast::Call(name, arguments) } else { Ast::RefusedCall(name) };
        Self::finish(parser, call, depth)
    }

    fn another_argument(parser: &mut Parser<'_>) -> Result<bool, ParseError> {
        match parser.scan() {
            Token::Symbol(',') => Ok(true),
            Token::Symbol(')') => Ok(false),
            _ => Err(parser.unexpected("function argument", "\",\" or \")\"")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_computed_while_reading() {
        for (text, expected) in [
            ("2**3**2", Datum::Number(64.0)),
            ("-2**2", Datum::Number(4.0)),
            ("'a' + 1", Datum::text("a1")),
            ("!(1 > 2)", Datum::Bool(true)),
        ] {
            let ast = parse(text).unwrap();
            assert!(matches!(&*ast, Ast::Const(value) if *value == expected), "{text}: {ast:?}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let cases = [
            ("", "parsing error: \t - 1:1 unexpected EOF while scanning extensions"),
            ("a b", "parsing error: a b\t:1:3 - 1:4 unexpected Ident while scanning operator"),
            ("a ?? b", "parsing error: a ?? b\t:1:3 - 1:5 unknown operator ??"),
            (
                "f(a: 1, 2)",
                "parsing error: f(a: 1, 2)\t:1:9 - 1:10 unexpected Int while scanning function argument name expected Ident",
            ),
            ("$$", "parsing error: $$\t:1:2 - 1:3 unexpected \"$\" while scanning operator"),
            (
                "a[1",
                "parsing error: a[1\t:1:4 - 1:4 unexpected EOF while scanning key expected \"]\"",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn nesting_is_refused_before_the_stack_ends() {
        let deep = |open: &str, close: &str, count: usize| {
            format!("{}a{}", open.repeat(count), close.repeat(count))
        };
        for (open, close) in
            [("(", ")"), ("[", "]"), ("!", ""), ("a.(", ")"), ("f(", ")"), ("a.$.", "")]
        {
            assert!(parse(&deep(open, close, 20)).is_ok(), "{open}");
            let refused = parse(&deep(open, close, 100_000)).unwrap_err();
            assert!(refused.message().contains("nested deeper"), "{open}: {refused}");
        }
    }

    #[test]
    fn long_chains_are_not_deep() {
        let chain = vec!["a"; 10_000];
        for operator in [" + ", " && ", " |> ", "."] {
            assert!(parse(&chain.join(operator)).is_ok(), "{operator}");
        }
    }
}
