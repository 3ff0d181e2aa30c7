//! From the step's inputs to a command, its words and its flags, strictly.
//!
//! Relay handed the joined text to a shell, so a parameter could smuggle in flags and targets.
//! Here a text is read so that whatever stands at its end can only be a name: flags come before
//! the resource, one object at most is named, and no flag can lead to another namespace, cluster
//! or identity. A list keeps its elements apart by itself, so there flags may stand anywhere.
//! This file touches no cluster.

use crate::command::{COMMANDS, Command};
use crate::flags::{self, ELSEWHERE, FLAGS, Flag, FlagValue};
use crate::inputs::Inputs;
use crate::members::{holds, in_a_row, joined};
use crate::{duration, namespace, refused, words};
use bowline_sdk::{Failure, log, shown};
use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// One command, ready to run.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Which one.
    pub command: &'static Command,
    /// What it acts on and other arguments, as written.
    pub words: Vec<String>,
    /// Whether the words come from a text, which may name one object only.
    pub from_text: bool,
    /// Its flags by long name.
    pub flags: Vec<(&'static str, String)>,
    /// The namespace, a DNS label.
    pub namespace: &'a str,
    /// The connection's name, for messages.
    pub connection: &'a str,
    /// All inputs.
    pub inputs: &'a Value,
}

/// How far a command goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRun {
    /// All the way.
    None,
    /// Nothing is sent that would write.
    Client,
    /// The server goes through everything but the writing.
    Server,
}

impl DryRun {
    /// What kubectl puts behind its line.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }
}

impl Call<'_> {
    /// The value of a flag, if it was given.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&str> {
        self.flags.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A flag that is on or off.
    ///
    /// # Errors
    ///
    /// `config` when it is neither.
    pub fn truth(&self, name: &str, default: bool) -> Result<bool, Failure> {
        match self.flag(name) {
            None => Ok(default),
            Some("true" | "True" | "TRUE" | "t" | "T" | "1") => Ok(true),
            Some("false" | "False" | "FALSE" | "f" | "F" | "0") => Ok(false),
            Some(other) => Err(invalid(name, other, "`true` or `false`")),
        }
    }

    /// A flag that is a whole number.
    ///
    /// # Errors
    ///
    /// `config` when it is none.
    pub fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        let Some(text) = self.flag(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(name, text, "a whole number")),
        }
    }

    /// `--timeout`: none when absent or 0, which means no limit of its own.
    ///
    /// # Errors
    ///
    /// `config` when it is no duration.
    pub fn timeout(&self) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.flag("timeout") else { return Ok(None) };
        match duration::read(text) {
            Some(timeout) => Ok(Some(timeout).filter(|timeout| !timeout.is_zero())),
            None => Err(invalid("timeout", text, "a duration, as `90s` or `5m`")),
        }
    }

    /// `--dry-run`.
    ///
    /// # Errors
    ///
    /// `config` when it is none of kubectl's three.
    pub fn dry_run(&self) -> Result<DryRun, Failure> {
        match self.flag("dry-run") {
            None | Some("none" | "false") => Ok(DryRun::None),
            Some("client" | "unchanged") => Ok(DryRun::Client),
            Some("server") => Ok(DryRun::Server),
            // As an input, `true` was made `server` before.
            Some("true") => {
                log::warn!("--dry-run is deprecated and can be replaced with --dry-run=client.");
                Ok(DryRun::Client)
            }
            Some(other) => Err(Failure::config(format!(
                "Invalid dry-run value ({}). Must be \"none\", \"server\", or \"client\".",
                shown(other)
            ))),
        }
    }

    /// Whether to wait after a change: asked for, and not a dry run.
    ///
    /// # Errors
    ///
    /// `config` when a flag has a wrong value.
    pub fn waits(&self) -> Result<bool, Failure> {
        Ok(self.truth("wait", false)? && self.dry_run()? == DryRun::None)
    }

    /// What a person would have typed.
    pub(crate) fn typed(&self) -> String {
        format!("kubectl {} {}", in_a_row(self.command.words, " "), self.words.join(" "))
    }
}

