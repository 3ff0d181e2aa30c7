//! Reads an answer within bounds: decoded bytes, how far compression may swell, and how long a
//! server may keep silent. What breaks a bound ends the exchange, and its socket with it.
//!
//! Decoding happens here and not in the client, which would not say how small a bomb was.

use bytes::Bytes;
use effects::{Layer, Reason, SendError};
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

/// What is asked for with every request; other encodings are refused.
pub(crate) const ACCEPTED_ENCODING: &str = "gzip";

/// How often its own size a compressed answer may become, once it is over [`RATIO_BYTES_MIN`].
/// JSON that repeats itself stays below 100; a bomb comes near 1,000.
const RATIO_MAX: u64 = 200;

/// Decoded bytes up to which nobody looks at the ratio.
const RATIO_BYTES_MIN: u64 = 1 << 20;

/// Encoded bytes that are decoded in one go.
const STEP_BYTES: usize = 1 << 10;

/// How long a server may keep silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until name, TCP and TLS are through.
    pub(crate) connect: Duration,
    /// Until the status line.
    pub(crate) first_byte: Duration,
    /// Between two pieces of the answer.
    pub(crate) between: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(120),
            between: Duration::from_secs(20),
        }
    }
}

impl Patience {
    /// What `exchange` answers, if status and headers come in time.
    pub(crate) async fn first<F: Future>(self, exchange: F) -> Result<F::Output, SendError> {
        within(self.first_byte, "has not begun to answer", exchange).await
    }
}

/// The decoded body of an answer with `headers`. `failed` names a fault of the transport.
pub(crate) async fn read<B>(
    mut body: B,
    headers: &HeaderMap,
    bytes_max: u64,
    patience: Patience,
    failed: impl Fn(B::Error) -> SendError,
) -> Result<Vec<u8>, SendError>
where
    B: BodyExt<Data = Bytes> + Unpin,
{
    let mut decoder = Decoder::of(headers, bytes_max)?;
    let silent = "has stopped in the middle of its answer";
    while let Some(frame) = within(patience.between, silent, body.frame()).await? {
        // Trailers are of no use to anybody.
        if let Ok(piece) = frame.map_err(&failed)?.into_data() {
            decoder.take(&piece)?;
        }
    }
    decoder.finish()
}

async fn within<F: Future>(limit: Duration, what: &str, future: F) -> Result<F::Output, SendError> {
    if !Layer::Deadline.on() {
        return Ok(future.await);
    }
    tokio::time::timeout(limit, future).await.map_err(|_elapsed| SendError {
        reason: Reason::Timeout,
        code: "connection.stalled",
        message: format!("the server {what} for {} ms", limit.as_millis()),
        sent: true,
        permanent: false,
    })
}

/// An answer that grew over its bound.
pub(crate) fn too_large(bytes_max: u64) -> SendError {
    broken("limit.response-bytes", format!("the answer has more than {bytes_max} bytes"))
}

fn broken(code: &'static str, message: String) -> SendError {
    let reason = if code.starts_with("limit.") { Reason::Exhausted } else { Reason::Remote };
    SendError { reason, code, message, sent: true, permanent: true }
}

enum Decoder {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
}

/// Where decoded bytes go, up to their bounds.
struct Sink {
    body: Vec<u8>,
    bytes_max: u64,
    /// As they came, encoded.
    received: u64,
    over: Option<Over>,
}

#[derive(Clone, Copy)]
enum Over {
    Size,
    Ratio,
}

impl Decoder {
    fn of(headers: &HeaderMap, bytes_max: u64) -> Result<Self, SendError> {
        let sink = Sink { body: Vec::new(), bytes_max, received: 0, over: None };
        let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
        let encoding = encodings.next().map(|value| value.to_str().unwrap_or("?").trim());
        match encoding.map(str::to_ascii_lowercase).as_deref() {
            _ if encodings.next().is_some() => Err(unknown("several at once")),
            None | Some("" | "identity") => Ok(Self::Plain(sink)),
            Some("gzip" | "x-gzip") => Ok(Self::Gzip(Box::new(MultiGzDecoder::new(sink)))),
            Some(other) => Err(unknown(other)),
        }
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), SendError> {
        let written = match self {
            Self::Plain(sink) => {
                sink.received += piece.len() as u64;
                sink.write_all(piece)
            }
            // In small steps, so that what swells is compared with what was read of it so far.
            Self::Gzip(decoder) => piece.chunks(STEP_BYTES).try_for_each(|step| {
                decoder.get_mut().received += step.len() as u64;
                decoder.write_all(step)
            }),
        };
        written.map_err(|error| self.fault(&error))
    }

