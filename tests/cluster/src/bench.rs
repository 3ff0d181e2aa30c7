//! How long `rollout undo` takes, from the start of a process to its end: kubectl and ours in
//! turns, each on Deployments of its own that nobody rolled back before.

use crate::control_plane::ControlPlane;
use crate::credentials::{self, ADMIN};
use crate::scenario::{Given, Scenario};
use crate::{given, oracle, ours, process, spec};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Of each; the first pair fills the caches and is not counted.
const PAIRS: usize = 21;
const NAMESPACE: &str = "bench";
const SECONDS_MAX: u64 = 60;

/// Measures, and gives a table.
pub(crate) async fn measure(plane: &ControlPlane, program: &Path, cache: &Path) -> Result<String> {
    prepare(plane).await?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let folder = TempDir::with_prefix("bowline-bench-").context("make a folder")?;
        // Whatever the machine does besides, it does it to both.
        let (first, second) = (kubectl(plane, pair), bowline(plane, folder.path(), pair)?);
        let mut commands = [(first, &mut theirs), (second(program, cache), &mut ours)];
        if pair % 2 == 1 {
            commands.reverse();
        }
        for (mut command, times) in commands {
            let time = timed(&mut command)?;
            if pair > 0 {
                times.push(time);
            }
        }
    }
    verify(plane).await?;
    let version = oracle::version(&plane.kubectl)?;
    let (theirs, ours) = (Times::of(theirs)?, Times::of(ours)?);
    let ratio = ours.median.as_secs_f64() / theirs.median.as_secs_f64();
    Ok(format!(
        "| `rollout undo`, process start to end | median of {} | fastest | slowest |\n\
         | --- | --- | --- | --- |\n\
         | kubectl {version} | {theirs} |\n\
         | bowline run | {ours} |\n\n\
         ours beside kubectl: {ratio:.2}\n",
        PAIRS - 1,
    ))
}

async fn prepare(plane: &ControlPlane) -> Result<()> {
    plane.api.create("/api/v1/namespaces", &json!({"metadata": {"name": NAMESPACE}})).await?;
    for pair in 0..PAIRS {
        for side in ["theirs", "ours"] {
            let given = Given {
                deployment: Some(format!("{side}-{pair}")),
                images: vec!["nginx:1.24".to_owned(), "nginx:1.25".to_owned()],
                // No pods: the controllers are not what is measured.
                with: Some(json!({"spec": {"replicas": 0}})),
                ..Given::default()
            };
            given::give(plane, &given, NAMESPACE).await?;
        }
    }
    Ok(())
}

fn kubectl(plane: &ControlPlane, pair: usize) -> Command {
    let words = format!("rollout undo deployment/theirs-{pair}");
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let kubeconfig = plane.folder().join(ADMIN);
    oracle::command(&plane.kubectl, plane.folder(), &kubeconfig, NAMESPACE, &words)
}

fn bowline(
    plane: &ControlPlane,
    folder: &Path,
    pair: usize,
) -> Result<impl FnOnce(&Path, &Path) -> Command> {
    let scenario: Scenario = serde_json::from_value(json!({
        "name": "bench", "kubectl": format!("rollout undo deployment/ours-{pair}"),
    }))?;
    fs::write(folder.join("workflow.yaml"), spec::workflow(&scenario, NAMESPACE))
        .context("write the workflow")?;
    let settings = credentials::settings(&plane.tokens, &plane.url, plane.folder(), None);
    fs::write(folder.join("bowline.yaml"), settings).context("write the settings")?;
    let folder = folder.to_owned();
    Ok(move |program: &Path, cache: &Path| ours::command(program, &folder, cache))
}

fn timed(command: &mut Command) -> Result<Duration> {
    let start = Instant::now();
    let ended = process::run(command, Duration::from_secs(SECONDS_MAX))?;
    let time = start.elapsed();
    if ended.code != Some(0) {
        bail!("{command:?} failed: {}{}", ended.stdout, ended.stderr);
    }
    Ok(time)
}

/// What was measured must have been done.
async fn verify(plane: &ControlPlane) -> Result<()> {
    let deployments = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments");
    for deployment in plane.api.list(&deployments).await? {
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        ensure!(image == "nginx:1.24", "{} was not rolled back", deployment["metadata"]["name"]);
    }
    Ok(())
}

struct Times {
    median: Duration,
    fastest: Duration,
    slowest: Duration,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Result<Self> {
        times.sort();
        let middle = times.len() / 2;
        let (Some(fastest), Some(slowest), Some(upper)) =
            (times.first(), times.last(), times.get(middle))
        else {
            bail!("nothing was measured");
        };
        let lower = if times.len().is_multiple_of(2) { times[middle - 1] } else { *upper };
        Ok(Self { median: (lower + *upper) / 2, fastest: *fastest, slowest: *slowest })
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, fastest, slowest } = self;
        let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
        write!(f, "{:.0} ms | {:.0} ms | {:.0} ms", ms(median), ms(fastest), ms(slowest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_between_the_two_in_the_middle() {
        let times = [40, 10, 20, 60].map(Duration::from_millis).to_vec();
        assert_eq!(Times::of(times).unwrap().to_string(), "30 ms | 10 ms | 60 ms");
        assert!(Times::of(Vec::new()).is_err());
    }
}
