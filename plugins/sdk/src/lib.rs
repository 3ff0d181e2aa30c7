//! What a Bowline step is written against.
//!
//! A step is a function from typed inputs to typed outputs; [`step!`] exports it. It reaches the
//! world only through the handles in [`http`] and [`kubernetes`], which never show a credential.
//! The same code compiles natively, where [`testing`] plays the host, so a step's logic is tested
//! without WebAssembly. Nothing in here knows any particular service.
//!
//! ```
//! use bowline_sdk::{Context, Failure, log};
//!
//! #[derive(serde::Deserialize, schemars::JsonSchema)]
//! pub struct Inputs {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! #[derive(serde::Serialize, schemars::JsonSchema)]
//! pub struct Outputs {
//!     /// The greeting.
//!     greeting: String,
//! }
//!
//! pub fn run(_ctx: &Context, inputs: Inputs) -> Result<Outputs, Failure> {
//!     if inputs.name.trim().is_empty() {
//!         return Err(Failure::config("`name` is empty; say whom to greet"));
//!     }
//!     log::info!("greeting {}", inputs.name);
//!     Ok(Outputs { greeting: format!("hello, {}", inputs.name) })
//! }
//!
//! bowline_sdk::step!(run);
//! # fn main() {}
//! ```

// The generated code names this crate from inside and from a step's crate alike.
extern crate self as bowline_sdk;

#[doc(hidden)]
pub mod bindings;
mod connect_error;
mod connection;
mod context;
#[doc(hidden)]
pub mod entry;
mod failure;
pub mod http;
pub mod kubernetes;
pub mod log;
pub mod retry;
pub mod text;
mod typed;
mod wire;

#[cfg(not(target_family = "wasm"))]
pub mod manifest;
#[cfg(not(target_family = "wasm"))]
pub mod pack;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use connect_error::{ConnectError, Reason};
pub use connection::{Connection, ConnectionName};
pub use context::Context;
pub use failure::{Disposition, Failure};

/// A foreign text for a message: at most 80 characters, with everything but visible ASCII written
/// as `\u{…}`, so that look-alikes and control characters are seen for what they are.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown = String::new();
    for (place, letter) in text.chars().enumerate() {
        if place == 80 {
            shown.push('…');
            break;
        }
        match letter {
            ' '..='~' => shown.push(letter),
            _ => shown.push_str(&format!("\\u{{{:x}}}", u32::from(letter))),
        }
    }
    shown
}

/// A value as text. Not `Display`, which would be a second JSON writer in every guest.
pub(crate) fn json_text(value: &serde_json::Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Exports a function as the step of this component. Once per crate, at its root.
///
/// The function is `fn(&Context, Inputs) -> Result<Outputs, Failure>`, where `Inputs` can be
/// deserialized and `Outputs` serialized, the latter as a JSON object. Inputs that do not fit
/// become the failure `guest.invalid-input`, outputs that can't be written
/// `guest.invalid-output`. Natively nothing is exported; `testing::Host::run` calls the function.
#[macro_export]
macro_rules! step {
    ($run:ident) => {
        #[cfg(target_family = "wasm")]
        mod bowline_step {
            struct Step;

            impl $crate::bindings::exports::bowline::plugin::step::Guest for Step {
                fn run(
                    ctx: $crate::bindings::Context,
                    inputs: String,
                ) -> Result<String, $crate::bindings::Failure> {
                    $crate::entry::run(ctx, &inputs, super::$run)
                }
            }

            $crate::bindings::export_step!(Step with_types_in $crate::bindings);
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_foreign_text_is_shown_for_what_it_is() {
        let cases = [
            ("web 'x' \"y\"", "web 'x' \"y\"".to_owned()),
            ("w\u{435}b\0\n", "w\\u{435}b\\u{0}\\u{a}".to_owned()),
            (&"x".repeat(200), format!("{}…", "x".repeat(80))),
        ];
        for (text, expected) in cases {
            assert_eq!(super::shown(text), expected);
        }
    }
}
