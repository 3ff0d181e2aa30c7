//! From the step's inputs to a command, its resource and its flags, strictly.
//!
//! Relay handed the joined text to a shell, so a parameter could smuggle in flags and targets.
//! Here a text is read so that whatever stands at its end can only be a name: flags come before
//! the resource, nothing comes after it, and no flag can lead to another namespace, cluster or
//! identity. A list keeps its elements apart by itself, so there flags may stand anywhere.
//! This file touches no cluster.

use crate::command::{COMMANDS, Command, FlagValue};
use crate::inputs::{Count, DryRunInput, Inputs};
use crate::{namespace, words};
use bowline_sdk::{ConnectionName, Failure, shown};
use std::fmt;

/// One command, ready to run.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which one.
    pub command: &'static Command,
    /// What it acts on, as written: `TYPE/NAME` or `TYPE` and `NAME`.
    pub resources: Vec<String>,
    /// Its flags without dashes. A flag that was given without a value has none.
    pub flags: Vec<(&'static str, Option<String>)>,
    /// The namespace, a DNS label.
    pub namespace: String,
    /// The connection, for messages.
    pub connection: ConnectionName,
}

impl Call {
    /// The value of a flag: `None` when it was not given, `Some(None)` when without a value.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<Option<&str>> {
        self.flags.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_deref())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.command.words.join(" "))?;
        for (name, value) in &self.flags {
            match value {
                Some(value) => write!(f, " --{name}={value}")?,
                None => write!(f, " --{name}")?,
            }
        }
        for resource in &self.resources {
            write!(f, " {}", shown(resource))?;
        }
        write!(f, " --namespace {}", self.namespace)
    }
}

/// Flags of kubectl that lead to another place or make the step somebody else.
const ELSEWHERE: &[&str] = &[
    "A",
    "all-namespaces",
    "as",
    "as-group",
    "as-uid",
    "as-user-extra",
    "auth-provider",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "cluster",
    "context",
    "insecure-skip-tls-verify",
    "kubeconfig",
    "n",
    "namespace",
    "password",
    "s",
    "server",
    "tls-server-name",
    "token",
    "user",
    "username",
];

/// Reads the inputs.
///
/// # Errors
///
/// `config`, with what would be right.
pub fn read(inputs: &Inputs) -> Result<Call, Failure> {
    let words = words::words(&inputs.command, inputs.args.as_ref())?;
    let command = find_command(&words)?;
    if inputs.file.is_some() || inputs.git.is_some() {
        let known = known_commands();
        let message = format!(
            "`file` and `git` belong to `apply`, which this step can't do; it can: {known}"
        );
        return Err(Failure::config(message));
    }
    let mut call = Call {
        command,
        resources: Vec::new(),
        flags: Vec::new(),
        namespace: namespace::check(&inputs.namespace)?.to_owned(),
        connection: connection(inputs)?,
    };
    let mut rest = words[command.words.len()..].iter();
    while let Some(word) = rest.next() {
        if !word.text.starts_with('-') {
            call.resources.push(word.text.clone());
            continue;
        }
        if !word.literal && !call.resources.is_empty() {
            return Err(late_flag(&word.text));
        }
        let (flag, value) = read_flag(command, &word.text)?;
        let value = match (value, flag.1) {
            (None, FlagValue::Required) => match rest.next() {
                Some(next) => Some(next.text.clone()),
                None => {
                    return Err(Failure::config(format!("flag needs an argument: --{}", flag.0)));
                }
            },
            (value, _) => value,
        };
        add_flag(&mut call, flag.0, value)?;
    }
    add_keys(&mut call, inputs)?;
    Ok(call)
}

fn connection(inputs: &Inputs) -> Result<ConnectionName, Failure> {
    let cluster = inputs.cluster.as_ref().map(|cluster| &cluster.connection);
    let found = cluster.or(inputs.connection.as_ref());
    found.map(|found| found.connection.clone()).ok_or_else(|| {
        Failure::config(
            "no connection is given; set `cluster.connection` or `connection` to \
             `!Connection { type: kubernetes, name: … }`",
        )
    })
}

fn find_command(words: &[words::Word]) -> Result<&'static Command, Failure> {
    let matches = |command: &&&Command| {
        let names = words.iter().map(|word| word.text.as_str());
        names.take(command.words.len()).eq(command.words.iter().copied())
    };
    if let Some(command) = COMMANDS.iter().find(matches) {
        return Ok(command);
    }
    let plain = |word: &&words::Word| {
        !word.text.is_empty() && word.text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
    };
    let asked: Vec<&str> =
        words.iter().take(2).take_while(plain).map(|word| word.text.as_str()).collect();
    let known = known_commands();
    Err(Failure::config(match asked.as_slice() {
        [] => format!("`command` names no kubectl command; this step can: {known}"),
        [first @ ("rollout" | "set" | "create" | "config" | "auth" | "top"), second] => {
            format!("`kubectl {first} {second}` is not supported; this step can: {known}")
        }
        [first, ..] => format!("`kubectl {first}` is not supported; this step can: {known}"),
    }))
}

