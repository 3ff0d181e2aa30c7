//! Regular expressions of `=~` and `!~`: RE2 syntax as Relay has it, matched in linear time.
//!
//! The engine below knows more than RE2 (nested classes, Unicode `\d`, `(?x)`), so a pattern is
//! read here first, refused where RE2 refuses it, and rewritten to mean the same.

mod class;

use crate::fault::Fault;
use crate::limits::PATTERN_BYTES_MAX;
use regex::bytes::RegexBuilder;

/// The most repetitions that `{n}` may ask for.
const REPEAT_MAX: u32 = 1000;

/// Whether `pattern` is found anywhere in `text`.
///
/// # Errors
///
/// [`Fault::Pattern`] if it is no pattern, or too large when compiled.
pub(crate) fn is_match(pattern: &str, text: &[u8]) -> Result<bool, Fault> {
    let rewritten = Translator::new(pattern).run().map_err(Fault::Pattern)?;
    RegexBuilder::new(&rewritten)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
        .map(|regex| regex.is_match(text))
        .map_err(|error| {
            Fault::Pattern(match error {
                regex::Error::CompiledTooBig(_) => format!("expression too large: `{pattern}`"),
                _ => format!("invalid expression: `{pattern}`"),
            })
        })
}

struct Translator<'p> {
    pattern: &'p str,
    at: usize,
    out: String,
    open_groups: usize,
    /// Whether something stands here that an operator can repeat.
    repeatable: bool,
    /// Where the operator before this place begins, if there is one right before it.
    repeated_from: Option<usize>,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Self {
        Self {
            pattern,
            at: 0,
            out: String::with_capacity(pattern.len()),
            open_groups: 0,
            repeatable: false,
            repeated_from: None,
        }
    }

    fn rest(&self) -> &'p str {
        &self.pattern[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.peek() {
            match c {
                '*' | '+' | '?' => self.repeat(1, None)?,
                '{' => match self.counts() {
                    Some((length, low, high)) => self.repeat(length, Some((low, high)))?,
                    None => self.literal(),
                },
                '(' => self.group()?,
                ')' if self.open_groups == 0 => {
                    return Err(format!("unexpected ): `{}`", self.pattern));
                }
                ')' => {
                    self.open_groups -= 1;
                    self.keep(1, true);
                }
                '|' => self.keep(1, false),
                '^' | '$' | '.' => self.keep(1, true),
                '[' => self.class()?,
                '\\' => self.escape()?,
                _ => self.literal(),
            }
        }
        if self.open_groups > 0 {
            return Err(format!("missing closing ): `{}`", self.pattern));
        }
        Ok(self.out)
    }

    /// Copies `length` ASCII characters.
    fn keep(&mut self, length: usize, repeatable: bool) {
        self.out.push_str(&self.pattern[self.at..self.at + length]);
        self.at += length;
        self.repeatable = repeatable;
        self.repeated_from = None;
    }

    fn emit(&mut self, text: &str) {
        self.out.push_str(text);
        self.repeatable = true;
        self.repeated_from = None;
    }

    fn literal(&mut self) {
        if let Some(c) = self.take() {
            self.emit(&regex::escape(&c.to_string()));
        }
    }

    /// The length of `{n}`, `{n,}` or `{n,m}` here, and its bounds. Anything else is a brace.
    fn counts(&self) -> Option<(usize, u32, Option<u32>)> {
        let inner = self.rest().strip_prefix('{')?.split_once('}')?.0;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let leading_zero = text.len() > 1 && text.starts_with('0');
            (digits && !leading_zero).then(|| text.parse().unwrap_or(u32::MAX))
        };
        let (low, high) = match inner.split_once(',') {
            None => (number(inner)?, Some(number(inner)?)),
            Some((low, "")) => (number(low)?, None),
            Some((low, high)) => (number(low)?, Some(number(high)?)),
        };
        Some((inner.len() + 2, low, high))
    }

    fn repeat(&mut self, length: usize, counts: Option<(u32, Option<u32>)>) -> Result<(), String> {
        let start = self.at;
        if let Some((low, high)) = counts {
            let top = high.unwrap_or(low);
            if low > REPEAT_MAX || top > REPEAT_MAX || top < low {
                let text = &self.pattern[start..start + length];
                return Err(format!("invalid repeat count: `{text}`"));
            }
        }
        let lazy = self.pattern[start + length..].starts_with('?');
        let end = start + length + usize::from(lazy);
        if !self.repeatable && self.repeated_from.is_none() {
            let text = &self.pattern[start..end];
            return Err(format!("missing argument to repetition operator: `{text}`"));
        }
        if let Some(before) = self.repeated_from {
            let text = &self.pattern[before..end];
            return Err(format!("invalid nested repetition operator: `{text}`"));
        }
        self.keep(end - start, false);
        self.repeated_from = Some(start);
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        self.repeatable = false;
        self.repeated_from = None;
        let Some(after) = self.rest().strip_prefix("(?") else {
            self.open_groups += 1;
            self.keep(1, false);
            return Ok(());
        };
        if let Some(named) = after.strip_prefix("P<") {
            let name = named.split_once('>').map(|(name, _)| name);
            let is_word = |c: char| c == '_' || c.is_ascii_alphanumeric();
            return match name {
                Some(name) if !name.is_empty() && name.chars().all(is_word) => {
                    self.open_groups += 1;
                    // The name is of no use here, and the engine is stricter about it.
                    self.out.push('(');
                    self.at += "(?P<>".len() + name.len();
                    Ok(())
                }
                _ => Err(format!("invalid named capture: `{}`", self.rest())),
            };
        }
        let flags = after.find(|c: char| !matches!(c, 'i' | 'm' | 's' | 'U' | '-'));
        match flags.map(|end| (end, after.as_bytes()[end])) {
            Some((end, b')' | b':')) if Self::flags_are_good(&after[..end]) => {
                if after.as_bytes()[end] == b':' {
                    self.open_groups += 1;
                }
                if end == 0 && after.starts_with(')') {
                    // `(?)` says nothing.
                    self.at += 3;
                } else {
                    self.keep(end + 3, false);
                }
                Ok(())
            }
            other => {
                let length = other.map_or(after.len(), |(end, _)| {
                    end + after[end..].chars().next().map_or(0, char::len_utf8)
                });
                let text = &self.rest()[..2 + length];
                Err(format!("invalid or unsupported Perl syntax: `{text}`"))
            }
        }
    }

    fn flags_are_good(flags: &str) -> bool {
        match flags.split_once('-') {
            None => true,
            Some((_, off)) => !off.is_empty() && !off.contains('-'),
        }
    }

    fn escape(&mut self) -> Result<(), String> {
        let start = self.at;
        let fixed = match self.rest().as_bytes().get(1) {
            None => return Err("trailing backslash at end of expression: ``".to_owned()),
            Some(b'A') => Some("\\A"),
            Some(b'z') => Some("\\z"),
            // Words are ASCII here.
            Some(b'b') => Some("(?-u:\\b)"),
            Some(b'B') => Some("(?-u:\\B)"),
            Some(b'Q') => return self.quoted(),
            _ => None,
        };
        if let Some(text) = fixed {
            self.at += 2;
            self.emit(text);
            return Ok(());
        }
        if let Some(set) = self.shorthand()? {
            self.emit(&format!("[{set}]"));
            return Ok(());
        }
        let c = self.escaped_char(start)?;
        self.emit(&regex::escape(&c.to_string()));
        Ok(())
    }

    /// `\Q…\E`, or to the end of the pattern.
    fn quoted(&mut self) -> Result<(), String> {
        self.at += 2;
        let (text, length) = match self.rest().split_once("\\E") {
            Some((text, _)) => (text, text.len() + 2),
            None => (self.rest(), self.rest().len()),
        };
        self.at += length;
        for c in text.chars() {
            self.emit(&regex::escape(&c.to_string()));
        }
        Ok(())
    }

    /// One escaped character, in and outside of classes.
    fn escaped_char(&mut self, start: usize) -> Result<char, String> {
        self.take();
        let found = match self.take() {
            None => return Err("trailing backslash at end of expression: ``".to_owned()),
            Some('a') => Some('\x07'),
            Some('f') => Some('\x0c'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\x0b'),
            Some('x') => self.hexadecimal(),
            Some(c @ '0'..='7') => self.octal(c),
            Some(c) if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            Some(_) => None,
        };
        found.ok_or_else(|| format!("invalid escape sequence: `{}`", &self.pattern[start..self.at]))
    }

    fn hexadecimal(&mut self) -> Option<char> {
        let digits = match self.rest().strip_prefix('{') {
            Some(inner) => {
                let (digits, _) = inner.split_once('}')?;
                self.at += digits.len() + 2;
                digits
            }
            None => {
                let digits = self.rest().get(..2)?;
                self.at += 2;
                digits
            }
        };
        let good = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let code = good.then(|| u32::from_str_radix(digits, 16).ok()).flatten()?;
        char::from_u32(code)
    }

    /// A lone digit but 0 would be a back reference, which RE2 does not have.
    fn octal(&mut self, first: char) -> Option<char> {
        let mut code = first.to_digit(8)?;
        if first != '0' && !self.peek().is_some_and(|c| c.is_digit(8)) {
            return None;
        }
        for _ in 0..2 {
            let Some(digit) = self.peek().and_then(|c| c.to_digit(8)) else { break };
            code = code * 8 + digit;
            self.take();
        }
        char::from_u32(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_match_and_that_do_not() {
        let cases = [
            ("b", "abc", true),
            ("^b", "abc", false),
            ("(?i)ABC", "xabc", true),
            (r"^\d+$", "123", true),
            (r"^\d$", "٣", false),
            (r"^\W$", "é", true),
            (r"\bfoo\b", "a foo b", true),
            ("a{2,3}$", "caa", true),
            ("a{,2}", "a{,2}", true),
            ("{", "{", true),
            ("[[]", "[", true),
            ("[a&&b]", "&", true),
            ("[]a]", "]", true),
            ("[^]a]", "]", false),
            (r"[\d\-x]", "-", true),
            ("[[:alpha:]_]+", "_", true),
            (r"\Qa.b\E", "axb", false),
            (r"\Qa.b\E+", "a.b", true),
            (r"\x{e9}\x41\101", "éAA", true),
            ("(?P<name>a)(?:b)", "ab", true),
            ("a||b", "", true),
            (r"\.\*", ".*", true),
            (r"^\pL+$", "größe", true),
            ("#", "#", true),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(
                is_match(pattern, text.as_bytes()).unwrap(),
                expected,
                "{pattern} in {text}"
            );
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused_in_words_that_can_be_searched() {
        let cases = [
            ("(", "missing closing ): `(`"),
            ("a)", "unexpected ): `a)`"),
            ("[a", "missing closing ]: `[a`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("a{3,2}", "invalid repeat count: `{3,2}`"),
            (r"\q", r"invalid escape sequence: `\q`"),
            (r"\1", r"invalid escape sequence: `\1`"),
            ("a\\", "trailing backslash at end of expression: ``"),
            ("[z-a]", "invalid character class range: `z-a`"),
            ("[[:foo:]]", "invalid character class range: `[:foo:]`"),
            (r"\p{Foo}", r"invalid character class range: `\p{Foo}`"),
            ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("(?x)a", "invalid or unsupported Perl syntax: `(?x`"),
            ("(?<n>a)", "invalid or unsupported Perl syntax: `(?<`"),
            ("(?P<>a)", "invalid named capture: `(?P<>a)`"),
        ];
        for (pattern, expected) in cases {
            let fault = is_match(pattern, b"").unwrap_err();
            assert_eq!(fault.to_string(), format!("error parsing regexp: {expected}"), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_explodes_is_refused() {
        assert!(is_match("((a{1000}){1000}){1000}", b"a").is_err());
    }
}
