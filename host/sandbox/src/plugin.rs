//! A plugin that is ready to run: compiled, linked, its schemas compiled.

use crate::artifact::{Artifact, ArtifactError, one_line, shown};
use crate::bindings::StepBasePre;
use crate::compiled::{CodeCache, deserialize};
use crate::compiler::Compiler;
use crate::schema::Schema;
use crate::state::StepState;
use crate::{Connector, imports};
use effects::Layer;
use std::collections::BTreeSet;
use std::sync::Arc;
use wasmtime::Engine;
use wasmtime::component::{Component, Linker};
use workflow::Manifest;

/// Bytes of a component without a step that is compiled all the same, to find out what else is
/// wrong with it.
const STEPLESS_BYTES_MAX: usize = 64 << 10;

/// A plugin, ready to run.
pub(crate) struct Plugin {
    pub(crate) digest: Arc<str>,
    pub(crate) manifest: Manifest,
    /// Slots that it asks for and could not use: they are never opened.
    pub(crate) unusable: BTreeSet<String>,
    pub(crate) pre: StepBasePre<StepState>,
    pub(crate) inputs: Schema,
    pub(crate) outputs: Schema,
}

/// What a plugin is made with.
pub(crate) struct Workshop<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) linker: &'a Linker<StepState>,
    pub(crate) cache: &'a CodeCache,
    pub(crate) compiler: &'a Compiler,
    pub(crate) connector: &'a dyn Connector,
}

impl Workshop<'_> {
    /// Makes a plugin out of a component that was examined. `bytes` are only asked for when it
    /// must be compiled.
    pub(crate) fn make(
        &self,
        artifact: &Artifact,
        bytes: impl FnOnce() -> Result<Vec<u8>, ArtifactError>,
    ) -> Result<Plugin, ArtifactError> {
        self.check_imports(artifact)?;
        let manifest = artifact.manifest.clone();
        let schema = |schema, what: &str| {
            Schema::compile(schema).map_err(|error| {
                let message = format!("the schema of its {what} is not one: {error}");
                ArtifactError::new("plugin.manifest-invalid", message)
            })
        };
        let inputs = schema(&manifest.inputs, "inputs")?;
        let outputs = schema(&manifest.outputs, "outputs")?;
        let (component, fresh) = match self.cache.load(self.engine, &artifact.digest) {
            Some(component) => (component, None),
            None => {
                let (component, code) = self.compile(artifact, &bytes()?)?;
                (component, Some(code))
            }
        };
        let pre = self
            .linker
            .instantiate_pre(&component)
            .and_then(StepBasePre::new)
            .map_err(|error| does_not_link(&error))?;
        // What can't be linked is not worth a place on the disk.
        if let Some(code) = fresh {
            self.cache.store(self.engine, &artifact.digest, &code);
        }
        let unusable = self.unusable(artifact);
        let digest = artifact.digest.as_str().into();
        Ok(Plugin { digest, manifest, unusable, pre, inputs, outputs })
    }

    /// The connections that a plugin asks for and can't use, since it does not import the
    /// interface that they are used through.
    pub(crate) fn unusable(&self, artifact: &Artifact) -> BTreeSet<String> {
        let imported = |interface: &str| {
            artifact.imports.iter().any(|import| import.split('@').next() == Some(interface))
        };
        let needs = artifact.manifest.connections.iter();
        let idle = needs.filter(|(_, need)| {
            let interface = self.connector.interface(&need.kind);
            Layer::Imports.on() && !interface.is_some_and(imported)
        });
        idle.map(|(slot, _)| slot.clone()).collect()
    }

    /// Why bytes that were refused should be refused: what is wrong with the component itself is
    /// told before what is wrong with its manifest.
    pub(crate) fn closer_reason(&self, error: ArtifactError, bytes: &[u8]) -> ArtifactError {
        if !error.has_closer_reason() {
            return error;
        }
        let weight = match Artifact::weigh(bytes) {
            Err(closer) if Layer::Complexity.on() => return closer,
            weighed => weighed.unwrap_or_default(),
        };
        self.compiler.check(self.engine, bytes, weight).err().unwrap_or(error)
    }

    /// The component, and its code to be kept.
    fn compile(
        &self,
        artifact: &Artifact,
        bytes: &[u8],
    ) -> Result<(Component, Vec<u8>), ArtifactError> {
        if crate::artifact::digest(bytes) != artifact.digest {
            let message = "the file has changed since it was looked at; run again";
            return Err(ArtifactError::new("plugin.changed", message));
        }
        let weight = match Artifact::weigh(bytes) {
            Err(error) if Layer::Complexity.on() => return Err(error),
            weighed => weighed.unwrap_or_default(),
        };
        // Of a small one the linker can say more at next to no cost, so that is asked first.
        if !artifact.has_step && bytes.len() > STEPLESS_BYTES_MAX {
            return Err(self.closer_reason(no_step("it exports no step at all"), bytes));
        }
        let code = self.compiler.compile(self.engine, bytes, weight)?;
        let component = deserialize(self.engine, &code).ok_or_else(|| {
            let message = "the compiler made code for another engine than this one";
            ArtifactError::new("plugin.compile-failed", message)
        })?;
        Ok((component, code))
    }

    /// Whether this host offers everything that the component imports, and the manifest
    /// declares the connections that it can use. Read from the import list alone.
    fn check_imports(&self, artifact: &Artifact) -> Result<(), ArtifactError> {
        if !Layer::Imports.on() {
            return Ok(());
        }
        let needs = &artifact.manifest.connections;
        for (slot, need) in needs {
            if self.connector.interface(&need.kind).is_none() {
                let message = format!(
                    "it asks for a connection `{slot}` of type `{}`, which this host does not know",
                    shown(&need.kind)
                );
                return Err(ArtifactError::new("plugin.unknown-connection-type", message));
            }
        }
        let declared: BTreeSet<&str> =
            needs.values().filter_map(|need| self.connector.interface(&need.kind)).collect();
        for import in &artifact.imports {
            let interface = import.split('@').next().unwrap_or(import);
            if let Some(handle) = interface.strip_prefix("bowline:connect/") {
                if handle != "errors" && !declared.contains(interface) {
                    return Err(undeclared(import));
                }
            } else if !offered(interface) {
                return Err(ArtifactError::new(
                    "plugin.unknown-import",
                    format!("it imports `{}`, which this host does not offer", shown(import)),
                ));
            }
        }
        Ok(())
    }
}

