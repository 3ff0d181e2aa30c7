//! One file per command. A command reads its arguments, calls the rooms below, and prints.

pub(crate) mod approve;
pub(crate) mod audit;
pub(crate) mod check;
pub(crate) mod compile;
pub(crate) mod completions;
pub(crate) mod connection;
pub(crate) mod drill;
pub(crate) mod graph;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schema;
