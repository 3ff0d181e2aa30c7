//! The real kubectl: as the one to compare with, and as the administrator's hand.

use crate::control_plane::ControlPlane;
use crate::credentials::ADMIN;
use crate::process::{self, Ended};
use anyhow::{Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Longer than any scenario waits on purpose.
const SECONDS_MAX: u64 = 60;

/// Runs kubectl with a kubeconfig in a namespace.
pub(crate) async fn kubectl(
    plane: &ControlPlane,
    kubeconfig: PathBuf,
    namespace: &str,
    words: &[String],
) -> Result<Ended> {
    let mut command = command(&plane.kubectl, plane.folder(), &kubeconfig, namespace, words);
    let limit = Duration::from_secs(SECONDS_MAX);
    tokio::task::spawn_blocking(move || process::run(&mut command, limit)).await?
}

/// The command line, for whoever measures it.
pub(crate) fn command(
    program: &Path,
    home: &Path,
    kubeconfig: &Path,
    namespace: &str,
    words: &[String],
) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("HOME", home)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .args(["--namespace", namespace])
        .args(words);
    command
}

/// Runs kubectl as the administrator; fails when it does.
pub(crate) async fn as_admin(
    plane: &ControlPlane,
    words: &[String],
    namespace: &str,
) -> Result<()> {
    let ended = kubectl(plane, plane.folder().join(ADMIN), namespace, words).await?;
    if ended.code != Some(0) {
        bail!("`kubectl {}` failed: {}", words.join(" "), ended.stderr.trim_end());
    }
    Ok(())
}

/// Makes the kinds of a file known, and waits until they are.
pub(crate) async fn define(plane: &ControlPlane, file: &Path) -> Result<()> {
    let file = file.display().to_string();
    let create = ["create", "-f", &file].map(str::to_owned);
    let wait = ["wait", "--for=condition=established", "-f", &file].map(str::to_owned);
    as_admin(plane, &create, "default").await?;
    as_admin(plane, &wait, "default").await
}

/// The version as in `v1.20.2`.
pub(crate) fn version(program: &Path) -> Result<String> {
    let mut command = Command::new(program);
    command.env_clear().args(["version", "--client", "--output=json"]);
    let ended = process::run(&mut command, Duration::from_secs(SECONDS_MAX))?;
    let answer: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
    let version = answer["clientVersion"]["gitVersion"].as_str().unwrap_or_default();
    ensure!(
        !version.is_empty(),
        "{} does not say its version: {}",
        program.display(),
        ended.stderr
    );
    Ok(version.to_owned())
}
