//! Handles to the outside, and the credentials behind them.
//!
//! A type of connection is either typed (Kubernetes) or a *profile* of HTTP: data that says
//! where the base URL comes from and which header carries which credential. This room knows
//! nothing of runs, retries or the terminal.

mod address;
pub mod approvals;
mod bindings;
mod breaker;
mod connections;
mod credential_forms;
mod echo;
#[cfg(test)]
mod far_side;
mod granting;
mod http;
mod inflow;
mod kubernetes;
pub mod policy;
mod profile;
mod secret_source;
pub mod settings;
mod tls;
mod transport;

pub use connections::{ConnectionReport, Connections, OpenError};
pub use granting::{Granted, Refused};
pub use settings::{Settings, SettingsError};
