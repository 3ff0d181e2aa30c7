//! What somebody could do about a run: the commands that take it further, and what to write, and
//! where, so that a call or a plugin that was refused is allowed.
//!
//! Ready to paste. A setting only where it can help: what a plugin does not ask for itself, nobody
//! can grant it.

use crate::{OpenView, RunView, StepStatus, StepView, escape};
use journal::{EffectOutcome, RunStatus};
use serde_json::Value;
use std::fmt::Write as _;
use workflow::{PluginPin, StepName};

/// What was refused.
#[derive(Clone, Copy, Debug)]
pub struct Missing<'a> {
    /// Who did not allow it: the word of a [`journal::Denial`].
    pub by: &'a str,
    /// The plugin that asked.
    pub plugin: &'a PluginPin,
    /// Its name for the connection.
    pub slot: &'a str,
    /// `type/name`.
    pub connection: &'a str,
    /// The name under which the operator has set the connection: its own, or `*`.
    pub set_under: &'a str,
    /// The rules that are missing.
    pub rules: &'a [Value],
}

/// The remedy as lines, the first one a sentence; None for a party that nobody knows.
#[must_use]
pub fn remedy(missing: &Missing<'_>) -> Option<String> {
    let Missing { by, plugin, slot, connection, set_under, rules } = missing;
    let kind = connection.split('/').next().unwrap_or_default();
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = String::new();
    let indent = match *by {
        "policy" => {
            let _ = write!(
                text,
                "this in `bowline.yaml`, added to the rules there, would allow it:\n\npolicy:\n  rules:\n  - plugin: {}  # {} \
                 {}\n    connection: {}\n    allow:",
                quoted(&plugin.digest),
                plugin.name,
                plugin.version.replace(['\n', '\r'], " "),
                quoted(connection)
            );
            "    "
        }
        "policy-for-all" => {
            let _ = write!(
                text,
                "this in `bowline.yaml`, added to the rules there, would allow it to every plugin:\n\npolicy:\n  rules:\n  \
                 - connection: {}\n    allow:",
                quoted(connection)
            );
            "    "
        }
        "connection" => {
            let _ = write!(
                text,
                "this in `bowline.yaml`, added to what stands there, would allow it:\n\n\
                 connections:\n  {kind}:\n    {}:\n      allow:",
                quoted(set_under)
            );
            "      "
        }
        "workflow" => {
            let _ = write!(
                text,
                "this in the step would allow it:\n\n  x-bowline:\n    grants:\n      {slot}:"
            );
            "      "
        }
        "manifest" => {
            let _ = writeln!(
                text,
                "`{}` does not ask for it, so no setting can allow it; its author would have to \
                 add to its manifest, under `connections.{slot}.allow`:",
                plugin.name
            );
            ""
        }
        "accepted" => {
            return Some(
                "`bowline.lock` allows less than the plugin asks for; `bowline plugin accept` \
                 shows what, and accepts it anew"
                    .to_owned(),
            );
        }
        "restriction" => {
            return Some("the step gave it up itself, by `restrict`".to_owned());
        }
        _ => return None,
    };
    for rule in *rules {
        let _ = write!(text, "\n{indent}- {rule}");
    }
    Some(text)
}

/// What would have allowed the calls that a run was refused, each said once. `set_under` gives the
/// name under which a connection is set.
#[must_use]
pub fn of_run(view: &RunView, set_under: &dyn Fn(&str) -> String) -> Vec<String> {
    let mut remedies = Vec::new();
    for (step, planned) in view.steps.iter().zip(&view.plan.steps) {
        let Some(plugin) = &planned.plugin else { continue };
        for effect in &step.effects {
            let Some(EffectOutcome::NotMade { denial: Some(denial), .. }) = &effect.outcome else {
                continue;
            };
            let set_under = set_under(&denial.connection);
            let missing = Missing {
                set_under: &set_under,
                by: &denial.by,
                plugin,
                slot: &denial.slot,
                connection: &denial.connection,
                rules: std::slice::from_ref(&denial.rule),
            };
            let said =
                remedy(&missing).map(|remedy| format!("step `{}`: {remedy}", step.name.as_str()));
            remedies.extend(
                said.filter(|said| !remedies.contains(said)).into_iter().collect::<Vec<_>>(),
            );
        }
    }
    remedies
}

