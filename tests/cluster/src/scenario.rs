//! Scenarios as data: what is there, what is done to it, and where we differ on purpose.
//!
//! Read from `scenarios/*.yaml`. A file that says less than it must is refused before anything
//! starts; this file touches no cluster.

use crate::credentials;
use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One thing that is done twice on equal objects: by kubectl and by the step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// Says what happens; unique.
    pub(crate) name: String,
    /// The numbers of the edge cases that it shows.
    #[serde(default)]
    pub(crate) cases: Vec<String>,
    /// What is there before, in order.
    #[serde(default)]
    pub(crate) given: Vec<Given>,
    /// What follows `kubectl`, without the namespace. `FILE` stands for the manifest's path.
    pub(crate) kubectl: Words,
    /// The text of the file for `apply`.
    pub(crate) manifest: Option<String>,
    /// Members of the step's spec that are not as derived from `kubectl`; null takes one out.
    #[serde(default)]
    pub(crate) spec: Map<String, Value>,
    /// Who does it.
    #[serde(default = "admin")]
    pub(crate) user: String,
    /// What the user `limited` may do in the namespace: the rules of a Role.
    #[serde(default)]
    pub(crate) rules: Vec<Value>,
    /// The namespaces are not created.
    #[serde(default)]
    pub(crate) namespace_missing: bool,
    /// Pods become ready by themselves, unless their image is called `broken`.
    #[serde(default)]
    pub(crate) kubelet: bool,
    /// A webhook that judges changes of Deployments.
    pub(crate) webhook: Option<Webhook>,
    /// What happens while the command runs.
    #[serde(default)]
    pub(crate) meanwhile: Vec<Meanwhile>,
    /// What happens to requests on their way.
    #[serde(default)]
    pub(crate) faults: Vec<Fault>,
    /// Which of kubectl's lines the step must say, too.
    #[serde(default)]
    pub(crate) lines: Lines,
    /// What the step must say besides.
    #[serde(default)]
    pub(crate) also_says: Vec<String>,
    /// What must be neither in what the step says nor in its outputs.
    #[serde(default)]
    pub(crate) never_says: Vec<String>,
    /// What the step must output, by dotted path.
    #[serde(default)]
    pub(crate) outputs: BTreeMap<String, Value>,
    /// Where we differ, and what we do instead.
    pub(crate) differs: Option<Difference>,
    /// Disturbs others, so it runs when they are done.
    #[serde(default)]
    pub(crate) alone: bool,
}

/// A command line: a text that is split on blanks, or a list that is not.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Words {
    Text(String),
    List(Vec<String>),
}

/// Something that is there before. Exactly one of the first five is set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Given {
    /// The name of a Deployment with one container of the same name.
    pub(crate) deployment: Option<String>,
    pub(crate) stateful_set: Option<String>,
    pub(crate) daemon_set: Option<String>,
    /// An object, whole.
    pub(crate) create: Option<Value>,
    /// Something that the administrator does.
    pub(crate) kubectl: Option<Words>,
    /// For the first three: one image per revision.
    pub(crate) images: Vec<String>,
    /// For the first three: merged into the object before it is created.
    pub(crate) with: Option<Value>,
}

/// Something that the administrator does, or that happens to the server, meanwhile.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Meanwhile {
    /// Seconds since the command was started.
    pub(crate) after: f64,
    pub(crate) kubectl: Option<Words>,
    #[serde(default)]
    pub(crate) restart_server: bool,
}

/// What happens to requests on their way.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// The beginning of `METHOD resource/name`, for example `PATCH deployments/web`.
    pub(crate) on: String,
    /// How many of these requests it happens to.
    #[serde(default = "one")]
    pub(crate) times: u32,
    /// The administrator is quicker.
    pub(crate) first: Option<Words>,
    /// This is answered, and nothing sent on.
    pub(crate) answer: Option<u16>,
    /// With the answer: seconds to wait.
    pub(crate) retry_after: Option<u32>,
    /// It is done, but the answer gets lost.
    #[serde(default)]
    pub(crate) lose_answer: bool,
}

/// A webhook that judges changes of Deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Webhook {
    /// Says no.
    Denies,
    /// Can't be reached, and nothing goes without it.
    Unreachable,
}

/// Which of kubectl's lines the step must say, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lines {
    #[default]
    All,
    /// The lines before tell of progress, which depends on the moment.
    Last,
    /// The step puts what kubectl prints into its outputs.
    None,
}

/// One side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Aspect {
    Exit,
    Objects,
    Message,
}

/// Why something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// A decision of ours: it must differ, in just these aspects.
    Decision,
    /// The step follows a newer kubectl: it may differ, in these aspects.
    Version,
}

/// Where we differ, and what we do instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Difference {
    pub(crate) reason: Reason,
    #[serde(rename = "in")]
    pub(crate) aspects: BTreeSet<Aspect>,
    /// For people.
    pub(crate) because: String,
    /// Our exit code.
    pub(crate) exit: Option<i32>,
    /// What our log or failure says.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// Whether our objects are as before.
    #[serde(default)]
    pub(crate) unchanged: bool,
    /// What our objects hold: `deployments/web`, JSON pointer, value (null: nothing there).
    #[serde(default)]
    pub(crate) objects: BTreeMap<String, BTreeMap<String, Value>>,
}

