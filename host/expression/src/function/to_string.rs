//! `toString`: a scalar as text.

use super::{Function, Returned, scalar_text};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "toString",
    signature: "toString(value)",
    summary: "A text, number, boolean, timestamp or null as text.",
    arguments_min: 1,
    arguments_max: Some(1),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(value) = arguments.value(0)? else { return Ok(None) };
    let bytes = scalar_text(&value).map_err(|fault| arguments.blame(0, fault))?;
    Ok(Some(Datum::from_bytes(bytes)))
}
