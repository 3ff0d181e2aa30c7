//! What the practice services promise, tried from outside over real HTTPS.
//!
//! Only what a client can see is looked at; the rules of single parts are tested beside them.

#[path = "all/client.rs"]
mod client;
#[path = "all/datadog.rs"]
mod datadog;
#[path = "all/faults.rs"]
mod faults;
#[path = "all/objects.rs"]
mod objects;
#[path = "all/patches.rs"]
mod patches;
#[path = "all/refusals.rs"]
mod refusals;
#[path = "all/rollouts.rs"]
mod rollouts;
#[path = "all/watches.rs"]
mod watches;
