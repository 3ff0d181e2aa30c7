//! Runs one step of a workflow inside a fresh WebAssembly instance.
//!
//! In: a plugin that was looked at before it was compiled, its inputs, and the connections it
//! was granted. Out: what it said. This room knows wasmtime and nothing about HTTP, Kubernetes,
//! YAML or retries.

pub mod artifact;
pub mod bindings;
mod catalog;
mod compiled;
pub mod compiler;
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
pub mod signature;
mod state;
mod turns;

pub use artifact::{Artifact, ArtifactError, Links};
pub use catalog::{Catalog, Embedded, Entry, Origin};
pub use compiled::CodeCache;
pub use compiler::{ChildProgram, CompileLimits, Compiler};
pub use connector::{Asking, Connector, Opened, Reference};
pub use documents::{NoFiles, WorkflowFiles, WorkflowFolder};
pub use grants::{Grants, Slot};
pub use imports::runtime::Context;
pub use instance::Sandbox;
pub use limits::Limits;
pub use signature::{BUILT_IN_SIGNER, SignatureError, Signer, Signers};
pub use state::StepState;
