//! Text of an expression to tokens, one at a time.
//!
//! The rules are those that workflows were written against: `-` inside names, comments, three
//! kinds of quotes, numbers that are judged later. It never fails; what makes no sense becomes a
//! token that no grammar accepts.

/// A piece of an expression's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    End,
    Ident,
    Int,
    Float,
    /// In single quotes.
    Char,
    /// In double quotes.
    Text,
    /// In back-ticks.
    Raw,
    Symbol(char),
}

impl Token {
    /// The token as messages name it.
    pub(crate) fn name(self) -> String {
        match self {
            Self::End => "EOF".to_owned(),
            Self::Ident => "Ident".to_owned(),
            Self::Int => "Int".to_owned(),
            Self::Float => "Float".to_owned(),
            Self::Char => "Char".to_owned(),
            Self::Text => "String".to_owned(),
            Self::Raw => "RawString".to_owned(),
            Self::Symbol(c) => crate::fault::quoted(&c.to_string()),
        }
    }
}

/// What counts as one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything.
    Full,
    /// A dot ends a number, so that `a.2.1` is a path.
    NoFloats,
    /// Each character for itself.
    Characters,
}

/// Which characters make a name: the character, and whether it is the first.
pub(crate) type NameRule = fn(char, bool) -> bool;

/// A position in a text, with one character of lookahead.
#[derive(Clone)]
pub(crate) struct Scanner<'t> {
    text: &'t str,
    at: usize,
    token_start: usize,
    token_end: usize,
    is_name: NameRule,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str, at: usize, is_name: NameRule) -> Self {
        Self { text, at, token_start: at, token_end: at, is_name }
    }

    /// The whole text, also what comes before the start.
    pub(crate) fn source(&self) -> &'t str {
        self.text
    }

    /// Bytes up to the next character.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    pub(crate) fn token_start(&self) -> usize {
        self.token_start
    }

    /// The text of the token scanned last.
    pub(crate) fn token_text(&self) -> &'t str {
        &self.text[self.token_start..self.token_end]
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    /// Takes one character, whatever it is.
    pub(crate) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn next_while(&mut self, accept: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.next();
        }
    }

    /// Goes to the byte `at`, which must be the start of a character.
    pub(crate) fn jump(&mut self, at: usize) {
        self.at = at;
    }

    /// The next token. White space between tokens is skipped, and so are comments in all modes
    /// but [`Mode::Characters`].
    pub(crate) fn scan(&mut self, mode: Mode) -> Token {
        loop {
            self.next_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            self.token_start = self.at;
            let token = self.token(mode);
            if let Some(token) = token {
                self.token_end = self.at;
                return token;
            }
        }
    }

    fn token(&mut self, mode: Mode) -> Option<Token> {
        let Some(c) = self.next() else { return Some(Token::End) };
        if mode == Mode::Characters {
            return Some(Token::Symbol(c));
        }
        Some(match c {
            c if (self.is_name)(c, true) => {
                let is_name = self.is_name;
                self.next_while(|c| is_name(c, false));
                Token::Ident
            }
            '0'..='9' => self.number(c, mode),
            '.' if mode == Mode::Full && self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                self.next_while(is_decimal);
                self.exponent(10);
                Token::Float
            }
            '"' => {
                self.quoted('"');
                Token::Text
            }
            '\'' => {
                self.quoted('\'');
                Token::Char
            }
            '`' => {
                self.next_while(|c| c != '`');
                self.next();
                Token::Raw
            }
            '/' if self.peek() == Some('/') => {
                self.next_while(|c| c != '\n');
                return None;
            }
            '/' if self.peek() == Some('*') => {
                self.block_comment();
                return None;
            }
            c => Token::Symbol(c),
        })
    }

    fn number(&mut self, first: char, mode: Mode) -> Token {
        let mut base = 10;
        if first == '0' {
            base = match self.peek() {
                Some('x' | 'X') => 16,
                Some('o' | 'O' | 'b' | 'B') => 2,
                _ => 10,
            };
            if base != 10 {
                self.next();
            }
        }
        let digits: fn(char) -> bool = if base == 16 { is_hexadecimal } else { is_decimal };
        self.next_while(digits);
        let mut token = Token::Int;
        if mode == Mode::Full && self.peek() == Some('.') {
            self.next();
            self.next_while(digits);
            token = Token::Float;
        }
        if mode == Mode::Full && self.exponent(base) { Token::Float } else { token }
    }

    fn exponent(&mut self, base: u32) -> bool {
        if !matches!((self.peek(), base), (Some('p' | 'P'), _) | (Some('e' | 'E'), 2 | 10)) {
            return false;
        }
        self.next();
        if matches!(self.peek(), Some('+' | '-')) {
            self.next();
        }
        self.next_while(is_decimal);
        true
    }

    /// Up to and with the closing quote; an open text ends before its line does.
    fn quoted(&mut self, quote: char) {
        loop {
            match self.peek() {
                None | Some('\n') => break,
                Some('\\') => {
                    self.next();
                    if matches!(self.peek(), Some(c) if c == quote || c == '\\') {
                        self.next();
                    }
                }
                Some(c) if c == quote => {
                    self.next();
                    return;
                }
                Some(_) => {
                    self.next();
                }
            }
        }
        // The line break belongs to the broken token, as in every message about it.
        self.next();
    }

    fn block_comment(&mut self) {
        self.next();
        match self.text[self.at..].find("*/") {
            Some(length) => self.at += length + 2,
            None => self.at = self.text.len(),
        }
    }
}

