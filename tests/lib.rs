//! What tests and benchmarks share: steps made from a few lines of text.

pub mod guest;
