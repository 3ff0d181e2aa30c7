//! A guest's request, checked and normalised. What passes is sent exactly as it was matched.

use effects::CallError;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of path and query.
const PATH_BYTES_MAX: usize = 8 << 10;

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
    // What was matched is what must be carried out: these change method or path behind it.
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Headers of an answer that a guest does not get.
const WITHHELD: &[&str] = &[
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "set-cookie",
    "set-cookie2",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "www-authenticate",
    "x-amz-security-token",
];

/// A method that may be used.
pub(crate) fn method(text: &str) -> Result<reqwest::Method, CallError> {
    if METHODS.contains(&text)
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

/// Whether `path` can be matched against rules without any doubt about what it means.
pub(crate) fn check_path(path: &str) -> Result<(), CallError> {
    let wrong = |what: &str| {
        let shown: String = path.chars().take(80).collect();
        Err(invalid("path", format!("the path `{}` {what}", shown.escape_debug())))
    };
    if path.len() > PATH_BYTES_MAX {
        return Err(invalid("path", format!("the path has more than {PATH_BYTES_MAX} bytes")));
    }
    if !path.bytes().all(|b| b.is_ascii_graphic()) {
        return wrong("holds characters that must be percent-encoded");
    }
    let (before_query, _query) = path.split_once('?').unwrap_or((path, ""));
    let Some(segments) = before_query.strip_prefix('/') else {
        return wrong("must start with one `/`: the host belongs to the connection");
    };
    if path.contains(['#', '\\'])
        || before_query.contains([';', '|', '^', '`', '"', '<', '>', '{', '}'])
    {
        return wrong("holds a character that servers read in different ways");
    }
    for segment in segments.split('/') {
        let lower = segment.to_ascii_lowercase();
        if segment.is_empty() && !segments.is_empty() {
            return wrong("has an empty segment");
        }
        if segment == "."
            || segment == ".."
            || ["%2e", "%2f", "%5c", "%25"].iter().any(|e| lower.contains(e))
        {
            return wrong("has a dot segment, or an encoded dot, slash, backslash or percent sign");
        }
    }
    Ok(())
}

/// `base` and `path` as one URL that means exactly these two, one after the other.
pub(crate) fn url(base: &Url, path: &str) -> Result<Url, CallError> {
    let root = base.as_str().trim_end_matches('/');
    let text = format!("{root}{path}");
    let url = Url::parse(&text).map_err(|error| invalid("path", format!("not a URL: {error}")))?;
    if url.as_str() != text {
        return Err(invalid("path", "the path would be sent in another form than it was given"));
    }
    Ok(url)
}

/// The guest's headers, without any that belong to the host or to the connection.
pub(crate) fn headers(
    given: &[(String, String)],
    injected: &HeaderMap,
) -> Result<HeaderMap, CallError> {
    if given.len() > HEADERS_MAX {
        return Err(invalid("header", format!("more than {HEADERS_MAX} headers")));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let shown: String = name.chars().take(64).collect();
        let shown = shown.escape_debug().to_string();
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| invalid("header", format!("`{shown}` can't name a header")))?;
        let lower = parsed.as_str();
        let managed = HOST_MANAGED.contains(&lower)
            || lower.starts_with("x-forwarded-")
            || lower.starts_with("proxy-")
            || injected.contains_key(&parsed);
        if managed {
            return Err(invalid("header", format!("the header `{shown}` belongs to the host")));
        }
        let good = value.len() <= HEADER_BYTES_MAX
            && value.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
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

/// The headers of an answer that a guest may see.
pub(crate) fn visible(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter(|(name, _)| !WITHHELD.contains(&name.as_str()))
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

fn invalid(what: &str, message: impl Into<String>) -> CallError {
    CallError::invalid(format!("http.invalid-{what}"), message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let cases = [
            ("/", true),
            ("/api/v2/incidents?page[size]=100&page%5Boffset%5D=0", true),
            ("/a/%20b", true),
            ("", false),
            ("a", false),
            ("https://evil/", false),
            ("//evil/x", false),
            ("/\\evil", false),
            ("\\\\evil", false),
            ("/a/../b", false),
            ("/a/%2e%2e/b", false),
            ("/a/%252e", false),
            ("/a//b", false),
            ("/a/;x=1", false),
            ("/a%2Fb", false),
            ("/a#b", false),
            ("/a b", false),
            ("/a\r\nX: y", false),
            ("/\u{ff0f}a", false),
            ("/a\0", false),
        ];
        for (path, expected) in cases {
            assert_eq!(check_path(path).is_ok(), expected, "{path:?}");
        }
        assert!(check_path(&format!("/{}", "x".repeat(9000))).is_err());
    }

    #[test]
    fn what_was_matched_is_what_is_sent() {
        let base = Url::parse("https://api.example.com/base/").unwrap();
        for path in ["/", "/a/b?x=1&y[z]=2", "/a/%20b", "/a:b@c"] {
            let url = url(&base, path).unwrap();
            assert_eq!(url.as_str(), format!("https://api.example.com/base{path}"));
            assert_eq!(url.host_str(), Some("api.example.com"));
        }
    }

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
            ("proxy-anything", "x"),
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
        let many = vec![("x".to_owned(), "y".to_owned()); 65];
        assert!(headers(&many, &injected).is_err());
    }

    #[test]
    fn methods() {
        for good in METHODS {
            assert!(method(good).is_ok());
        }
        for wrong in ["get", "CONNECT", "TRACE", "GET /x HTTP/1.1\r\n", ""] {
            assert!(method(wrong).is_err(), "{wrong:?}");
        }
    }
}
