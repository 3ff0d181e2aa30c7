//! The program: a generated workflow of one step, run as anybody would run it.

use crate::process;
use anyhow::{Result, ensure};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longer than any scenario waits on purpose, and longer than kubectl gets.
const SECONDS_MAX: u64 = 90;

/// How a run of the program ended.
pub(crate) struct Ran {
    /// The program's exit code; none when it had to be killed.
    pub(crate) code: Option<i32>,
    /// All that a person would read: the step's log and its failure.
    pub(crate) text: String,
    pub(crate) outputs: Map<String, Value>,
}

/// Runs the workflow in `folder`, which holds `workflow.yaml` and `bowline.yaml`.
pub(crate) async fn run(program: PathBuf, folder: PathBuf, cache: PathBuf) -> Result<Ran> {
    let mut command = command(&program, &folder, &cache);
    command.arg("--json");
    let limit = Duration::from_secs(SECONDS_MAX);
    let ended = tokio::task::spawn_blocking(move || process::run(&mut command, limit)).await??;
    let mut ran = Ran { code: ended.code, text: ended.stderr, outputs: Map::new() };
    for line in ended.stdout.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_default();
        ensure!(event.is_object(), "a line of `--json` is not JSON: {line}");
        match event["event"].as_str() {
            Some("step-logged") => ran.say(&event["message"]),
            Some("step-failed") => {
                ran.say(&event["failure"]["code"]);
                ran.say(&event["failure"]["message"]);
            }
            Some("step-succeeded") => {
                ran.say(&event["outputs"]["message"]);
                ran.outputs = event["outputs"].as_object().cloned().unwrap_or_default();
            }
            _ => {}
        }
    }
    Ok(ran)
}

/// The command line, for whoever measures it.
pub(crate) fn command(program: &Path, folder: &Path, cache: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", folder)
        // Compiled code, shared by all runs; safe to lose and authenticated.
        .env("XDG_CACHE_HOME", cache)
        .current_dir(folder)
        .args(["run", "workflow.yaml", "--config", "bowline.yaml"]);
    command
}

impl Ran {
    fn say(&mut self, text: &Value) {
        if let Some(text) = text.as_str() {
            self.text.push_str(text);
            self.text.push('\n');
        }
    }
}
