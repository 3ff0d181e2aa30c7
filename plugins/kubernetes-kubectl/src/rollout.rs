//! What a rollout is doing, decided on plain JSON.
//!
//! Pure: no cluster, no clock, no log.

pub mod pods;
pub mod status;
