//! What a value in a workflow may be, and what it comes to.
//!
//! Relay's expression language, whole: references, functions, templates, queries, conditions,
//! statuses and schedules. Pure functions from data to data; this room knows no clock, no file,
//! no network, no YAML and no plugin. Whatever a reference or a function returns is inert, so
//! data from outside is never evaluated.

pub mod condition;
mod datum;
pub mod encoding;
mod error;
pub mod evaluate;
mod expression;
mod fault;
pub mod function;
mod json;
pub mod limits;
mod markdown;
mod number;
mod operator;
mod parser;
mod pattern;
pub mod query;
mod quoted;
mod references;
mod scanner;
pub mod schedule;
mod scope;
pub mod script;
mod show;
pub mod status;
mod syntax;
pub mod template;
mod timestamp;

pub use error::EvaluateError;
pub use evaluate::{Evaluated, evaluate};
pub use expression::{Call, DataQuery, Encoded, Expression, Malformed, Reference, Target};
pub use fault::Class;
pub use parser::ParseError;
pub use references::References;
pub use scope::{Roots, Scope, StepFacts};

/// Plain data: the values of parameters, outputs and inputs.
pub use serde_json::Value;
