//! Changes as they happen: one JSON event per line, for as long as the step lives.

use super::service::Opened;
use super::{KubernetesService, answer, request};
use crate::bindings::kubernetes::{Change, Kind, Query};
use crate::breaker::Held;
use crate::echo;
use effects::scope::kubernetes::{Question, check};
use effects::{
    Answer, CallError, Grant, Layer, Operation, Piece, Reason, Redactor, Scope, Stream, digest,
};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of one event.
const EVENT_BYTES_MAX: usize = 8 << 20;

/// Waiting before the stream is opened again.
const REOPEN_AFTER: Duration = Duration::from_millis(500);

/// What is watched, as a guest holds it.
#[expect(unreachable_pub, reason = "the generated bindings export it again")]
pub struct Watcher {
    grant: Grant,
    held: Arc<Held<KubernetesService>>,
    kind: Kind,
    namespace: Option<String>,
    query: Query,
    /// The newest version seen: where a new stream goes on.
    version: Option<String>,
    stream: Option<Body>,
    /// The call that opened it.
    number: u32,
    received: Vec<u8>,
    /// Bytes of `received` that hold no end of a line.
    searched: usize,
}

impl Watcher {
    /// Opens the stream.
    pub(crate) async fn open(
        grant: Grant,
        held: Arc<Held<KubernetesService>>,
        (kind, namespace, query): (Kind, Option<String>, Query),
        version: Option<String>,
    ) -> Result<Self, CallError> {
        let mut watcher = Self {
            grant,
            held,
            kind,
            namespace,
            query,
            version,
            stream: None,
            number: 0,
            received: Vec::new(),
            searched: 0,
        };
        watcher.number = watcher.connect(false).await?;
        Ok(watcher)
    }

    /// The path of the stream.
    fn path(&self) -> Result<String, CallError> {
        let path = request::collection(&self.kind, self.namespace.as_deref())?;
        let mut parameters = request::page(&Query { limit: None, ..self.query.clone() })?;
        parameters.retain(|(name, _)| !matches!(*name, "limit" | "continue"));
        parameters.push(("watch", "1".to_owned()));
        parameters.push(("allowWatchBookmarks", "true".to_owned()));
        parameters.extend(self.version.clone().map(|version| ("resourceVersion", version)));
        Ok(request::with_query(&path, &parameters))
    }

    /// Opens the stream. `own`: the host does so by itself, since the stream had ended. Gives the
    /// number of the call.
    async fn connect(&mut self, own: bool) -> Result<u32, CallError> {
        let namespace = self.namespace.as_deref();
        let text = request::text("watch", &self.kind, namespace, None);
        let path = match self.path() {
            Ok(path) => path,
            Err(why) => return Err(self.grant.refused(&text, why).await),
        };
        self.held.admit(&self.grant, &text).await?;
        let digest = digest(&[b"GET", path.as_bytes()]);
        let operation = Operation { own, ..Operation::read(text, digest) };
        let question = Question {
            verb: "watch",
            group: &self.kind.group,
            resource: &self.kind.resource,
            namespace,
            name: None,
            subresource: None,
            touched: None,
        };
        let Held { service, breaker, .. } = &*self.held;
        let in_scope = |scope: &Scope| match scope {
            Scope::Kubernetes(rules) => check(rules, &question),
            Scope::Http(_) => check(&[], &question),
        };
        let get = http::Request::get(&path).body(Vec::new());
        let get = get.map_err(|e| CallError::invalid("kubernetes.invalid-query", e.to_string()))?;
        let Stream { number, status, stream: opened } =
            self.grant.open_stream(operation, in_scope, || service.open(get)).await?;
        // Opened before a crash: what came through it comes from the record first.
        let Some(opened) = opened else {
            return match self.grant.recorded_piece(number).await? {
                Piece::Failed(error) if status >= 400 => Err(error),
                _ if status >= 400 => Err(answer::refusal(&Answer::without_body(status), false)),
                _ => Ok(number),
            };
        };
        breaker.heard(status);
        match opened {
            Opened::Stream(stream) => {
                self.stream = Some(stream);
                self.received.clear();
                self.searched = 0;
                Ok(number)
            }
            Opened::Refused(answer) => {
                let body = self.grant.piece(answer.body)?;
                let refused = answer::refusal(&Answer { body, ..answer }, false);
                let refused = answer::clamp_retry(refused, self.grant.attempt().remaining());
                self.grant.heard_error(number, &refused);
                Err(refused)
            }
        }
    }

