//! Foreign texts inside an author's Markdown: each in a code span that nothing in it can end.

use bowline_sdk::{Failure, shown, text};
use serde_json::{Map, Value};

/// Characters of one value. A foreign text that is longer is cut, so that it can't push out what the
/// author wrote behind it.
const VALUE_CHARACTERS_MAX: usize = 1_000;

/// `template` with each `{name}` of `values` replaced. Other braces stay as they are.
///
/// # Errors
///
/// `config` for a value that is no text, number, true or false.
pub(super) fn fill(template: &str, values: &Map<String, Value>) -> Result<String, Failure> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        filled.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        // What was put in is not looked at again, so a value can't stand for another.
        match after.find('}').and_then(|end| Some((end, values.get(&after[..end])?))) {
            Some((end, value)) => {
                filled.push_str(&span(&plain(&after[..end], value)?));
                rest = &after[end + 1..];
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

fn plain(name: &str, value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(if *flag { "true" } else { "false" }.to_owned()),
        _ => {
            let name = shown(name);
            Err(Failure::config(format!("`values.{name}` must be a text, a number, true or false")))
        }
    }
}

/// A code span whose fence is longer than any run of back-ticks inside. A pipe would end a table's
/// cell even there.
fn span(value: &str) -> String {
    let (line, _) = text::line(value, VALUE_CHARACTERS_MAX);
    let line = line.replace('|', "\u{2502}");
    let mut longest = 0;
    let mut run = 0;
    for letter in line.chars() {
        run = if letter == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    let blank = if line.is_empty() || longest > 0 { " " } else { "" };
    format!("{fence}{blank}{line}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn t12_a_foreign_text_is_shown_and_not_read() {
        let cases = [
            ("web](http://evil)", "`web](http://evil)`"),
            ("a`b", "`` a`b ``"),
            ("``` x", "```` ``` x ````"),
            ("<img src=x>", "`<img src=x>`"),
            ("a | b", "`a \u{2502} b`"),
            ("two\nlines", "`two lines`"),
            ("{other}", "`{other}`"),
            ("", "`  `"),
        ];
        for (value, expected) in cases {
            let values = json!({"x": value, "other": "secret"});
            let values = values.as_object().expect("an object");
            let filled = fill("Rolled back {x} [link](https://y) {z} {", values).expect(value);
            assert_eq!(filled, format!("Rolled back {expected} [link](https://y) {{z}} {{"));
        }
        let values = json!({"n": 3, "b": true, "l": []});
        let values = values.as_object().expect("an object");
        assert_eq!(fill("{n} {b}", values).ok().as_deref(), Some("`3` `true`"));
        assert_eq!(fill("{l}", values).expect_err("a list").code(), "config");
    }
}
