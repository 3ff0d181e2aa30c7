//! From an answer that is a no to a failure that a person can act on.
//!
//! Services word their errors in many ways, often under the wrong content type; the first text
//! meant for people is taken from each. What to do about it is known to the step alone.

use super::Response;
use crate::Failure;
use serde_json::Value;

/// The most characters of a foreign text in a message.
const MESSAGE_MAX: usize = 300;
/// The most bytes of a foreign body that are kept in the details.
const BODY_MAX: usize = 2048;

/// The failure that an answer of `service` (for example `datadog`) means, which came while `doing`
/// something; `remedy` says what to do about it, if that is known.
///
/// The code is `service` and a class: `invalid`, `unauthorized`, `forbidden`, `not-found`,
/// `conflict`, `throttled`, `unavailable`, `redirected` or `unexpected`. Only `throttled` and
/// `unavailable` are retryable.
#[must_use]
pub fn refusal(answer: Response, service: &str, doing: &str, remedy: &str) -> Failure {
    let status = answer.status();
    let wait = answer.retry_after();
    let body = answer.text().unwrap_or_default();
    let class = class(status);
    let mut message = format!("{doing}: {service} answered {status}");
    let text = explain(&body);
    if !text.is_empty() {
        message.push_str(&format!(" ({text})"));
    }
    if let Some(wait) = wait {
        message.push_str(&format!("; it takes requests again in {} s", wait.as_secs()));
    }
    if !remedy.is_empty() {
        message.push_str(&format!("; {remedy}"));
    }
    let code = format!("{service}.{class}");
    let failure = match class {
        "throttled" | "unavailable" => Failure::retryable(code, message, wait),
        _ => Failure::permanent(code, message),
    };
    let failure = failure.with_detail("status", status);
    if body.is_empty() { failure } else { failure.with_detail("body", cut(&body, BODY_MAX)) }
}

fn class(status: u16) -> &'static str {
    match status {
        300..=399 => "redirected",
        400 | 413 | 415 | 422 => "invalid",
        401 => "unauthorized",
        403 => "forbidden",
        404 | 410 => "not-found",
        409 | 412 => "conflict",
        429 => "throttled",
        408 | 500..=599 => "unavailable",
        _ => "unexpected",
    }
}

/// The first text meant for people in an error body, on one line, at most 300 characters.
///
/// Understands `{"errors": ["…"]}`, JSON:API's `{"errors": [{"title", "detail"}]}`, `{"error"}`,
/// `{"message"}` and plain text, whatever the content type said. Empty when there is none.
#[must_use]
pub fn explain(body: &str) -> String {
    let text = match serde_json::from_str::<Value>(body) {
        Ok(json) => from_json(&json).unwrap_or_default(),
        Err(_) if body.trim_start().starts_with('<') => from_page(body),
        Err(_) => body.to_owned(),
    };
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(MESSAGE_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn from_json(json: &Value) -> Option<String> {
    match json {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => items.iter().find_map(from_json),
        Value::Object(members) => {
            if let Some(found) = members.get("errors").and_then(from_json) {
                return Some(found);
            }
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let told = match (text("title"), text("detail")) {
                (Some(title), Some(detail)) => format!("{title}: {detail}"),
                (Some(one), None) | (None, Some(one)) => one.to_owned(),
                (None, None) => {
                    let message = text("message").map(str::to_owned);
                    return message.or_else(|| from_json(members.get("error")?));
                }
            };
            // JSON:API says beside the text which part of the request it is about.
            let source = members.get("source");
            let place = ["pointer", "parameter", "header"]
                .iter()
                .find_map(|kind| source?.get(kind)?.as_str())
                .filter(|place| !place.is_empty() && !told.contains(place));
            Some(place.map_or(told.clone(), |place| format!("{told} at `{place}`")))
        }
        _ => None,
    }
}

/// A page from a proxy: its title is all that helps.
fn from_page(body: &str) -> String {
    let title = body.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>"));
    title.map_or_else(|| "an HTML page".to_owned(), |(title, _)| format!("an HTML page: {title}"))
}

fn cut(text: &str, max: usize) -> &str {
    let mut end = text.len().min(max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Client, Request};
    use crate::testing::{Answer, Host};
    use crate::{Disposition, http};
    use std::time::Duration;

    #[test]
    fn d19_every_form_of_error_body_gives_one_text() {
        let long = "x".repeat(5000);
        let cases = [
            (r#"{"errors":["incident 5 not found"]}"#, "incident 5 not found"),
            (
                r#"{"errors":[{"status":"404","title":"Not Found","detail":"no such incident"}]}"#,
                "Not Found: no such incident",
            ),
            (r#"{"errors":[{"title":"Forbidden"}]}"#, "Forbidden"),
            (
                r#"{"errors":[{"title":"Bad","detail":"no","source":{"pointer":"/data/x"}}]}"#,
                "Bad: no at `/data/x`",
            ),
            (r#"{"errors":[{"title":"no $.a.b","source":{"parameter":"$.a.b"}}]}"#, "no $.a.b"),
            (r#"{"errors":[{"title":"no","source":null}]}"#, "no"),
            (
                r#"{"status":"error","code":502,"errors":["Bad Gateway"],"email":"s@x"}"#,
                "Bad Gateway",
            ),
            (r#"{"error":{"message":"nope"}}"#, "nope"),
            (r#"{"message":"a\n  b"}"#, "a b"),
            ("null", ""),
            (r#"{"data":[]}"#, ""),
            ("", ""),
            ("upstream is gone\n", "upstream is gone"),
            (
                "<html><head><title>502 Bad Gateway</title></head></html>",
                "an HTML page: 502 Bad Gateway",
            ),
            ("<!doctype html>", "an HTML page"),
        ];
        for (body, expected) in cases {
            assert_eq!(explain(body), expected, "{body}");
        }
        assert_eq!(explain(&long).chars().count(), 301);
        assert_eq!(cut("aé", 2), "a");
    }

    #[test]
    fn a_status_becomes_a_class_and_a_disposition() {
        let cases = [
            (302, "x.redirected", Disposition::Permanent),
            (400, "x.invalid", Disposition::Permanent),
            (401, "x.unauthorized", Disposition::Permanent),
            (403, "x.forbidden", Disposition::Permanent),
            (404, "x.not-found", Disposition::Permanent),
            (409, "x.conflict", Disposition::Permanent),
            (418, "x.unexpected", Disposition::Permanent),
            (429, "x.throttled", Disposition::Retryable),
            (502, "x.unavailable", Disposition::Retryable),
        ];
        for (status, code, disposition) in cases {
            let host = Host::new().http("s", move |_| {
                Ok(Answer::new(status, r#"{"errors":["why"]}"#).header("retry-after", "90"))
            });
            let client = Client::open(&host.context(), "s").expect("open");
            let answer = client.send(&Request::get("/")).expect("an answer");

            let failure = http::refusal(answer, "x", "asking", "call someone");

            assert_eq!((failure.code(), failure.disposition()), (code, disposition));
            let text = format!(
                "asking: x answered {status} (why); it takes requests again in 90 s; call someone"
            );
            assert_eq!(failure.message(), text);
            let wait = (disposition == Disposition::Retryable).then(|| Duration::from_secs(90));
            assert_eq!(failure.retry_after(), wait, "{status}");
        }
    }
}
