//! HTTP connections: one client per connection, requests checked to the letter, answers bounded.

mod body;
pub(crate) mod handle;
pub(crate) mod request;
pub(crate) mod service;
pub(crate) mod target;

pub(crate) use service::HttpService;
