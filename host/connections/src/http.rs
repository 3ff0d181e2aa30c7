//! HTTP connections: one client per connection, requests checked to the letter, answers bounded.

mod body;
mod exchange;
pub(crate) mod handle;
mod recovery;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod target;

pub(crate) use recovery::{Recovery, StepNames};
pub(crate) use service::HttpService;
