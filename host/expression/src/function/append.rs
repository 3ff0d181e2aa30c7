//! `append`: items at the end of a list.

use super::{Function, Returned, wrong_type};
use crate::datum::Datum;
use crate::evaluate::Arguments;

pub(super) const FUNCTION: Function = Function {
    name: "append",
    signature: "append(list, item, …)",
    summary: "A new list with further items at its end.",
    arguments_min: 2,
    arguments_max: None,
    keywords: &[],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(values) = arguments.values()? else { return Ok(None) };
    let Some((first, rest)) = values.split_first() else { return Ok(None) };
    let Datum::List(list) = first else {
        return Err(arguments.blame(0, wrong_type(first, "[]interface {}")));
    };
    let items = list.items.iter().chain(rest).cloned().collect();
    Datum::list(items).map(Some)
}
