//! A plan that was looked at, as a file: what a later run may write, and nothing else.

use anyhow::{Context as _, bail};
use journal::{Event, PlannedWrite, Recorded, RunContext, RunId, Seed};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use tempfile::NamedTempFile;
use workflow::Plan;

/// Bytes of a plan's file.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The form of the file.
const FORM: u32 = 1;

/// What the file holds.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PlanFile {
    /// Of this document.
    form: u32,
    /// The run that it was made for: what a step writes may hold the run's name.
    pub(crate) run: RunId,
    /// It was made on practice services.
    drill: bool,
    /// Where its random numbers come from.
    pub(crate) seed: Option<Seed>,
    workflow: String,
    source_digest: String,
    parameters: BTreeMap<String, Value>,
    /// The digest of each step's plugin.
    plugins: BTreeMap<String, String>,
    /// What may be written.
    pub(crate) writes: Vec<PlannedWrite>,
}

impl PlanFile {
    /// What the events of a plan have shown.
    pub(crate) fn of(
        run: &RunId,
        plan: &Plan,
        context: &RunContext,
        drill: bool,
        events: &[Recorded],
    ) -> Self {
        let granted = events.iter().filter_map(|recorded| match &recorded.event {
            Event::ConnectionGranted { connection, address, .. } => {
                Some((connection, address.as_ref()?))
            }
            _ => None,
        });
        let addresses: BTreeMap<&String, &String> = granted.collect();
        // Practice services stand somewhere else each time.
        let address = |connection| (!drill).then(|| addresses.get(connection)).flatten();
        let writes = events.iter().filter_map(|recorded| match &recorded.event {
            Event::EffectPlanned { step, effect, .. } => Some(PlannedWrite {
                step: step.clone(),
                connection: effect.connection.clone(),
                address: address(&effect.connection).map(|address| (*address).clone()),
                operation: effect.operation.clone(),
                content: effect.content.clone().unwrap_or_else(|| effect.digest.clone()),
            }),
            _ => None,
        });
        Self {
            form: FORM,
            run: run.clone(),
            drill,
            seed: context.seed.clone(),
            workflow: plan.workflow.clone(),
            source_digest: plan.source_digest.clone(),
            parameters: plan.parameters.clone(),
            plugins: plugins(plan),
            writes: writes.collect(),
        }
    }

    /// Whether a run of `plan` is what was looked at. Where its connections lead is looked at when
    /// they are used.
    pub(crate) fn fits(&self, plan: &Plan, drill: bool) -> anyhow::Result<()> {
        let differs = if self.drill != drill {
            match drill {
                true => "this is a drill, and that was none",
                false => "that was a drill, and this is none",
            }
        } else if self.workflow != plan.workflow || self.source_digest != plan.source_digest {
            "the workflow's file was changed"
        } else if self.parameters != plan.parameters {
            "it has other parameters"
        } else if self.plugins != plugins(plan) {
            "a plugin is another one"
        } else {
            return Ok(());
        };
        bail!("the plan was made for something else: {differs}; plan anew. Nothing was started")
    }

    /// Writes the file, for this user alone: a plan shows what is in a cluster. One that was there
    /// is replaced as a whole.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let written =
            NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut file| {
                file.write_all(text.as_bytes())?;
                file.write_all(b"\n")?;
                file.as_file().sync_all()?;
                file.persist(path).map(|_| ()).map_err(std::io::Error::from)
            });
        written.with_context(|| format!("can't write the plan to `{}`", path.display()))
    }
}

/// Reads a plan's file.
pub(crate) fn read(path: &Path) -> anyhow::Result<PlanFile> {
    let shown = path.display();
    let length = std::fs::metadata(path).map(|file| file.len()).unwrap_or_default();
    if length > FILE_BYTES_MAX {
        bail!("`{shown}` has more than {} MiB, which no plan has", FILE_BYTES_MAX >> 20);
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("can't read the plan `{shown}`"))?;
    let file: PlanFile = serde_json::from_str(&text).with_context(|| {
        format!("`{shown}` is no plan; `bowline plan WORKFLOW --out {shown}` makes one")
    })?;
    if file.form != FORM {
        bail!("`{shown}` has form {}, and this version reads form {FORM}; plan anew", file.form);
    }
    Ok(file)
}

fn plugins(plan: &Plan) -> BTreeMap<String, String> {
    let pinned = plan
        .steps
        .iter()
        .filter_map(|step| Some((step.name.to_string(), step.plugin.as_ref()?.digest.clone())));
    pinned.collect()
}
