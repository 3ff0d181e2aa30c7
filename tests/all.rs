//! All tests that need the program, in one binary.

mod support;

mod audit;
mod bad_input;
mod canaries;
mod cancel;
mod command_line;
mod datadog;
mod drill;
mod house;
mod https;
mod limits;
mod malformed_plugins;
mod policy;
mod published_workflows;
mod reaching_a_cluster;
mod readme;
mod runs;
mod transcripts;
mod wit;
