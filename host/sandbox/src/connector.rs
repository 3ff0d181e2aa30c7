//! The seam to the outside: who knows the types of connections and the operator's settings.

use crate::StepState;
use async_trait::async_trait;
use effects::{Needles, Scope};
use journal::Failure;
use serde::Deserialize;
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;
use wasmtime::component::Linker;
use workflow::ConnectionNeed;

/// A connection as a workflow names it: `!Connection {type, name}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// For example `kubernetes`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The operator's name for it.
    pub name: String,
}

/// A connection that is ready for use by one attempt.
pub struct Opened {
    /// What does the sending.
    pub service: Arc<dyn Any + Send + Sync>,
    /// What the manifest asked for, bound to this step's inputs.
    pub scope: Scope,
    /// Its credentials in all the forms in which they must not get out.
    pub needles: Arc<Needles>,
}

/// Knows the types of connections.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Offers the interfaces of all types to guests.
    ///
    /// # Errors
    ///
    /// Two definitions of one name: a mistake in the program.
    fn link(&self, linker: &mut Linker<StepState>) -> wasmtime::Result<()>;

    /// The WIT interface through which connections of type `kind` are used, without version:
    /// `bowline:connect/http`. None for a type that nobody knows.
    fn interface(&self, kind: &str) -> Option<&'static str>;

    /// Makes a connection ready: reads its credentials, checks that it is what `need` says.
    /// Sends nothing.
    ///
    /// # Errors
    ///
    /// The step's failure: no such connection, a credential that can't be read, a scope that
    /// does not fit the inputs.
    async fn open(
        &self,
        reference: &Reference,
        need: &ConnectionNeed,
        inputs: &Value,
    ) -> Result<Opened, Failure>;
}

impl Reference {
    /// What an evaluated `!Connection` looks like in a step's inputs.
    #[must_use]
    pub fn from_input(value: &Value) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Marker {
            connection: Reference,
        }
        Marker::deserialize(value).ok().map(|marker| marker.connection)
    }

    /// `type/name`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}
