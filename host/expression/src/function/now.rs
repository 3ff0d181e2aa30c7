//! `now`: the current time, which the scope brings along.

use super::{Function, Returned};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "now",
    signature: "now()",
    summary: "The current time in UTC.",
    arguments_min: 0,
    arguments_max: Some(0),
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    arguments.machine().now().map(|now| Some(Datum::Time(now)))
}
