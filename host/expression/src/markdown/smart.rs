//! Typographic quotes, dashes, fractions and signs in HTML text.
//!
//! Works on text that is escaped already; whether a quote opens or closes is remembered from one
//! text to the next, because a tag may stand between them.

/// Which quotes are open.
#[derive(Debug, Default)]
pub(super) struct Smart {
    in_single: bool,
    in_double: bool,
}

impl Smart {
    /// Writes `text`, which is escaped HTML, to `out`.
    pub(super) fn write(&mut self, text: &str, out: &mut String) {
        let mut before: Option<char> = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let taken = self.sign(c, before, rest, out).unwrap_or_else(|| {
                out.push(c);
                c.len_utf8()
            });
            before = rest[..taken].chars().last();
            rest = &rest[taken..];
        }
    }

    /// Writes the sign that `rest` begins with; the bytes of `rest` that it stands for.
    fn sign(
        &mut self,
        c: char,
        before: Option<char>,
        rest: &str,
        out: &mut String,
    ) -> Option<usize> {
        let mut fixed = |from: &str, to: &str| {
            rest.get(..from.len()).filter(|start| start.eq_ignore_ascii_case(from))?;
            out.push_str(to);
            Some(from.len())
        };
        match c {
            '(' => fixed("(c)", "&copy;")
                .or_else(|| fixed("(r)", "&reg;"))
                .or_else(|| fixed("(tm)", "&trade;")),
            '-' => fixed("---", "&mdash;").or_else(|| fixed("--", "&ndash;")),
            '.' => fixed("...", "&hellip;").or_else(|| fixed(". . .", "&hellip;")),
            '1'..='9' => fraction(before, rest, out),
            '&' if rest.starts_with("&quot;") => {
                let after = rest["&quot;".len()..].chars().next();
                self.in_double = opens(before, after, self.in_double);
                out.push_str(if self.in_double { "&ldquo;" } else { "&rdquo;" });
                Some("&quot;".len())
            }
            '`' if rest.starts_with("``") => self.double(before, rest, out),
            '\'' if rest.starts_with("''") => self.double(before, rest, out),
            '\'' if is_contraction(&rest[1..]) => {
                out.push_str("&rsquo;");
                Some(1)
            }
            '\'' => {
                self.in_single = opens(before, rest[1..].chars().next(), self.in_single);
                out.push_str(if self.in_single { "&lsquo;" } else { "&rsquo;" });
                Some(1)
            }
            _ => None,
        }
    }

    fn double(&mut self, before: Option<char>, rest: &str, out: &mut String) -> Option<usize> {
        self.in_double = opens(before, rest[2..].chars().next(), self.in_double);
        out.push_str(if self.in_double { "&ldquo;" } else { "&rdquo;" });
        Some(2)
    }
}

/// What stands beside a quote.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Nothing,
    Space,
    Punctuation,
    Other,
}

fn beside(c: Option<char>) -> Beside {
    match c {
        None => Beside::Nothing,
        Some(c) if c.is_ascii_whitespace() => Beside::Space,
        Some(c) if c.is_ascii_punctuation() => Beside::Punctuation,
        Some(_) => Beside::Other,
    }
}

/// Whether a quote between these characters opens; `open` if it is open already.
fn opens(before: Option<char>, after: Option<char>, open: bool) -> bool {
    use Beside::{Nothing, Other, Punctuation, Space};
    match (beside(before), beside(after)) {
        (Nothing, Nothing) | (Space, Space) | (Punctuation, Punctuation) => !open,
        (Space, Nothing | Punctuation | Other) => true,
        (Nothing | Punctuation, Other) => true,
        (_, Nothing | Space) | (Nothing | Other, Punctuation) | (Other, Other) => false,
    }
}

fn is_boundary(c: Option<char>) -> bool {
    beside(c) != Beside::Other
}

/// `'s`, `'t`, `'re` and their like, without the quote.
fn is_contraction(rest: &str) -> bool {
    ["s", "t", "m", "d", "re", "ll", "ve"].iter().any(|ending| {
        let start = rest.get(..ending.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(ending))
            && is_boundary(rest[ending.len()..].chars().next())
    })
}

fn fraction(before: Option<char>, rest: &str, out: &mut String) -> Option<usize> {
    if !is_boundary(before) || before == Some('/') {
        return None;
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (above, after) = rest.split_at(digits(rest));
    let slash = ["/", "\u{2044}"].into_iter().find(|slash| after.starts_with(slash))?;
    let below = &after[slash.len()..];
    let (below, after) = below.split_at(digits(below));
    let next = after.chars().next();
    if below.is_empty() || !is_boundary(next) || next == Some('/') {
        return None;
    }
    out.push_str(&format!("<sup>{above}</sup>&frasl;<sub>{below}</sub>"));
    Some(above.len() + slash.len() + below.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs() {
        let cases = [
            ("&quot;a&quot; and &quot;b&quot;", "&ldquo;a&rdquo; and &ldquo;b&rdquo;"),
            ("it's 'so'", "it&rsquo;s &lsquo;so&rsquo;"),
            ("we're I'll", "we&rsquo;re I&rsquo;ll"),
            ("a--b---c - d", "a&ndash;b&mdash;c - d"),
            ("(c) (R) (tm) (x)", "&copy; &reg; &trade; (x)"),
            (
                "1/2 and 10/12 but 1/2/2005",
                "<sup>1</sup>&frasl;<sub>2</sub> and <sup>10</sup>&frasl;<sub>12</sub> but 1/2/2005",
            ),
            ("a... . . . &amp; ü", "a&hellip; &hellip; &amp; ü"),
        ];
        for (text, expected) in cases {
            let mut out = String::new();
            Smart::default().write(text, &mut out);
            assert_eq!(out, expected, "{text}");
        }
    }
}
