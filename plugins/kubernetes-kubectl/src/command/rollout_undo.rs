//! `rollout undo`: brings a Deployment back to an earlier revision, once.
//!
//! Everything is decided before the one write: the target is frozen, the write holds only for the
//! Deployment that was looked at, and it carries the step's mark. After a lost answer or a conflict
//! the step looks and compares; it never decides anew which revision to go to.

mod write;

use super::{Command, FlagValue};
use crate::arguments::Call;
use crate::undo::history::{self, Chosen, NotInHistory};
use crate::undo::mark::{self, Mark};
use crate::undo::{annotation, selector, template, warnings};
use crate::{Outputs, resource, wording};
use bowline_sdk::kubernetes::{self, Cluster, Target};
use bowline_sdk::{ConnectError, Context, Failure, log, retry, shown};
use serde_json::Value;

/// This command.
pub const COMMAND: Command = Command {
    words: &["rollout", "undo"],
    flags: &[("to-revision", FlagValue::Required), ("dry-run", FlagValue::Optional)],
    run,
};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DryRun {
    None,
    Client,
    Server,
}

/// What is to be done, and with which handle.
struct Undo<'a> {
    ctx: &'a Context,
    cluster: Cluster,
    target: Target,
    namespace: &'a str,
    name: String,
    /// The revision asked for; 0 for the previous one.
    wanted: i64,
    dry_run: DryRun,
    key: String,
    /// What the connection's account needs, for messages.
    remedy: String,
}

fn run(ctx: &Context, call: &Call) -> Result<Outputs, Failure> {
    let name = deployment_name(call)?;
    let wanted = wanted(call)?;
    let dry_run = dry_run(call)?;
    let cluster = narrow(Cluster::open(ctx, "cluster")?, &call.namespace, &name);
    let kind = kubernetes::kind("apps", "v1", "deployments");
    let undo = Undo {
        ctx,
        cluster,
        target: kubernetes::target(kind, Some(&call.namespace), &name),
        namespace: &call.namespace,
        wanted,
        dry_run,
        key: ctx.idempotency_key(),
        remedy: format!(
            "the account of connection `{}` needs a role in namespace `{}` with get and patch on \
             deployments.apps and list on replicasets.apps",
            call.connection.name, call.namespace
        ),
        name,
    };
    undo.run()
}

fn deployment_name(call: &Call) -> Result<String, Failure> {
    let resource = resource::read(&call.resources)?;
    match resource.kind.kind {
        "Deployment" => Ok(resource.name),
        "StatefulSet" | "DaemonSet" => Err(Failure::config(format!(
            "rolling back a {} is not supported; this step rolls back Deployments",
            resource.kind.kind
        ))),
        "Rollout" => Err(Failure::config(
            "no rollbacker has been implemented for \"Rollout\"; Argo Rollouts go back with \
             `kubectl argo rollouts undo`",
        )),
        kind => Err(Failure::config(format!(
            "no rollbacker has been implemented for \"{kind}\"; this step rolls back Deployments"
        ))),
    }
}

fn wanted(call: &Call) -> Result<i64, Failure> {
    let Some(Some(value)) = call.flag("to-revision") else { return Ok(0) };
    match value.parse::<i64>() {
        Ok(wanted) if wanted < 0 => {
            Err(not_in_history(format!("unable to find specified revision {wanted} in history")))
        }
        Ok(wanted) => Ok(wanted),
        Err(_) => Err(Failure::config(format!(
            "invalid argument \"{}\" for \"--to-revision\" flag; give a whole number",
            shown(value)
        ))),
    }
}

fn dry_run(call: &Call) -> Result<DryRun, Failure> {
    match call.flag("dry-run") {
        None | Some(Some("none")) => Ok(DryRun::None),
        Some(Some("client")) => Ok(DryRun::Client),
        Some(Some("server")) => Ok(DryRun::Server),
        Some(None) => {
            log::warn!("--dry-run is deprecated and can be replaced with --dry-run=client.");
            Ok(DryRun::Client)
        }
        Some(Some(other)) => Err(Failure::config(format!(
            "Invalid dry-run value ({}). Must be \"none\", \"server\", or \"client\".",
            shown(other)
        ))),
    }
}

