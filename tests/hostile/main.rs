//! Plugins that attack their host, each with what must come of it: `cargo test --test hostile`.
//!
//! One table of 126 numbered cases. Each is run in a host of its own, and afterwards the host must
//! be as it was: alive, with nothing leaked and no credential in anything that it wrote. Then each
//! layer of the defence is taken away in turn, and at least one case must fail: a suite that
//! passes without the defences would show nothing.

mod boundary;
mod credentials;
mod epilogue;
mod files;
mod harness;
mod http;
mod imports;
mod isolation;
mod kubernetes;
mod layers;
mod limits;
mod operator;
mod outputs;
mod probe;
mod record;
mod run;
#[path = "../support/server.rs"]
#[allow(dead_code, reason = "shared with the tests of the program, which need other parts of it")]
mod server;
mod silent;
mod stage;
mod table;
mod values;

fn main() -> std::process::ExitCode {
    harness::main()
}
