//! `equals`: the same value, of the same type.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "equals",
    signature: "equals(a, b)",
    summary: "Whether both arguments are the same; the text `10` is not the number 10.",
    arguments_min: 2,
    arguments_max: Some(2),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    Ok(arguments.values()?.map(|values| Datum::Bool(values.first() == values.get(1))))
}