/// Gives up what this call does not need. Where the grant is narrower already, it stays as it is.
fn narrow(cluster: Cluster, namespace: &str, name: &str) -> Cluster {
    // Both names are checked and hold nothing that JSON would have to escape.
    let needed = [
        format!(
            r#"{{"verbs":["get","patch"],"resource":"apps/deployments","namespace":"{namespace}","name":"{name}","fields":["/spec/template","/metadata/annotations"]}}"#
        ),
        format!(r#"{{"verbs":["list"],"resource":"apps/replicasets","namespace":"{namespace}"}}"#),
        format!(r#"{{"verbs":["get"],"resource":"namespaces","name":"{namespace}"}}"#),
    ];
    for count in [3, 2] {
        let scope: Value =
            serde_json::from_str(&format!("[{}]", needed[..count].join(","))).unwrap_or_default();
        match cluster.restrict(&scope) {
            Ok(narrowed) => return narrowed,
            Err(error) => log::debug!("kept the handle as granted: {}", error.message),
        }
    }
    cluster
}

fn not_in_history(text: String) -> Failure {
    Failure::permanent("not-found.revision", text)
}

impl Undo<'_> {
    fn run(&self) -> Result<Outputs, Failure> {
        let deployment = self.look()?;
        if let Some(mark) = mark::find(&deployment, &self.key) {
            return self.done_before(&deployment, &mark);
        }
        for warning in warnings::managers(&deployment) {
            log::warn!("{warning}");
        }
        let sets = self.replica_sets(&deployment)?;
        if let Some(warning) = warnings::overlap(&deployment, &sets) {
            log::warn!("{warning}");
        }
        let chosen = history::choose(&deployment, &sets, self.wanted)
            .map_err(|NotInHistory(text)| not_in_history(text))?;
        self.announce(&deployment, &sets, &chosen);
        if self.dry_run == DryRun::Client {
            let message = format!(
                "deployment.apps/{} would go to revision {} with {} (dry run)",
                self.name,
                chosen.revision,
                template::images_in_words(&chosen.template)
            );
            return Ok(self.outputs(false, &deployment, &chosen, message));
        }
        self.refuse_paused(&deployment)?;
        if template::same(template_of(&deployment), &chosen.template) {
            let message = format!(
                "deployment.apps/{} skipped rollback (current template already matches revision {})",
                self.name, self.wanted
            );
            return Ok(self.outputs(false, &deployment, &chosen, message));
        }
        write::write(self, deployment, &chosen)
    }

    /// One look at the Deployment. A missing namespace is told from a missing Deployment.
    fn look(&self) -> Result<Value, Failure> {
        match retry::read(self.ctx, || self.cluster.get(&self.target)) {
            Ok(deployment) => Ok(deployment),
            Err(error) if error.status == Some(404) => Err(self.missing(error)),
            Err(error) => Err(wording::first_look(error, &self.remedy)),
        }
    }

    fn missing(&self, error: ConnectError) -> Failure {
        // Without details the server does not even know the path.
        if error.answer()["details"]["name"].is_null()
            && wording::said(&error).contains("could not find the requested resource")
        {
            return Failure::from(error).with_message(
                "the cluster does not serve apps/v1 deployments; it is too old or no \
                    Kubernetes API server",
            );
        }
        if self.namespace != "default" {
            let kind = kubernetes::kind("", "v1", "namespaces");
            let namespace = kubernetes::target(kind, None, self.namespace);
            match retry::read(self.ctx, || self.cluster.get(&namespace)) {
                Ok(_) => (),
                Err(gone) if gone.status == Some(404) => return wording::first_look(gone, ""),
                Err(_) => {
                    let failure = wording::first_look(error, "");
                    let text = format!("{failure}; its namespace may be missing, too");
                    return failure.with_message(text);
                }
            }
        }
        wording::first_look(error, "")
    }

    fn replica_sets(&self, deployment: &Value) -> Result<Vec<Value>, Failure> {
        let selector = selector::text(&deployment["spec"]["selector"]).map_err(|why| {
            let message = format!("deployment {} has an invalid label selector: {why}", self.name);
            Failure::permanent("kubernetes.invalid-answer", message)
        })?;
        let query = kubernetes::Query { label_selector: selector, ..kubernetes::everything() };
        let kind = kubernetes::kind("apps", "v1", "replicasets");
        let sets = self.cluster.list_all(self.ctx, &kind, Some(self.namespace), &query);
        sets.map_err(|error| {
            let doing = format!("failed to retrieve replica sets from deployment {}", self.name);
            wording::later(error, &doing, &self.remedy)
        })
    }

    /// Says from where to where, before anything is written.
    fn announce(&self, deployment: &Value, sets: &[Value], chosen: &Chosen) {
        let from = revision_of(deployment).map_or_else(|| "?".to_owned(), |from| from.to_string());
        log::info!(
            "revision {from} ({}) -> revision {} ({})",
            template::images_in_words(template_of(deployment)),
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
        if warnings::in_progress(deployment) {
            log::warn!(
                "the rollout of revision {from} has not finished; it counts as the current one"
            );
        }
        let older = history::owned(deployment, sets).len().saturating_sub(2);
        if self.wanted == 0 && older > 0 {
            log::info!("{older} more in history; `to_revision` goes to a certain one");
        }
    }

    fn refuse_paused(&self, deployment: &Value) -> Result<(), Failure> {
        if deployment["spec"]["paused"] != Value::Bool(true) {
            return Ok(());
        }
        Err(Failure::permanent(
            "conflict.paused",
            "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' \
             and try again",
        ))
    }

    /// The mark of this step is there: an earlier attempt's write took effect.
    fn done_before(&self, deployment: &Value, mark: &Mark) -> Result<Outputs, Failure> {
        let template = template_of(deployment);
        if template::digest(template) != mark.template {
            return Err(Failure::permanent(
                "conflict",
                format!(
                    "deployment {} was rolled back to revision {} by an earlier attempt of this \
                     step, then changed by someone else; it is left as it is",
                    self.name, mark.to
                ),
            ));
        }
        log::info!("an earlier attempt of this step has rolled back already; nothing is sent");
        Ok(Outputs {
            changed: true,
            deployment: self.name.clone(),
            namespace: self.namespace.to_owned(),
            from_revision: mark.from,
            to_revision: Some(mark.to),
            images: template::images(template),
            message: format!("deployment.apps/{} rolled back", self.name),
        })
    }

    fn outputs(&self, changed: bool, before: &Value, chosen: &Chosen, message: String) -> Outputs {
        log::info!("{message}");
        Outputs {
            changed,
            deployment: self.name.clone(),
            namespace: self.namespace.to_owned(),
            from_revision: revision_of(before),
            to_revision: Some(chosen.revision),
            images: template::images(&chosen.template),
            message,
        }
    }
}

fn template_of(deployment: &Value) -> &Value {
    &deployment["spec"]["template"]
}

fn revision_of(deployment: &Value) -> Option<i64> {
    annotation(deployment, crate::undo::REVISION)?.parse().ok()
}

fn uid_of(deployment: &Value) -> Option<String> {
    deployment["metadata"]["uid"].as_str().map(str::to_owned)
}
