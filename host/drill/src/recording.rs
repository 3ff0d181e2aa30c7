//! What both services received, in order: the truth that a rehearsal is checked against.
//!
//! Credentials never enter: headers and bodies are not kept, and keys that a client put into
//! a path or query are taken out first.

use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// The newest requests that are kept; older ones are dropped.
const REQUESTS_MAX: usize = 20_000;

/// Which of the two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// The practice cluster.
    Kubernetes,
    /// The practice Datadog.
    Datadog,
}

/// One request as it was received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Received {
    /// The service that received it.
    pub service: Service,
    /// The HTTP method, upper case.
    pub method: String,
    /// The path as sent, without the query.
    pub path: String,
    /// The query as sent, without the question mark; empty when there was none.
    pub query: String,
    /// When it arrived: RFC 3339, UTC, milliseconds.
    pub at: String,
    /// The status that was answered; `None` when no answer was sent (a hang or a cut).
    pub status: Option<u16>,
    /// Whether it changed anything in the service. A dry run, a refusal, and a write that found
    /// everything as wished already, changed nothing.
    pub took_effect: bool,
}

/// Remembers the newest requests.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    requests: Mutex<VecDeque<Received>>,
}

impl Recording {
    /// Adds one request.
    pub(crate) fn add(&self, request: Received) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if requests.len() == REQUESTS_MAX {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// All that are kept, oldest first.
    pub(crate) fn all(&self) -> Vec<Received> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().cloned().collect()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_request_makes_room() {
        let recording = Recording::default();
        for number in 0..=REQUESTS_MAX {
            recording.add(Received {
                service: Service::Datadog,
                method: "GET".to_owned(),
                path: format!("/{number}"),
                query: String::new(),
                at: String::new(),
                status: Some(200),
                took_effect: false,
            });
        }

        let kept = recording.all();

        assert_eq!(kept.len(), REQUESTS_MAX);
        assert_eq!(kept.first().map(|request| request.path.as_str()), Some("/1"));
        recording.clear();
        assert!(recording.all().is_empty());
    }
}
