//! `bowline completions SHELL`.

use crate::arguments::Arguments;
use crate::exit::Exit;
use crate::output::Output;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

pub(crate) fn run(shell: Shell, output: &Output) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "bowline", &mut script);
    output.text(&String::from_utf8_lossy(&script));
    Ok(Exit::Success)
}
