//! An answer: status, headers, and a body that is read when someone wants it.

use crate::{ConnectError, Failure, typed, wire};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// The most bytes that the host hands over in one piece.
const PIECE: u32 = 64 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    wire: wire::Response,
}

impl Response {
    pub(crate) fn new(wire: wire::Response) -> Self {
        Self { status: wire.status(), headers: wire.headers(), wire }
    }

    /// 100 to 599. Redirects are not followed, so a 3xx comes as it is.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the same request may succeed later: 408, 429, or 500 and above.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(self.status, 408 | 429 | 500..=599)
    }

    /// The first header of that name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether this is no answer of the service: the write took effect, its answer was lost with an
    /// earlier process, and the host puts status 200 and an empty JSON object in its place. It knows
    /// no more than [`ConnectError::is_done`] does.
    #[must_use]
    pub fn is_stand_in(&self) -> bool {
        self.is_success() && self.header("bowline-outcome") == Some("done")
    }

    /// How long the service wants us to wait: `Retry-After` in seconds, or, on a 429,
    /// `X-RateLimit-Reset` in seconds from now. Values above a day are taken for points in time
    /// and left out, since a step has no calendar to compare them with.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = |name| self.header(name)?.trim().parse::<u64>().ok();
        let reset = || if self.status == 429 { seconds("x-ratelimit-reset") } else { None };
        let wait = seconds("retry-after").or_else(reset)?;
        (wait <= 24 * 60 * 60).then(|| Duration::from_secs(wait))
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// When the connection breaks while reading, or the body is over the host's 8 MiB.
    pub fn bytes(self) -> Result<Vec<u8>, ConnectError> {
        let mut body = Vec::new();
        while let Some(piece) = self.wire.read(PIECE)? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// The whole body as text; what is no UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    ///
    /// As [`Response::bytes`].
    pub fn text(self) -> Result<String, ConnectError> {
        Ok(String::from_utf8_lossy(&self.bytes()?).into_owned())
    }

    /// The whole body as JSON.
    ///
    /// # Errors
    ///
    /// As [`Response::bytes`], and `http.invalid-answer` when the body is not what was expected.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, Failure> {
        let status = self.status;
        let value = self.value()?;
        typed::read(&value).map_err(|error| not_as_expected(status, &error.to_string()))
    }

    /// The whole body as a JSON value.
    ///
    /// # Errors
    ///
    /// As [`Response::json`].
    pub fn value(self) -> Result<Value, Failure> {
        let status = self.status;
        let body = self.bytes()?;
        serde_json::from_slice(&body).map_err(|error| not_as_expected(status, &error.to_string()))
    }
}

fn not_as_expected(status: u16, why: &str) -> Failure {
    let message = format!("the answer (status {status}) is not the JSON expected: {why}");
    Failure::permanent("http.invalid-answer", message).with_detail("status", status)
}

#[cfg(test)]
mod tests {
    use crate::http::{Client, Request};
    use crate::testing::{Answer, Host, done};
    use std::time::Duration;

    #[test]
    fn what_the_host_says_of_a_lost_answer_is_told_from_an_answer() {
        let cases = [
            (Answer::done(), true),
            (Answer::new(200, "{}"), false),
            (Answer::new(503, "{}").header("bowline-outcome", "done"), false),
        ];
        for (answer, expected) in cases {
            let host = Host::new().http("s", move |_| Ok(answer.clone()));
            let answer =
                Client::open(&host.context(), "s").and_then(|it| it.send(&Request::post("/")));
            assert_eq!(answer.expect("an answer").is_stand_in(), expected);
        }
        let error = done();
        assert!(error.is_done() && error.in_doubt && !error.worth_repeating());
        assert!(!crate::testing::lost("http").is_done());
    }

    #[test]
    fn the_wait_is_read_from_either_header() {
        let cases = [
            (429, "retry-after", "7", Some(7)),
            (503, "Retry-After", " 7 ", Some(7)),
            (429, "X-RateLimit-Reset", "3", Some(3)),
            (200, "x-ratelimit-reset", "3", None),
            (429, "x-ratelimit-reset", "1764000000", None),
            (429, "retry-after", "Wed, 19 Jul 2023 16:05:59 GMT", None),
            (429, "x-other", "3", None),
        ];
        for (status, name, value, expected) in cases {
            let host =
                Host::new().http("s", move |_| Ok(Answer::new(status, "").header(name, value)));
            let answer =
                Client::open(&host.context(), "s").and_then(|it| it.send(&Request::get("/")));

            let wait = answer.expect("an answer").retry_after();

            assert_eq!(wait, expected.map(Duration::from_secs), "{status} {name}: {value}");
        }
    }
}
