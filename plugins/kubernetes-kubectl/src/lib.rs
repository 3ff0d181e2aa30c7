//! The step `kubernetes-kubectl`: what kubectl does to a cluster, without kubectl.
//!
//! Inputs are those of Relay's step of that name. [`arguments`] decides what is meant, strictly,
//! since a part of it may come from a stranger; [`command`] holds one file per command. The
//! cluster is reached through one handle, weakened to the objects in question before it is used.

pub mod arguments;
mod change;
pub mod command;
pub mod documents;
pub mod duration;
pub mod flags;
mod inputs;
pub mod kinds;
mod members;
pub mod namespace;
pub mod outcome;
pub mod print;
mod refused;
pub mod resource;
pub mod rollout;
mod secrets;
pub mod session;
pub mod undo;
pub mod waiting;
mod when;
mod wording;
mod words;

pub use inputs::{Inputs, Outputs};

use bowline_sdk::{Context, Failure, log};

/// Runs the command that the inputs name.
///
/// # Errors
///
/// `config` when the inputs can't be right; the cluster's own codes (`kubernetes.not-found` …)
/// when it refuses; `conflict` when somebody else changed the object meanwhile; `rollout-failed`
/// and `timeout` of a wait; `ambiguous` when nobody can tell whether the write took effect.
pub fn run(ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
    let outcome = arguments::read(&inputs).and_then(|call| {
        log::info!("Running command: kubectl {call}");
        command::run(ctx, &call)
    });
    if let Err(failure) = &outcome {
        log::error!("{}", wording::as_printed(failure.message()));
    }
    outcome
}

bowline_sdk::step!(run);
