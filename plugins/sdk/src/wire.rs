//! Where a handle's calls really go: to the host in a component, to `testing` natively.
//!
//! Both sides have the same methods, so the wrappers above are written once. No logic here.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::bowline::{
    connect::http::{Client, Response},
    connect::kubernetes::{Cluster, Watcher},
    plugin::log::{enabled, write},
    plugin::runtime::Context,
};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::wire::{
    Client, Cluster, Context, Response, Watcher, enabled, write,
};
