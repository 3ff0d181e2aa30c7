//! A credential in memory.

use std::fmt;
use zeroize::Zeroizing;

/// A credential.
///
/// It has no `Display`, no `Serialize` and no `PartialEq`, so it can't slip into a log line,
/// the journal or a timing leak; it is wiped when it is dropped. [`Secret::reveal`] is the
/// only way to the text, and its callers are easy to count.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text in, without the blanks and line ends around it: a key pasted into a file
    /// ends in a newline, and a newline in a header is never meant.
    #[must_use]
    pub fn new(text: String) -> Self {
        let text = Zeroizing::new(text);
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// The text itself, for the last moment before it leaves the process.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_inside_a_struct_stays_hidden_in_debug_output() {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its debug output is looked at")]
        struct Login {
            user: &'static str,
            token: Secret,
        }
        let login = Login { user: "ci", token: Secret::new("hunter2\n".to_owned()) };

        let printed = format!("{login:?} {login:#?}");

        assert!(!printed.contains("hunter2"), "{printed}");
        assert_eq!(login.token.reveal(), "hunter2");
    }
}
