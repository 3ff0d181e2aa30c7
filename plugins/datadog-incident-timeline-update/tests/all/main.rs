//! The step against a pretended Datadog.

mod datadog;
mod edge_cases;
mod story;
