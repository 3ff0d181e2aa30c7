//! How values of any type are shown inside a text: `map[a:1 b:[x <nil>]]`.
//!
//! This is the form that `+`, regular expressions and `jsonpath-template` print. Not JSON.

use crate::datum::Datum;
use crate::fault::Fault;
use crate::limits::OUTPUT_BYTES_MAX;
use crate::{number, timestamp};

/// `datum` as it appears inside a text. Bytes that are no text stay as they are.
///
/// # Errors
///
/// [`Fault::TooLarge`].
pub(crate) fn bytes(datum: &Datum) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::new();
    write(datum, &mut out)?;
    Ok(out)
}

/// The same as text, for messages and keys.
pub(crate) fn text(datum: &Datum) -> Result<String, Fault> {
    bytes(datum).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Characters of a computed text that a message shows.
const BRIEF_CHARS: usize = 100;

/// `datum` as a message names it: what is inside of lists and mappings stays there, since it may
/// be long, and may be nobody's business.
pub(crate) fn brief(datum: &Datum) -> Result<String, Fault> {
    match datum {
        Datum::List(_) => Ok("[…]".to_owned()),
        Datum::Map(_) => Ok("map[…]".to_owned()),
        scalar => Ok(cut(&text(scalar)?)),
    }
}

/// The beginning of a computed text, for a message.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(BRIEF_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn write(datum: &Datum, out: &mut Vec<u8>) -> Result<(), Fault> {
    match datum {
        Datum::Null => out.extend_from_slice(b"<nil>"),
        Datum::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Datum::Number(value) => out.extend_from_slice(number::shown(*value).as_bytes()),
        Datum::Text(text) => out.extend_from_slice(text.as_bytes()),
        Datum::Bytes(bytes) => out.extend_from_slice(bytes),
        Datum::Time(time) => out.extend_from_slice(timestamp::shown(*time).as_bytes()),
        Datum::List(list) => {
            out.push(b'[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Datum::Map(map) => {
            out.extend_from_slice(b"map[");
            for (index, (key, value)) in map.fields.iter().enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                write(value, out)?;
            }
            out.push(b']');
        }
    }
    if out.len() > OUTPUT_BYTES_MAX { Err(Fault::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_in_a_text() {
        let cases = [
            (json!({"b": [1, "a", null], "a": {"z": 3}}), "map[a:map[z:3] b:[1 a <nil>]]"),
            (json!(10_000_000), "1e+07"),
            (json!([]), "[]"),
            (json!(true), "true"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&Datum::from_json(&value).unwrap()).unwrap(), expected);
        }
    }

    #[test]
    fn a_message_shows_neither_what_is_inside_nor_all_of_what_is_long() {
        let cases = [
            (json!({"key": "inside"}), "map[…]".to_owned()),
            (json!(["inside"]), "[…]".to_owned()),
            (json!("name"), "name".to_owned()),
            (json!("ü".repeat(100)), "ü".repeat(100)),
            (json!("ü".repeat(101)), format!("{}…", "ü".repeat(100))),
        ];
        for (value, expected) in cases {
            assert_eq!(brief(&Datum::from_json(&value).unwrap()).unwrap(), expected);
        }
    }
}
