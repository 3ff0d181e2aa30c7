//! Changes as they happen: one JSON event per line, for as long as the step lives.

use super::service::Opened;
use super::{KubernetesService, answer, request};
use crate::bindings::kubernetes::{Change, Kind, Query};
use crate::breaker::Held;
use crate::echo;
use effects::scope::kubernetes::{Question, check};
use effects::{Answer, CallError, Grant, Layer, Operation, Reason, Redactor, Scope, digest};
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
        let (stream, received, searched) = (None, Vec::new(), 0);
        let mut watcher =
            Self { grant, held, kind, namespace, query, version, stream, received, searched };
        watcher.connect().await?;
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

    async fn connect(&mut self) -> Result<(), CallError> {
        let namespace = self.namespace.as_deref();
        let text = request::text("watch", &self.kind, namespace, None);
        let path = match self.path() {
            Ok(path) => path,
            Err(why) => return Err(self.grant.refused(&text, why).await),
        };
        self.held.admit(&self.grant, &text).await?;
        let operation = Operation {
            text,
            writes: false,
            precondition: None,
            digest: digest(&[b"GET", path.as_bytes()]),
            request_bytes: 0,
            timeout_ms: None,
        };
        let question = Question {
            verb: "watch",
            group: &self.kind.group,
            resource: &self.kind.resource,
            namespace,
            name: None,
            subresource: None,
            touched: None,
        };
        let Held { service, breaker } = &*self.held;
        let in_scope = |scope: &Scope| match scope {
            Scope::Kubernetes(rules) => check(rules, &question),
            Scope::Http(_) => check(&[], &question),
        };
        let get = http::Request::get(&path).body(Vec::new());
        let get = get.map_err(|e| CallError::invalid("kubernetes.invalid-query", e.to_string()))?;
        let (status, opened) =
            self.grant.open_stream(operation, in_scope, || service.open(get)).await?;
        breaker.heard(status);
        match opened {
            Opened::Stream(stream) => {
                self.stream = Some(stream);
                self.received.clear();
                self.searched = 0;
                Ok(())
            }
            Opened::Refused(answer) => {
                let body = self.grant.piece(answer.body)?;
                let refused = answer::refusal(&Answer { body, ..answer }, false);
                Err(answer::clamp_retry(refused, self.grant.attempt().remaining()))
            }
        }
    }

    /// The next change within `timeout`.
    pub(crate) async fn next(
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
                    self.connect().await?;
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
