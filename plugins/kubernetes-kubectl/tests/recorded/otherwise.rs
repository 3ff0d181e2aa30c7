//! What the step answers otherwise than kubectl on purpose: when, why, and what it does instead.
//!
//! Each difference says by what it can be told, not by the name of a recording, so that recordings
//! which nobody has seen yet are judged by the same rules.

use serde_json::Value;

/// What kubectl was asked and how that ended.
pub(crate) struct Situation<'a> {
    recording: &'a Value,
    words: Vec<String>,
}

/// One difference.
pub(crate) struct Otherwise {
    /// The case among the edge cases, if there is one, and the reason.
    pub(crate) why: &'static str,
    /// Whether a situation is one of those.
    pub(crate) is: fn(&Situation<'_>) -> bool,
    /// Whether the step fails.
    pub(crate) fails: bool,
    /// What stands in its log.
    pub(crate) says: &'static str,
}

const fn refuses(
    why: &'static str,
    is: fn(&Situation<'_>) -> bool,
    says: &'static str,
) -> Otherwise {
    Otherwise { why, is, fails: true, says }
}

const fn does(why: &'static str, is: fn(&Situation<'_>) -> bool, says: &'static str) -> Otherwise {
    Otherwise { why, is, fails: false, says }
}

/// All differences; the first that fits counts.
pub(crate) const OTHERWISE: &[Otherwise] = &[
    refuses("K55: the host words it", |it| it.says("The connection to the server"), REFUSED),
    refuses("K53, K55: the host words it", |it| it.says("Unable to connect"), REFUSED),
    refuses(
        "K51: kubectl fails in discovery, which the step does not need",
        |it| it.says("asked for the client to provide credentials"),
        "the credentials of the connection are expired or invalid",
    ),
    refuses(
        "K5: no second namespace",
        |it| it.count(&["-n", "--namespace"]) > 1,
        "the flag `--namespace` is never accepted",
    ),
    refuses(
        "K6: not sent at all",
        |it| it.words.iter().any(|word| !word.is_ascii()),
        "no valid RFC 1123 name",
    ),
    refuses(
        "says in the same line what it can",
        |it| it.says("unknown command"),
        "; this step can: `rollout undo`",
    ),
    refuses(
        "kubectl prints its usage",
        |it| it.words == ["rollout"],
        "`kubectl rollout` alone is no command",
    ),
    refuses(
        "kubectl prints its usage",
        |it| it.words == ["get"],
        "You must specify the type of resource to get",
    ),
    refuses(
        "K40: the host reads files, and has refused this one",
        |it| it.is("apply") && it.says("error parsing") || it.says("does not exist"),
        "`file` came as text",
    ),
    refuses(
        "K13: with what to do instead",
        |it| it.is("rollout undo") && it.says("no kind \"Rollout\" is registered"),
        "Argo Rollouts go back with",
    ),
    refuses(
        "the outputs are the output",
        |it| it.is("rollout undo") && it.has(&["-o", "--output"]),
        "unknown shorthand flag: -o; this step knows",
    ),
    does(
        "K7: `--all` is how all are asked for",
        |it| it.is("rollout undo") && it.has(&["--all"]),
        "rolled back",
    ),
    refuses(
        "K7: a type alone is refused where something is changed",
        |it| it.is_change() && it.names_a_type_only() && !it.did_nothing(),
        "alone names no object",
    ),
    refuses(
        "K8: a selector that matches nothing is a failure where something is changed",
        |it| it.is_change() && it.succeeds() && it.has(&["-l", "--selector"]) && it.did_nothing(),
        "no objects passed to",
    ),
    does(
        "says in one line what kubectl describes in fifteen",
        |it| it.is("rollout undo") && it.succeeds() && it.is_dry_run_of_the_client(),
        "(dry run)",
    ),
    does(
        "prints the template itself, where kubectl describes a part of it",
        |it| it.is("rollout history") && it.succeeds() && it.has(&["--revision"]),
        " with revision #",
    ),
    does(
        "K33: `add` works where `replace` fails",
        |it| it.is("rollout undo") && it.says("rejected our request due to an error"),
        "rolled back",
    ),
];

/// How the pretended host words a connection that fails.
const REFUSED: &str = "connection refused";

impl<'a> Situation<'a> {
    pub(crate) fn of(recording: &'a Value, words: Vec<String>) -> Self {
        Self { recording, words }
    }

    fn kubectl(&self) -> &Value {
        &self.recording["kubectl_1_36_3"]
    }

    fn is(&self, command: &str) -> bool {
        let words = command.split(' ');
        self.words.iter().map(String::as_str).take(words.clone().count()).eq(words)
    }

    fn is_change(&self) -> bool {
        ["rollout undo", "rollout restart", "rollout pause", "rollout resume", "delete"]
            .iter()
            .any(|command| self.is(command))
    }

    fn succeeds(&self) -> bool {
        self.kubectl()["exit_code"] == 0
    }

    fn says(&self, part: &str) -> bool {
        self.kubectl()["stderr"].as_str().is_some_and(|text| text.contains(part))
    }

    fn count(&self, flags: &[&str]) -> usize {
        let is = |word: &&String| {
            flags.iter().any(|flag| {
                *word == flag || word.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
            })
        };
        self.words.iter().filter(is).count()
    }

    fn has(&self, flags: &[&str]) -> bool {
        self.count(flags) > 0
    }

    /// `rollout undo deployments -n web`: one word behind the command that is no flag.
    fn names_a_type_only(&self) -> bool {
        let behind = if self.is("delete") { 1 } else { 2 };
        let mut words = self.words.iter().skip(behind).peekable();
        let mut names = 0;
        while let Some(word) = words.next() {
            match word.as_str() {
                "-n" | "--namespace" => drop(words.next()),
                flag if flag.starts_with('-') => {}
                resource if resource.contains('/') => return false,
                _ => names += 1,
            }
        }
        names == 1 && !self.has(&["-l", "--selector", "--all"])
    }

    fn is_dry_run_of_the_client(&self) -> bool {
        self.words.iter().any(|word| word == "--dry-run" || word == "--dry-run=client")
    }

    fn did_nothing(&self) -> bool {
        let stdout = self.kubectl()["stdout"].as_str().unwrap_or_default().trim();
        stdout.is_empty() || stdout.starts_with("No resources found")
    }
}
