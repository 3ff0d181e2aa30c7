//! One request as it was read, and one answer as it will be sent.
//!
//! Plain data between the network and the services: nothing here knows either of them.

use crate::query::Query;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A request whose body has been read.
#[derive(Debug)]
pub(crate) struct Asked {
    /// The method.
    pub(crate) method: Method,
    /// The decoded segments of the path.
    pub(crate) segments: Vec<String>,
    /// The decoded query.
    pub(crate) query: Query,
    /// The headers as sent.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header as text; `None` when it is absent or not visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The media type of the body in lower case, without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let text = self.header("content-type")?;
        Some(text.split(';').next().unwrap_or(text).trim().to_ascii_lowercase())
    }
}

/// An answer before it is sent.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status, 200 to 599.
    pub(crate) status: u16,
    /// Further headers.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What follows the headers.
    pub(crate) content: Content,
    /// Whether the service is another one than before.
    pub(crate) took_effect: bool,
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// A body of another kind.
    pub(crate) fn text(status: u16, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE, HeaderValue::from_static(media_type))],
            content: Content::Whole(body.into()),
            took_effect: false,
        }
    }

    /// No body at all.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            content: Content::Whole(Bytes::new()),
            took_effect: false,
        }
    }

    /// The same, with a header more; left out when the value can't be one.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// The same, marked as having changed the service or not.
    pub(crate) fn effect(mut self, took_effect: bool) -> Self {
        self.took_effect = took_effect;
        self
    }
}

/// What follows the headers.
pub(crate) enum Content {
    /// Everything at once.
    Whole(Bytes),
    /// Half of something that was announced whole, then a broken connection.
    Broken(Bytes),
    /// Pieces as they come.
    Stream(Box<dyn Pieces>),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(bytes) => write!(f, "Whole({} bytes)", bytes.len()),
            Self::Broken(bytes) => write!(f, "Broken({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The next piece of a stream, or its end.
pub(crate) type NextPiece = Pin<Box<dyn Future<Output = Option<(Bytes, Box<dyn Pieces>)>> + Send>>;

/// A source of pieces, for answers that go on.
pub(crate) trait Pieces: Send {
    /// Waits for the next piece, and gives the source back with it.
    fn next(self: Box<Self>) -> NextPiece;
}

/// The body of an answer, as the network wants it.
pub(crate) enum Outgoing {
    /// One piece, or none any more.
    Whole(Option<Bytes>),
    /// One piece of a longer whole, then an error.
    Broken(Option<Bytes>, u64),
    /// Pieces as they come; `None` after the last.
    Stream(Option<NextPiece>),
}

impl From<Content> for Outgoing {
    fn from(content: Content) -> Self {
        match content {
            Content::Whole(bytes) => Self::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())),
            Content::Broken(bytes) => {
                let announced = bytes.len() as u64;
                let half = bytes.slice(..bytes.len() / 2);
                Self::Broken(Some(half).filter(|half| !half.is_empty()), announced)
            }
            Content::Stream(pieces) => Self::Stream(Some(pieces.next())),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Broken(bytes, _) => Poll::Ready(Some(match bytes.take() {
                Some(bytes) => Ok(Frame::data(bytes)),
                None => Err(io::Error::new(io::ErrorKind::ConnectionReset, "cut on purpose")),
            })),
            Self::Stream(waiting) => {
                let Some(next) = waiting else { return Poll::Ready(None) };
                let Poll::Ready(piece) = next.as_mut().poll(context) else { return Poll::Pending };
                let frame = piece.map(|(bytes, rest)| {
                    *next = rest.next();
                    Ok(Frame::data(bytes))
                });
                if frame.is_none() {
                    *waiting = None;
                }
                Poll::Ready(frame)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None) | Self::Stream(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Broken(_, announced) => SizeHint::with_exact(*announced),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
