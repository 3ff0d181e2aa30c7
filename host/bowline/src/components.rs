//! The first-party components inside the program, listed by the build script.

include!(concat!(env!("OUT_DIR"), "/components.rs"));
