//! The name of a step.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

/// The name of a step: 1 to 256 characters, none of them a control character.
///
/// Relay has no rule at all; the two here keep names printable and events small.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

/// Why a text is no [`StepName`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepNameError {
    /// Empty, or too long.
    #[error("a step name needs 1 to {max} characters, this has {len}", max = StepName::CHARACTERS_MAX)]
    Length {
        /// Characters found.
        len: usize,
    },
    /// A line break, an escape sequence, a NUL.
    #[error("a step name can't hold control characters")]
    Control,
}

impl StepName {
    /// The most characters that a name may have.
    pub const CHARACTERS_MAX: usize = 256;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for StepName {
    type Err = StepNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let len = text.chars().count();
        if len == 0 || len > Self::CHARACTERS_MAX {
            return Err(StepNameError::Length { len });
        }
        if text.chars().any(char::is_control) {
            return Err(StepNameError::Control);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for StepName {
    type Error = StepNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.0
    }
}

impl Borrow<str> for StepName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let cases = [
            ("kubectl-deployment-rollback", Ok(())),
            ("größe 2", Ok(())),
            ("", Err(StepNameError::Length { len: 0 })),
            ("a\nb", Err(StepNameError::Control)),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse::<StepName>().map(|_| ()), expected, "{text:?}");
        }
        assert!("x".repeat(257).parse::<StepName>().is_err());
    }
}
