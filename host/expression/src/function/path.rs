//! `path`: a query over one object, with a default for what is not there.
//!
//! Only the part of the object that the query touches is evaluated. The default does not help
//! when something is not known yet, nor against wrong types.

use super::{Function, Keyword, Returned, wrong_type};
use crate::evaluate::{Arguments, Node};
use crate::fault::Fault;
use crate::syntax;

pub(super) const FUNCTION: Function = Function {
    name: "path",
    signature: "path(object, query[, default])",
    summary: "What a query such as `a.b[0]` finds in an object, else the default.",
    arguments_min: 2,
    arguments_max: Some(3),
    keywords: &[
        Keyword { name: "object", required: true },
        Keyword { name: "query", required: true },
        Keyword { name: "default", required: false },
    ],
    call,
};

/// What reading the shortest query costs.
const READ_STEPS: usize = 16;

const OBJECT: usize = 0;
const QUERY: usize = 1;
const DEFAULT: usize = 2;

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(query) = arguments.value(QUERY)? else { return Ok(None) };
    let Some(text) = query.as_bytes() else {
        return Err(arguments.blame(QUERY, wrong_type(&query, "string")));
    };
    let object = arguments.node(OBJECT).cloned().unwrap_or(Node::NULL);
    let machine = arguments.machine();
    // Reading a query costs more than following it.
    machine.spend(READ_STEPS + text.len())?;
    let found = syntax::parse_query(&String::from_utf8_lossy(text))
        .map_err(Fault::from)
        .and_then(|ast| machine.evaluate_term(&ast, &object));
    match found {
        Ok((value, trace)) => {
            arguments.count(trace);
            Ok(value)
        }
        Err(fault) if arguments.is_given(DEFAULT) && fault.is_absence() => arguments.value(DEFAULT),
        Err(fault) => Err(arguments.blame(OBJECT, fault)),
    }
}
