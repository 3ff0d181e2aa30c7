//! The kill sweep on a real API server: `rollout undo` is killed with SIGKILL at each write of its
//! journal, around each request that changes something, and at random instants, and resumed. The
//! Deployment must be at the wished revision, by one rollback.

use crate::control_plane::ControlPlane;
use crate::process::{self, Ended};
use crate::scenario::{Given, Scenario};
use crate::{credentials, given, ours, spec};
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NAMESPACE: &str = "sweep";
const SECONDS_MAX: u64 = 60;

/// Random instants, unless `BOWLINE_SWEEP` says otherwise.
const RANDOM: u32 = 25;

/// Where the program can be told to die.
const POINTS: [&str; 4] = ["before-commit", "after-commit", "before-send", "after-send"];

/// How many random instants whoever starts this wants.
#[expect(clippy::disallowed_methods, reason = "how long to sweep is said by who starts it")]
fn wanted_instants() -> Option<u32> {
    std::env::var("BOWLINE_SWEEP").ok().and_then(|text| text.parse().ok())
}

/// How a run is killed.
enum Kill {
    At(String),
    After(Duration),
}

/// Kills and resumes, and gives a table. Whether all came out right.
pub(crate) async fn sweep(
    plane: &ControlPlane,
    program: &Path,
    cache: &Path,
) -> Result<(String, bool)> {
    plane.api.create("/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}})).await?;
    let mut sweep = Sweep { plane, program, cache, tried: 0, findings: Vec::new() };
    let mut rows = String::from("| killed | times | wrong |\n| --- | --- | --- |\n");
    for point in POINTS {
        let before = (sweep.tried, sweep.findings.len());
        let mut time = 1;
        // The first time that it does not die there is behind the last.
        while sweep.one(Kill::At(format!("{point}:{time}"))).await? {
            time += 1;
        }
        let (tried, wrong) = (sweep.tried - before.0, sweep.findings.len() - before.1);
        rows.push_str(&format!("| {point} | {tried} | {wrong} |\n"));
    }
    let wanted = wanted_instants();
    let whole = sweep.undisturbed().await?;
    let before = (sweep.tried, sweep.findings.len());
    let mut random: u64 = 0x2545_f491_4f6c_dd1d;
    for _ in 0..wanted.unwrap_or(RANDOM) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let share = u32::try_from(random % 1000).unwrap_or(0);
        sweep.one(Kill::After(whole * share / 1000)).await?;
    }
    let (tried, wrong) = (sweep.tried - before.0, sweep.findings.len() - before.1);
    rows.push_str(&format!("| at a random instant, in the middle | {tried} | {wrong} |\n"));
    for finding in &sweep.findings {
        rows.push_str(&format!("WRONG: {finding}\n"));
    }
    Ok((rows, sweep.findings.is_empty() && sweep.tried > 20))
}

struct Sweep<'a> {
    plane: &'a ControlPlane,
    program: &'a Path,
    cache: &'a Path,
    tried: usize,
    findings: Vec<String>,
}

impl Sweep<'_> {
    /// How long a run takes that nobody kills.
    async fn undisturbed(&self) -> Result<Duration> {
        let folder = self.prepare("whole").await?;
        let began = Instant::now();
        let ended = ended(&mut self.run(folder.path()))?;
        if ended.code != Some(0) {
            bail!("a run that nobody kills fails: {}{}", ended.stdout, ended.stderr);
        }
        Ok(began.elapsed())
    }

    /// A run that is killed and resumed. Whether it died.
    async fn one(&mut self, kill: Kill) -> Result<bool> {
        let name = format!("try-{}", unique());
        let folder = self.prepare(&name).await?;
        let mut command = self.run(folder.path());
        let (died, how) = match &kill {
            Kill::At(point) => {
                command.env("BOWLINE_TEST_KILL", point);
                (ended(&mut command)?.code.is_none(), point.clone())
            }
            Kill::After(wait) => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
                let mut child = command.spawn().context("start the program")?;
                tokio::time::sleep(*wait).await;
                child.kill().context("kill it")?;
                let status = child.wait().context("wait for it")?;
                (status.code().is_none(), format!("after {wait:?}"))
            }
        };
        if !died {
            return Ok(false);
        }
        let mut resume = Command::new(self.program);
        environment(&mut resume, folder.path(), self.cache);
        resume.args(["runs", "resume", "@latest", "--config", "bowline.yaml"]);
        let resumed = ended(&mut resume)?;
        let none_yet = resumed.stderr.contains("there are no runs yet");
        if none_yet {
            // It died before the run had begun: nothing may have happened.
            return self.expect(&name, "nginx:1.25", 2, &how).await.map(|()| true);
        }
        self.tried += 1;
        if resumed.code != Some(0) {
            self.findings.push(format!("{how}: {}{}", resumed.stdout, resumed.stderr));
        }
        self.expect(&name, "nginx:1.24", 3, &how).await?;
        Ok(true)
    }

    /// The Deployment must have this image, and be at this revision: one rollback makes one more.
    async fn expect(&mut self, name: &str, image: &str, revision: i64, how: &str) -> Result<()> {
        given::settle(self.plane, NAMESPACE).await?;
        let path = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
        let all = self.plane.api.list(&path).await?;
        let own = all.iter().find(|deployment| deployment["metadata"]["name"] == name);
        let own = own.context("the Deployment is gone")?;
        let has = &own["spec"]["template"]["spec"]["containers"][0]["image"];
        let at = &own["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
        if has.as_str() != Some(image) || at.as_str() != Some(&revision.to_string()) {
            self.findings.push(format!("{how}: it has {has} at revision {at}"));
        }
        Ok(())
    }

    async fn prepare(&self, name: &str) -> Result<TempDir> {
        let given = Given {
            deployment: Some(name.to_owned()),
            images: vec!["nginx:1.24".to_owned(), "nginx:1.25".to_owned()],
            with: Some(json!({"spec": {"replicas": 0}})),
            ..Given::default()
        };
        given::give(self.plane, &given, NAMESPACE).await?;
        given::settle(self.plane, NAMESPACE).await?;
        let folder = TempDir::with_prefix("bowline-sweep-").context("make a folder")?;
        let scenario: Scenario = serde_json::from_value(json!({
            "name": "sweep", "kubectl": format!("rollout undo deployment/{name}"),
        }))?;
        fs::write(folder.path().join("workflow.yaml"), spec::workflow(&scenario, NAMESPACE))
            .context("write the workflow")?;
        let plane = self.plane;
        let settings = credentials::settings(&plane.tokens, &plane.url, plane.folder(), None);
        fs::write(folder.path().join("bowline.yaml"), settings).context("write the settings")?;
        Ok(folder)
    }

    fn run(&self, folder: &Path) -> Command {
        ours::command(self.program, folder, self.cache)
    }
}

fn environment(command: &mut Command, folder: &Path, cache: &Path) {
    command.env_clear().env("HOME", folder).env("XDG_CACHE_HOME", cache).current_dir(folder);
}

fn ended(command: &mut Command) -> Result<Ended> {
    process::run(command, Duration::from_secs(SECONDS_MAX))
}

/// A name that no other object has.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed).to_string()
}
