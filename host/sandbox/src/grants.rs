//! What one attempt was granted: slot by slot, a grant and the service behind it.

use effects::{CallError, Grant, Reason};
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One granted connection.
#[derive(Clone)]
pub struct Slot {
    /// The right to use it.
    pub grant: Grant,
    /// What does the sending; known to the connection's type only.
    pub service: Arc<dyn Any + Send + Sync>,
}

/// All granted connections of one attempt.
#[derive(Clone, Default)]
pub struct Grants(Arc<BTreeMap<String, Slot>>);

impl Grants {
    /// Those of `slots`.
    #[must_use]
    pub fn new(slots: BTreeMap<String, Slot>) -> Self {
        Self(Arc::new(slots))
    }

    /// Opens a slot as a connection that is served by an `S`.
    ///
    /// # Errors
    ///
    /// `denied`, with one and the same text whether the slot does not exist, was not granted or
    /// is of another type: a step has no business finding out.
    pub fn open<S: Send + Sync + 'static>(&self, slot: &str) -> Result<(Grant, Arc<S>), CallError> {
        let found = self.0.get(slot).and_then(|slot| {
            let service = Arc::clone(&slot.service).downcast::<S>().ok()?;
            Some((slot.grant.clone(), service))
        });
        found.ok_or_else(|| {
            let name: String = slot.chars().take(64).collect();
            CallError::new(
                Reason::Denied,
                "connection.not-granted",
                format!(
                    "no connection is granted under `{}`; the manifest must ask for it and the \
                     workflow must give one",
                    name.escape_debug()
                ),
            )
        })
    }
}
