//! What kubectl can do and this step does not: each with the reason and what to do instead.
//!
//! A mistyped command is told from one that is refused.

use crate::command::COMMANDS;
use crate::members::{in_a_row, joined};
use bowline_sdk::{Failure, shown};

const RUNS_PROGRAMS: &str = "it opens a tunnel into a container or runs a program there, which no \
                             step may do; let the workload do it itself, for example as a Job";
const INTERACTIVE: &str = "it needs a person at a terminal; use `patch`, `set image` or `apply`";
const LOCAL: &str = "it works on files of a machine, and a step has none";
const NODES: &str = "it acts on whole nodes and evicts what runs there; do it by hand";
const READS: &str = "use `get`, its output `object` holds the facts";

/// Commands by name, and why not.
const REFUSED: &[(&str, &str)] = &[
    ("exec", RUNS_PROGRAMS),
    ("cp", RUNS_PROGRAMS),
    ("port-forward", RUNS_PROGRAMS),
    ("attach", RUNS_PROGRAMS),
    ("proxy", RUNS_PROGRAMS),
    ("run", "it makes a bare pod that nobody restarts; write it down and use `apply`"),
    ("debug", RUNS_PROGRAMS),
    ("edit", INTERACTIVE),
    ("drain", NODES),
    ("cordon", NODES),
    ("uncordon", NODES),
    ("taint", NODES),
    ("config", "the operator's settings say which cluster and which account"),
    ("logs", "logs may be large and hold secrets; read them where they are collected"),
    ("describe", READS),
    ("explain", LOCAL),
    ("api-resources", READS),
    ("api-versions", READS),
    ("cluster-info", READS),
    ("events", "use `get events`"),
    ("top", READS),
    ("auth", "ask with `bowline connection check`"),
    ("certificate", "it makes identities, which no step may do"),
    ("create", "write the object down and use `apply`, which can be repeated"),
    ("replace", "it overwrites what others wrote meanwhile; use `apply` or `patch`"),
    ("expose", "write the Service down and use `apply`"),
    ("autoscale", "write the HorizontalPodAutoscaler down and use `apply`"),
    ("diff", "use `apply` with `dry_run: server`"),
    ("kustomize", LOCAL),
    ("completion", LOCAL),
    ("plugin", LOCAL),
    ("version", READS),
    ("rolling-update", "it is gone from kubectl; use `set image` with `wait: true`"),
    ("set env", "use `patch`"),
    ("set resources", "use `patch`"),
    ("set selector", "use `patch`"),
    ("set serviceaccount", "use `patch`"),
    ("set subject", "use `patch`"),
    ("apply edit-last-applied", INTERACTIVE),
    ("apply set-last-applied", "server-side apply keeps no such annotation"),
    ("apply view-last-applied", READS),
];

/// Why the command that these words begin with is refused, if it is one that kubectl has.
pub(crate) fn reason(words: &[&str]) -> Option<(&'static str, &'static str)> {
    let names = |name: &str| {
        let mut given = words.iter();
        name.split(' ').all(|part| given.next() == Some(&part))
    };
    REFUSED.iter().find(|(name, _)| names(name)).copied()
}

/// The failure for words that are no command of this step.
pub(crate) fn no_command(words: &[&str]) -> Failure {
    let mut names = COMMANDS.iter().map(|command| format!("`{}`", in_a_row(command.words, " ")));
    let known = joined(&mut names, ", ");
    Failure::config(match (reason(words), words) {
        (Some((name, why)), _) => format!("`kubectl {name}` is refused: {why}"),
        (None, []) => format!("`command` names no kubectl command; this step can: {known}"),
        (None, [first @ ("rollout" | "set")]) => {
            format!("`kubectl {first}` alone is no command; this step can: {known}")
        }
        (None, [first @ ("rollout" | "set"), second, ..]) => format!(
            "unknown command \"{first} {}\" for \"kubectl\"; this step can: {known}",
            shown(second)
        ),
        (None, [first, ..]) => {
            let first = shown(first);
            format!("unknown command \"{first}\" for \"kubectl\"; this step can: {known}")
        }
    })
}
