//! Runs one step of a workflow inside a fresh WebAssembly instance.
//!
//! In: a plugin that was looked at before it was compiled, its inputs, and the connections it
//! was granted. Out: what it said. This room knows wasmtime and nothing about HTTP, Kubernetes,
//! YAML or retries.

pub mod artifact;
pub mod bindings;
mod catalog;
mod compiled;
mod connector;
mod documents;
mod engine;
mod grants;
mod imports;
mod instance;
pub mod json;
mod limits;
mod outcome;
mod plugin;
mod schema;
mod state;

pub use artifact::{Artifact, ArtifactError};
pub use catalog::{BUILT_IN_SIGNER, Catalog, Embedded, Entry, Origin};
pub use compiled::CodeCache;
pub use connector::{Asking, Connector, Opened, Reference};
pub use documents::{NoFiles, WorkflowFiles, WorkflowFolder};
pub use grants::{Grants, Slot};
pub use imports::runtime::Context;
pub use instance::Sandbox;
pub use limits::Limits;
pub use state::StepState;
