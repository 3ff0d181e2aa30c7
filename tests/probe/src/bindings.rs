//! The contract in `wit/`, as Rust, without the SDK: nothing is checked on the guest's side.
//!
//! Nothing in here is written by hand.

#![allow(missing_docs, unreachable_pub, clippy::all, reason = "generated code")]

wit_bindgen::generate!({
    path: ["../../wit/plugin", "../../wit/connect"],
    inline: "
        package bowline:probe;

        world guest {
            include bowline:plugin/step-base@1.0.0;
            include bowline:connect/connections@1.0.0;
        }
    ",
    world: "bowline:probe/guest",
    generate_all,
});

pub(crate) use self::bowline::connect::{errors, http, kubernetes};
pub(crate) use self::bowline::plugin::{log, runtime, types};
pub(crate) use self::exports::bowline::plugin::step::Guest;
