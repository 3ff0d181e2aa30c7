//! JSON from the other side of the boundary: one value, bounded in size and depth, no member
//! twice.
//!
//! Two readers of one text that holds a member twice may each see another value, so such a
//! text is refused and not interpreted.

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Levels of nesting, as in the contract.
pub const DEPTH_MAX: usize = 64;

/// The text is not what the contract allows.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Longer than allowed.
    #[error("{bytes} bytes of JSON, and {max} are allowed")]
    Size {
        /// Found.
        bytes: usize,
        /// Allowed.
        max: usize,
    },
    /// Malformed, too deep, or a member comes twice; says where.
    #[error("not a JSON value that can be taken: {0}")]
    Malformed(String),
}

/// Reads one value out of at most `bytes_max` bytes of text.
///
/// # Errors
///
/// [`JsonError`].
pub fn parse(text: &str, bytes_max: usize) -> Result<Value, JsonError> {
    if text.len() > bytes_max {
        return Err(JsonError::Size { bytes: text.len(), max: bytes_max });
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let malformed = |error: serde_json::Error| JsonError::Malformed(error.to_string());
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(malformed)?;
    deserializer.end().map_err(malformed)?;
    Ok(value)
}

/// Reads an object.
///
/// # Errors
///
/// [`JsonError`], also for any other value.
pub fn parse_object(text: &str, bytes_max: usize) -> Result<Map<String, Value>, JsonError> {
    match parse(text, bytes_max)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::Malformed("expected an object".to_owned())),
    }
}

struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(format!("more than {DEPTH_MAX} levels of nesting")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.deeper()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<Name>()? {
            let value = members.next_value_seed(self.deeper()?)?;
            if object.contains_key(&name.0) {
                let name = name.0.escape_debug();
                return Err(A::Error::custom(format!("the member `{name}` comes twice")));
            }
            object.insert(name.0, value);
        }
        Ok(Value::Object(object))
    }
}

struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_and_what_is_not() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let cases = [
            ("{\"a\":[1,-2,1.5,\"x\",null,true]}".to_owned(), true),
            ("1".to_owned(), true),
            (deep(64), true),
            (deep(65), false),
            (deep(100_000), false),
            ("{\"a\":1,\"a\":2}".to_owned(), false),
            ("{\"b\":{\"a\":1,\"a\":2}}".to_owned(), false),
            ("1 2".to_owned(), false),
            (String::new(), false),
            ("NaN".to_owned(), false),
            ("1e999".to_owned(), false),
            ("\"\\ud800\"".to_owned(), false),
            ("\u{feff}1".to_owned(), false),
            ("\"\0\"".to_owned(), false),
            (format!("\"{}\"", "x".repeat(1 << 20)), false),
        ];
        for (text, expected) in cases {
            let shown: String = text.chars().take(40).collect();
            assert_eq!(parse(&text, 1 << 20).is_ok(), expected, "{shown}");
        }
    }
}
