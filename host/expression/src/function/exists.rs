//! `exists`: whether a path leads somewhere.
//!
//! It asks about keys and indices of data that is there. What is not known yet is still waited for.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "exists",
    signature: "exists(value)",
    summary: "Whether the argument has a value, null included; false for an unknown key or index.",
    arguments_min: 1,
    arguments_max: Some(1),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    match arguments.value(0) {
        Ok(value) => Ok(value.map(|_| Datum::Bool(true))),
        Err(fault) if fault.is_absence() => Ok(Some(Datum::Bool(false))),
        Err(fault) => Err(fault),
    }
}
