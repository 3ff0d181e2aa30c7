//! A value while it is computed: JSON, and also a timestamp and bytes that are no text.
//!
//! A datum is cheap to copy, knows how large and how deep it is, and refuses to grow beyond the
//! limits. It is inert: nothing inside it is ever evaluated.

use crate::encoding;
use crate::fault::Fault;
use crate::limits::{DEPTH_MAX, OUTPUT_BYTES_MAX};
use crate::{number, timestamp};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A finished value.
#[derive(Clone, Debug)]
pub(crate) enum Datum {
    Null,
    Bool(bool),
    Number(f64),
    Text(Arc<str>),
    /// What is no UTF-8; the rest of the language can only carry it.
    Bytes(Arc<[u8]>),
    Time(Timestamp),
    List(Arc<List>),
    Map(Arc<Map>),
}

/// A list that knows its size.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Datum>,
    size: Size,
}

/// A mapping that knows its size. Keys are in byte order.
#[derive(Debug)]
pub(crate) struct Map {
    pub(crate) fields: BTreeMap<String, Datum>,
    size: Size,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    bytes: usize,
    depth: usize,
}

impl Size {
    const SCALAR: Self = Self { bytes: 8, depth: 0 };

    fn around(self, inner: Self, key_bytes: usize) -> Self {
        Self {
            bytes: self.bytes.saturating_add(inner.bytes).saturating_add(key_bytes),
            depth: self.depth.max(inner.depth + 1),
        }
    }

    fn checked(self) -> Result<Self, Fault> {
        if self.bytes > OUTPUT_BYTES_MAX {
            Err(Fault::TooLarge)
        } else if self.depth > DEPTH_MAX {
            Err(Fault::TooDeep)
        } else {
            Ok(self)
        }
    }
}

impl Datum {
    pub(crate) fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A text if `bytes` are one.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::text(text),
            Err(error) => Self::Bytes(error.into_bytes().into()),
        }
    }

    /// A list of `items`.
    ///
    /// # Errors
    ///
    /// [`Fault::TooLarge`] and [`Fault::TooDeep`].
    pub(crate) fn list(items: Vec<Self>) -> Result<Self, Fault> {
        let size = items
            .iter()
            .fold(Size { bytes: 8, depth: 1 }, |size, item| size.around(item.size(), 0));
        Ok(Self::List(Arc::new(List { items, size: size.checked()? })))
    }

    /// A mapping of `fields`; errors as [`Datum::list`].
    pub(crate) fn map(fields: BTreeMap<String, Self>) -> Result<Self, Fault> {
        let size = fields.iter().fold(Size { bytes: 8, depth: 1 }, |size, (key, value)| {
            size.around(value.size(), key.len())
        });
        Ok(Self::Map(Arc::new(Map { fields, size: size.checked()? })))
    }

    /// The same value as `json`; errors as [`Datum::list`].
    pub(crate) fn from_json(json: &Value) -> Result<Self, Fault> {
        Self::from_json_at(json, 0)
    }

    fn from_json_at(json: &Value, depth: usize) -> Result<Self, Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::TooDeep);
        }
        Ok(match json {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(value) => Self::Number(value.as_f64().unwrap_or(f64::NAN)),
            Value::String(value) => Self::text(value.as_str()),
            Value::Array(items) => Self::list(
                items
                    .iter()
                    .map(|item| Self::from_json_at(item, depth + 1))
                    .collect::<Result<_, _>>()?,
            )?,
            Value::Object(fields) => Self::map(
                fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), Self::from_json_at(value, depth + 1)?)))
                    .collect::<Result<_, Fault>>()?,
            )?,
        })
    }

    /// The value as JSON. Times become text; bytes and texts with NUL become
    /// `{"$encoding": "base64", "data": …}`, as Relay passes them on.
    ///
    /// # Errors
    ///
    /// [`Fault::Unencodable`] for an infinity or what is no number.
    pub(crate) fn to_json(&self) -> Result<Value, Fault> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(value) => {
                number::to_json(*value).ok_or_else(|| Fault::Unencodable(number::shown(*value)))?
            }
            Self::Text(text) => encoding::to_json(text.as_bytes()),
            Self::Bytes(bytes) => encoding::to_json(bytes),
            Self::Time(time) => Value::String(timestamp::rfc3339(*time)),
            Self::List(list) => {
                Value::Array(list.items.iter().map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Self::Map(map) => Value::Object(
                map.fields
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.to_json()?)))
                    .collect::<Result<_, Fault>>()?,
            ),
        })
    }

    fn size(&self) -> Size {
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Time(_) => Size::SCALAR,
            Self::Text(text) => Size { bytes: 8 + text.len(), depth: 0 },
            Self::Bytes(bytes) => Size { bytes: 8 + bytes.len(), depth: 0 },
            Self::List(list) => list.size,
            Self::Map(map) => map.size,
        }
    }

    /// About how many bytes the value takes when written.
    pub(crate) fn bytes(&self) -> usize {
        self.size().bytes
    }

    /// The bytes of a text, valid or not.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => Some(text.as_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_empty_text(&self) -> bool {
        self.as_bytes().is_some_and(<[u8]>::is_empty)
    }

    /// What authors know the type as: the name that Relay's messages use.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "<nil>",
            Self::Bool(_) => "bool",
            Self::Number(_) => "float64",
            Self::Text(_) | Self::Bytes(_) => "string",
            Self::Time(_) => "time.Time",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }
}

/// The type of a JSON value, by the same names as [`Datum::type_name`].
pub(crate) fn json_type_name(json: &Value) -> &'static str {
    match json {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Deep equality without any conversion: `'1'` is not `1`, and what is no number equals nothing.
impl PartialEq for Datum {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Number(a), Self::Number(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::List(a), Self::List(b)) => a.size == b.size && a.items == b.items,
            (Self::Map(a), Self::Map(b)) => a.size == b.size && a.fields == b.fields,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_goes_through_unchanged() {
        for value in [json!(null), json!({"a": [1, 2.5, true, "x", {"b": null}]}), json!(1_000_000)]
        {
            assert_eq!(Datum::from_json(&value).unwrap().to_json().unwrap(), value);
        }
    }

    #[test]
    fn what_is_no_text_is_encoded() {
        let bytes = Datum::from_bytes(vec![0xff, 0xfe]);
        assert_eq!(bytes.to_json().unwrap(), json!({"$encoding": "base64", "data": "//4="}));
        let nul = Datum::text("a\0");
        assert_eq!(nul.to_json().unwrap(), json!({"$encoding": "base64", "data": "YQA="}));
    }

    #[test]
    fn a_value_that_doubles_itself_is_refused_before_it_is_written() {
        let mut datum = Datum::text("0123456789");
        let refused = loop {
            match Datum::list(vec![datum.clone(), datum]) {
                Ok(next) => datum = next,
                Err(fault) => break fault,
            }
        };
        assert!(matches!(refused, Fault::TooLarge));
    }

    #[test]
    fn a_value_that_is_too_deep_is_refused() {
        let mut datum = Datum::Null;
        let refused = loop {
            match Datum::list(vec![datum]) {
                Ok(next) => datum = next,
                Err(fault) => break fault,
            }
        };
        assert!(matches!(refused, Fault::TooDeep));
    }
}
