//! The seam to the outside: who knows the types of connections and the operator's settings.

use crate::StepState;
use async_trait::async_trait;
use effects::{Effective, Needles};
use journal::Failure;
use serde::Deserialize;
use serde_json::Value;
use std::any::Any;
use std::sync::Arc;
use wasmtime::component::Linker;
use workflow::{ConnectionNeed, PluginPin, StepLimits};

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

/// Who asks for a connection, and under which name.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// The plugin.
    pub plugin: &'a PluginPin,
    /// In which run; empty when it is asked before one.
    pub run: &'a str,
    /// For which step; empty when it is asked before a run.
    pub step: &'a str,
    /// That step's idempotency key.
    pub key: &'a str,
    /// Its name for the connection.
    pub slot: &'a str,
    /// What the workflow grants of what the manifest asks for; None: all of it.
    pub grants: Option<&'a [Value]>,
}

/// A connection that is ready for use by one attempt.
pub struct Opened {
    /// What does the sending.
    pub service: Arc<dyn Any + Send + Sync>,
    /// What the step may do with it.
    pub scope: Effective,
    /// Calls of it in one attempt, if the operator bounds them.
    pub calls_max: Option<u32>,
    /// Where it leads, without credentials, so that a step which goes on after a crash goes on at
    /// the same place.
    pub address: Option<String>,
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

    /// Makes a connection ready: decides what may be done with it, reads its credentials, checks
    /// that it is what `need` says. Sends nothing.
    ///
    /// # Errors
    ///
    /// The step's failure: the plugin may not use it, no such connection, a credential that can't
    /// be read, a scope that does not fit the inputs.
    async fn open(
        &self,
        reference: &Reference,
        need: &ConnectionNeed,
        inputs: &Value,
        asking: &Asking<'_>,
    ) -> Result<Opened, Failure>;

    /// What the operator sets for the attempts of one plugin, by itself or with all others.
    fn limits(&self, _plugin: &PluginPin) -> StepLimits {
        StepLimits::default()
    }
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
