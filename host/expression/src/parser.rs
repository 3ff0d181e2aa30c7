//! What every grammar of this room shares: one token of push-back, operators by precedence,
//! messages with positions.
//!
//! It knows no operator and no function. Nesting is bounded here, once for all grammars.

use crate::fault::quoted;
use crate::limits::DEPTH_MAX;
use crate::scanner::{Mode, NameRule, Scanner, Token, line_and_column};
use std::sync::Arc;

/// Why a text is no expression, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// The whole text that was read.
    source: String,
    /// Bytes from the start of the text to the token that does not fit.
    offset_bytes: usize,
    /// Bytes to the end of that token.
    end_bytes: usize,
    message: String,
}

impl ParseError {
    /// Bytes from the start of the text to the token that does not fit.
    #[must_use]
    pub fn offset_bytes(&self) -> usize {
        self.offset_bytes
    }

    /// Bytes from the start of the text to the end of that token; never before its start.
    #[must_use]
    pub fn end_bytes(&self) -> usize {
        self.end_bytes
    }

    /// What does not fit, without the position.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl std::error::Error for ParseError {}

impl std::fmt::Display for ParseError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "parsing error: {}\t", self.source)?;
        if !self.source.is_empty() {
            let (line, column) = line_and_column(&self.source, self.offset_bytes);
            write!(out, ":{line}:{column}")?;
        }
        let (line, column) = line_and_column(&self.source, self.end_bytes);
        write!(out, " - {line}:{column} {}", self.message)
    }
}

/// What an operator's text means to a grammar.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Infix<O> {
    /// Between two operands. A higher precedence binds tighter; all are left-associative.
    Operator(O, u8),
    /// Ends everything before it, whose value the rest of the text starts from.
    Pipe,
    /// No operator here.
    None,
}

/// A parsed piece of syntax and how deep it is nested.
#[derive(Clone, Debug)]
pub(crate) struct Parsed<T> {
    pub(crate) node: Arc<T>,
    pub(crate) depth: usize,
}

impl<T> Parsed<T> {
    pub(crate) fn leaf(node: T) -> Self {
        Self { node: Arc::new(node), depth: 0 }
    }

    /// A node above others, of which the deepest is `inner` deep.
    pub(crate) fn above(node: T, inner: usize) -> Result<Self, String> {
        Self::at(node, inner + 1)
    }

    /// A node that is `depth` deep.
    pub(crate) fn at(node: T, depth: usize) -> Result<Self, String> {
        if depth > DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        Ok(Self { node: Arc::new(node), depth })
    }
}

/// How deep the deepest of `parsed` is.
pub(crate) fn deepest<'a, T: 'a>(parsed: impl IntoIterator<Item = &'a Parsed<T>>) -> usize {
    parsed.into_iter().map(|node| node.depth).max().unwrap_or(0)
}

/// The nodes without their depths.
pub(crate) fn nodes<T>(parsed: Vec<Parsed<T>>) -> Vec<Arc<T>> {
    parsed.into_iter().map(|parsed| parsed.node).collect()
}

/// One language of expressions.
pub(crate) trait Grammar {
    /// A parsed expression.
    type Node;
    /// A binary operator.
    type Operator: Copy;
    /// Texts that operators begin with or are: longer operators are preferred.
    const SYMBOLS: &'static [&'static str];

    /// What starts at the next token, without operators after it.
    fn operand(&self, parser: &mut Parser<'_>) -> Result<Self::Node, ParseError>;

    fn infix(&self, text: &str) -> Infix<Self::Operator>;

    /// `left operator right`, or why that can never have a value.
    fn combine(
        &self,
        operator: Self::Operator,
        left: Self::Node,
        right: Self::Node,
    ) -> Result<Self::Node, String>;

    /// The stages of a pipe, two or more.
    fn pipe(&self, stages: Vec<Self::Node>) -> Result<Self::Node, String>;
}

/// A text being read.
pub(crate) struct Parser<'t> {
    scanner: Scanner<'t>,
    last: Token,
    /// What to say if nobody wants the token that was pushed back.
    pushed_back: Option<Refusal>,
    nesting: usize,
}

#[derive(Clone, Copy)]
struct Refusal {
    unit: &'static str,
    expected: &'static str,
}

impl<'t> Parser<'t> {
    /// Begins at the byte `at` of `text`.
    pub(crate) fn new(text: &'t str, at: usize, is_name: NameRule) -> Self {
        let scanner = Scanner::new(text, at, is_name);
        Self { scanner, last: Token::End, pushed_back: None, nesting: 0 }
    }

    pub(crate) fn scan(&mut self) -> Token {
        self.scan_as(Mode::Full)
    }