    fn finish(mut self) -> Result<Vec<u8>, SendError> {
        let done = match &mut self {
            Self::Plain(_) => Ok(()),
            // What has no body, such as the answer to a `HEAD`, may name an encoding all the same.
            Self::Gzip(decoder) if decoder.get_ref().received == 0 => Ok(()),
            Self::Gzip(decoder) => decoder.try_finish(),
        };
        done.map_err(|error| self.fault(&error))?;
        Ok(std::mem::take(&mut self.sink().body))
    }

    fn sink(&mut self) -> &mut Sink {
        match self {
            Self::Plain(sink) => sink,
            Self::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn fault(&mut self, error: &io::Error) -> SendError {
        let sink = self.sink();
        match sink.over {
            Some(Over::Size) => too_large(sink.bytes_max),
            Some(Over::Ratio) => broken(
                "limit.response-ratio",
                format!("the answer becomes more than {RATIO_MAX} times as long when decoded"),
            ),
            None => broken(
                "connection.encoding",
                format!("the answer's body is not the gzip that its headers name: {error}"),
            ),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, decoded: &[u8]) -> io::Result<usize> {
        let bytes = self.body.len() as u64 + decoded.len() as u64;
        if Layer::Bound.on() {
            if bytes > self.bytes_max {
                self.over = Some(Over::Size);
            } else if bytes > RATIO_BYTES_MIN && bytes / RATIO_MAX > self.received {
                self.over = Some(Over::Ratio);
            }
            if self.over.is_some() {
                return Err(io::Error::other("the answer is over a bound"));
            }
        }
        self.body.extend_from_slice(decoded);
        Ok(decoded.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What can't be decoded can't be searched for credentials either.
fn unknown(encoding: &str) -> SendError {
    let shown: String = encoding.chars().take(40).collect();
    broken(
        "connection.encoding",
        format!(
            "the answer's body is encoded as `{}`, and only {ACCEPTED_ENCODING} was offered",
            shown.escape_debug()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;

    fn headers(encoding: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in encoding {
            headers.append(CONTENT_ENCODING, HeaderValue::from_str(name).unwrap());
        }
        headers
    }

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    /// What comes of `pieces`: the body, or the code of the refusal.
    fn decoded(encoding: &[&str], pieces: &[&[u8]], max: u64) -> Result<Vec<u8>, &'static str> {
        let mut decoder = Decoder::of(&headers(encoding), max).map_err(|error| error.code)?;
        for piece in pieces {
            decoder.take(piece).map_err(|error| error.code)?;
        }
        decoder.finish().map_err(|error| error.code)
    }

    #[test]
    fn what_is_plain_or_gzip_is_read_in_any_pieces() {
        let plain = b"{\"a\": 1}".repeat(100);
        let packed = gzip(&plain);
        let bytes: Vec<&[u8]> = packed.chunks(1).collect();
        let twice = [packed.clone(), packed.clone()].concat();

        assert_eq!(decoded(&[], &[&plain], 1 << 20), Ok(plain.clone()));
        assert_eq!(decoded(&["identity"], &[&plain], 1 << 20), Ok(plain.clone()));
        assert_eq!(decoded(&["GZIP"], &bytes, 1 << 20), Ok(plain.clone()));
        assert_eq!(decoded(&["gzip"], &[&twice], 1 << 20), Ok(plain.repeat(2)));
        assert_eq!(decoded(&["gzip"], &[], 1 << 20), Ok(vec![]), "an answer to HEAD");
    }

    #[test]
    fn e11_what_is_too_long_swells_too_far_or_is_packed_otherwise_is_refused() {
        let bomb = gzip(&vec![0; 64 << 20]);
        let long = gzip(&b"{\"a\": 1}".repeat(200));
        let cut = &long[..long.len() / 2];
        let cases: [(&[&str], &[u8], u64, &str); 9] = [
            (&[], &[0; 101], 100, "limit.response-bytes"),
            (&["gzip"], &long, 100, "limit.response-bytes"),
            (&["gzip"], &bomb, 8 << 20, "limit.response-ratio"),
            (&["gzip"], &bomb, 1 << 20, "limit.response-bytes"),
            (&["gzip"], b"not gzip", 100, "connection.encoding"),
            (&["gzip"], cut, 1 << 20, "connection.encoding"),
            (&["br"], b"x", 100, "connection.encoding"),
            (&["gzip, gzip"], &long, 1 << 20, "connection.encoding"),
            (&["gzip", "gzip"], &long, 1 << 20, "connection.encoding"),
        ];
        for (encoding, body, max, expected) in cases {
            assert_eq!(decoded(encoding, &[body], max), Err(expected), "{encoding:?}, {max}");
        }
    }
}
