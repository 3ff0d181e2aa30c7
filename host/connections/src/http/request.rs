//! The method and the headers of a guest's request, and the headers of an answer: what belongs to
//! the host and what carries credentials does not pass, in either direction.

use effects::{CallError, Layer, Reason, SendError, digest};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers of one request, and bytes of one value.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 8 << 10;

/// The methods of the contract.
const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];

/// Headers that belong to the host: framing, routing, credentials.
const HOST_MANAGED: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-client-ip",
    // What was matched is what must be carried out: these change method or path behind it.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
    "x-rewrite-url",
];

/// The same for whole families of headers: who asked in truth, and in whose name.
const HOST_MANAGED_BEGINNINGS: &[&str] =
    &["impersonate-", "proxy-", "x-forwarded-", "x-original-", "x-remote-"];

/// Headers of an answer that a guest does not get: framing, and whatever carries a credential or a
/// session.
const WITHHELD: &[&str] = &[
    "authentication-info",
    "authorization",
    // Only the host itself says so.
    "bowline-outcome",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-amz-security-token",
    "x-api-key",
    "x-auth-token",
    "x-csrf-token",
    "x-vault-token",
    "x-xsrf-token",
];

/// Bytes of all headers of one answer. The client itself takes no more than 100 of them.
const ANSWER_HEADER_BYTES_MAX: usize = 64 << 10;

/// A method that may be used.
pub(crate) fn method(text: &str) -> Result<reqwest::Method, CallError> {
    if (METHODS.contains(&text) || !Layer::Shape.on())
        && let Ok(method) = text.parse()
    {
        return Ok(method);
    }
    let shown: String = text.chars().take(20).collect();
    Err(invalid("method", format!("`{}` is none of {}", shown.escape_debug(), METHODS.join(", "))))
}

/// Whether requests of this method change something.
pub(crate) fn writes(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Names what a request with headers of its own would do; None for one that is named by its method,
/// path and body.
pub(crate) fn content(
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<String> {
    let mut all: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())).collect();
    all.sort_unstable();
    let mut parts = vec![method.as_bytes(), path.as_bytes(), body];
    parts.extend(all.iter().flat_map(|(name, value)| [*name, *value]));
    (!all.is_empty()).then(|| digest(&parts))
}

/// Whether asking twice comes to the same as asking once, by the method alone (RFC 9110, 9.2.2).
pub(crate) fn is_idempotent(method: &str) -> bool {
    matches!(method, "PUT" | "DELETE")
}

