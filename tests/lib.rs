//! What tests and benchmarks share: steps made from a few lines of text, and the search for
//! credentials in whatever a test has left behind.

pub mod canary;
pub mod guest;