fn is_decimal(c: char) -> bool {
    c.is_ascii_digit() || c == '_'
}

fn is_hexadecimal(c: char) -> bool {
    c.is_ascii_hexdigit() || c == '_'
}

/// Line and column of a byte, both from 1, the column in characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_name(c: char, first: bool) -> bool {
        c == '_' || c.is_alphabetic() || !first && (c == '-' || c.is_ascii_digit())
    }

    fn tokens(text: &str, mode: Mode) -> Vec<(Token, String)> {
        let mut scanner = Scanner::new(text, 0, is_name);
        let mut found = Vec::new();
        loop {
            let token = scanner.scan(mode);
            if token == Token::End {
                return found;
            }
            found.push((token, scanner.token_text().to_owned()));
        }
    }

    #[test]
    fn tokens_of_every_kind() {
        let cases: &[(&str, &[(Token, &str)])] = &[
            ("a-b - c", &[(Token::Ident, "a-b"), (Token::Symbol('-'), "-"), (Token::Ident, "c")]),
            ("1. .5 1e-3", &[(Token::Float, "1."), (Token::Float, ".5"), (Token::Float, "1e-3")]),
            ("0x1F 1_0", &[(Token::Int, "0x1F"), (Token::Int, "1_0")]),
            (
                "'a\\'b' \"c\" `d`",
                &[(Token::Char, "'a\\'b'"), (Token::Text, "\"c\""), (Token::Raw, "`d`")],
            ),
            ("a /* b */ c // d", &[(Token::Ident, "a"), (Token::Ident, "c")]),
            ("'open", &[(Token::Char, "'open")]),
            ("größe", &[(Token::Ident, "größe")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|(t, s)| (*t, (*s).to_owned())).collect();
            assert_eq!(tokens(text, Mode::Full), expected, "{text}");
        }
    }

    #[test]
    fn a_dot_ends_a_number_where_paths_are_read() {
        let expected = [(Token::Int, "2"), (Token::Symbol('.'), "."), (Token::Int, "1")];
        let expected: Vec<_> = expected.iter().map(|(t, s)| (*t, (*s).to_owned())).collect();
        assert_eq!(tokens("2.1", Mode::NoFloats), expected);
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(line_and_column("ö\nöx", 5), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
    }
}
