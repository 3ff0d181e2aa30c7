//! What the machine can do to the journal, and what the program promises all the same: power cuts,
//! damaged files, full disks, disks that fail, clocks that jump, other versions of the program.
//!
//! Each test is named after its number in the list of fault tests. After each fault the same must
//! hold, whatever happened ([`ground::Ground::holds`]): the journal is sound, each effect that the
//! services saw has exactly one story in it, nothing was done twice, and the run has ended or can
//! go on. What this machine can't do is skipped, and says so.

mod clocks;
mod cuts;
mod damage;
mod disk;
mod flushes;
mod full;
mod ground;
#[allow(dead_code, reason = "shared with other test binaries")]
#[path = "../support.rs"]
mod support;
mod versions;
