//! What the record of a run is good for: tries, waits, people, other processes, plans. Each test
//! provokes one kind of trouble and counts what reached the far side.
//!
//! Names that begin with `fNN_` belong to the fault of that number in the list of promises.

#[allow(dead_code, reason = "shared with other test binaries")]
#[path = "../support.rs"]
mod support;

mod approvals;
mod cancels;
mod far;
mod guests;
mod hangs;
mod logs;
mod lost_answers;
mod ongoing;
mod plans;
mod reports;
mod retries;
mod secrets;
mod tried_again;
mod two_processes;
mod workflows;
