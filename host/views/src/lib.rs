//! What people see of a run, drawn from events alone.
//!
//! [`RunView`] folds events into what is known of a run; the other modules draw it. All are
//! pure functions: they know no clock, no terminal and no scheduler, so a view can be drawn
//! while the run goes on, after it, and from a copy of the journal of last week.
//! Texts that come from outside pass through [`escape`] before they are shown.

pub mod audit;
pub mod escape;
pub mod graph;
pub mod json;
pub mod logs;
mod look;
pub mod plan;
mod question;
pub mod remedy;
pub mod report;
pub mod rules;
mod run;
pub mod runs;
pub mod show;
pub mod text;
pub mod tree;
pub mod verdict;
mod words;

pub use look::Look;
pub use run::{
    AnswerView, ApprovalView, EffectView, LineView, OpenView, PlannedView, ProgressView,
    ReopenedView, ResumedView, RunView, SettledView, StepStatus, StepView, TryView,
};

#[cfg(test)]
mod examples;
