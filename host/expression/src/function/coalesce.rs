//! `coalesce`: the first value that is there.
//!
//! Arguments that are not found are passed over and count as not referred to. Mistakes are not.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "coalesce",
    signature: "coalesce(value, …)",
    summary: "The first argument that is known and not null, else null.",
    arguments_min: 0,
    arguments_max: None,
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    for slot in 0..arguments.len() {
        let (value, trace) = arguments.try_value(slot)?;
        if let Some(value) = value.filter(|value| !value.is_null()) {
            arguments.count(trace);
            return Ok(Some(value));
        }
    }
    Ok(Some(Datum::Null))
}
