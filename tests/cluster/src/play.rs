//! Plays one scenario: twice the same state, once kubectl and once the step, then both pictures.

use crate::control_plane::ControlPlane;
use crate::given;
use crate::judge::{Played, Told};
use crate::oracle;
use crate::ours;
use crate::proxy::Proxy;
use crate::scenario::{Meanwhile, Scenario};
use crate::webhook::Judge;
use crate::world::{Picture, World};
use crate::{credentials, kubelet, lines, spec};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// For the controllers to bring both namespaces to the same end.
const SAME_SECONDS_MAX: u64 = 10;
/// Where the objects are to differ, for the controllers to come to rest.
const REST: Duration = Duration::from_millis(700);
const POLL: Duration = Duration::from_millis(50);

/// What all scenarios share.
pub(crate) struct Stage {
    pub(crate) plane: Arc<ControlPlane>,
    pub(crate) judge: Judge,
    pub(crate) program: PathBuf,
    /// Steps that go before those inside the program.
    pub(crate) plugins: Option<PathBuf>,
    pub(crate) cache: PathBuf,
}

/// Plays a scenario. `number` names its namespaces.
pub(crate) async fn play(stage: &Stage, scenario: &Scenario, number: usize) -> Result<Played> {
    let theirs = format!("s{number:02}-kubectl");
    let ours = format!("s{number:02}-bowline");
    let ((kubectl, _), (step, before)) = tokio::try_join!(
        side(stage, scenario, &theirs, false),
        side(stage, scenario, &ours, true)
    )?;
    let (theirs, ours) = pictures(stage, scenario, [&theirs, &ours]).await?;
    Ok(Played { kubectl, step, theirs, ours, before })
}

/// Prepares one namespace, acts in it, and gives what was said and how it looked before.
async fn side(
    stage: &Stage,
    scenario: &Scenario,
    namespace: &str,
    ours: bool,
) -> Result<(Told, Picture)> {
    let plane = &stage.plane;
    let mut tasks = JoinSet::new();
    if scenario.kubelet {
        tasks.spawn(kubelet::serve(plane.api.clone(), namespace.to_owned()));
    }
    if !scenario.namespace_missing {
        given::prepare(plane, scenario, namespace).await?;
    }
    if let Some(webhook) = scenario.webhook {
        let deployment = scenario.given.iter().find_map(|given| given.deployment.as_deref());
        let deployment = deployment.context("a webhook needs a Deployment to judge")?;
        stage.judge.guard(plane, webhook, namespace, deployment).await?;
    }
    let before = given::settle(plane, namespace).await?.picture();
    let proxy = match scenario.faults.as_slice() {
        [] => None,
        faults => Some(Proxy::start(plane, faults, namespace).await?),
    };
    let server = proxy.as_ref().map_or(plane.url.as_str(), |proxy| proxy.url.as_str());
    let act = act(stage, scenario, namespace, server, ours);
    let (mut told, ()) = tokio::try_join!(act, meanwhile(plane, scenario, namespace))?;
    let world = World::look(&plane.api, namespace).await?;
    told.text = lines::masked(&told.text, &world.masks());
    Ok((told, before))
}

async fn act(
    stage: &Stage,
    scenario: &Scenario,
    namespace: &str,
    server: &str,
    ours: bool,
) -> Result<Told> {
    let plane = &stage.plane;
    let folder = TempDir::with_prefix("bowline-scenario-").context("make a folder")?;
    let path = folder.path();
    if ours {
        let settings =
            credentials::settings(&plane.tokens, server, plane.folder(), stage.plugins.as_deref());
        fs::write(path.join("bowline.yaml"), settings).context("write the settings")?;
        let workflow = spec::workflow(scenario, namespace);
        fs::write(path.join("workflow.yaml"), workflow).context("write the workflow")?;
        let ran = ours::run(stage.program.clone(), path.to_owned(), stage.cache.clone()).await?;
        return Ok(Told { code: ran.code, text: ran.text, outputs: ran.outputs });
    }
    let kubeconfig = path.join("kubeconfig");
    let text = credentials::kubeconfig(&plane.tokens, &scenario.user, server, plane.folder());
    fs::write(&kubeconfig, text).context("write a kubeconfig")?;
    let manifest = path.join("manifest.yaml");
    let text = scenario.manifest.as_deref().unwrap_or_default().replace("NAMESPACE", namespace);
    fs::write(&manifest, text).context("write a manifest")?;
    let words = scenario.kubectl.list().into_iter();
    let manifest = manifest.display().to_string();
    let words: Vec<String> =
        words.map(|word| if word == "FILE" { manifest.clone() } else { word }).collect();
    let ended = oracle::kubectl(plane, kubeconfig, namespace, &words).await?;
    // The error last, as it came.
    let text = format!("{}\n{}", ended.stdout, ended.stderr).replace(&manifest, "FILE");
    Ok(Told { code: ended.code, text, outputs: serde_json::Map::new() })
}

async fn meanwhile(plane: &ControlPlane, scenario: &Scenario, namespace: &str) -> Result<()> {
    let start = Instant::now();
    for Meanwhile { after, kubectl, restart_server } in &scenario.meanwhile {
        let moment = start + Duration::from_secs_f64(*after);
        tokio::time::sleep(moment.saturating_duration_since(Instant::now())).await;
        // One server for both sides: one of them restarts it.
        if *restart_server && namespace.ends_with("-bowline") {
            plane.restart().await?;
        }
        if let Some(words) = kubectl {
            oracle::as_admin(plane, &words.list(), namespace).await?;
        }
    }
    Ok(())
}

/// Both namespaces once they are settled; when they are to be equal, once they are, if ever.
async fn pictures(
    stage: &Stage,
    scenario: &Scenario,
    namespaces: [&str; 2],
) -> Result<(Picture, Picture)> {
    let api = &stage.plane.api;
    if scenario.differs.as_ref().is_some_and(|difference| difference.touches_objects()) {
        tokio::time::sleep(REST).await;
    }
    let deadline = Instant::now() + Duration::from_secs(SAME_SECONDS_MAX);
    loop {
        let theirs = World::look(api, namespaces[0]).await?;
        let ours = World::look(api, namespaces[1]).await?;
        let settled = theirs.is_settled() && ours.is_settled();
        let pictures = (theirs.picture(), ours.picture());
        let to_differ =
            scenario.differs.as_ref().is_some_and(|difference| difference.touches_objects());
        if settled && (to_differ || pictures.0 == pictures.1) || Instant::now() >= deadline {
            return Ok(pictures);
        }
        tokio::time::sleep(POLL).await;
    }
}
