//! `concat`: texts one after the other.

use super::{Function, Returned, scalar_text};
use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::fault::Fault;
use crate::limits::OUTPUT_BYTES_MAX;

pub(super) const FUNCTION: Function = Function {
    name: "concat",
    signature: "concat(value, …)",
    summary: "All arguments as one text; each may be a text, number, boolean or null.",
    arguments_min: 0,
    arguments_max: None,
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(values) = arguments.values()? else { return Ok(None) };
    let mut joined = Vec::new();
    for (slot, value) in values.iter().enumerate() {
        let text = scalar_text(value).map_err(|fault| arguments.blame(slot, fault))?;
        joined.extend_from_slice(&text);
        if joined.len() > OUTPUT_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
    }
    Ok(Some(Datum::from_bytes(joined)))
}