    /// The next token, or the one pushed back, whatever the mode it was scanned in.
    pub(crate) fn scan_as(&mut self, mode: Mode) -> Token {
        if self.pushed_back.take().is_none() {
            self.last = self.scanner.scan(mode);
        }
        self.last
    }

    /// Gives the last token back. If it is never taken, the error names `unit` and `expected`.
    pub(crate) fn push_back(&mut self, unit: &'static str, expected: &'static str) {
        self.pushed_back = Some(Refusal { unit, expected });
    }

    pub(crate) fn token_text(&self) -> &'t str {
        self.scanner.token_text()
    }

    /// The next character after the last token.
    pub(crate) fn peek(&self) -> Option<char> {
        self.scanner.peek()
    }

    /// Bytes up to the next character after the last token.
    pub(crate) fn offset(&self) -> usize {
        self.scanner.offset()
    }

    /// Goes on at the byte `at`, the start of a character.
    pub(crate) fn jump(&mut self, at: usize) {
        self.pushed_back = None;
        self.scanner.jump(at);
    }

    /// An error at the last token.
    pub(crate) fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError {
            source: self.scanner.source().to_owned(),
            offset_bytes: self.scanner.token_start(),
            end_bytes: self.scanner.offset().max(self.scanner.token_start()),
            message: message.into(),
        }
    }

    /// The last token does not fit into `unit`.
    pub(crate) fn unexpected(&self, unit: &str, expected: &str) -> ParseError {
        let expected = match expected {
            "" => String::new(),
            expected => format!(" expected {expected}"),
        };
        self.error(format!("unexpected {} while scanning {unit}{expected}", self.last.name()))
    }

    /// Fails if anything but the end of the text follows.
    pub(crate) fn end(&mut self) -> Result<(), ParseError> {
        match self.pushed_back {
            Some(refusal) if self.last != Token::End => {
                Err(self.unexpected(refusal.unit, refusal.expected))
            }
            _ => Ok(()),
        }
    }

    /// Reads with `read` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        if self.nesting >= DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    /// Operands and the operators between them, as far as they go. Pushes back what follows.
    pub(crate) fn expression<G: Grammar>(&mut self, grammar: &G) -> Result<G::Node, ParseError> {
        let mut stages = Vec::new();
        let mut waiting: Vec<(G::Node, G::Operator, u8)> = Vec::new();
        loop {
            let mut node = self.nested(|parser| grammar.operand(parser))?;
            let next = self.operator(grammar)?;
            let precedence = match next {
                Infix::Operator(_, precedence) => precedence,
                Infix::Pipe | Infix::None => 0,
            };
            while waiting.last().is_some_and(|(_, _, before)| *before >= precedence) {
                let Some((left, operator, _)) = waiting.pop() else { break };
                node = grammar.combine(operator, left, node).map_err(|text| self.error(text))?;
            }
            match next {
                Infix::Operator(operator, precedence) => waiting.push((node, operator, precedence)),
                Infix::Pipe => stages.push(node),
                Infix::None if stages.is_empty() => return Ok(node),
                Infix::None => {
                    stages.push(node);
                    return grammar.pipe(stages).map_err(|text| self.error(text));
                }
            }
        }
    }

    fn operator<G: Grammar>(&mut self, grammar: &G) -> Result<Infix<G::Operator>, ParseError> {
        let mut text = match self.scan() {
            Token::Symbol(c) if is_symbol(G::SYMBOLS, c) => c.to_string(),
            _ => {
                self.push_back("operator", "");
                return Ok(Infix::None);
            }
        };
        let mut must_be_one = false;
        while let Some(c) = self.peek().filter(|&c| is_symbol(G::SYMBOLS, c)) {
            text.push(c);
            if !G::SYMBOLS.iter().any(|symbol| symbol.starts_with(text.as_str())) {
                text.pop();
                break;
            }
            must_be_one = true;
            self.scanner.next();
        }
        match grammar.infix(&text) {
            Infix::None if must_be_one => Err(self.error(format!("unknown operator {text}"))),
            Infix::None => {
                self.push_back("operator", "");
                Ok(Infix::None)
            }
            known => Ok(known),
        }
    }
}

fn is_symbol(symbols: &[&str], c: char) -> bool {
    symbols.iter().any(|symbol| symbol.contains(c))
}

/// A parsed number, or the message for a token that looks like one.
pub(crate) fn number(token: &str) -> Result<f64, String> {
    crate::number::parse(token).map_err(|problem| {
        format!("strconv.ParseFloat: parsing {}: {}", quoted(token), problem.words())
    })
}
