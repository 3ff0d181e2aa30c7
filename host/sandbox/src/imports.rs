//! What every guest gets, whatever it was granted: facts about itself, a log, and a WASI that
//! can do nothing.

pub(crate) mod log;
pub(crate) mod runtime;
pub(crate) mod sockets;
pub(crate) mod wasi;