fn undeclared(import: &str) -> ArtifactError {
    ArtifactError::new(
        "plugin.undeclared-capability",
        format!(
            "it imports `{}` and its manifest asks for no connection of that kind; declare it \
             under `connections`",
            shown(import)
        ),
    )
}

fn offered(interface: &str) -> bool {
    matches!(interface, "bowline:plugin/types" | "bowline:plugin/runtime" | "bowline:plugin/log")
        || imports::wasi::INTERFACES.contains(&interface)
        || imports::sockets::interfaces().any(|offered| offered == interface)
}

fn no_step(why: &str) -> ArtifactError {
    ArtifactError::new(
        "plugin.no-step",
        format!("it does not export `bowline:plugin/step@1`, so there is nothing to run ({why})"),
    )
}

/// Turns the linker's words, which are for engineers of runtimes, into ours.
fn does_not_link(error: &wasmtime::Error) -> ArtifactError {
    let whole = format!("{error:#}");
    let text = one_line(&whole);
    let text = text.as_str();
    if text.contains("no exported instance") || text.contains("exported") && text.contains("step") {
        return no_step(text);
    }
    // wasmtime's words for a version that the host does not have, and for one whose newer
    // functions it does not have.
    let too_old = ["matching implementation was not found", "function implementation is missing"];
    let other = text.contains("type mismatch");
    if !other && too_old.iter().any(|words| text.contains(words)) {
        return ArtifactError::new(
            "plugin.host-too-old",
            format!("it needs more than this host offers; update the host ({text})"),
        );
    }
    ArtifactError::new(
        "plugin.host-mismatch",
        format!(
            "it was built for another version of the host's interfaces; update the host or \
             rebuild it ({text})"
        ),
    )
}
