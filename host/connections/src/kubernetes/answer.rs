//! What the API server's answer means: an object, or a `Status` that says why not.

use effects::{Answer, CallError, Reason};
use journal::Disposition;
use sandbox::json;
use serde_json::Value;
use std::time::Duration;

/// The longest answer as text; the budget bounds it before.
const BYTES_MAX: usize = 16 << 20;

/// Bytes of a refusal's message, and of its details, as in the contract.
const MESSAGE_BYTES_MAX: usize = 4 << 10;
const DETAILS_BYTES_MAX: usize = 64 << 10;

/// A good answer's body, as JSON text.
pub(crate) fn object(answer: Answer, writes: bool) -> Result<String, CallError> {
    if !(200..300).contains(&answer.status) {
        return Err(refusal(&answer, writes));
    }
    let text = String::from_utf8(answer.body).map_err(|_| unreadable(writes))?;
    // A proxy's login page with status 200 is no object.
    json::parse_object(&text, BYTES_MAX).map_err(|_| unreadable(writes))?;
    Ok(text)
}

/// The server said no.
pub(crate) fn refusal(answer: &Answer, writes: bool) -> CallError {
    let status = serde_json::from_slice::<Value>(&answer.body)
        .ok()
        .filter(|status| status["kind"] == "Status");
    let reason = status.as_ref().and_then(|status| status["reason"].as_str()).unwrap_or_default();
    let code = if reason.is_empty() { generic_code(answer.status) } else { kebab(reason) };
    let message = status
        .as_ref()
        .and_then(|status| status["message"].as_str())
        .map_or_else(|| generic_message(answer), |message| cut(message).to_owned());
    let mut error = CallError::new(Reason::Remote, format!("kubernetes.{code}"), message);
    error.status = Some(answer.status);
    error.retry_after_ms = retry_after_ms(answer, status.as_ref());
    error.disposition = match answer.status {
        429 | 500 | 502..=504 => Disposition::Retryable,
        _ => Disposition::Permanent,
    };
    // A server that broke while writing may have written.
    error.in_doubt = writes && answer.status >= 500;
    error.details = status.filter(|status| status.to_string().len() <= DETAILS_BYTES_MAX);
    error
}

