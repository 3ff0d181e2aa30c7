//! A workflow as it was written, with the place of everything.
//!
//! The shape is checked here (which key takes what), because nothing else can be said about a
//! text without it. Names may still repeat, and references may lead nowhere: see [`crate::check()`].

mod fields;
mod read;

use crate::StepKind;
use crate::diagnostic::Diagnostic;
use crate::extras::{RunExtras, StepExtras};
use crate::source::{SourceFile, Span, Spanned};
use crate::yaml::{self, Node};
use serde_json::Value;
use std::sync::Arc;

/// A workflow as it was written.
#[derive(Clone, Debug, Default)]
pub struct Document {
    /// `apiVersion`.
    pub api_version: Option<Spanned<String>>,
    /// `name`.
    pub name: Option<Spanned<String>>,
    /// `description`.
    pub description: Option<Spanned<String>>,
    /// In the order of the file.
    pub parameters: Vec<Parameter>,
    /// In the order of the file.
    pub steps: Vec<Step>,
    /// In the order of the file.
    pub triggers: Vec<Trigger>,
    /// `x-bowline`.
    pub extras: RunExtras,
    /// Whether something under `steps` could not be read, so that a name may be missing here.
    pub(crate) lost_steps: bool,
    /// The same for `parameters`.
    pub(crate) lost_parameters: bool,
}

/// An entry of `parameters`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// Its key.
    pub name: Spanned<String>,
    /// `description`.
    pub description: Option<String>,
    /// `type`. Nothing in Relay uses it; here it decides how a text from the command line is read.
    pub kind: Option<Spanned<String>>,
    /// `default`. A written `null` is a default too.
    pub default: Option<Value>,
}

/// An entry of `steps`.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where to point for the step as a whole.
    pub span: Span,
    /// `name`, unless it is missing or no text.
    pub name: Option<Spanned<String>>,
    /// `type`.
    pub kind: StepKind,
    /// `dependsOn`, one or many.
    pub depends_on: Vec<Spanned<String>>,
    /// `when`, unless it is null.
    pub when: Option<Written>,
    /// `x-bowline`.
    pub extras: StepExtras,
    /// What a plugin is told. Approval steps have none of it.
    pub container: Container,
}

/// What a step and a webhook say about the program that does the work.
#[derive(Clone, Debug, Default)]
pub struct Container {
    /// `image`.
    pub image: Option<Spanned<String>>,
    /// `spec`: a mapping.
    pub spec: Option<Written>,
    /// `env`: a mapping.
    pub env: Option<Written>,
    /// `input`, at the place of its key.
    pub input: Option<Spanned<Vec<String>>>,
    /// `inputFile`, at the place of its key.
    pub input_file: Option<Spanned<String>>,
    /// `command`, at the place of its key.
    pub command: Option<Spanned<String>>,
    /// `args`, at the place of its key.
    pub args: Option<Spanned<Vec<String>>>,
}

/// An entry of `triggers`.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Where to point for the trigger as a whole.
    pub span: Span,
    /// `name`, unless it is missing or no text.
    pub name: Option<Spanned<String>>,
    /// `source`, unless it is missing or of an unknown type.
    pub source: Option<Source>,
    /// `binding.parameters`, in the order of the file.
    pub parameters: Vec<(Spanned<String>, Written)>,
    /// `binding.key`.
    pub key: Option<Written>,
    /// `when`, unless it is null.
    pub when: Option<Written>,
}

/// What makes a trigger fire.
#[derive(Clone, Debug)]
pub enum Source {
    /// A clock.
    Schedule {
        /// `schedule`: a cron expression.
        schedule: Option<Spanned<String>>,
    },
    /// A request with an event.
    Push {
        /// `schema`.
        schema: Option<Value>,
    },
    /// A program that turns requests into events.
    Webhook(Box<Container>),
}

/// A value with expressions: what it means, and where each part of it stands.
#[derive(Clone, Debug)]
pub struct Written {
    /// In Relay's JSON form. Shared with the workflow that comes of it.
    pub value: Arc<Value>,
    /// In the text.
    pub node: Node,
}

/// A document, if there is one, and what is wrong with its shape.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Nothing if the text is no YAML, not a mapping, or beyond a limit.
    pub document: Option<Document>,
    /// In the order in which they were found.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a text as a workflow. Checks YAML, tags and the shape; no names and no references.
#[must_use]
pub fn parse(source: &SourceFile) -> Parsed {
    let mut diagnostics = Vec::new();
    let root = yaml::read::read(source, &mut diagnostics);
    let document = match root {
        Some(root) => read::document(&root, &mut diagnostics),
        None => {
            if diagnostics.is_empty() {
                diagnostics.push(read::empty());
            }
            None
        }
    };
    Parsed { document, diagnostics }
}

/// Each `image` of the document once, in the order of the file: what has to be resolved before
/// [`crate::check()`] can look at the inputs of the steps.
#[must_use]
pub fn images(document: &Document) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let containers = document.steps.iter().filter(|step| step.kind == StepKind::Container);
    let images = containers.filter_map(|step| step.container.image.as_ref());
    images.map(|image| &image.value).filter(|&image| seen.insert(image)).cloned().collect()
}
