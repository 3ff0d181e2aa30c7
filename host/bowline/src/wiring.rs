//! Where everything is put together: the only file that names all implementations.

use crate::arguments::ConfigArguments;
use crate::components::COMPONENTS;
use crate::output::environment;
use anyhow::{Context as _, anyhow, bail};
use connections::{Connections, Settings};
use journal::{Journal, Owner, SqliteJournal};
use sandbox::{
    Catalog, ChildProgram, CodeCache, CompileLimits, Compiler, Limits, Sandbox, Signers,
};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workflow::SourceFile;

/// The name of a settings file.
const SETTINGS_FILE: &str = "bowline.yaml";

/// Bytes of a workflow file. The parser has the same bound; this one keeps a wrong path (a disk
/// image, a device) from being read at all.
const WORKFLOW_BYTES_MAX: u64 = 16 << 20;

/// Reads a workflow.
pub(crate) fn read_workflow(path: &Path) -> anyhow::Result<SourceFile> {
    let shown = path.display();
    let file = std::fs::File::open(path)
        .with_context(|| format!("can't read the workflow `{shown}`; is the path right?"))?;
    let metadata = file.metadata().with_context(|| format!("can't look at `{shown}`"))?;
    if metadata.is_dir() {
        bail!("`{shown}` is a folder; name a workflow file in it");
    }
    let mut bytes = Vec::new();
    file.take(WORKFLOW_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("can't read the workflow `{shown}`"))?;
    if bytes.len() as u64 > WORKFLOW_BYTES_MAX {
        bail!("`{shown}` has more than {} MiB, which no workflow has", WORKFLOW_BYTES_MAX >> 20);
    }
    SourceFile::from_bytes(shown.to_string(), &bytes)
        .with_context(|| format!("`{shown}` is no workflow"))
}

/// The operator's settings: those that were named, or the first that are there. None at all is
/// fine: then there are no connections.
pub(crate) fn settings(
    arguments: &ConfigArguments,
    workflow: Option<&Path>,
) -> anyhow::Result<Settings> {
    let named = arguments.config.clone().or_else(|| {
        environment("BOWLINE_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
    });
    if let Some(path) = named {
        return Ok(Settings::read(&path)?);
    }
    let beside = workflow.map(|path| path.parent().unwrap_or(Path::new("")).join(SETTINGS_FILE));
    let home = base_folder("XDG_CONFIG_HOME", ".config")
        .map(|base| base.join("bowline").join(SETTINGS_FILE));
    let places = beside.into_iter().chain([PathBuf::from(SETTINGS_FILE)]).chain(home);
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(Settings::read(&path)?),
        None => Ok(Settings::default()),
    }
}

/// The plugins inside the program and those in the operator's folders.
pub(crate) fn catalog(settings: &Settings) -> anyhow::Result<Catalog> {
    Ok(Catalog::scan(COMPONENTS, &settings.plugin_folders(), &signers(settings)?)?)
}

/// The keys that the operator trusts to sign plugins.
pub(crate) fn signers(settings: &Settings) -> anyhow::Result<Signers> {
    Ok(Signers::new(&settings.signers)?)
}

/// The host's limits, with what the operator set.
pub(crate) fn limits(settings: &Settings) -> Limits {
    Limits::default().set(&settings.limits)
}

/// What runs steps. The second value is a warning for the operator, if there is one.
pub(crate) fn sandbox(
    connections: Arc<Connections>,
    limits: Limits,
) -> anyhow::Result<(Sandbox, Option<String>)> {
    let (cache, warning) = match base_folder("XDG_CACHE_HOME", ".cache") {
        Some(base) => CodeCache::open(&base.join("bowline").join("compiled")),
        None => (CodeCache::none(), None),
    };
    let sandbox = Sandbox::new(connections, cache, limits)
        .map_err(|error| anyhow!("can't set up the sandbox on this machine: {error:#}"))?;
    Ok((sandbox.with_compiler(compiler(CompileLimits::default())?), warning))
}

/// What compiles components: this program, in a process of its own.
pub(crate) fn compiler(limits: CompileLimits) -> anyhow::Result<Compiler> {
    // The very file that runs now, even if another one has taken its name since.
    let itself = PathBuf::from("/proc/self/exe");
    let program = match itself.exists() {
        true => itself,
        false => std::env::current_exe().context("can't find this program")?,
    };
    let arguments = vec!["__compile".into()];
    Ok(Compiler::child(ChildProgram { program, arguments, limits }))
}

/// The journal: where the environment or the settings say, else in the user's state folder.
pub(crate) fn journal(settings: &Settings) -> anyhow::Result<Arc<dyn Journal>> {
    Ok(Arc::new(SqliteJournal::open(&store_path(settings)?)?))
}

/// Where the journal is, whether or not it is there.
pub(crate) fn store_path(settings: &Settings) -> anyhow::Result<PathBuf> {
    if let Some(path) = environment("BOWLINE_STORE").filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    if let Some(path) = settings.store_path() {
        return Ok(path);
    }
    let base = base_folder("XDG_STATE_HOME", ".local/state").context(
        "no place for the journal: neither BOWLINE_STORE nor XDG_STATE_HOME nor HOME is set",
    )?;
    Ok(base.join("bowline").join("runs.db"))
}

/// This process, as the journal knows it.
pub(crate) fn owner() -> anyhow::Result<Owner> {
    Owner::this_process().context("can't find out which process this is")
}

/// A folder of the XDG base directory specification. Relative values don't count there.
fn base_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = environment(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    set.or_else(|| {
        let home = environment("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(below_home))
    })
}
