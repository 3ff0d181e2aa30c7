//! The one place where every effect of every step passes.
//!
//! A step can touch the world only by calling a handle, and a handle does nothing but hand the
//! call to [`Grant::carry`]. What makes a call safe is a layer there, one file each: is the
//! handle live, is there budget left, is it in scope, write it down, send it, bound what
//! comes back, take the credentials out, write down how it ended. This room knows no wasm, no
//! HTTP client and no Kubernetes; how to send is handed in as a future.

mod attempt;
mod budget;
mod call;
mod error;
mod layer;
mod plan;
mod record;
mod redact;
mod replay;
pub mod scope;
mod secret;
mod send;
mod told;
mod wire;

pub use attempt::{Attempt, AttemptOptions};
pub use budget::{Budget, BudgetLimits};
pub use call::{Answer, Grant, Operation, Stream, digest};
pub use error::{CallError, Reason};
pub use layer::Layer;
pub use plan::{Bound, Mode};
pub use redact::{Needles, Redactor, everywhere};
pub use replay::Piece;
pub use scope::{Binding, Effective, Party, Scope, ScopeError};
pub use secret::Secret;
pub use send::SendError;
pub use wire::{Look, Rehearsal, Wire};
