//! The seam to the far side, as one call sees it: how to send it, and what else can be found out
//! about it without doing it.

use crate::{Answer, SendError};
use async_trait::async_trait;
use journal::{Change, Shown};
use std::future::Future;
use std::sync::{Mutex, PoisonError};

/// One call that could be made.
///
/// None of these may be asked before every layer in front of the wire has said yes. Each resolves
/// the credential by itself, and gives up when more than `bytes_max` bytes come back.
#[async_trait]
pub trait Wire: Send + Sync {
    /// Makes the call.
    ///
    /// # Errors
    ///
    /// The far side did not answer.
    async fn send(&self, bytes_max: u64) -> Result<Answer, SendError>;

    /// Looks whether this write took effect when it was made before. None when there is no way to
    /// find out.
    async fn took_effect(&self, _bytes_max: u64) -> Option<Look> {
        None
    }

    /// What a step may be told of this write when it took effect and its answer is lost. None when
    /// nothing like an answer can be had.
    async fn answer_of_done(&self, _bytes_max: u64) -> Option<Result<Answer, SendError>> {
        None
    }

    /// Finds out what this write would do. Changes nothing.
    async fn rehearse(&self, bytes_max: u64) -> Rehearsal;
}

/// A look at the far side.
#[derive(Debug)]
pub struct Look {
    /// What was asked, for people: `GET /api/v2/incidents/7/timeline`.
    pub asked: String,
    /// Whether it took effect.
    pub found: Result<bool, SendError>,
}

/// What a write would do.
#[derive(Debug)]
pub enum Rehearsal {
    /// The far side has tried it and taken it back: what it would answer, and what would change.
    Tried {
        /// As the step gets it.
        answer: Answer,
        /// In words.
        changes: Vec<Change>,
    },
    /// Only the request can be shown.
    Shown(Shown),
    /// The far side did not answer.
    Failed(SendError),
}

/// A read, made by a future that can be had once.
pub(crate) struct Once<F>(Mutex<Option<F>>);

impl<F> Once<F> {
    pub(crate) fn new(send: F) -> Self {
        Self(Mutex::new(Some(send)))
    }
}

#[async_trait]
impl<F, Sending> Wire for Once<F>
where
    F: FnOnce(u64) -> Sending + Send,
    Sending: Future<Output = Result<Answer, SendError>> + Send,
{
    async fn send(&self, bytes_max: u64) -> Result<Answer, SendError> {
        let send = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match send {
            Some(send) => send(bytes_max).await,
            None => Err(SendError {
                reason: crate::Reason::Other,
                code: "host.sent-twice",
                message: "the host tried to make one call twice; nothing was sent".to_owned(),
                sent: false,
                permanent: true,
            }),
        }
    }

    async fn rehearse(&self, _bytes_max: u64) -> Rehearsal {
        Rehearsal::Failed(SendError {
            reason: crate::Reason::Other,
            code: "host.no-rehearsal",
            message: "the host does not know how to show this call; nothing was sent".to_owned(),
            sent: false,
            permanent: true,
        })
    }
}