fn known_commands() -> String {
    let known: Vec<String> =
        COMMANDS.iter().map(|command| format!("`{}`", command.words.join(" "))).collect();
    known.join(", ")
}

type Flag = (&'static str, FlagValue);

fn read_flag(command: &Command, text: &str) -> Result<(Flag, Option<String>), Failure> {
    let shown = shown(text);
    let (name, value) = match text.strip_prefix("--") {
        Some(long) => match long.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (long, None),
        },
        // A short flag may carry its value without a blank, as in `-nweb`.
        None => {
            let end = text.char_indices().nth(2).map_or(text.len(), |(end, _)| end);
            (text.get(1..end).unwrap_or_default(), None)
        }
    };
    if ELSEWHERE.contains(&name) {
        let remedy = match name {
            "n" | "namespace" => "set `namespace` of the step instead",
            _ => "the connection says which cluster and which account",
        };
        return Err(Failure::config(format!("the flag `{shown}` is never accepted; {remedy}")));
    }
    if let Some(flag) = command.flags.iter().find(|flag| flag.0 == name && text.starts_with("--")) {
        return Ok((*flag, value));
    }
    let known: Vec<String> = command.flags.iter().map(|flag| format!("`--{}`", flag.0)).collect();
    let known = known.join(", ");
    let name = bowline_sdk::shown(text.split('=').next().unwrap_or_default());
    Err(Failure::config(format!("unknown flag: {name}; this step knows {known}")))
}

fn late_flag(text: &str) -> Failure {
    let shown = shown(text);
    Failure::config(format!(
        "`{shown}` stands after the resource; in a text flags come before it \
         (`undo --to-revision=2 deployment/web`), since what follows may come from a parameter. \
         Or give `args` as a list"
    ))
}

fn add_flag(call: &mut Call, name: &'static str, value: Option<String>) -> Result<(), Failure> {
    if call.flag(name).is_some() {
        return Err(Failure::config(format!("the flag `--{name}` is given twice")));
    }
    call.flags.push((name, value));
    Ok(())
}