fn admin() -> String {
    credentials::ADMIN.to_owned()
}

fn one() -> u32 {
    1
}

impl Words {
    pub(crate) fn list(&self) -> Vec<String> {
        match self {
            Self::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Self::List(list) => list.clone(),
        }
    }
}

impl Scenario {
    fn check(&self) -> Result<()> {
        ensure!(!self.kubectl.list().is_empty(), "`kubectl` is empty");
        ensure!(
            credentials::USERS.contains(&self.user.as_str()),
            "nobody is called `{}`",
            self.user
        );
        ensure!(
            (self.user == credentials::LIMITED) != self.rules.is_empty(),
            "`rules` belong to the user `{}`, and only to it",
            credentials::LIMITED
        );
        let needs_file = self.kubectl.list().iter().any(|word| word == "FILE");
        ensure!(needs_file == self.manifest.is_some(), "`FILE` and `manifest` belong together");
        self.given.iter().try_for_each(Given::check)?;
        for event in &self.meanwhile {
            ensure!(
                event.kubectl.is_some() != event.restart_server,
                "a `meanwhile` does one thing"
            );
            ensure!(!event.restart_server || self.alone, "a restart disturbs: set `alone`");
        }
        self.differs.as_ref().map_or(Ok(()), Difference::check)
    }
}

impl Given {
    fn check(&self) -> Result<()> {
        let workloads = [&self.deployment, &self.stateful_set, &self.daemon_set];
        let workloads = workloads.iter().filter(|name| name.is_some()).count();
        let others = usize::from(self.create.is_some()) + usize::from(self.kubectl.is_some());
        ensure!(workloads + others == 1, "a `given` gives one thing");
        ensure!((workloads == 1) != self.images.is_empty(), "`images` belong to a workload");
        ensure!(self.with.is_none() || workloads == 1, "`with` belongs to a workload");
        Ok(())
    }
}

impl Difference {
    /// What differs must be said, and checked.
    fn check(&self) -> Result<()> {
        ensure!(!self.aspects.is_empty() && !self.because.is_empty(), "a difference in nothing");
        let promised = |aspect| self.aspects.contains(&aspect);
        ensure!(!promised(Aspect::Exit) || self.exit.is_some(), "say our exit code");
        ensure!(!promised(Aspect::Message) || !self.says.is_empty(), "say what we say");
        let shown = self.unchanged || !self.objects.is_empty();
        ensure!(!promised(Aspect::Objects) || shown, "say what our objects hold");
        Ok(())
    }
}

/// Reads all files of a folder, in the order of their names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Scenario>> {
    let entries = fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))?;
    let mut paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .with_context(|| format!("list {}", folder.display()))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let mut scenarios = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        scenarios.extend(parse(&text).with_context(|| path.display().to_string())?);
    }
    let mut names = BTreeSet::new();
    for scenario in &scenarios {
        if !names.insert(&scenario.name) {
            bail!("two scenarios are called `{}`", scenario.name);
        }
    }
    Ok(scenarios)
}

fn parse(text: &str) -> Result<Vec<Scenario>> {
    let scenarios: Vec<Scenario> =
        serde_saphyr::from_str(text).map_err(|error| anyhow::anyhow!("{error}"))?;
    for scenario in &scenarios {
        scenario.check().with_context(|| format!("the scenario `{}`", scenario.name))?;
    }
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_scenarios_can_be_read_and_there_are_enough_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let scenarios = read(&folder).unwrap();
        assert!(scenarios.len() >= 60, "{}", scenarios.len());
    }

    #[test]
    fn a_scenario_that_says_too_little_or_too_much_is_refused() {
        let cases = [
            ("- {name: a, kubectl: ''}", "empty"),
            ("- {name: a, kubectl: get x, user: root}", "nobody"),
            ("- {name: a, kubectl: get x, user: limited}", "rules"),
            ("- {name: a, kubectl: apply -f FILE}", "manifest"),
            ("- {name: a, kubectl: get x, given: [{deployment: web}]}", "images"),
            ("- {name: a, kubectl: get x, given: [{}]}", "one thing"),
            ("- {name: a, kubectl: get x, meanwhile: [{after: 1}]}", "one thing"),
            ("- {name: a, kubectl: get x, meanwhile: [{after: 1, restartServer: true}]}", "alone"),
            (
                "- {name: a, kubectl: get x, differs: {reason: decision, in: [exit], because: b}}",
                "exit",
            ),
            (
                "- {name: a, kubectl: get x, differs: {reason: decision, in: [objects], because: b}}",
                "objects",
            ),
            ("- {name: a, kubectl: get x, diffres: {}}", "diffres"),
        ];
        for (text, expected) in cases {
            let error = format!("{:#}", parse(text).expect_err(text));
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
