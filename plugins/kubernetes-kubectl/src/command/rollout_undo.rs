//! `rollout undo`: brings a Deployment, StatefulSet or DaemonSet back to an earlier revision, once.
//!
//! Everything is decided before the one write: the goal is frozen, the write holds only for the
//! object that was looked at. After a lost answer or a conflict the step looks and compares; it
//! never decides anew which revision to go to. A step that is run again after a crash is told what
//! it was told before, so it comes to the same write, on the same condition.

mod write;

use super::{Command, Needs, Run, only_objects};
use crate::arguments::DryRun;
use crate::kinds;
use crate::outcome::Done;
use crate::session::{Session, Target};
use crate::undo::history::{self, Chosen, NotInHistory};
use crate::undo::{REVISION, annotation, revisions, selector, template, warnings};
use crate::wording;
use bowline_sdk::kubernetes::{self, everything};
use bowline_sdk::{Failure, log};
use serde_json::Value;

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "undo"],
    flags: &["to-revision", "dry-run", "wait", "timeout", "selector", "all", "allow-empty"],
    reads_documents: false,
    needs: Needs {
        history: true,
        fields: &["/spec/template"],
        of_deployments: &["/metadata/annotations"],
        ..Needs::only(&["get", "patch"])
    },
    run: Run::Each {
        check: |call| {
            wanted(call.number("to-revision")?)?;
            only_objects(call)
        },
        one: undo,
    },
};

/// What is to be done to one object.
struct Undo<'a> {
    session: &'a Session<'a>,
    target: &'a Target,
    /// The revision asked for; 0 for the previous one.
    wanted: i64,
}

fn undo(session: &Session<'_>, target: &Target) -> Result<Done, Failure> {
    let kind = target.kind.name.as_str();
    if !target.kind.rolls_out() {
        let hint = match kind {
            "Rollout" => "Argo Rollouts go back with `kubectl argo rollouts undo`",
            _ => "this step rolls back Deployments, StatefulSets and DaemonSets",
        };
        let text = format!("no rollbacker has been implemented for \"{kind}\"; {hint}");
        return Err(Failure::config(text));
    }
    let wanted = wanted(session.call.number("to-revision")?)?;
    Undo { session, target, wanted }.run()
}

fn wanted(given: Option<i64>) -> Result<i64, Failure> {
    match given.unwrap_or_default() {
        wanted if wanted < 0 => {
            Err(not_in_history(format!("unable to find specified revision {wanted} in history")))
        }
        wanted => Ok(wanted),
    }
}

fn not_in_history(text: String) -> Failure {
    Failure::permanent("not-found.revision", text)
}

impl Undo<'_> {
    /// `deployment nginx`, for sentences.
    fn named(&self) -> String {
        format!("{} {}", self.target.kind.name.to_ascii_lowercase(), self.target.name)
    }

    fn run(&self) -> Result<Done, Failure> {
        let object = self.session.get(self.target)?;
        for warning in warnings::managers(&object, &self.target.kind.api.resource) {
            log::warn!("{warning}");
        }
        let history = self.history(&object)?;
        if let Some(warning) = warnings::overlap(&object, &history) {
            log::warn!("{warning}");
        }
        let is_deployment = self.target.kind.name == "Deployment";
        let chosen = match is_deployment {
            true => history::choose(&object, &history, self.wanted),
            false => revisions::choose(&object, &history, self.wanted),
        };
        let chosen = chosen.map_err(|NotInHistory(text)| not_in_history(text))?;
        let from = match is_deployment {
            true => annotation(&object, REVISION).and_then(|text| text.parse().ok()),
            false => revisions::current(&object, &history),
        };
        self.announce(&object, &history, from, &chosen);
        let label = self.target.label();
        if self.session.dry_run == DryRun::Client {
            let message = format!(
                "{label} would go to revision {} with {} (dry run)",
                chosen.revision,
                template::images_in_words(&chosen.template)
            );
            return Ok(outputs(false, from, &chosen, message).at(&object));
        }
        self.refuse_paused(&object)?;
        if template::same(template_of(&object), &chosen.template) {
            let message = format!(
                "{label} skipped rollback (current template already matches revision {})",
                self.wanted
            );
            return Ok(outputs(false, from, &chosen, message).at(&object));
        }
        write::write(self, object, from, &chosen)
    }

    /// The ReplicaSets or ControllerRevisions that the object's selector matches.
    fn history(&self, object: &Value) -> Result<Vec<Value>, Failure> {
        list(self.session, self.target, object)
    }

    /// Says from where to where, before anything is written.
    fn announce(&self, object: &Value, history: &[Value], from: Option<i64>, chosen: &Chosen) {
        let from = from.map_or_else(|| "?".to_owned(), |from| from.to_string());
        log::info!(
            "revision {from} ({}) -> revision {} ({})",
            template::images_in_words(template_of(object)),
            chosen.revision,
            template::images_in_words(&chosen.template)
        );
        if let Some(Value::String(cause)) = chosen.annotations.get("kubernetes.io/change-cause") {
            log::info!("change cause of revision {}: {cause}", chosen.revision);
        }
        if chosen.ambiguous {
            log::warn!(
                "several replica sets have revision {}; {} is the one taken",
                chosen.revision,
                chosen.name
            );
        }
        if self.target.kind.name == "Deployment" && warnings::in_progress(object) {
            log::warn!(
                "the rollout of revision {from} has not finished; it counts as the current one"
            );
        }
        if let Some(warning) = warnings::by_hand(object) {
            log::warn!("{warning}");
        }
        let older = history::owned(object, history).len().saturating_sub(2);
        if self.wanted == 0 && older > 0 {
            log::info!("{older} more in history; `to_revision` goes to a certain one");
        }
    }

    fn refuse_paused(&self, object: &Value) -> Result<(), Failure> {
        if object["spec"]["paused"] != true {
            return Ok(());
        }
        Err(Failure::permanent(
            "conflict.paused",
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' \
             and try again",
        ))
    }
}

/// The ReplicaSets or ControllerRevisions that an object's selector matches.
pub(crate) fn list(
    session: &Session<'_>,
    target: &Target,
    object: &Value,
) -> Result<Vec<Value>, Failure> {
    let (kind, name) = (target.kind.name.as_str(), &target.name);
    let selector = selector::text(&object["spec"]["selector"]).map_err(|why| {
        let word = kind.to_ascii_lowercase();
        let message = format!("{word} {name} has an invalid label selector: {why}");
        Failure::permanent("kubernetes.invalid-answer", message)
    })?;
    let query = kubernetes::Query { label_selector: selector, ..everything() };
    let (resource, doing) = match kind {
        "Deployment" => {
            ("replicasets", format!("failed to retrieve replica sets from deployment {name}"))
        }
        _ => ("controllerrevisions", format!("unable to find history controlled by {kind} {name}")),
    };
    let Some(listed) = kinds::find_known(resource) else { return Ok(Vec::new()) };
    let namespace = session.namespace(&listed);
    let found = session.cluster.list_all(session.ctx, &listed.api, namespace, &query);
    found.map_err(|error| wording::later(error, &doing, &session.remedy))
}

fn outputs(changed: bool, from: Option<i64>, chosen: &Chosen, message: String) -> Done {
    let done = Done::new(changed, message);
    let done = match from {
        Some(from) => done.with("fromRevision", from),
        None => done,
    };
    done.with("toRevision", chosen.revision).with("images", template::images(&chosen.template))
}

pub(crate) fn template_of(object: &Value) -> &Value {
    &object["spec"]["template"]
}