/// The flags that may also be given as keys of the spec.
fn add_keys(call: &mut Call, inputs: &Inputs) -> Result<(), Failure> {
    let revision = inputs.to_revision.as_ref().map(|revision| match revision {
        Count::Number(number) => number.to_string(),
        Count::Text(text) => text.trim().to_owned(),
    });
    let dry_run = inputs.dry_run.as_ref().map(|dry_run| match dry_run {
        DryRunInput::Text(text) => text.trim().to_owned(),
        DryRunInput::Flag(true) => "server".to_owned(),
        DryRunInput::Flag(false) => "none".to_owned(),
    });
    for (key, name, value) in
        [("to_revision", "to-revision", revision), ("dry_run", "dry-run", dry_run)]
    {
        let Some(value) = value else { continue };
        let Some(flag) = call.command.flags.iter().find(|flag| flag.0 == name) else {
            let command = call.command.words.join(" ");
            return Err(Failure::config(format!("`{key}` is nothing that `{command}` knows")));
        };
        if call.flag(name).is_some() {
            let message = format!("`{key}` and `--{name}` are both given; leave one out");
            return Err(Failure::config(message));
        }
        call.flags.push((flag.0, Some(value)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn call(spec: Value) -> Result<Call, Failure> {
        let mut inputs = json!({"connection": {"connection": {"type": "kubernetes", "name": "k"}}});
        for (key, value) in spec.as_object().expect("an object") {
            inputs[key] = value.clone();
        }
        read(&serde_json::from_value(inputs).expect("inputs"))
    }

    #[test]
    fn every_published_form_is_understood() {
        let seed = "rollout undo deployment.v1.apps/web --namespace default";
        let cases = [
            (json!({"command": "rollout", "args": "undo deployment.v1.apps/web"}), seed),
            (json!({"command": "rollout", "args": ["undo", "deployment.v1.apps/web"]}), seed),
            (json!({"command": "rollout undo", "args": "deployment.v1.apps/web"}), seed),
            (
                json!({"command": "rollout undo", "args": "deploy web", "namespace": "shop"}),
                "rollout undo deploy web --namespace shop",
            ),
            (
                json!({"command": "rollout", "args": "undo --to-revision=2 deployment/web"}),
                "rollout undo --to-revision=2 deployment/web --namespace default",
            ),
            (
                json!({"command": "rollout", "args": "undo --to-revision 2 deployment/web"}),
                "rollout undo --to-revision=2 deployment/web --namespace default",
            ),
            (
                json!({"command": "rollout", "args": ["undo", "deployment/web", "--to-revision", 2]}),
                "rollout undo --to-revision=2 deployment/web --namespace default",
            ),
            (
                json!({"command": "rollout", "args": "undo deployment/web", "to_revision": "2"}),
                "rollout undo --to-revision=2 deployment/web --namespace default",
            ),
            (
                json!({"command": "rollout", "args": "undo deployment/web", "dry_run": true}),
                "rollout undo --dry-run=server deployment/web --namespace default",
            ),
            (
                json!({"command": "rollout", "args": ["undo", "deployment/web", "--dry-run"]}),
                "rollout undo --dry-run deployment/web --namespace default",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(call(spec.clone()).expect(expected).to_string(), expected, "{spec}");
        }
    }

    /// What a stranger may put into the parameter of the published workflow.
    #[test]
    fn a_parameter_brings_in_no_flag_and_no_second_target() {
        let parameters = [
            "web --to-revision=1",
            "web --to-revision 1",
            "web --dry-run=client",
            "web --namespace kube-system",
            "web --namespace=kube-system",
            "web -n kube-system",
            "web -nkube-system",
            "web\n--namespace=kube-system",
            "web\t-n\tkube-system",
            "web --server=https://evil.example",
            "web '--token=x'",
            "web \"-n\" \"kube-system\"",
            "web --",
            "web -",
            "web '",
            "web \\",
        ];
        for parameter in parameters {
            for prefix in ["undo deployment.v1.apps/", "undo deployment "] {
                let args = format!("{prefix}{parameter}");
                let failure = call(json!({"command": "rollout", "args": args})).expect_err(&args);
                assert_eq!(failure.code(), "config", "{args}: {failure}");
            }
        }
    }

    #[test]
    fn a_flag_between_type_and_name_is_refused_in_a_text() {
        let spec = json!({"command": "rollout", "args": "undo deployment --to-revision=1 web"});
        let failure = call(spec).expect_err("a flag in between");
        assert!(failure.message().contains("stands after the resource"), "{failure}");
    }

    #[test]
    fn flags_that_lead_elsewhere_are_refused_in_every_form() {
        for flag in [
            "-n",
            "-nweb",
            "--namespace=web",
            "--kubeconfig=x",
            "--context",
            "--server=x",
            "-s",
            "--token=x",
            "--as=root",
            "--as-group=system:masters",
            "--cluster=b",
            "--user=b",
            "-A",
            "--insecure-skip-tls-verify",
            "--certificate-authority=x",
        ] {
            for args in [
                json!(["undo", flag, "deployment/web"]),
                json!(["undo", "deployment/web", flag]),
                json!(format!("undo {flag} deployment/web")),
            ] {
                let failure = call(json!({"command": "rollout", "args": args})).expect_err(flag);
                assert!(failure.message().contains("is never accepted"), "{args}: {failure}");
            }
        }
    }

    #[test]
    fn wrong_inputs_say_what_would_be_right() {
        let cases = [
            (
                json!({"command": ""}),
                "`command` names no kubectl command; this step can: `rollout undo`",
            ),
            (json!({"command": "apply", "file": "x.yaml"}), "`kubectl apply` is not supported"),
            (json!({"command": "get pods"}), "`kubectl get` is not supported"),
            (
                json!({"command": "rollout", "args": "status deployment/web"}),
                "`kubectl rollout status` is not supported; this step can: `rollout undo`",
            ),
            (json!({"command": "rollout"}), "`kubectl rollout` is not supported"),
            (json!({"command": "kubectl rollout undo"}), "`kubectl kubectl` is not supported"),
            (
                json!({"command": "rollout undo", "args": "deployment/web", "file": "x"}),
                "belong to `apply`",
            ),
            (
                json!({"command": "rollout undo", "args": ["--to-rev=1", "deployment/web"]}),
                "unknown flag: --to-rev; this step knows `--to-revision`, `--dry-run`",
            ),
            (
                json!({"command": "rollout undo", "args": ["deployment/web", "-l", "app=web"]}),
                "unknown flag: -l",
            ),
            (
                json!({"command": "rollout undo", "args": ["deployment/web", "--to-revision"]}),
                "flag needs an argument: --to-revision",
            ),
            (
                json!({"command": "rollout undo", "args": ["d/w", "--to-revision=1", "--to-revision=2"]}),
                "given twice",
            ),
            (
                json!({"command": "rollout undo", "args": "--to-revision=1 d/w", "to_revision": 2}),
                "both given",
            ),
            (json!({"command": "rollout undo", "args": "d/w", "namespace": ""}), "`namespace`"),
            (
                json!({"command": "rollout undo", "args": "d/w", "connection": null}),
                "no connection is given",
            ),
        ];
        for (spec, expected) in cases {
            let failure = call(spec.clone()).expect_err(expected);
            assert!(failure.message().contains(expected), "{spec}: {failure}");
            assert_eq!(failure.code(), "config", "{spec}");
        }
    }
}