    /// The next change within `timeout`.
    pub(crate) async fn next(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(Change, String)>, CallError> {
        match self.grant.recorded_piece(self.number).await? {
            Piece::Recorded(bytes) => return self.told_before(&bytes),
            Piece::Failed(error) => return Err(error),
            Piece::Live => {}
        }
        let told = self.next_live(timeout).await;
        match &told {
            Ok(event) => {
                // What a Secret holds is not kept, as it is not kept of a read.
                let bytes = (!self.is_secret()).then(|| kept(event.as_ref()));
                self.grant.heard(self.number, bytes);
            }
            Err(error) => self.grant.heard_error(self.number, error),
        }
        told
    }

    async fn next_live(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(Change, String)>, CallError> {
        let timeout = timeout.min(self.grant.attempt().remaining());
        match tokio::time::timeout(timeout, self.next_event()).await {
            Ok(event) => event.map(Some),
            Err(_elapsed) => {
                self.grant.piece(Vec::new())?;
                Ok(None)
            }
        }
    }

    fn is_secret(&self) -> bool {
        self.kind.group.is_empty() && self.kind.resource == "secrets"
    }

    /// What the step was told before a crash.
    fn told_before(&mut self, bytes: &[u8]) -> Result<Option<(Change, String)>, CallError> {
        let Some((kind, text)) = bytes.split_first() else { return Ok(None) };
        let change = match kind {
            b'A' => Change::Added,
            b'M' => Change::Modified,
            b'D' => Change::Deleted,
            _ => Change::Bookmark,
        };
        let text = String::from_utf8_lossy(text).into_owned();
        if let Ok(object) = serde_json::from_str::<Value>(&text)
            && let Some(version) = object["metadata"]["resourceVersion"].as_str()
        {
            self.version = Some(version.to_owned());
        }
        Ok(Some((change, text)))
    }

    async fn next_event(&mut self) -> Result<(Change, String), CallError> {
        loop {
            let fresh = &self.received[self.searched..];
            if let Some(end) = fresh.iter().position(|byte| *byte == b'\n') {
                // Only whole events are looked at: a credential may lie over the border of two
                // pieces, but not over that of two events.
                let end = self.searched + end;
                let line: Vec<u8> = self.received.drain(..=end).collect();
                self.searched = 0;
                let line = self.examined(line)?;
                return self.event(&line);
            }
            self.searched = self.received.len();
            if Layer::Bound.on() && self.received.len() > EVENT_BYTES_MAX {
                return Err(CallError::new(
                    Reason::Exhausted,
                    "limit.response-bytes",
                    format!("one event has more than {EVENT_BYTES_MAX} bytes"),
                ));
            }
            let grant = self.grant.clone();
            let frame = match &mut self.stream {
                Some(stream) => tokio::select! {
                    () = grant.attempt().stopped() => None,
                    frame = stream.frame() => frame,
                },
                None => None,
            };
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        self.received.extend_from_slice(&piece);
                    }
                }
                // The server ends a watch after some minutes; that is no fault.
                Some(Err(_)) | None => {
                    self.stream = None;
                    self.grant.piece(Vec::new())?;
                    tokio::time::sleep(REOPEN_AFTER).await;
                    self.connect(true).await?;
                }
            }
        }
    }

    /// One event without credentials; an error where the connection is strict.
    fn examined(&self, line: Vec<u8>) -> Result<Vec<u8>, CallError> {
        let service = &self.held.service;
        let redactor = Redactor::new(vec![Arc::clone(&service.needles)]);
        let line = echo::plain_if_needed(&redactor, line);
        if service.strict && Layer::Redact.on() && redactor.bytes(line.clone()).1 > 0 {
            let refused = echo::refused(&service.place());
            return Err(CallError::new(refused.reason, refused.code, refused.message));
        }
        self.grant.piece(line)
    }

    fn event(&mut self, line: &[u8]) -> Result<(Change, String), CallError> {
        let unreadable = || {
            let message = "the server sent an event that is none";
            CallError::new(Reason::Remote, "kubernetes.unreadable", message)
        };
        let mut event: Value = serde_json::from_slice(line).map_err(|_| unreadable())?;
        let object = event["object"].take();
        let change = match event["type"].as_str() {
            Some("ADDED") => Change::Added,
            Some("MODIFIED") => Change::Modified,
            Some("DELETED") => Change::Deleted,
            Some("BOOKMARK") => Change::Bookmark,
            Some("ERROR") => {
                let status = object["code"].as_u64().and_then(|code| u16::try_from(code).ok());
                let body = object.to_string().into_bytes();
                let answer = Answer { status: status.unwrap_or(500), headers: vec![], body };
                return Err(answer::refusal(&answer, false));
            }
            _ => return Err(unreadable()),
        };
        if let Some(version) = object["metadata"]["resourceVersion"].as_str() {
            self.version = Some(version.to_owned());
        }
        Ok((change, object.to_string()))
    }
}

/// What is kept of what the step was told: a letter and the object; nothing when nothing came.
fn kept(event: Option<&(Change, String)>) -> Vec<u8> {
    let Some((change, text)) = event else { return Vec::new() };
    let letter = match change {
        Change::Added => b'A',
        Change::Modified => b'M',
        Change::Deleted => b'D',
        Change::Bookmark => b'B',
    };
    [&[letter], text.as_bytes()].concat()
}
