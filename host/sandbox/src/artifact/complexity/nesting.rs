//! Counts what a component starts, through all of its levels: a component that starts two, each
//! of which starts two, has written little and asks for much.

use super::{Counts, Quantity};
use crate::artifact::{ArtifactError, malformed};
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ComponentTypeRef, Instance, Payload,
};

/// The components and modules that are open, the innermost last.
#[derive(Default)]
pub(super) struct Nest {
    open: Vec<Level>,
    /// The most instances that any component so far comes to: what one of unknown origin is
    /// taken for.
    largest: u64,
}

#[derive(Default)]
struct Level {
    is_module: bool,
    /// How many instances each component that can be named here comes to.
    components: Vec<u64>,
    /// How many instances this one comes to.
    instances: u64,
}

impl Nest {
    pub(super) fn enter(&mut self, is_module: bool) -> Result<(), ArtifactError> {
        self.open.push(Level { is_module, ..Level::default() });
        Quantity::Depth.check(self.open.len() as u64)
    }

    pub(super) fn leave(&mut self) {
        let Some(level) = self.open.pop() else { return };
        if level.is_module {
            return;
        }
        let instances = level.instances.saturating_add(1);
        self.largest = self.largest.max(instances);
        if let Some(parent) = self.open.last_mut() {
            parent.components.push(instances);
        }
    }

    /// Counts a section of a component.
    pub(super) fn section(
        &mut self,
        payload: &Payload<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        match payload {
            Payload::InstanceSection(reader) => {
                for instance in reader.clone() {
                    self.core_instance(&instance.map_err(told)?, counts)?;
                }
            }
            Payload::ComponentInstanceSection(reader) => {
                for instance in reader.clone() {
                    self.instance(&instance.map_err(told)?, counts)?;
                }
            }
            Payload::ComponentAliasSection(reader) => {
                counts.add(Quantity::Aliases, u64::from(reader.count()))?;
                for alias in reader.clone() {
                    self.alias(&alias.map_err(told)?, counts)?;
                }
            }
            Payload::ComponentImportSection(reader) => {
                counts.add(Quantity::Imports, u64::from(reader.count()))?;
                for import in reader.clone() {
                    let import = import.map_err(told)?;
                    counts.name(import.name.name)?;
                    if matches!(import.ty, ComponentTypeRef::Component(_)) {
                        self.name_component(1);
                    }
                }
            }
            Payload::ComponentExportSection(reader) => {
                counts.add(Quantity::Exports, u64::from(reader.count()))?;
                for export in reader.clone() {
                    let export = export.map_err(told)?;
                    counts.name(export.name.name)?;
                    // An export is a new name for what it exports.
                    if export.kind == ComponentExternalKind::Component {
                        self.name_component(self.component(0, export.index));
                    }
                }
            }
            Payload::ComponentCanonicalSection(reader) => {
                counts.add(Quantity::Canonicals, u64::from(reader.count()))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn core_instance(
        &mut self,
        instance: &Instance<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        if let Instance::FromExports(exports) = instance {
            counts.add(Quantity::Exports, exports.len() as u64)?;
        }
        self.start(1)
    }

    fn instance(
        &mut self,
        instance: &ComponentInstance<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        match instance {
            ComponentInstance::Instantiate { component_index, .. } => {
                self.start(self.component(0, *component_index))
            }
            ComponentInstance::FromExports(exports) => {
                counts.add(Quantity::Exports, exports.len() as u64)?;
                self.start(1)
            }
        }
    }

    fn alias(
        &mut self,
        alias: &ComponentAlias<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        match alias {
            ComponentAlias::InstanceExport { kind, name, .. } => {
                counts.name(name)?;
                if *kind == ComponentExternalKind::Component {
                    self.name_component(self.largest);
                }
            }
            ComponentAlias::CoreInstanceExport { name, .. } => counts.name(name)?,
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                self.name_component(self.component(*count as usize, *index));
            }
            ComponentAlias::Outer { .. } => {}
        }
        Ok(())
    }

    /// What the component with this index, so many levels out, comes to. One that is not there
    /// is left to the validator.
    fn component(&self, outward: usize, index: u32) -> u64 {
        let level = self.open.len().checked_sub(1 + outward).and_then(|at| self.open.get(at));
        let known = level.and_then(|level| level.components.get(index as usize)).copied();
        known.unwrap_or(self.largest.max(1))
    }

    fn name_component(&mut self, instances: u64) {
        if let Some(level) = self.open.last_mut() {
            level.components.push(instances.max(1));
        }
    }

    fn start(&mut self, instances: u64) -> Result<(), ArtifactError> {
        let Some(level) = self.open.last_mut() else { return Ok(()) };
        level.instances = level.instances.saturating_add(instances.max(1));
        Quantity::Instantiations.check(level.instances)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(error: BinaryReaderError) -> ArtifactError {
    malformed(&error)
}
