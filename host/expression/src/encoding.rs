//! How bytes that are no text travel inside JSON and inside stored secrets.
//!
//! Two forms: `{"$encoding": "base64", "data": …}` in JSON, and a `base64:` prefix in a stored
//! text. Bytes are encoded when they are no UTF-8 or hold NUL, which databases refuse.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Value, json};

/// Why data could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// The encoding is neither `base64` nor empty.
    #[error("transfer: unknown encoding type, use `base64`")]
    Unknown,
    /// The data is no base64.
    #[error("illegal base64 data at input byte {0}")]
    Base64(usize),
    /// The JSON is neither a text nor a mapping with `$encoding` and `data`.
    #[error("encoded data is a text, or a mapping with `$encoding` and `data`")]
    Shape,
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The bytes of `data`, which is written in `encoding`: `base64`, or the empty text for none.
///
/// # Errors
///
/// [`EncodingError::Unknown`] and [`EncodingError::Base64`].
pub fn decode(encoding: &str, data: &str) -> Result<Vec<u8>, EncodingError> {
    match encoding {
        "" => Ok(data.as_bytes().to_vec()),
        "base64" => decode_base64(data),
        _ => Err(EncodingError::Unknown),
    }
}

/// Line breaks inside base64 are skipped, since people paste it wrapped.
fn decode_base64(data: &str) -> Result<Vec<u8>, EncodingError> {
    let bare: String = data.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    BASE64.decode(&bare).map_err(|error| {
        EncodingError::Base64(match error {
            base64::DecodeError::InvalidByte(at, _)
            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
            base64::DecodeError::InvalidLength(_) | base64::DecodeError::InvalidPadding => {
                bare.len() / 4 * 4
            }
        })
    })
}

fn needs_encoding(bytes: &[u8]) -> bool {
    bytes.contains(&0) || std::str::from_utf8(bytes).is_err()
}

/// `bytes` as JSON: a text where that is possible.
#[must_use]
pub fn to_json(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) if !needs_encoding(bytes) => Value::String(text.to_owned()),
        _ => json!({"$encoding": "base64", "data": BASE64.encode(bytes)}),
    }
}

/// The bytes that [`to_json`] wrote.
///
/// # Errors
///
/// Those of [`decode`], and [`EncodingError::Shape`] for any other JSON.
pub fn from_json(json: &Value) -> Result<Vec<u8>, EncodingError> {
    match json {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Object(fields) => {
            let field = |name: &str| fields.get(name).and_then(Value::as_str);
            match (field("$encoding"), field("data")) {
                (Some(encoding), data) => decode(encoding, data.unwrap_or_default()),
                (None, _) => Err(EncodingError::Shape),
            }
        }
        _ => Err(EncodingError::Shape),
    }
}

/// `bytes` as a stored text: as they are, or after the prefix `base64:`.
#[must_use]
pub fn to_transfer(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !needs_encoding(bytes) => text.to_owned(),
        _ => format!("base64:{}", BASE64.encode(bytes)),
    }
}

/// The bytes of a stored text. Any prefix but `base64:` is part of the text.
///
/// # Errors
///
/// [`EncodingError::Base64`].
pub fn from_transfer(text: &str) -> Result<Vec<u8>, EncodingError> {
    match text.strip_prefix("base64:") {
        Some(data) => decode_base64(data),
        None => Ok(text.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_both_forms() {
        for bytes in [&b"plain"[..], b"", b"with \0 inside", b"\xff\xfe", "größe".as_bytes()] {
            assert_eq!(from_transfer(&to_transfer(bytes)).as_deref(), Ok(bytes));
            assert_eq!(from_json(&to_json(bytes)).as_deref(), Ok(bytes));
        }
    }

    #[test]
    fn data_of_another_encoding_is_refused() {
        assert_eq!(decode("hex", "00"), Err(EncodingError::Unknown));
        assert_eq!(decode("base64", "!!"), Err(EncodingError::Base64(0)));
        assert_eq!(decode("base64", "aGVsbG8"), Err(EncodingError::Base64(4)));
        assert_eq!(decode("base64", "aGVs\r\nbG8="), Ok(b"hello".to_vec()));
        assert_eq!(from_json(&json!(5)), Err(EncodingError::Shape));
    }
}
