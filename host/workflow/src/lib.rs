//! The language: from the text of a workflow to a checked workflow and a plan.
//!
//! Pure functions from data to data. This room knows no clock, no file, no network and no
//! wasm. A mistake in the text is a [`Diagnostic`], never a panic or an `Err`.

pub mod check;
pub mod diagnostic;
pub mod document;
pub mod documents;
pub mod extras;
mod graph;
mod inputs;
pub mod json_schema;
mod known;
pub mod plan;
mod reference;
pub mod render;
mod schema;
pub mod signature;
pub mod source;
mod step_name;
mod suggest;
pub mod tags;
mod workflow;
pub mod yaml;

pub use check::{CheckOptions, Checked, check, check_parsed};
pub use diagnostic::{Code, Diagnostic, Fix, Label, Severity};
pub use document::{Document, Parsed, images, parse};
pub use extras::{Retry, RunExtras, StepExtras, StepLimits};
pub use graph::Why;
pub use plan::{KnownInputs, ParameterError, Plan, PlannedStep, StepKind, plan};
pub use schema::{CUSTOM_TAGS, custom_tags, schema};
pub use signature::{
    ConnectionNeed, LimitsWanted, Manifest, PluginPin, Resolution, Signature, Signatures, Verify,
    VerifyWay,
};
pub use source::{Position, SourceError, SourceFile, Span, Spanned};
pub use step_name::{StepName, StepNameError};
pub use workflow::{
    ConnectionUse, Graph, GraphEdge, GraphStep, Parameter, Wait, Workflow, WorkflowStep,
    connections,
};
