//! From a JSON value to a Rust type, with errors that name the place.
//!
//! serde_json can do this, too; but its errors point at a line and column that nobody sees, and
//! its way pulls the printing of floating-point numbers into every guest. Nothing but reading
//! happens here.

use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor, value::StrDeserializer,
};
use serde_json::{Value, map};
use std::{fmt, slice};

/// Reads a type out of a value.
pub(crate) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Mismatch> {
    T::deserialize(Reader(value))
}

/// A value that is not what the type wants, and where: for example `` `args[2]`: expected … ``.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    place: String,
    problem: String,
}

impl Mismatch {
    fn inside(mut self, name: &str) -> Self {
        let joint = if self.place.is_empty() || self.place.starts_with('[') { "" } else { "." };
        self.place = format!("{name}{joint}{}", self.place);
        self
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            f.write_str(&self.problem)
        } else {
            write!(f, "`{}`: {}", self.place, self.problem)
        }
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self { place: String::new(), problem: problem.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("found {}, expected {expected}", name(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }
}

fn name(found: Unexpected<'_>) -> &str {
    match found {
        Unexpected::Other(name) => name,
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
        Unexpected::Float(_) => "a number with a fraction",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "a list",
        Unexpected::Map => "an object",
        _ => "something else",
    }
}

struct Reader<'a>(&'a Value);

impl<'de> de::Deserializer<'de> for Reader<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { rest: items.iter(), next: 0 }),
            Value::Object(members) => {
                visitor.visit_map(Members { rest: members.iter(), value: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Choice { name, content: &Value::Null }),
            Value::Object(members) if members.len() == 1 => match members.iter().next() {
                Some((name, content)) => visitor.visit_enum(Choice { name, content }),
                None => Err(no_choice()),
            },
            _ => Err(no_choice()),
        }
    }

    /// Only objects: a list in the order of the fields would be read, too, and surprise everyone.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        let found = match self.0 {
            Value::Object(members) => {
                return visitor.visit_map(Members { rest: members.iter(), value: None });
            }
            Value::Null => Unexpected::Unit,
            Value::Bool(truth) => Unexpected::Bool(*truth),
            Value::Number(_) => Unexpected::Other("a number"),
            Value::String(text) => Unexpected::Str(text),
            Value::Array(_) => Unexpected::Seq,
        };
        Err(de::Error::invalid_type(found, &visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn no_choice() -> Mismatch {
    de::Error::custom("expected the name of a choice")
}

struct Items<'a> {
    rest: slice::Iter<'a, Value>,
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mismatch;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mismatch> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        let place = self.next;
        self.next += 1;
        seed.deserialize(Reader(item))
            .map(Some)
            .map_err(|error| error.inside(&format!("[{place}]")))
    }
}

struct Members<'a> {
    rest: map::Iter<'a>,
    value: Option<(&'a str, &'a Value)>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some((name, value));
        seed.deserialize(StrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let (name, value) = self.value.take().unwrap_or(("", &Value::Null));
        seed.deserialize(Reader(value)).map_err(|error| error.inside(name))
    }
}

struct Choice<'a> {
    name: &'a str,
    content: &'a Value,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Mismatch;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de>), Mismatch> {
        Ok((seed.deserialize(StrDeserializer::new(self.name))?, Content(self.content)))
    }
}

struct Content<'a>(&'a Value);

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Mismatch;

    fn unit_variant(self) -> Result<(), Mismatch> {
        if self.0.is_null() { Ok(()) } else { Err(de::Error::custom("this choice holds nothing")) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mismatch> {
        seed.deserialize(Reader(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Mismatch> {
        de::Deserializer::deserialize_any(Reader(self.0), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        de::Deserializer::deserialize_any(Reader(self.0), visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        name: String,
        #[serde(default)]
        count: Option<u8>,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        choice: Choices,
        #[serde(default)]
        free: Value,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Part {
        size: f64,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Choices {
        #[default]
        Nothing,
        One(i64),
        Two {
            a: bool,
        },
    }

    #[test]
    fn every_shape_is_read() {
        let free = json!([1, -2, 0.5, null, true, {"a": "b"}]);
        let value = json!({
            "name": "n", "count": 7, "parts": [{"size": 1}, {"size": 0.5, "other": []}],
            "choice": {"two": {"a": true}}, "free": free,
        });
        let expected = Whole {
            name: "n".into(),
            count: Some(7),
            parts: vec![Part { size: 1.0 }, Part { size: 0.5 }],
            choice: Choices::Two { a: true },
            free,
        };
        assert_eq!(read(&value), Ok(expected));
        assert_eq!(read::<Choices>(&json!("nothing")), Ok(Choices::Nothing));
        assert_eq!(read::<Choices>(&json!({"one": -3})), Ok(Choices::One(-3)));
        assert_eq!(
            read::<Whole>(&json!({"name": "n", "count": null})).map(|it| it.count),
            Ok(None)
        );
    }

    #[test]
    fn a_mismatch_names_its_place() {
        let cases = [
            (json!([]), "found a list, expected struct Whole"),
            (json!({}), "missing field `name`"),
            (json!({"name": 5}), "`name`: found a whole number, expected a string"),
            (json!({"name": null}), "`name`: found null, expected a string"),
            (json!({"name": "n", "count": 300}), "`count`: found a whole number, expected u8"),
            (
                json!({"name": "n", "count": 0.5}),
                "`count`: found a number with a fraction, expected u8",
            ),
            (
                json!({"name": "n", "parts": [{"size": 1}, {"size": "x"}]}),
                "`parts[1].size`: found a text, expected f64",
            ),
            (
                json!({"name": "n", "parts": [{"size": 1}, 2]}),
                "`parts[1]`: found a number, expected struct Part",
            ),
            (json!({"name": "n", "nmae": 1}), "unknown field `nmae`, expected one of"),
            (
                json!({"name": "n", "choice": "three"}),
                "`choice`: unknown variant `three`, expected one of",
            ),
            (json!({"name": "n", "choice": 3}), "`choice`: expected the name of a choice"),
        ];
        for (value, expected) in cases {
            let error = read::<Whole>(&value).expect_err(expected).to_string();
            assert!(error.starts_with(expected), "{value}: {error}");
        }
    }
}
