//! `convertMarkdown`: Markdown to HTML or to Jira's notation.

use super::{Function, Keyword, Returned, wrong_type};
use crate::datum::Datum;
use crate::evaluate::Arguments;
use crate::fault::Fault;
use crate::markdown;

pub(super) const FUNCTION: Function = Function {
    name: "convertMarkdown",
    signature: "convertMarkdown(to, content)",
    summary: "A Markdown text as `html` or `jira`.",
    arguments_min: 2,
    arguments_max: Some(2),
    keywords: &[
        Keyword { name: "to", required: true },
        Keyword { name: "content", required: true },
    ],
    call,
};

fn call(arguments: &mut Arguments<'_, '_>) -> Returned {
    let Some(values) = arguments.values()? else { return Ok(None) };
    let mut texts = Vec::with_capacity(values.len());
    for (slot, value) in values.iter().enumerate() {
        let Some(bytes) = value.as_bytes() else {
            return Err(arguments.blame(slot, wrong_type(value, "string")));
        };
        texts.push(String::from_utf8_lossy(bytes));
    }
    let [to, content] = texts.as_slice() else { return Ok(None) };
    arguments.machine().spend(content.len())?;
    let converted = match &**to {
        "html" => markdown::html(content),
        "jira" => markdown::jira(content),
        _ => return Err(Fault::MarkdownTarget),
    };
    Ok(Some(Datum::text(converted)))
}
