//! The Rust side of `wit/plugin`: generated, with the context mapped to our own type.

#![expect(missing_docs, reason = "the documentation is in wit/plugin/plugin.wit")]

wasmtime::component::bindgen!({
    path: ["../../wit/plugin"],
    world: "bowline:plugin/step-base",
    imports: { default: async | trappable },
    exports: { default: async },
    with: { "bowline:plugin/runtime.context": crate::imports::runtime::Context },
});

pub use bowline::plugin::{log, runtime, types};
