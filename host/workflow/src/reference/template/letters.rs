//! A look at the letters of a template: which names stand in it, and where.
//!
//! No grammar: it only tells names from texts, comments and the signs between them. What a
//! template means is for the expression room to say.

use std::ops::Range;

/// A name in a template, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) range: Range<usize>,
}

/// The names of a template.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// Each path, up to its first computed part. A leading `$` is left out.
    pub(super) paths: Vec<Path>,
    /// Names in front of `(`.
    pub(super) calls: Vec<Word>,
}

/// `a.b['c']`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) words: Vec<Word>,
    /// Whether it stands to the right of `|>`, where it begins in another value.
    pub(super) piped: bool,
    /// Whether there is more that can't be seen from here.
    pub(super) goes_on: bool,
}

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        let mut letters = Self::default();
        let mut at = 0;
        while let Some(start) = opening(text, at) {
            let mut scan = Scan { text, at: start, letters: &mut letters, piped: false };
            scan.expression();
            at = scan.at;
        }
        letters
    }

    /// The paths that begin with these names.
    pub(super) fn paths(&self, wanted: &[&str]) -> Vec<&[Word]> {
        let begins = |path: &&Path| {
            path.words.len() >= wanted.len()
                && path.words.iter().zip(wanted).all(|(word, wanted)| word.text == *wanted)
        };
        self.paths.iter().filter(begins).map(|path| path.words.as_slice()).collect()
    }
}

/// The byte after the next `${`. Two dollars are text.
fn opening(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = from;
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'$', b'{') => return Some(at + 2),
            (b'$', b'$') => at += 2,
            _ => at += 1,
        }
    }
    None
}

struct Scan<'t, 'l> {
    text: &'t str,
    at: usize,
    letters: &'l mut Letters,
    piped: bool,
}

impl Scan<'_, '_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Up to and over the `}` that ends it.
    fn expression(&mut self) {
        let mut braces = 0_usize;
        while let Some(next) = self.peek() {
            match next {
                '"' | '\'' | '`' => drop(self.quoted(next)),
                '{' => {
                    braces += 1;
                    self.at += 1;
                }
                '}' if braces == 0 => {
                    self.at += 1;
                    return;
                }
                '}' => {
                    braces -= 1;
                    self.at += 1;
                }
                '/' if self.rest().starts_with("/*") => self.comment(),
                '|' if self.rest().starts_with("|>") => {
                    self.piped = true;
                    self.at += 2;
                }
                // A key of something computed.
                '.' => {
                    self.at += 1;
                    self.skip_while(char::is_whitespace);
                    self.skip_while(continues_name);
                }
                _ if starts_name(next) || next == '$' => self.name(),
                _ if next.is_numeric() => self.skip_while(|c| continues_name(c) || c == '.'),
                _ => self.at += next.len_utf8(),
            }
        }
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !wanted(c)).unwrap_or(rest.len());
    }

    fn comment(&mut self) {
        let rest = self.rest();
        self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
    }

    /// A text between quotes; its content if that has no escapes.
    fn quoted(&mut self, quote: char) -> Option<Word> {
        let start = self.at + 1;
        self.at = start;
        let mut escaped = false;
        while let Some(next) = self.peek() {
            if next == quote {
                let range = start..self.at;
                self.at += 1;
                let text = self.text[range.clone()].to_owned();
                return (!escaped).then_some(Word { text, range });
            }
            self.at += next.len_utf8();
            if next == '\\' && quote != '`' {
                escaped = true;
                self.at += self.peek().map_or(0, char::len_utf8);
            }
        }
        None
    }

    fn word(&mut self) -> Word {
        let start = self.at;
        self.skip_while(continues_name);
        Word { text: self.text[start..self.at].to_owned(), range: start..self.at }
    }

    /// A path, a call, a constant, or the name of an argument.
    fn name(&mut self) {
        let mut words = Vec::new();
        if self.peek() == Some('$') {
            self.at += 1;
        } else {
            let word = self.word();
            let after = self.rest().trim_start();
            if after.starts_with('(') {
                self.letters.calls.push(word);
                return;
            }
            if after.starts_with(':') || matches!(word.text.as_str(), "true" | "false" | "null") {
                return;
            }
            words.push(word);
        }
        let goes_on = loop {
            match self.segment() {
                Segment::Word(word) => words.push(word),
                Segment::Computed => break true,
                Segment::End => break false,
            }
        };
        self.letters.paths.push(Path { words, piped: self.piped, goes_on });
    }

    /// `.name`, `.'name'` or `['name']`. Stands after it, or where something computed begins.
    fn segment(&mut self) -> Segment {
        let start = self.at;
        self.skip_while(char::is_whitespace);
        let bracket = match self.peek() {
            Some('.') => false,
            Some('[') => true,
            _ => {
                self.at = start;
                return Segment::End;
            }
        };
        self.at += 1;
        self.skip_while(char::is_whitespace);
        let word = match self.peek() {
            Some(quote @ ('"' | '\'' | '`')) => self.quoted(quote),
            Some(next) if !bracket && starts_name(next) => Some(self.word()),
            Some(next) if next.is_ascii_digit() => Some(self.word()),
            _ => None,
        };
        let Some(word) = word else { return Segment::Computed };
        if bracket {
            self.skip_while(char::is_whitespace);
            if self.peek() != Some(']') {
                return Segment::Computed;
            }
            self.at += 1;
        }
        Segment::Word(word)
    }
}

enum Segment {
    Word(Word),
    Computed,
    End,
}

fn starts_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn continues_name(c: char) -> bool {
    starts_name(c) || c == '-' || c.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_calls() {
        let cases: &[(&str, &[&str], &[&str])] = &[
            ("${parameters.a}", &["parameters.a"], &[]),
            (
                "x ${outputs.'my step'['o']} ${steps.b.failed}",
                &["outputs.my step.o", "steps.b.failed"],
                &[],
            ),
            ("${$.outputs . x.y}", &["outputs.x.y"], &[]),
            ("${outputs[parameters.p].x}", &["outputs…", "parameters.p"], &[]),
            ("${concat('outputs.x', a.b)}", &["a.b"], &["concat"]),
            ("${merge(objects: [a], mode: 'deep')}", &["a"], &["merge"]),
            ("${a /* b */ |> c}", &["a", "|> c"], &[]),
            ("${{'k': v}} ${w}", &["v", "w"], &[]),
            ("$${a} $$${b}", &["b"], &[]),
            ("${true && null == x-1}", &["x-1"], &[]),
            ("${a.0.b}", &["a.0.b"], &[]),
            ("${1.5 + 2e3}", &[], &[]),
            ("${'unclosed", &[], &[]),
            ("${a[", &["a…"], &[]),
            ("text", &[], &[]),
        ];
        for (text, paths, calls) in cases {
            let letters = Letters::of(text);
            let shown = letters.paths.iter().map(|path| {
                let words: Vec<&str> = path.words.iter().map(|word| word.text.as_str()).collect();
                let pipe = if path.piped { "|> " } else { "" };
                format!("{pipe}{}{}", words.join("."), if path.goes_on { "…" } else { "" })
            });
            assert_eq!(shown.collect::<Vec<_>>(), *paths, "{text}");
            let shown: Vec<&str> = letters.calls.iter().map(|call| call.text.as_str()).collect();
            assert_eq!(shown, *calls, "{text}");
            for word in letters.paths.iter().flat_map(|path| &path.words) {
                assert_eq!(text[word.range.clone()], word.text, "{text}");
            }
        }
    }
}