/// The guest's headers, without any that belong to the host or to the connection.
pub(crate) fn headers(
    given: &[(String, String)],
    injected: &HeaderMap,
) -> Result<HeaderMap, CallError> {
    let shape = Layer::Shape.on();
    if shape && given.len() > HEADERS_MAX {
        return Err(invalid("header", format!("more than {HEADERS_MAX} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let shown: String = name.chars().take(64).collect();
        let shown = shown.escape_debug().to_string();
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid("header", format!("`{shown}` can't name a header")))?;
        // Many servers read `x_forwarded_for` and `x-forwarded-for` into the same variable.
        let twin = hyphened(&parsed);
        let managed = HOST_MANAGED.contains(&twin.as_str())
            || HOST_MANAGED_BEGINNINGS.iter().any(|beginning| twin.starts_with(beginning))
            || injected.keys().any(|own| hyphened(own) == twin);
        if shape && managed {
            return Err(invalid("header", format!("the header `{shown}` belongs to the host")));
        }
        let good = value.len() <= HEADER_BYTES_MAX
            && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
        let good = good || !shape;
        let value = HeaderValue::from_str(value).ok().filter(|_| good).ok_or_else(|| {
            invalid(
                "header",
                format!("the value of `{shown}` is not visible ASCII of at most 8 KiB"),
            )
        })?;
        headers.append(parsed, value);
    }
    Ok(headers)
}

fn hyphened(name: &HeaderName) -> String {
    name.as_str().replace('_', "-")
}

/// Whether what stands in a header of this name is a credential or a session.
pub(crate) fn carries_credentials(name: &HeaderName) -> bool {
    WITHHELD.contains(&hyphened(name).as_str())
}

/// The headers of an answer that a guest may see: none of those that a connection sends its
/// credentials in (`injected`), whoever echoes them.
pub(crate) fn visible(
    headers: &HeaderMap,
    injected: &HeaderMap,
) -> Result<Vec<(String, String)>, SendError> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if Layer::Bound.on() && bytes > ANSWER_HEADER_BYTES_MAX {
        return Err(SendError {
            reason: Reason::Exhausted,
            code: "limit.response-headers",
            message: format!("the answer's headers have more than {ANSWER_HEADER_BYTES_MAX} bytes"),
            sent: true,
            permanent: true,
        });
    }
    let shown = headers
        .iter()
        .filter(|(name, _)| !WITHHELD.contains(&name.as_str()) && !injected.contains_key(*name));
    Ok(shown
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect())
}

fn invalid(what: &str, message: impl Into<String>) -> CallError {
    CallError::invalid(format!("http.invalid-{what}"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_host_and_of_the_connection_are_refused() {
        let mut injected = HeaderMap::new();
        injected.insert("dd-api-key", HeaderValue::from_static("x"));
        let refused = [
            ("authorization", "x"),
            ("DD-API-KEY", "x"),
            ("Cookie", "x"),
            ("host", "x"),
            ("X-Forwarded-For", "x"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "trailers"),
            ("connection", "close"),
            ("Upgrade", "websocket"),
            ("content-length", "1"),
            ("Expect", "100-continue"),
            ("proxy-authorization", "x"),
            ("proxy-anything", "x"),
            ("Impersonate-User", "admin"),
            ("X-Original-URL", "/admin"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("X-Client-IP", "10.0.0.1"),
            ("x_http_method_override", "DELETE"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x_forwarded-for", "10.0.0.1"),
            ("impersonate_user", "admin"),
            ("content_length", "1"),
            ("dd_api_key", "x"),
            ("DD_API-KEY", "x"),
            ("x ", "x"),
            ("", "x"),
            ("x", "a\r\nY: z"),
            ("x", "a\0"),
            ("x", "ä"),
        ];
        for (name, value) in refused {
            let given = [(name.to_owned(), value.to_owned())];
            assert!(headers(&given, &injected).is_err(), "{name:?}: {value:?}");
        }
        let given = [("Content-Type".to_owned(), "application/json".to_owned())];
        assert!(headers(&given, &injected).is_ok());
        for (count, bytes) in [(65, 1), (10_000, 1), (1, (8 << 10) + 1), (1, 1 << 20)] {
            let many = vec![("x".to_owned(), "y".repeat(bytes)); count];
            assert!(headers(&many, &injected).is_err(), "{count} of {bytes} bytes");
        }
        let full: Vec<_> = (0..64).map(|n| (format!("x-{n}"), "y".repeat(8 << 10))).collect();
        assert!(headers(&full, &injected).is_ok());
    }

    #[test]
    fn e10_what_carries_credentials_or_sessions_is_not_shown() {
        let mut injected = HeaderMap::new();
        injected.insert("dd-api-key", HeaderValue::from_static("x"));
        let mut answered = HeaderMap::new();
        let hidden = [
            "Set-Cookie",
            "WWW-Authenticate",
            "Authorization",
            "X-Amz-Security-Token",
            "DD-API-KEY",
            "Proxy-Authenticate",
        ];
        for name in hidden {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            answered.append(name, HeaderValue::from_static("s3cret"));
        }
        answered.insert("x-ratelimit-reset", HeaderValue::from_static("7"));

        let shown = visible(&answered, &injected).unwrap();

        assert_eq!(shown, [("x-ratelimit-reset".to_owned(), "7".to_owned())]);
        answered.insert("x-long", HeaderValue::from_str(&"y".repeat(64 << 10)).unwrap());
        assert_eq!(visible(&answered, &injected).unwrap_err().code, "limit.response-headers");
    }

    #[test]
    fn methods() {
        for good in METHODS {
            assert!(method(good).is_ok());
        }
        let long = "A".repeat(1024);
        for wrong in ["get", "CONNECT", "TRACE", "GET /x HTTP/1.1\r\n", "", "GET ", &long] {
            assert!(method(wrong).is_err(), "{wrong:?}");
        }
    }
}
