//! `jsonUnmarshal`: JSON text to the value it holds.

use super::{Function, Returned, wrong_type};
use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::json;

pub(super) const FUNCTION: Function = Function {
    name: "jsonUnmarshal",
    signature: "jsonUnmarshal(text)",
    summary: "The value that a JSON text holds, as plain data.",
    arguments_min: 1,
    arguments_max: Some(1),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(value) = arguments.value(0)? else { return Ok(None) };
    let Some(bytes) = value.as_bytes() else {
        return Err(arguments.blame(0, wrong_type(&value, "string")));
    };
    arguments.machine().spend_bytes(bytes.len())?;
    let parsed = json::parse(&String::from_utf8_lossy(bytes))?;
    Datum::from_json(&parsed).map(Some)
}
