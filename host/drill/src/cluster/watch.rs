//! Watches: changes as they happen, one JSON object a line.
//!
//! A watch reads the log and keeps nothing of its own but a position. It ends when its time is
//! over, when the world starts afresh, or when it fell behind the log.

use super::Shared;
use super::kinds::Kind;
use super::object;
use super::read::{Filter, version};
use super::route::Target;
use super::status_errors::{Cause, Refusal};
use super::store::{Change, TooOld};
use crate::exchange::{Answer, Asked, Content, NextPiece, Pieces};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A watch that sets no time ends after this; the real server takes 30 to 60 minutes.
const WATCH_SECONDS_DEFAULT: u64 = 1_800;
/// No watch lasts longer.
const WATCH_SECONDS_MAX: u64 = 3_600;
/// How often a silent watch tells its position when bookmarks are allowed.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);

struct Watch {
    shared: Arc<Shared>,
    changed: tokio::sync::watch::Receiver<u64>,
    kind: &'static Kind,
    namespace: Option<String>,
    filter: Filter,
    position: u64,
    start: u64,
    bookmarks: bool,
    next_bookmark: Instant,
    end: Instant,
    /// Lines that were written before the first change.
    first: Vec<u8>,
    is_over: bool,
}

/// Opens a watch on a collection.
pub(crate) fn open(
    shared: &Arc<Shared>,
    asked: &Asked,
    target: &Target,
) -> Result<Answer, Refusal> {
    let filter = Filter::read(asked, target)?;
    let seconds = timeout(asked)?;
    let from = version(asked)?.filter(|version| *version > 0);
    let initial = initial_events(asked)?;
    let bookmarks = asked.query.is_set("allowWatchBookmarks");
    let changed = shared.changed.subscribe();
    let world = shared.lock();
    let mut watch = Watch {
        shared: Arc::clone(shared),
        changed,
        kind: target.kind,
        namespace: target.namespace.clone(),
        filter,
        position: from.unwrap_or_else(|| world.store.revision()),
        start: world.start,
        bookmarks,
        next_bookmark: Instant::now() + BOOKMARK_EVERY,
        end: Instant::now() + Duration::from_secs(seconds),
        first: Vec::new(),
        is_over: false,
    };
    // Without a version, or with initial events asked for, a watch begins with what there is.
    if initial.unwrap_or(from.is_none()) {
        watch.position = world.store.revision();
        for (_, object) in world.store.list(watch.kind.resource, watch.namespace.as_deref()) {
            if watch.filter.takes(object) {
                line(&mut watch.first, "ADDED", object);
            }
        }
        if initial == Some(true) && bookmarks {
            let bookmark = watch.bookmark(true);
            line(&mut watch.first, "BOOKMARK", &bookmark);
        }
    }
    drop(world);
    Ok(Answer {
        content: Content::Stream(Box::new(watch)),
        ..Answer::empty(200).with_header(CONTENT_TYPE, "application/json")
    })
}

fn timeout(asked: &Asked) -> Result<u64, Refusal> {
    match asked.query.filled("timeoutSeconds").map(str::parse::<u64>) {
        None | Some(Ok(0)) => Ok(WATCH_SECONDS_DEFAULT),
        Some(Ok(seconds)) => Ok(seconds.min(WATCH_SECONDS_MAX)),
        Some(Err(_)) => Err(Refusal::bad_request("invalid `timeoutSeconds`: not a whole number")),
    }
}

fn initial_events(asked: &Asked) -> Result<Option<bool>, Refusal> {
    let forbidden = |field: &str, message: &str| {
        let cause = Cause {
            field: field.to_owned(),
            reason: "FieldValueForbidden",
            message: format!("Forbidden: {message}"),
        };
        Refusal::invalid_options("ListOptions", &[cause])
    };
    let rule = asked.query.filled("resourceVersionMatch");
    match (asked.query.filled("sendInitialEvents"), rule) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        )),
        (Some(_), Some("NotOlderThan")) => Ok(Some(asked.query.is_set("sendInitialEvents"))),
        (Some(_), _) => Err(forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        )),
    }
}

impl Pieces for Watch {
    fn next(mut self: Box<Self>) -> NextPiece {
        Box::pin(async move {
            loop {
                let lines = self.lines();
                if !lines.is_empty() {
                    return Some((Bytes::from(lines), self as Box<dyn Pieces>));
                }
                if self.is_over || Instant::now() >= self.end {
                    return None;
                }
                let until =
                    if self.bookmarks { self.end.min(self.next_bookmark) } else { self.end };
                // Whichever comes first, the log is read again.
                let _ = tokio::time::timeout_at(until, self.changed.changed()).await;
            }
        })
    }
}

impl Watch {
    /// Everything that happened since the last time.
    fn lines(&mut self) -> Vec<u8> {
        let mut lines = std::mem::take(&mut self.first);
        if self.is_over {
            return lines;
        }
        let shared = Arc::clone(&self.shared);
        let world = shared.lock();
        if world.start != self.start {
            self.is_over = true;
            return lines;
        }
        match world.store.since(self.position) {
            Err(TooOld { oldest }) => {
                let message = format!("too old resource version: {} ({oldest})", self.position);
                line(&mut lines, "ERROR", &Refusal::expired(message).to_status());
                self.is_over = true;
                return lines;
            }
            Ok(changes) => {
                for change in changes {
                    if let Some(event) = self.seen_as(change) {
                        line(&mut lines, event, &change.shown);
                    }
                }
            }
        }
        self.position = self.position.max(world.store.revision());
        drop(world);
        if self.bookmarks && Instant::now() >= self.next_bookmark {
            self.next_bookmark = Instant::now() + BOOKMARK_EVERY;
            line(&mut lines, "BOOKMARK", &self.bookmark(false));
        }
        lines
    }

    /// How a change looks through the filter: what comes into it was added, what leaves it was
    /// deleted.
    fn seen_as(&self, change: &Change) -> Option<&'static str> {
        let is_meant = change.key.resource == self.kind.resource
            && self.namespace.as_ref().is_none_or(|wanted| *wanted == change.key.namespace);
        if !is_meant {
            return None;
        }
        let takes = |object: &Option<Arc<Value>>| {
            object.as_ref().is_some_and(|object| self.filter.takes(object))
        };
        match (takes(&change.before), takes(&change.after)) {
            (false, true) => Some("ADDED"),
            (true, true) => Some("MODIFIED"),
            (true, false) => Some("DELETED"),
            (false, false) => None,
        }
    }

    fn bookmark(&self, ends_initial_events: bool) -> Value {
        let mut bookmark = json!({
            "kind": self.kind.kind,
            "apiVersion": self.kind.api_version(),
            "metadata": {"resourceVersion": self.position.to_string(), "creationTimestamp": null},
        });
        if ends_initial_events {
            let annotations = json!({"k8s.io/initial-events-end": "true"});
            object::put(&mut bookmark, &["metadata", "annotations"], annotations);
        }
        bookmark
    }
}

fn line(lines: &mut Vec<u8>, event: &str, object: &Value) {
    lines.extend_from_slice(json!({"type": event, "object": object}).to_string().as_bytes());
    lines.push(b'\n');
}