fn invalid(name: &str, value: &str, right: &str) -> Failure {
    let value = shown(value);
    Failure::config(format!("invalid argument \"{value}\" for \"--{name}\" flag; give {right}"))
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&in_a_row(self.command.words, " "))?;
        for (name, value) in &self.flags {
            // A patch may hold what no log should.
            let value = if *name == "patch" { "…".into() } else { shown(value) };
            write!(f, " --{name}={value}")?;
        }
        for word in &self.words {
            write!(f, " {}", shown(word))?;
        }
        write!(f, " --namespace {}", self.namespace)
    }
}

/// The keys of the spec that are no flags.
const KEYS: &[&str] =
    &["command", "args", "namespace", "cluster", "connection", "manifest", "file", "git"];

/// Reads the inputs.
///
/// # Errors
///
/// `config`, with what would be right.
pub fn read(inputs: &Inputs) -> Result<Call<'_>, Failure> {
    let inputs = &inputs.0;
    let Some(members) = inputs.as_object() else {
        return Err(Failure::config("the inputs are no object"));
    };
    for name in members.keys() {
        if !KEYS.contains(&name.as_str()) && !FLAGS.iter().any(|flag| flag.key == name) {
            let name = shown(name);
            return Err(Failure::config(format!("`{name}` is no input of this step")));
        }
    }
    let words = words::words(&inputs["command"], &inputs["args"])?;
    let command = find_command(&words)?;
    let mut call = Call {
        command,
        words: Vec::new(),
        // What `command` brings beside its own words is read as strictly as a text in `args`.
        from_text: !inputs["args"].is_array()
            || words[command.words.len()..]
                .iter()
                .any(|it| !it.literal && !it.text.starts_with('-')),
        flags: Vec::new(),
        namespace: match &inputs["namespace"] {
            Value::Null => "default",
            Value::String(text) => namespace::check(text)?,
            _ => return Err(Failure::config("`namespace` is no text")),
        },
        connection: connection(inputs)?,
        inputs,
    };
    check_documents(&call)?;
    read_words(&mut call, &words[command.words.len()..])?;
    add_keys(&mut call, inputs)?;
    Ok(call)
}

fn read_words(call: &mut Call<'_>, words: &[words::Word]) -> Result<(), Failure> {
    let mut rest = words.iter();
    // Words of `args` itself that are no flags; before the first, a flag is the author's own.
    let mut begun = 0;
    let mut only_words = false;
    while let Some(word) = rest.next() {
        if only_words || !word.text.starts_with('-') {
            begun += u8::from(word.of_args && begun < 1);
            call.words.push(word.text.clone());
            continue;
        }
        if word.literal && word.text == "--" {
            only_words = true;
            continue;
        }
        if !word.literal && (begun > 0 || !word.of_args && !call.words.is_empty()) {
            return Err(late_flag(&word.text));
        }
        let (flag, value) = read_flag(call.command, &word.text)?;
        let value = match (value, flag.value) {
            (Some(value), _) => value,
            (None, FlagValue::Optional) => "true".to_owned(),
            (None, FlagValue::Required) => match rest.next() {
                Some(next) => next.text.clone(),
                None => {
                    let name = flag.name;
                    return Err(Failure::config(format!("flag needs an argument: --{name}")));
                }
            },
        };
        if matches!(flag.name, "filename" | "kustomize") {
            return Err(Failure::config(format!(
                "`--{}` is not accepted: set `file` to a file in the workflow's folder, or \
                 `manifest` to the objects themselves",
                flag.name
            )));
        }
        if call.flag(flag.name).is_some() {
            let name = flag.name;
            return Err(Failure::config(format!("the flag `--{name}` is given twice")));
        }
        call.flags.push((flag.name, value));
    }
    Ok(())
}

/// `manifest` and `file` belong to commands that read objects; `git` to none.
fn check_documents(call: &Call<'_>) -> Result<(), Failure> {
    let command = in_a_row(call.command.words, " ");
    if !call.inputs["git"].is_null() {
        return Err(Failure::config(
            "`git` is not supported: a step has no network of its own; put the file beside the \
             workflow and name it in `file`",
        ));
    }
    for key in ["manifest", "file"] {
        if !call.inputs[key].is_null() && !call.command.reads_documents {
            return Err(Failure::config(format!(
                "`{key}` belongs to `apply` and `delete`, not to `{command}`"
            )));
        }
    }
    Ok(())
}

