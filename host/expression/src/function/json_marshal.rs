//! `jsonMarshal`: a value as JSON text.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::json;

pub(super) const FUNCTION: Function = Function {
    name: "jsonMarshal",
    signature: "jsonMarshal(value)",
    summary: "The argument as JSON text, keys sorted.",
    arguments_min: 1,
    arguments_max: Some(1),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(value) = arguments.value(0)? else { return Ok(None) };
    let text = json::compact(&value).map_err(|fault| arguments.blame(0, fault))?;
    Ok(Some(Datum::text(text)))
}
