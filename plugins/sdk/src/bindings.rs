//! The contract in `wit/`, as Rust. Generated once here and shared by all steps.
//!
//! Nothing in here is written by hand. Steps use the wrappers of this crate instead, which also
//! work natively.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

wit_bindgen::generate!({
    path: ["../../wit/plugin", "../../wit/connect"],
    inline: "
        package bowline:sdk;

        world guest {
            include bowline:plugin/step-base@1.0.0;
            include bowline:connect/connections@1.0.0;
        }
    ",
    world: "bowline:sdk/guest",
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_step",
    default_bindings_module: "bowline_sdk::bindings",
    runtime_path: "::bowline_sdk::bindings::rt",
});

pub use self::bowline::plugin::runtime::Context;
pub use self::bowline::plugin::types::Failure;
pub use wit_bindgen::rt;
