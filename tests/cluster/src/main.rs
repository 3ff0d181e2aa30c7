//! The kubectl step beside the real kubectl, on a real Kubernetes control plane.
//!
//! `cluster scenarios [PART...]` plays what is in `scenarios/` (those whose name holds a PART) and
//! prints a table; `cluster bench` measures; `cluster sweep` kills and resumes. It starts everything itself, on loopback, in
//! temporary folders, and leaves only its logs behind when something failed. It is a program and
//! no test of cargo's: a run takes minutes and wants the machine for itself.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to people")]

mod api;
mod arguments;
mod bench;
mod control_plane;
mod credentials;
mod given;
mod judge;
mod kubelet;
mod lines;
mod oracle;
mod ours;
mod play;
mod process;
mod proxy;
mod scenario;
mod spec;
mod sweep;
mod table;
mod webhook;
mod world;

use anyhow::{Context as _, Result, bail, ensure};
use arguments::{Arguments, Command};
use control_plane::ControlPlane;
use futures::StreamExt as _;
use judge::{Judged, Verdict};
use play::Stage;
use scenario::Scenario;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

/// Scenarios at the same time. More of them wait for each other's controllers.
const AT_ONCE: usize = 4;
/// `obtain` says by this that nothing can be tested here.
const SKIPPED: i32 = 3;

fn main() -> ExitCode {
    match arguments::read(std::env::args().skip(1)).and_then(|arguments| start(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn start(arguments: &Arguments) -> Result<bool> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let scenarios = chosen(scenario::read(&here.join("scenarios"))?, &arguments.parts)?;
    ensure!(
        arguments.program.exists(),
        "{} is not built; `make test-cluster` builds it",
        arguments.program.display()
    );
    let Some(programs) = obtain(&here.join("obtain"))? else { return Ok(true) };
    let target = here.join("../../target/cluster");
    let work = target.join(format!("run-{}", std::process::id()));
    // Fails only when something else has set one, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().context("start the runtime")?;
    let outcome = runtime.block_on(async {
        let plane = Arc::new(ControlPlane::start(&programs, &work).await?);
        let cache = target.join("cache");
        match arguments.command {
            Command::Bench => {
                println!("{}", bench::measure(&plane, &arguments.program, &cache).await?);
                Ok(true)
            }
            Command::Sweep => {
                let (table, good) = sweep::sweep(&plane, &arguments.program, &cache).await?;
                println!("{table}");
                Ok(good)
            }
            Command::Scenarios => {
                let judge = webhook::Judge::start(plane.authority.acceptor()?).await?;
                oracle::define(&plane, &here.join("crds.yaml")).await?;
                let stage = Stage {
                    plane,
                    judge,
                    program: arguments.program.clone(),
                    plugins: arguments.plugins.clone(),
                    cache,
                };
                play_all(&stage, &scenarios).await
            }
        }
    });
    match &outcome {
        Ok(true) => std::fs::remove_dir_all(&work).context("remove the logs")?,
        Ok(false) | Err(_) => eprintln!("the servers' logs are in {}", work.display()),
    }
    outcome
}

fn chosen(all: Vec<Scenario>, parts: &[String]) -> Result<Vec<Scenario>> {
    let wanted = |scenario: &Scenario| {
        parts.is_empty() || parts.iter().any(|part| scenario.name.contains(part.as_str()))
    };
    let chosen: Vec<Scenario> = all.into_iter().filter(wanted).collect();
    ensure!(!chosen.is_empty(), "no scenario's name holds any of: {}", parts.join(", "));
    Ok(chosen)
}

/// The folder with the control plane's programs; none where there can't be one.
fn obtain(script: &Path) -> Result<Option<PathBuf>> {
    let mut command = std::process::Command::new(script);
    command.stderr(std::process::Stdio::inherit());
    let output = command.output().with_context(|| format!("start {}", script.display()))?;
    match output.status.code() {
        Some(0) => Ok(Some(PathBuf::from(String::from_utf8(output.stdout)?.trim_end()))),
        Some(SKIPPED) => Ok(None),
        _ => bail!("there is no control plane to test with"),
    }
}

async fn play_all(stage: &Stage, scenarios: &[Scenario]) -> Result<bool> {
    let start = Instant::now();
    let version = oracle::version(&stage.plane.kubectl)?;
    println!("{} scenarios, compared with kubectl {version}", scenarios.len());
    let mut rows = Vec::new();
    for (alone, at_once) in [(false, AT_ONCE), (true, 1)] {
        let part = scenarios.iter().enumerate().filter(|(_, scenario)| scenario.alone == alone);
        let plays = part.map(|(place, scenario)| async move {
            (place, scenario, play_one(stage, scenario, place).await)
        });
        let mut plays = futures::stream::iter(plays).buffer_unordered(at_once);
        while let Some(row) = plays.next().await {
            rows.push(row);
        }
    }
    rows.sort_by_key(|(place, _, _)| *place);
    let rows: Vec<(&Scenario, Judged)> =
        rows.into_iter().map(|(_, scenario, judged)| (scenario, judged)).collect();
    print!("{}", table::table(&rows));
    println!("{:.0} s", start.elapsed().as_secs_f64());
    Ok(rows.iter().all(|(_, judged)| judged.verdict != Verdict::Failed))
}

/// A scenario that can't be played is one that failed; the others go on.
async fn play_one(stage: &Stage, scenario: &Scenario, place: usize) -> Judged {
    match play::play(stage, scenario, place + 1).await {
        Ok(played) => judge::judge(scenario, &played),
        Err(error) => Judged::not_played(&format!("{error:#}")),
    }
}
