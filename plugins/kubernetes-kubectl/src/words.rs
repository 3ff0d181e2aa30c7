//! A command line as words that remember where they come from.
//!
//! Splitting decides nothing: which word may be a flag is the business of `arguments`.

use crate::arguments::json_text;
use bowline_sdk::{Failure, shown};
use serde_json::Value;

/// One word of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    /// Whether the author gave it as an element of a list. A word of a split text may come from
    /// anyone whose text was joined into it.
    pub(crate) literal: bool,
    /// Whether it stands in `args`, not in `command`.
    pub(crate) of_args: bool,
}

/// The most words of a command line; a longer one is a mistake.
const WORDS_MAX: usize = 64;

/// The words of `command` and `args`, in order.
pub(crate) fn words(command: &Value, args: &Value) -> Result<Vec<Word>, Failure> {
    let Some(command) = command.as_str() else {
        return Err(Failure::config(
            "`command` is missing; give a text, for example `rollout undo`",
        ));
    };
    let mut words = split("command", command)?;
    match args {
        Value::Null => (),
        Value::String(text) => {
            for word in split("args", text)? {
                words.push(Word { of_args: true, ..word });
            }
        }
        Value::Array(list) => {
            for element in list {
                let text = match element {
                    Value::String(text) => text.clone(),
                    Value::Number(number) if !number.is_f64() => json_text(element),
                    Value::Bool(_) => json_text(element),
                    _ => return Err(wrong_args()),
                };
                words.push(Word { text, literal: true, of_args: true });
            }
        }
        _ => return Err(wrong_args()),
    }
    if words.len() > WORDS_MAX {
        let message = format!("`args` has {} words, at most {WORDS_MAX} are read", words.len());
        return Err(Failure::config(message));
    }
    Ok(words)
}

fn wrong_args() -> Failure {
    Failure::config("`args`: give a text, or a list of texts and whole numbers")
}

/// Splits on blanks and line ends. Single quotes keep everything, double quotes all but a
/// backslash before `"` or `\`; outside of quotes a backslash is refused, since shells disagree.
fn split(key: &str, text: &str) -> Result<Vec<Word>, Failure> {
    let refused = |why: &str| Failure::config(format!("`{key}` {why}: `{}`", shown(text)));
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (Some('"'), '\\') if matches!(letters.peek(), Some('"' | '\\')) => {
                word.get_or_insert_default().extend(letters.next());
            }
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '\\') => return Err(refused("has a backslash outside of quotes")),
            (None, ' ' | '\t' | '\n' | '\r') => words.extend(word.take().map(of_text)),
            (None, _) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err(refused("has a quote that is not closed"));
    }
    words.extend(word.map(of_text));
    Ok(words)
}

fn of_text(text: String) -> Word {
    Word { text, literal: false, of_args: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_on_blanks_honouring_quotes() {
        let cases: [(&str, Result<&[&str], &str>); 11] = [
            ("", Ok(&[])),
            ("  undo   deployment/web ", Ok(&["undo", "deployment/web"])),
            ("undo\n deployment/web\n", Ok(&["undo", "deployment/web"])),
            ("undo 'deployment/web'", Ok(&["undo", "deployment/web"])),
            ("undo \"a b\"c", Ok(&["undo", "a bc"])),
            ("undo ''", Ok(&["undo", ""])),
            (r#""a \"b\" \\ \c""#, Ok(&[r#"a "b" \ \c"#])),
            ("'it\"s'", Ok(&["it\"s"])),
            ("undo 'deployment/web", Err("has a quote that is not closed")),
            ("undo web\\ x", Err("has a backslash outside of quotes")),
            ("größe\u{a0}x", Ok(&["größe\u{a0}x"])),
        ];
        for (text, expected) in cases {
            let actual = split("args", text);
            match expected {
                Ok(words) => {
                    let actual = actual.expect(text);
                    let texts: Vec<&str> = actual.iter().map(|word| word.text.as_str()).collect();
                    assert_eq!(texts, words, "{text}");
                    assert!(actual.iter().all(|word| !word.literal), "{text}");
                }
                Err(why) => {
                    let failure = actual.expect_err(text);
                    assert!(failure.message().contains(why), "{text}: {failure}");
                    assert_eq!(failure.code(), "config");
                }
            }
        }
    }

    #[test]
    fn a_list_is_taken_literally() {
        let list = serde_json::json!(["a 'b", 2, true]);
        let words = words(&"rollout undo".into(), &list).expect("words");
        let texts: Vec<(&str, bool)> =
            words.iter().map(|word| (word.text.as_str(), word.literal)).collect();
        assert_eq!(
            texts,
            [("rollout", false), ("undo", false), ("a 'b", true), ("2", true), ("true", true)]
        );
    }
}
