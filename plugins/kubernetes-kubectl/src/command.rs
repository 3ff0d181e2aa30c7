//! The commands of kubectl that this step can do: one file each, one list.
//!
//! A new command is a new file here and one entry in [`COMMANDS`]; its scope rules go into
//! `plugin.toml`.

pub mod rollout_undo;

use crate::{Outputs, arguments::Call};
use bowline_sdk::{Context, Failure};

/// Whether a flag takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagValue {
    /// `--flag=value` or `--flag value`.
    Required,
    /// `--flag` or `--flag=value`.
    Optional,
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its words, for example `rollout`, `undo`.
    pub words: &'static [&'static str],
    /// Its flags without dashes.
    pub flags: &'static [(&'static str, FlagValue)],
    /// What it does.
    pub run: fn(&Context, &Call) -> Result<Outputs, Failure>,
}

/// All commands.
pub const COMMANDS: &[&Command] = &[&rollout_undo::COMMAND];