/// Commands for what a person may want to do now, in the order in which they come to mind.
#[must_use]
pub fn commands(view: &RunView) -> Vec<String> {
    let run = &view.run;
    let drill = if view.drill { " --drill" } else { "" };
    let again = format!("bowline run {}{drill}", escape::shell_word(&view.plan.source));
    let of = |status| view.steps.iter().filter(move |step| step.status == status);
    match view.status {
        RunStatus::Success => Vec::new(),
        RunStatus::Running => vec![resume(view)],
        RunStatus::Waiting => {
            let answers = of(StepStatus::Waiting).flat_map(|step| answers(view, step));
            answers.chain([format!("bowline runs cancel {run}")]).collect()
        }
        RunStatus::Failure | RunStatus::Rejected => {
            let logs = of(StepStatus::Failure)
                .map(|step| format!("bowline runs logs {run} {}", word(&step.name)));
            // A drill's services are gone with its process.
            let next = match view.drill {
                true => again,
                false => format!("bowline runs retry {run}"),
            };
            logs.chain([format!("bowline runs show {run}"), next]).collect()
        }
        RunStatus::Cancelled => vec![format!("bowline runs show {run}"), again],
    }
}

/// The commands that answer what is asked about a step, one for each answer.
pub(crate) fn answers(view: &RunView, step: &StepView) -> Vec<String> {
    match step.open {
        Some(OpenView::Outcome { .. }) => ["done", "not-done"]
            .into_iter()
            .map(|outcome| resolve(view, &step.name, outcome))
            .collect(),
        Some(OpenView::Approval { .. }) => {
            vec![approve(view, &step.name), deny(view, &step.name)]
        }
        // An early version wrote down that the step waits and not what for; asking it again does.
        None => vec![resume(view)],
    }
}

pub(crate) fn approve(view: &RunView, step: &StepName) -> String {
    format!("bowline approve {} {}", view.run, word(step))
}

pub(crate) fn deny(view: &RunView, step: &StepName) -> String {
    format!("bowline deny {} {}", view.run, word(step))
}

/// `outcome` is `done`, `not-done`, or both for a person to choose from.
pub(crate) fn resolve(view: &RunView, step: &StepName, outcome: &str) -> String {
    format!("bowline runs resolve {} {} --outcome {outcome}", view.run, word(step))
}

pub(crate) fn resume(view: &RunView) -> String {
    format!("bowline runs resume {}", view.run)
}

fn word(step: &StepName) -> String {
    escape::shell_word(step.as_str()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_printed_is_yaml_that_names_the_rule_and_who_may_use_it() {
        let plugin = PluginPin {
            name: "restart".to_owned(),
            version: "1.0.0".to_owned(),
            digest: "sha256:00".to_owned(),
            signer: None,
        };
        let rules = [json!({"verbs": ["get"], "resource": "pods", "namespace": "web"})];
        let of = |by| {
            remedy(&Missing {
                by,
                plugin: &plugin,
                slot: "cluster",
                connection: "kubernetes/prod",
                set_under: "prod",
                rules: &rules,
            })
        };

        let policy = of("policy").expect("a remedy");
        assert!(policy.ends_with(
            "policy:\n  rules:\n  - plugin: \"sha256:00\"  # restart 1.0.0\n    connection: \
             \"kubernetes/prod\"\n    allow:\n    - {\"namespace\":\"web\",\"resource\":\"pods\",\"verbs\":[\"get\"]}"
        ), "{policy}");
        assert!(of("connection").is_some_and(|text| {
            text.contains("  kubernetes:\n    \"prod\":\n      allow:\n      - {")
        }));
        assert!(
            of("workflow").is_some_and(|text| text.contains("grants:\n      cluster:\n      - {"))
        );
        assert!(of("policy-for-all").is_some_and(|text| {
            text.contains("- connection: \"kubernetes/prod\"\n    allow:\n    - {")
        }));
        assert!(of("manifest").is_some_and(|text| text.contains("no setting can allow it")));
        assert_eq!(of("somebody"), None);
    }
}
