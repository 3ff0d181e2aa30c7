//! A name in a rule: any, those that begin alike, or one.

use super::{Binding, Filled};

/// A name in a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `*`
    Any,
    /// `web-*`: those that begin so.
    Prefix(String),
    /// This and no other.
    Literal(String),
    /// One name, which an input will choose; as written.
    Input(String),
}

impl Pattern {
    /// Reads one name of a rule. Only a `*` written in the rule itself means anything; one that
    /// comes out of an input is refused by `valid`.
    pub(super) fn read(
        text: &str,
        binding: Binding<'_>,
        valid: impl Fn(&str) -> bool,
    ) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        // What stands before a `*` must be the beginning of a valid name.
        if let Some(start) = text.strip_suffix('*').filter(|start| !start.contains("${")) {
            return if valid(&format!("{start}x")) {
                Ok(Self::Prefix(start.to_owned()))
            } else {
                Err(format!("`{}` is not the beginning of a name here", start.escape_debug()))
            };
        }
        match binding.fill(text)? {
            Filled::Unknown(text) => Ok(Self::Input(text)),
            Filled::Known(filled) if valid(&filled) => Ok(Self::Literal(filled)),
            Filled::Known(filled) => Err(format!("`{}` is not a name here", filled.escape_debug())),
        }
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(start) => name.starts_with(start.as_str()),
            Self::Literal(literal) => literal == name,
            Self::Input(_) => false,
        }
    }

    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Any, _) => true,
            (Self::Prefix(a), Self::Prefix(b) | Self::Literal(b)) => b.starts_with(a.as_str()),
            (Self::Literal(a), Self::Literal(b)) | (Self::Input(a), Self::Input(b)) => a == b,
            (Self::Prefix(_) | Self::Literal(_) | Self::Input(_), _) => false,
        }
    }

    /// The names that both mean. Where one of the two is not known yet, the other is what remains
    /// possible.
    pub(super) fn meet(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Any, kept) | (kept, Self::Any) => Some(kept.clone()),
            (Self::Input(_), kept @ Self::Literal(_))
            | (kept @ Self::Literal(_), Self::Input(_)) => Some(kept.clone()),
            (kept @ Self::Input(_), _) | (_, kept @ Self::Input(_)) => Some(kept.clone()),
            (a, b) if a.covers(b) => Some(b.clone()),
            (a, b) if b.covers(a) => Some(a.clone()),
            _ => None,
        }
    }

    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Any => "*".to_owned(),
            Self::Prefix(start) => format!("{start}*"),
            Self::Literal(text) | Self::Input(text) => text.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern::{self, Any, Input, Literal, Prefix};

    #[test]
    fn two_patterns_and_what_both_mean() {
        let literal = |text: &str| Literal(text.to_owned());
        let prefix = |text: &str| Prefix(text.to_owned());
        let input = |text: &str| Input(text.to_owned());
        let cases: [(Pattern, Pattern, Option<Pattern>); 9] = [
            (Any, literal("a"), Some(literal("a"))),
            (Any, Any, Some(Any)),
            (prefix("web-"), literal("web-1"), Some(literal("web-1"))),
            (prefix("web-"), literal("db-1"), None),
            (prefix("web-"), prefix("web-a"), Some(prefix("web-a"))),
            (prefix("a"), prefix("b"), None),
            (input("${inputs.n}"), literal("a"), Some(literal("a"))),
            (input("${inputs.n}"), prefix("a"), Some(input("${inputs.n}"))),
            (literal("a"), literal("b"), None),
        ];
        for (a, b, expected) in cases {
            assert_eq!(a.meet(&b), expected, "{a:?} and {b:?}");
            assert_eq!(b.meet(&a), expected, "{b:?} and {a:?}");
        }
    }
}
