//! JSON texts: written as Relay writes them, read with its messages.
//!
//! Keys in byte order, `<`, `>` and `&` escaped. Writing stops at the size limit, because
//! indentation can multiply the size of a value.

use crate::datum::Datum;
use crate::fault::Fault;
use crate::limits::OUTPUT_BYTES_MAX;
use crate::{number, timestamp};
use serde_json::Value;
use std::fmt::Write;

/// `datum` on one line.
pub(crate) fn compact(datum: &Datum) -> Result<String, Fault> {
    Writer { out: String::new(), indented: false }.finish(datum)
}

/// `datum` with a line for each item, indented by tabs.
pub(crate) fn indented(datum: &Datum) -> Result<String, Fault> {
    Writer { out: String::new(), indented: true }.finish(datum)
}

struct Writer {
    out: String,
    indented: bool,
}

impl Writer {
    fn finish(mut self, datum: &Datum) -> Result<String, Fault> {
        self.value(datum, 0)?;
        Ok(self.out)
    }

    fn value(&mut self, datum: &Datum, level: usize) -> Result<(), Fault> {
        if self.out.len() > OUTPUT_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        match datum {
            Datum::Null => self.out.push_str("null"),
            Datum::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Datum::Number(value) => match number::json(*value) {
                Some(text) => self.out.push_str(&text),
                None => return Err(Fault::Unencodable(number::shown(*value))),
            },
            Datum::Text(text) => self.text(text),
            Datum::Bytes(bytes) => self.text(&String::from_utf8_lossy(bytes)),
            Datum::Time(time) => self.text(&timestamp::rfc3339(*time)),
            Datum::List(list) => self.items('[', ']', level, &list.items, |writer, item| {
                writer.value(item, level + 1)
            })?,
            Datum::Map(map) => {
                self.items('{', '}', level, &map.fields, |writer, (key, value)| {
                    writer.text(key);
                    writer.out.push_str(if writer.indented { ": " } else { ":" });
                    writer.value(value, level + 1)
                })?
            }
        }
        Ok(())
    }

    fn items<T: IntoIterator>(
        &mut self,
        open: char,
        close: char,
        level: usize,
        items: T,
        mut write: impl FnMut(&mut Self, T::Item) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.out.push(open);
        let mut any = false;
        for item in items {
            if any {
                self.out.push(',');
            }
            any = true;
            self.line(level + 1);
            write(self, item)?;
        }
        if any {
            self.line(level);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, level: usize) {
        if self.indented {
            self.out.push('\n');
            self.out.extend(std::iter::repeat_n('\t', level));
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                    // Writing into a `String` can't fail.
                    let _ = write!(self.out, "\\u{:04x}", u32::from(c));
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

/// Reads a JSON text.
///
/// # Errors
///
/// [`Fault::JsonText`] if it is none, with the character that does not fit.
pub(crate) fn parse(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::JsonText(problem(text, &error)))
}

fn problem(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let message = error.to_string();
    let place = match message.split(" at line ").next().unwrap_or_default() {
        "trailing characters" => "after top-level value",
        "expected value" | "trailing comma" => "looking for beginning of value",
        "key must be a string" => "looking for beginning of object key string",
        "expected `:`" => "after object key",
        "expected `,` or `}`" => "after object key:value pair",
        "expected `,` or `]`" => "after array element",
        "expected ident" => "in literal",
        "invalid escape" => "in string escape code",
        "invalid number" => "in numeric literal",
        other if other.starts_with("control character") => "in string literal",
        other => return format!("invalid JSON: {other}"),
    };
    let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let column = error.column().saturating_sub(1).min(line.len());
    let start = (0..=column).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
    match line[start..].chars().next() {
        Some(c) => format!("invalid character '{}' {place}", c.escape_debug()),
        None => format!("invalid character '\\n' {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn datum(value: &Value) -> Datum {
        Datum::from_json(value).unwrap()
    }

    #[test]
    fn keys_are_sorted_and_html_is_escaped() {
        let value = datum(&json!({"b": [1, 1.5, true, null], "a": "<x&y>\u{7}"}));
        assert_eq!(
            compact(&value).unwrap(),
            r#"{"a":"\u003cx\u0026y\u003e\u0007","b":[1,1.5,true,null]}"#
        );
    }

    #[test]
    fn items_stand_on_lines_of_their_own() {
        let value = datum(&json!([1, {"a": null}, [], {}]));
        assert_eq!(
            indented(&value).unwrap(),
            "[\n\t1,\n\t{\n\t\t\"a\": null\n\t},\n\t[],\n\t{}\n]"
        );
    }

    #[test]
    fn a_text_that_is_no_json_is_named_by_its_first_bad_character() {
        let cases = [
            ("{", "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
            ("1 2", "invalid character '2' after top-level value"),
            ("x", "invalid character 'x' looking for beginning of value"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\": 1 2}", "invalid character '2' after object key:value pair"),
            ("{1: 2}", "invalid character '1' looking for beginning of object key string"),
            ("\"\\q\"", "invalid character 'q' in string escape code"),
        ];
        for (text, expected) in cases {
            let fault = parse(text).unwrap_err();
            assert_eq!(fault.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn an_infinity_has_no_json() {
        let fault = compact(&Datum::Number(f64::NEG_INFINITY)).unwrap_err();
        assert_eq!(fault.to_string(), "json: unsupported value: -Inf");
    }
}
