//! `bowline.lock` on disk, and the question whether a plugin is accepted.

use crate::output::{Output, visible};
use anyhow::{Context as _, bail};
use connections::Settings;
use connections::policy::{Accepted, LOCK_BYTES_MAX};
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use workflow::{Manifest, PluginPin};

/// The file's name.
const LOCK_FILE: &str = "bowline.lock";

/// The file, and what is in it.
pub(crate) struct Lock {
    path: PathBuf,
    pub(crate) accepted: Accepted,
}

impl Lock {
    /// The one beside the settings, else beside the workflow, else here.
    pub(crate) fn read(settings: &Settings, workflow: Option<&Path>) -> anyhow::Result<Self> {
        let beside = workflow.and_then(Path::parent).unwrap_or(Path::new(""));
        let mut path = match settings.path.is_some() {
            true => settings.folder.join(LOCK_FILE),
            false => beside.join(LOCK_FILE),
        };
        if settings.path.is_none() && !path.exists() {
            // Where `plugin accept`, which knows no workflow, puts it.
            path = PathBuf::from(LOCK_FILE);
        }
        let shown = path.display();
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self { path, accepted: Accepted::none() });
            }
            Err(error) => return Err(error).with_context(|| format!("can't read `{shown}`")),
        };
        let mut text = String::new();
        let read = file.take(LOCK_BYTES_MAX + 1).read_to_string(&mut text);
        read.with_context(|| format!("can't read `{shown}`"))?;
        if text.len() as u64 > LOCK_BYTES_MAX {
            bail!("`{shown}` has more than {} MiB", LOCK_BYTES_MAX >> 20);
        }
        let accepted =
            Accepted::parse(&text).with_context(|| format!("`{shown}` can't be read"))?;
        Ok(Self { path, accepted })
    }

    /// Remembers a plugin. The file is there whole or as before.
    pub(crate) fn accept(
        &mut self,
        pin: &PluginPin,
        manifest: &Manifest,
        by: &str,
        used: &[&str],
    ) -> anyhow::Result<()> {
        let mut accepted = self.accepted.clone();
        accepted.accept(pin, manifest, by, used);
        let shown = self.path.display();
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .with_context(|| format!("can't write beside `{shown}`"))?;
        file.write_all(accepted.to_text().as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .with_context(|| format!("can't write `{shown}`"))?;
        make_readable(file.as_file()).with_context(|| format!("can't write `{shown}`"))?;
        file.persist(&self.path).with_context(|| format!("can't write `{shown}`"))?;
        self.accepted = accepted;
        Ok(())
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What a plugin asks for, and how that differs from what was accepted of its name.
    pub(crate) fn question(&self, pin: &PluginPin, manifest: &Manifest) -> String {
        let mut text = String::new();
        let signer = pin
            .signer
            .as_deref()
            .map_or("nobody signed it".to_owned(), |signer| format!("signed by {signer}"));
        let _ = writeln!(text, "{} {} ({signer})", pin.name, visible(&pin.version));
        let _ = writeln!(text, "  {}", pin.digest);
        let _ = writeln!(text, "  asks for");
        for (slot, need) in &manifest.connections {
            let _ =
                writeln!(text, "    {slot}, a {} connection: {}", need.kind, visible(&need.reason));
            for line in views::rules::lines(&need.allow) {
                let _ = writeln!(text, "      {line}");
            }
        }
        if let Some(wishes) = wishes(&manifest.limits) {
            let _ = writeln!(text, "  wishes {wishes}");
        }
        let Some(change) = self.accepted.change(pin, manifest) else { return text };
        let before = change.before;
        let _ = writeln!(
            text,
            "  instead of {} {} ({}), which {} accepted",
            before.name,
            visible(&before.version),
            before.digest,
            visible(&before.by)
        );
        for (what, changed) in [("asks for more", &change.more), ("asks no more for", &change.less)]
        {
            for (slot, rules) in changed {
                let _ = writeln!(text, "  {what} of {slot}:");
                for line in views::rules::lines(rules) {
                    let _ = writeln!(text, "    {line}");
                }
            }
        }
        if before.signer != pin.signer {
            let _ = writeln!(text, "  it is signed by somebody else than before");
        }
        if change.limits.is_some() {
            let before = wishes(&before.limits).unwrap_or_else(|| "nothing".to_owned());
            let _ = writeln!(text, "  of the limits it wished {before} before");
        }
        if change.more.is_empty() && change.less.is_empty() && change.limits.is_none() {
            let _ = writeln!(text, "  it asks for the same as before; its code is another one");
        }
        text
    }
}

/// What a plugin wishes of the budgets, for people; the operator's own limits go before it.
pub(crate) fn wishes(limits: &workflow::LimitsWanted) -> Option<String> {
    let time = limits.attempt_seconds.map(|seconds| format!("{seconds} s for an attempt"));
    let memory = limits.memory_bytes.map(|bytes| format!("{} MiB of memory", bytes >> 20));
    let all: Vec<String> = time.into_iter().chain(memory).collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// How the question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    /// With yes, by `--yes`.
    Yes,
    /// On the terminal, if there is one.
    Terminal,
    /// By nobody: the output is for a program.
    Nobody,
}

/// Has a plugin accepted and remembered, or not; `used` are the digests that are in use beside it.
/// Whether it is.
pub(crate) fn accept(
    lock: &mut Lock,
    pin: &PluginPin,
    manifest: &Manifest,
    used: &[&str],
    asking: Asking,
    output: &Output,
) -> anyhow::Result<bool> {
    let page = lock.question(pin, manifest);
    let question =
        format!("{page}\nAccept it, and remember that in `{}`? [y/N] ", lock.path().display());
    let answer = match asking {
        Asking::Yes => {
            output.note(&page);
            Some(true)
        }
        Asking::Terminal => ask(&question, output)?,
        Asking::Nobody => None,
    };
    match answer {
        Some(true) => {
            lock.accept(pin, manifest, &crate::person::name(), used)?;
            output.note(&format!("accepted; remembered in `{}`", lock.path().display()));
            Ok(true)
        }
        Some(false) => {
            output.error(&format!("the plugin `{}` was not accepted", pin.name));
            Ok(false)
        }
        None => {
            output.note(&page);
            output.error(&format!(
                "the plugin `{}` ({}) was not accepted, and there is nobody to ask; look at what it \
                 asks for, then `bowline plugin accept`, `--yes`, or a rule in the policy \
                 (denied.unaccepted)",
                pin.name, pin.digest
            ));
            Ok(false)
        }
    }
}

/// Asks for a yes on the terminal. None when there is nobody to ask.
pub(crate) fn ask(question: &str, output: &Output) -> anyhow::Result<Option<bool>> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    output.note(question);
    let mut answer = String::new();
    let read = std::io::stdin().lock().take(64).read_line(&mut answer);
    read.context("can't read the answer")?;
    Ok(Some(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// A temporary file is for its owner alone; this one is kept with the workflows.
#[cfg(unix)]
fn make_readable(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}
