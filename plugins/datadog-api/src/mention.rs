//! Mentions: `@name` in a text notifies people, whoever wrote it.

/// `text` with its mentions broken by a zero-width joiner, and how many there were. An `@` inside a
/// word (an e-mail address, an image's digest) is none.
#[must_use]
pub fn quiet(text: &str) -> (String, usize) {
    let mut quiet = String::with_capacity(text.len());
    let mut mentions = 0;
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        quiet.push(letter);
        let named = letters.peek().is_some_and(|next| next.is_alphanumeric() || *next == '_');
        if letter == '@' && named && !before.is_alphanumeric() {
            quiet.push('\u{200d}');
            mentions += 1;
        }
        before = letter;
    }
    (quiet, mentions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mention_is_broken_and_an_address_is_none() {
        let cases = [
            ("ask @oncall now", "ask @\u{200d}oncall now", 1),
            ("(@a @b) @ c", "(@\u{200d}a @\u{200d}b) @ c", 2),
            ("mail a@b.example, nginx@sha256:00", "mail a@b.example, nginx@sha256:00", 0),
            ("@\u{200d}oncall", "@\u{200d}oncall", 0),
        ];
        for (text, expected, mentions) in cases {
            assert_eq!(quiet(text), (expected.to_owned(), mentions), "{text}");
        }
    }
}
