//! The commands of kubectl that this step can do: one file each, one list.
//!
//! A new command is a new file here and one entry in [`COMMANDS`]; its scope rules go into
//! `plugin.toml`.

pub mod apply;
pub mod delete;
pub mod get;
pub mod metadata;
mod needs;
pub mod patch;
pub mod rollout_history;
pub mod rollout_pause;
pub mod rollout_restart;
pub mod rollout_status;
pub mod rollout_undo;
pub mod scale;
pub mod set_image;
pub mod wait;

pub use needs::Needs;

use crate::members::{holds, put};
use crate::outcome::{self, Done, say};
use crate::session::{Session, Target};
use crate::{Outputs, arguments::Call, waiting};
use bowline_sdk::{Context, Failure};

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its words, for example `rollout`, `undo`.
    pub words: &'static [&'static str],
    /// Its flags, by their long names.
    pub flags: &'static [&'static str],
    /// Whether it takes `manifest` and `file`.
    pub reads_documents: bool,
    /// What it needs of the cluster, for each target.
    pub needs: Needs,
    /// How it runs.
    pub run: Run,
}

/// How a command runs.
#[derive(Debug)]
pub enum Run {
    /// For each object by itself. `check` looks at flags and words before any request, and gives
    /// the words that name objects.
    Each {
        /// What can be refused without a request.
        check: fn(&Call<'_>) -> Result<Vec<String>, Failure>,
        /// What is done with one object.
        one: fn(&Session<'_>, &Target) -> Result<Done, Failure>,
    },
    /// In its own way.
    Whole(fn(Session<'_>) -> Result<Outputs, Failure>),
}

/// All commands.
pub const COMMANDS: &[&Command] = &[
    &rollout_undo::COMMAND,
    &rollout_status::COMMAND,
    &rollout_history::COMMAND,
    &rollout_restart::COMMAND,
    &rollout_pause::PAUSE,
    &rollout_pause::RESUME,
    &set_image::COMMAND,
    &scale::COMMAND,
    &get::COMMAND,
    &apply::COMMAND,
    &delete::COMMAND,
    &metadata::ANNOTATE,
    &metadata::LABEL,
    &patch::COMMAND,
    &wait::COMMAND,
];

/// Runs a command.
///
/// # Errors
///
/// Its failure.
pub fn run(ctx: &Context, call: &Call<'_>) -> Result<Outputs, Failure> {
    match call.command.run {
        Run::Whole(run) => run(Session::open(ctx, call)?),
        Run::Each { check, one } => {
            let words = check(call)?;
            call.timeout()?;
            let mut session = Session::open(ctx, call)?;
            let targets = session.targets(&words)?;
            each(&mut session, targets, one)
        }
    }
}

/// Does something with each target, then waits for their rollouts where that is asked for.
pub(crate) fn each(
    session: &mut Session<'_>,
    targets: Vec<Target>,
    one: fn(&Session<'_>, &Target) -> Result<Done, Failure>,
) -> Result<Outputs, Failure> {
    let call = session.call;
    let waits = call.waits()?;
    session.narrow(&call.command.needs, &targets, waits);
    let session = &*session;
    let mut results: Vec<(Target, Result<Done, Failure>)> = Vec::new();
    for target in targets {
        let result = one(session, &target);
        if let Ok(done) = &result {
            say(&done.message);
        }
        results.push((target, result));
    }
    if waits {
        for (target, result) in &mut results {
            wait(session, target, result);
        }
    }
    outcome::outputs(call.namespace, results)
}

/// Waits for the rollout that a change has begun.
pub(crate) fn wait(session: &Session<'_>, target: &Target, result: &mut Result<Done, Failure>) {
    let Ok(done) = result else { return };
    let Some(generation) = done.generation.filter(|_| target.kind.rolls_out()) else { return };
    match waiting::rollout(session, target, Some(generation), 0) {
        Ok(text) => {
            say(&text);
            put(&mut done.outputs, "done", true);
        }
        Err(failure) => {
            let message = std::mem::take(&mut done.message);
            *result = Err(waiting::after_change(session.call, &message, failure));
        }
    }
}

/// The words of a command that takes nothing but objects.
pub(crate) fn only_objects(call: &Call<'_>) -> Result<Vec<String>, Failure> {
    Ok(call.words.clone())
}

/// Splits words into objects and changes: the first that is a change begins the changes.
pub(crate) fn objects_and_changes<'a>(
    call: &'a Call<'_>,
    what: &str,
    removable: bool,
) -> Result<(&'a [String], &'a [String]), Failure> {
    let is_change =
        |word: &String| holds(word, "=") || removable && word.len() > 1 && word.ends_with('-');
    let first = call.words.iter().position(is_change).unwrap_or(call.words.len());
    let (objects, changes) = call.words.split_at(first);
    if let Some(late) = changes.iter().find(|word| !is_change(word)) {
        let late = bowline_sdk::shown(late);
        return Err(Failure::config(format!(
            "all resources must be specified before {what} changes: {late}"
        )));
    }
    if changes.is_empty() {
        return Err(Failure::config(format!("at least one {what} update is required")));
    }
    if call.from_text && changes.len() > 1 {
        return Err(Failure::config(format!(
            "a text holds one {what} change only, since what stands at its end may come from a \
             parameter; give `args` as a list"
        )));
    }
    Ok((objects, changes))
}