/// The beginning of a message that goes on for ever.
fn cut(message: &str) -> &str {
    let mut end = message.len().min(MESSAGE_BYTES_MAX);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// Says that the condition of a write did not hold, where the server has no word of its own for
/// it: a failed `test` of a JSON patch comes back as a bare 422.
pub(crate) fn name_conflict(mut error: CallError) -> CallError {
    let causes =
        error.details.as_ref().is_some_and(|status| !status["details"]["causes"].is_null());
    if error.status == Some(422) && !causes {
        error.code = "kubernetes.conflict".to_owned();
        error.message = format!("the object has changed since it was read ({})", error.message);
    }
    error
}

fn retry_after_ms(answer: &Answer, status: Option<&Value>) -> Option<u64> {
    let header = answer.headers.iter().find(|(name, _)| name == "retry-after");
    let header = header.and_then(|(_, value)| value.trim().parse::<u64>().ok());
    let detail = status.and_then(|status| status["details"]["retryAfterSeconds"].as_u64());
    header.or(detail).map(|seconds| seconds.saturating_mul(1000))
}

/// A server that asks for more patience than there is time means "not in this attempt".
pub(crate) fn clamp_retry(mut error: CallError, remaining: Duration) -> CallError {
    let most = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
    error.retry_after_ms = error.retry_after_ms.map(|asked| asked.min(most));
    error
}

/// `NotFound` → `not-found`.
fn kebab(reason: &str) -> String {
    let mut text = String::new();
    for c in reason.chars().filter(char::is_ascii_alphanumeric).take(48) {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn generic_code(status: u16) -> String {
    let code = match status {
        300..=399 => "redirect",
        400 => "bad-request",
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        405 => "method-not-allowed",
        409 => "conflict",
        410 => "expired",
        415 => "unsupported-media-type",
        422 => "invalid",
        429 => "too-many-requests",
        504 => "timeout",
        503 => "service-unavailable",
        _ => "error",
    };
    code.to_owned()
}

/// Words for an answer that is not the API server's own: a proxy's, most likely.
fn generic_message(answer: &Answer) -> String {
    let known = match answer.status {
        300..=399 => "the server redirects, which is not followed; check the connection's address",
        401 => "the server has asked for the client to provide credentials",
        403 => "the server does not allow access to the requested resource",
        404 => "the server could not find the requested resource",
        409 => "the server reported a conflict",
        422 => "the server rejected our request due to an error in our request",
        429 => "the server has received too many requests and has asked us to try again later",
        503 => "the server is currently unable to handle the request",
        504 => {
            "the server was unable to return a response in the time allotted, but may still be processing the request"
        }
        _ => "",
    };
    if !known.is_empty() {
        return known.to_owned();
    }
    let body = String::from_utf8_lossy(&answer.body[..answer.body.len().min(512)]).into_owned();
    format!("the server answered {} with `{}`", answer.status, body.trim().escape_debug())
}

fn unreadable(writes: bool) -> CallError {
    let message = "the answer is not an object of Kubernetes; is there a proxy in between?";
    let mut error = CallError::new(Reason::Remote, "kubernetes.unreadable", message);
    error.in_doubt = writes;
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        let headers = vec![("retry-after".to_owned(), "2".to_owned())];
        Answer { status, headers, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn a_status_keeps_its_words_and_gets_a_code() {
        let body = r#"{"kind":"Status","reason":"NotFound","message":"deployments.apps \"x\" not found","code":404}"#;

        let error = object(answer(404, body), false).unwrap_err();

        assert_eq!((error.code.as_str(), error.status), ("kubernetes.not-found", Some(404)));
        assert_eq!(error.message, "deployments.apps \"x\" not found");
        assert!(!error.in_doubt);
    }

    #[test]
    fn what_a_proxy_says_is_no_object_and_no_status() {
        let cases = [
            (200, "<html>login</html>", "kubernetes.unreadable", true),
            (503, "<html>", "kubernetes.service-unavailable", true),
            (500, "", "kubernetes.error", true),
            (429, "", "kubernetes.too-many-requests", false),
            (302, "", "kubernetes.redirect", false),
        ];
        for (status, body, code, in_doubt) in cases {
            let error = object(answer(status, body), true).unwrap_err();
            assert_eq!((error.code.as_str(), error.in_doubt), (code, in_doubt), "{status}");
        }
    }

    #[test]
    fn f12_a_status_without_end_is_cut_and_its_patience_bounded() {
        let body = serde_json::json!({"kind": "Status", "reason": "TooManyRequests",
            "message": "ä".repeat(100_000), "details": {"retryAfterSeconds": 99_999}});
        let endless = refusal(&Answer { headers: vec![], ..answer(429, &body.to_string()) }, false);

        assert_eq!(endless.message.len(), 4 << 10);
        assert!(endless.details.is_none(), "over 64 KiB");
        assert_eq!(endless.retry_after_ms, Some(99_999_000));
        let clamped = clamp_retry(endless, Duration::from_secs(3));
        assert_eq!(clamped.retry_after_ms, Some(3_000));
    }

    #[test]
    fn a_failed_test_operation_is_a_conflict() {
        let bare = r#"{"kind":"Status","reason":"Invalid","message":"the server rejected our request","code":422}"#;
        let real = r#"{"kind":"Status","reason":"Invalid","message":"m","code":422,"details":{"causes":[{"field":"spec"}]}}"#;

        let bare = name_conflict(refusal(&answer(422, bare), true));
        let real = name_conflict(refusal(&answer(422, real), true));

        assert_eq!(bare.code, "kubernetes.conflict");
        assert_eq!(real.code, "kubernetes.invalid");
    }
}
