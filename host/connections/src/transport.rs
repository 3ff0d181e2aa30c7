//! What both clients share: naming what went wrong on the way.

use crate::address::AddressDenied;
use effects::{Reason, SendError};
use std::error::Error;

/// Names the fault of a request to `place` that got no answer. `connecting` tells whether it failed
/// before anything could be sent.
pub(crate) fn fault(
    error: &(dyn Error + 'static),
    place: &str,
    connecting: bool,
    timeout: bool,
) -> SendError {
    if let Some(denied) = causes(error).find_map(|cause| cause.downcast_ref::<AddressDenied>()) {
        return address_denied(denied);
    }
    let text = chain(error);
    if text.contains("message head is too large") {
        return SendError {
            reason: Reason::Exhausted,
            code: "limit.response-headers",
            message: format!("`{place}` answered with more headers than are taken"),
            sent: true,
            permanent: true,
        };
    }
    let handshake = is_handshake(&text) || connecting && text.contains("TLS");
    let dns = text.contains("dns error") || text.contains("failed to lookup address");
    let (reason, code, what, remedy) = if handshake {
        let remedy =
            "; check the connection's certificateAuthority, the server's name and the clock";
        (Reason::Unreachable, "connection.tls", "the TLS handshake with", remedy)
    } else if timeout {
        (Reason::Timeout, "connection.timeout", "the exchange in time with", "")
    } else if dns {
        let remedy = "; check the host name and the resolver";
        (Reason::Unreachable, "connection.dns", "finding the host of", remedy)
    } else if connecting {
        let remedy = "; check the address and that the service is up";
        (Reason::Unreachable, "connection.refused", "connecting to", remedy)
    } else {
        (Reason::Unreachable, "connection.cut", "the exchange with", "")
    };
    // What the layers in between say of each other helps nobody.
    let cause = causes(error).last().map(ToString::to_string).unwrap_or_default();
    let message = format!("{what} `{place}` failed: {cause}{remedy}");
    // A failed handshake has sent no request. A stream that breaks off later proves nothing: the
    // request may have been carried out.
    let sent = !connecting && !handshake;
    SendError { reason, code, message, sent, permanent: handshake && text.contains("ertificate") }
}

/// Host and port of a URL, for messages. No path, no user: those may hold what is nobody's
/// business.
pub(crate) fn host_and_port(url: &str) -> String {
    let Ok(uri) = url.parse::<http::Uri>() else { return "its address".to_owned() };
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    format!("{}:{port}", uri.host().unwrap_or_default())
}

/// The host leads where this connection may not go; nothing was sent.
pub(crate) fn address_denied(denied: &AddressDenied) -> SendError {
    SendError {
        reason: Reason::Denied,
        code: "connection.address-denied",
        message: denied.to_string(),
        sent: false,
        permanent: true,
    }
}

/// `error` and everything below it, each text once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for error in causes(error) {
        let part = error.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
    }
    text
}

/// `error` and everything below it, outermost first.
pub(crate) fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

/// Whether it was the handshake that failed. A stream that ends without TLS's goodbye is none.
fn is_handshake(text: &str) -> bool {
    ["certificate", "Certificate", "tls handshake", "HandshakeFailure", "UnknownCA"]
        .iter()
        .any(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_never_left_counts_as_unsent() {
        let cases = [
            ("invalid peer certificate: UnknownIssuer", true, "connection.tls", false),
            ("received fatal alert: CertificateRequired", false, "connection.tls", false),
            ("tls handshake eof", true, "connection.tls", false),
            (
                "peer closed connection without sending TLS close_notify",
                false,
                "connection.cut",
                true,
            ),
            (
                "peer closed connection without sending TLS close_notify",
                true,
                "connection.tls",
                false,
            ),
            ("received fatal alert: InternalError", false, "connection.cut", true),
            ("connection reset by peer", false, "connection.cut", true),
            ("connection refused", true, "connection.refused", false),
            ("dns error: no such host", true, "connection.dns", false),
        ];
        for (text, connecting, code, sent) in cases {
            let error = std::io::Error::other(text);
            let fault = fault(&error, "db.example.com:443", connecting, false);
            assert_eq!((fault.code, fault.sent), (code, sent), "{text}, connecting: {connecting}");
            assert!(fault.message.contains("`db.example.com:443`"), "{}", fault.message);
            assert!(fault.message.contains(text), "{}", fault.message);
        }
    }

    #[test]
    fn only_host_and_port_of_an_address_are_shown() {
        let cases = [
            ("https://user:secret@h.example.com/path?key=1", "h.example.com:443"),
            ("http://127.0.0.1:8080/", "127.0.0.1:8080"),
            ("https://[::1]:6443", "[::1]:6443"),
            ("no address", "its address"),
        ];
        for (url, expected) in cases {
            assert_eq!(host_and_port(url), expected, "{url}");
        }
    }
}
