//! `bowline __compile`: compiles the component on stdin, for the host that has called it. Reads no
//! settings and no environment, and says nothing but its answer.

use crate::exit::Exit;
use sandbox::compiler::serve;
use std::io::{stdin, stdout};
use std::process::ExitCode;

pub(crate) fn run() -> ExitCode {
    match serve::serve(stdin().lock(), stdout()) {
        Ok(()) => Exit::Success.into(),
        // Whoever has called is not there or has not asked for this: silence is the answer.
        Err(_) => Exit::Usage.into(),
    }
}
