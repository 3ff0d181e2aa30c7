//! A request: method, path and query, headers, body. There is no field for another host.

use crate::bindings::bowline::connect::http as wit;
use serde::Serialize;
use std::{fmt::Write as _, time::Duration};

/// The methods of the contract.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// A request that is put together step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: &'static str,
    path: String,
    has_query: bool,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    timeout: Option<Duration>,
}

impl Request {
    /// `GET`. `path` starts with `/`; put foreign text through [`segment`] first.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// `POST`.
    #[must_use]
    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    /// `PUT`.
    #[must_use]
    pub fn put(path: impl Into<String>) -> Self {
        Self::new("PUT", path)
    }

    /// `PATCH`.
    #[must_use]
    pub fn patch(path: impl Into<String>) -> Self {
        Self::new("PATCH", path)
    }

    /// `DELETE`.
    #[must_use]
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new("DELETE", path)
    }

    /// A request with the method of that name, in capitals; none when the contract has no such
    /// method. For steps that are told the method.
    #[must_use]
    pub fn with_method(method: &str, path: impl Into<String>) -> Option<Self> {
        let known = METHODS.iter().find(|known| **known == method)?;
        Some(Self::new(known, path))
    }

    fn new(method: &'static str, path: impl Into<String>) -> Self {
        let path = path.into();
        let has_query = path.contains('?');
        Self { method, path, has_query, headers: Vec::new(), body: None, timeout: None }
    }

    /// Adds one query pair. Names and values are percent-encoded, brackets in names stay.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        self.path.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        encode(name, b"[]", &mut self.path);
        self.path.push('=');
        encode(&value.to_string(), b"", &mut self.path);
        self
    }

    /// Adds a header. Credentials and addresses belong to the connection and are refused.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body to the JSON of `value`, and `content-type` with it.
    ///
    /// # Errors
    ///
    /// When `value` can't be written as JSON, for example a map whose keys are no texts.
    pub fn json(mut self, value: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.body = Some(serde_json::to_vec(value)?);
        Ok(self.header("content-type", "application/json"))
    }

    /// Sets the body to `text`. Its `content-type` is up to the caller.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.body = Some(text.as_bytes().to_vec());
        self
    }

    /// Sets the body to pairs of a form, and `content-type` with it.
    #[must_use]
    pub fn form<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut body = String::new();
        for (name, value) in pairs {
            if !body.is_empty() {
                body.push('&');
            }
            encode(name, b"", &mut body);
            body.push('=');
            encode(value, b"", &mut body);
        }
        self.body = Some(body.into_bytes());
        self.header("content-type", "application/x-www-form-urlencoded")
    }

    /// Bounds the whole exchange; 30 seconds when not set.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// Path and query.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The body, if any.
    #[must_use]
    pub fn body(&self) -> Option<&[u8]> {
        self.body.as_deref()
    }

    /// Whether the method only reads, so that the request may be sent again.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }

    pub(crate) fn to_wire(&self) -> wit::Request {
        wit::Request {
            method: self.method.to_owned(),
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            timeout_ms: self
                .timeout
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

/// `text` as one segment of a path: everything but letters, digits and `-._~` percent-encoded.
///
/// The host refuses encoded slashes and dot segments, so no text can lead to another path.
#[must_use]
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode(text, b"", &mut encoded);
    encoded
}

fn encode(text: &str, keep: &[u8], encoded: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || keep.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a String can't fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_inside_its_segment() {
        let cases = [
            ("abc-123", "abc-123"),
            ("a/b", "a%2Fb"),
            ("a?b=c&d#e", "a%3Fb%3Dc%26d%23e"),
            ("é %", "%C3%A9%20%25"),
        ];
        for (text, expected) in cases {
            assert_eq!(segment(text), expected, "{text}");
        }
    }

    #[test]
    fn a_query_is_built_pair_by_pair() {
        let request = Request::get("/list").query("page[size]", 100).query("q", "a b&c");
        assert_eq!(request.path(), "/list?page[size]=100&q=a%20b%26c");
    }

    #[test]
    fn a_method_may_be_told_and_a_form_is_encoded() {
        let request = Request::with_method("HEAD", "/x").expect("a method");
        assert!(request.is_read());
        for wrong in ["get", "CONNECT", "", "GET /"] {
            assert_eq!(Request::with_method(wrong, "/x"), None, "{wrong}");
        }
        let form = Request::post("/x").form([("a b", "c&d=é"), ("e", "")]);
        assert_eq!(form.body(), Some(&b"a%20b=c%26d%3D%C3%A9&e="[..]));
        assert_eq!(Request::put("/x").text("ä").body(), Some("ä".as_bytes()));
    }

    #[test]
    fn a_json_body_brings_its_content_type() {
        let request = Request::post("/x").json(&serde_json::json!({"a": 1})).expect("JSON");
        let wire = request.to_wire();
        assert_eq!(wire.body.as_deref(), Some(&br#"{"a":1}"#[..]));
        assert_eq!(wire.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    }
}
