//! The steps for Datadog and its neighbours through the real program, against servers of the
//! test's own: recorded answers, faults, and where credentials go.

mod cases;
mod recordings;
mod replay;
mod specification;
