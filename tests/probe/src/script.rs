//! How an order of the script is read, and how an answer of the host is written down.

use crate::bindings::errors::ConnectError;
use serde_json::{Value, json};

/// Bytes of an answer's body that are given back when the order does not say.
const SHOWN_BYTES: u64 = 4096;

/// What came of an order.
pub(crate) enum Done {
    /// Goes into the list of results.
    Answered(Value),
    /// Ends the guest with this text as its outputs.
    Ended(String),
}

/// The arguments of one order.
#[derive(Clone, Copy)]
pub(crate) struct Order<'a>(pub(crate) &'a Value);

impl<'a> Order<'a> {
    pub(crate) fn text(self, name: &str) -> &'a str {
        self.0[name].as_str().unwrap_or_default()
    }

    pub(crate) fn text_maybe(self, name: &str) -> Option<String> {
        self.0[name].as_str().map(str::to_owned)
    }

    pub(crate) fn number(self, name: &str) -> Option<u64> {
        self.0[name].as_u64()
    }

    pub(crate) fn small(self, name: &str) -> Option<u32> {
        self.number(name).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    pub(crate) fn flag(self, name: &str) -> bool {
        self.0[name].as_bool().unwrap_or_default()
    }

    /// A text as it is, anything else as JSON.
    pub(crate) fn json(self, name: &str) -> String {
        match &self.0[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// Pairs of texts; `{"repeat": [name, value, times]}` stands for many.
    pub(crate) fn pairs(self, name: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        if let Some([key, value, times]) = self.0[name]["repeat"].as_array().map(Vec::as_slice) {
            let times = times.as_u64().unwrap_or(0);
            return (0..times).map(|n| (format!("{}{n}", text(key)), text(value))).collect();
        }
        let list = self.0[name].as_array().into_iter().flatten();
        list.map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    }

    /// A text's bytes, or as many zeros as a number says.
    pub(crate) fn bytes(self, name: &str) -> Option<Vec<u8>> {
        match &self.0[name] {
            Value::String(text) => Some(text.clone().into_bytes()),
            Value::Number(count) => {
                let count = usize::try_from(count.as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
                Some(vec![b'x'; count])
            }
            Value::Array(bytes) => Some(
                bytes.iter().map(|b| u8::try_from(b.as_u64().unwrap_or(0)).unwrap_or(0)).collect(),
            ),
            _ => None,
        }
    }

    pub(crate) fn times(self) -> u64 {
        self.number("repeat").unwrap_or(1)
    }

    /// How many bytes of a body are given back.
    pub(crate) fn shown(self) -> usize {
        usize::try_from(self.number("keep").unwrap_or(SHOWN_BYTES)).unwrap_or(usize::MAX)
    }
}

/// `{"ok": value}`.
pub(crate) fn ok(value: impl Into<Value>) -> Value {
    json!({ "ok": value.into() })
}

/// `{"error": {…}}`, as the contract's record.
pub(crate) fn refused(error: &ConnectError) -> Value {
    let details = error.details.as_deref();
    let reason = format!("{:?}", error.reason);
    let reason = reason.rsplit("::").next().unwrap_or(&reason).to_lowercase();
    json!({ "error": {
        "reason": reason,
        "disposition": format!("{:?}", error.disposition).rsplit("::").next().unwrap_or_default().to_lowercase(),
        "code": error.code, "message": error.message, "status": error.status,
        "retry-after-ms": error.retry_after_ms, "in-doubt": error.in_doubt,
        "details": details.map(|text| serde_json::from_str(text).unwrap_or(Value::from(text))),
    }})
}

/// An order that names a handle which the script never opened.
pub(crate) fn unknown_handle() -> Value {
    json!({ "error": { "reason": "script", "code": "probe.handle", "message": "the script holds no such handle" } })
}
