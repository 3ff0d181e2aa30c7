//! Changes as they happen: one JSON event per line, for as long as the step lives.

use super::{KubernetesService, answer, request};
use crate::bindings::kubernetes::{Change, Kind, Query};
use effects::scope::kubernetes::{Question, check};
use effects::{Answer, CallError, Grant, Operation, Reason, Scope, digest};
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
    service: Arc<KubernetesService>,
    kind: Kind,
    namespace: Option<String>,
    query: Query,
    /// The newest version seen: where a new stream goes on.
    version: Option<String>,
    stream: Option<Body>,
    received: Vec<u8>,
}

impl Watcher {
    /// Opens the stream.
    pub(crate) async fn open(
        grant: Grant,
        service: Arc<KubernetesService>,
        (kind, namespace, query): (Kind, Option<String>, Query),
        version: Option<String>,
    ) -> Result<Self, CallError> {
        let (stream, received) = (None, Vec::new());
        let mut watcher =
            Self { grant, service, kind, namespace, query, version, stream, received };
        watcher.connect().await?;
        Ok(watcher)
    }

    async fn connect(&mut self) -> Result<(), CallError> {
        let namespace = self.namespace.as_deref();
        let path = request::collection(&self.kind, namespace)?;
        let mut parameters = request::page(&Query { limit: None, ..self.query.clone() })?;
        parameters.retain(|(name, _)| !matches!(*name, "limit" | "continue"));
        parameters.push(("watch", "1".to_owned()));
        parameters.push(("allowWatchBookmarks", "true".to_owned()));
        parameters.extend(self.version.clone().map(|version| ("resourceVersion", version)));
        let path = request::with_query(&path, &parameters);
        let operation = Operation {
            text: request::text("watch", &self.kind, namespace, None),
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
        let in_scope = |scope: &Scope| match scope {
            Scope::Kubernetes(rules) => check(rules, &question),
            Scope::Http(_) => check(&[], &question),
        };
        let get = http::Request::get(&path).body(Vec::new());
        let get = get.map_err(|e| CallError::invalid("kubernetes.invalid-query", e.to_string()))?;
        let service = &self.service;
        let (status, body) =
            self.grant.open_stream(operation, in_scope, || service.open(get)).await?;
        if status != 200 {
            let body =
                body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
            let body = self.grant.piece(body)?;
            return Err(answer::refusal(&Answer { status, headers: vec![], body }, false));
        }
        self.stream = Some(body);
        self.received.clear();
        Ok(())
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
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let line = self.grant.piece(line)?;
                return self.event(&line);
            }
            if self.received.len() > EVENT_BYTES_MAX {
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