fn connection(inputs: &Value) -> Result<&str, Failure> {
    let found = [&inputs["cluster"]["connection"], &inputs["connection"]];
    let found = found.into_iter().find(|found| !found.is_null());
    found.and_then(|found| found["connection"]["name"].as_str()).ok_or_else(|| {
        Failure::config(
            "no connection is given; set `cluster.connection` or `connection` to \
             `!Connection { type: kubernetes, name: … }`",
        )
    })
}

fn find_command(words: &[words::Word]) -> Result<&'static Command, Failure> {
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    if let Some((name, _)) = refused::reason(&texts).filter(|(name, _)| holds(name, " ")) {
        return Err(refused::no_command(&name.split(' ').collect::<Vec<_>>()));
    }
    let found = COMMANDS.iter().find(|command| texts.starts_with(command.words));
    found.copied().ok_or_else(|| refused::no_command(&texts))
}

fn read_flag(command: &Command, text: &str) -> Result<(&'static Flag, Option<String>), Failure> {
    let (name, value) = match text.strip_prefix("--") {
        Some(long) => match long.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (long, None),
        },
        // A short flag may carry its value without a blank, as in `-nweb`.
        None => {
            let end = text.char_indices().nth(2).map_or(text.len(), |(end, _)| end);
            let value = text.get(end..).filter(|value| !value.is_empty());
            let value = value.map(|value| value.strip_prefix('=').unwrap_or(value));
            (text.get(1..end).unwrap_or_default(), value)
        }
    };
    if ELSEWHERE.contains(&name) {
        let remedy = match name {
            "n" | "namespace" => "set `namespace` of the step instead",
            _ => "the connection says which cluster and which account",
        };
        let shown = shown(text);
        return Err(Failure::config(format!("the flag `{shown}` is never accepted; {remedy}")));
    }
    let long = text.starts_with("--");
    let found = flags::find(name)
        .filter(|flag| (flag.name == name) == long)
        // The two that name files are refused later, with what to do instead.
        .filter(|flag| {
            command.flags.contains(&flag.name) || matches!(flag.name, "filename" | "kustomize")
        });
    if let Some(flag) = found {
        return Ok((flag, value.map(str::to_owned)));
    }
    let known = joined(&mut command.flags.iter().map(|flag| format!("`--{flag}`")), ", ");
    let name = shown(text.split('=').next().unwrap_or_default());
    let what = if long { "flag" } else { "shorthand flag" };
    Err(Failure::config(format!("unknown {what}: {name}; this step knows {known}")))
}

fn late_flag(text: &str) -> Failure {
    let shown = shown(text);
    Failure::config(format!(
        "`{shown}` stands after the resource; in a text flags come before it \
         (`undo --to-revision=2 deployment/web`), since what follows may come from a parameter. \
         Or give `args` as a list"
    ))
}

/// The flags that are given as keys of the spec.
fn add_keys(call: &mut Call<'_>, inputs: &Value) -> Result<(), Failure> {
    for flag in FLAGS.iter().filter(|flag| !flag.key.is_empty()) {
        let key = flag.key;
        let value = match &inputs[key] {
            Value::Null => continue,
            Value::Bool(true) if key == "dry_run" => "server".to_owned(),
            Value::String(text) if key == "patch" => text.clone(),
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) if number.is_f64() => {
                return Err(Failure::config(format!("`{key}` is no whole number")));
            }
            value @ (Value::Bool(_) | Value::Number(_)) => json_text(value),
            value if key == "patch" => json_text(value),
            _ => return Err(Failure::config(format!("`{key}` is no text, number or truth value"))),
        };
        if !call.command.flags.contains(&flag.name) {
            let command = in_a_row(call.command.words, " ");
            return Err(Failure::config(format!("`{key}` is nothing that `{command}` knows")));
        }
        if call.flag(flag.name).is_some() {
            let message = format!("`{key}` and `--{}` are both given; leave one out", flag.name);
            return Err(Failure::config(message));
        }
        call.flags.push((flag.name, value));
    }
    Ok(())
}

/// A value as compact JSON.
pub(crate) fn json_text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests;
