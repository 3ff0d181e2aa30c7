//! `notEquals`: the opposite of `equals`.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "notEquals",
    signature: "notEquals(a, b)",
    summary: "Whether the arguments differ in value or in type.",
    arguments_min: 2,
    arguments_max: Some(2),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    Ok(arguments.values()?.map(|values| Datum::Bool(values.first() != values.get(1))))
}
