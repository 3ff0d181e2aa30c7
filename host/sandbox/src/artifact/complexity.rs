//! How much work a component would be for the compiler, counted before the compiler sees it.
//!
//! A few kilobytes can keep a compiler busy for minutes: a call with a thousand arguments takes
//! two bytes, and two components that each start two others double with every level. One pass
//! over the bytes counts what such files need much of and honest ones do not. Nothing is kept
//! but the counts, so the pass itself needs no more than what it may count.

mod code;
mod declared;
mod nesting;
mod stack;

use super::{ArtifactError, malformed};
use code::Module;
use nesting::Nest;
use wasmparser::{Encoding, Parser, Payload};

/// What the compiler will have to do, for limits in proportion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weight {
    /// Bytes of function bodies.
    pub(crate) code_bytes: u64,
    /// Function bodies.
    pub(crate) functions: u64,
}

/// Something that is counted: over the whole component, or in the largest of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    Depth,
    TypeDepth,
    Declarations,
    Modules,
    Components,
    Instantiations,
    Sections,
    Types,
    Aliases,
    Canonicals,
    Imports,
    Exports,
    NameBytes,
    AllNameBytes,
    Functions,
    Globals,
    Elements,
    DataSegments,
    MemoryBytes,
    TableElements,
    BodyBytes,
    Locals,
    AllLocals,
    BlockDepth,
    Targets,
    BodyWork,
    AllWork,
    Arity,
    Joins,
    ConstantBytes,
    AllArity,
}

/// Each quantity, its words and its bound. The bounds leave several times what the largest
/// components seen have: interpreters of Python and JavaScript with 18 MiB.
const BOUNDS: [(Quantity, &str, u64); 31] = [
    (Quantity::Depth, "levels of nesting", 32),
    (Quantity::TypeDepth, "levels of nesting in a type", 100),
    (Quantity::Declarations, "declarations in types", 200_000),
    (Quantity::Modules, "core modules", 256),
    (Quantity::Components, "nested components", 256),
    (Quantity::Instantiations, "instances, counted through all levels", 2_000),
    (Quantity::Sections, "sections", 40_000),
    (Quantity::Types, "types", 50_000),
    (Quantity::Aliases, "aliases", 8_000),
    (Quantity::Canonicals, "canonical functions", 5_000),
    (Quantity::Imports, "imports", 50_000),
    (Quantity::Exports, "exports", 100_000),
    (Quantity::NameBytes, "bytes in one name", 16 << 10),
    (Quantity::AllNameBytes, "bytes in names", 8 << 20),
    (Quantity::Functions, "functions", 60_000),
    (Quantity::Globals, "globals", 50_000),
    (Quantity::Elements, "entries that fill tables", 500_000),
    (Quantity::DataSegments, "pieces of data", 50_000),
    (Quantity::MemoryBytes, "bytes of memory from the start", 512 << 20),
    (Quantity::TableElements, "entries of tables from the start", 1_000_000),
    (Quantity::BodyBytes, "bytes in one function", 1 << 20),
    (Quantity::Locals, "locals in one function", 10_000),
    (Quantity::AllLocals, "locals in all functions", 4_000_000),
    (Quantity::BlockDepth, "blocks inside each other", 10_000),
    (Quantity::Targets, "targets of branch tables in one function", 100_000),
    (Quantity::BodyWork, "operations in one function, arguments counted", 400_000),
    (Quantity::AllWork, "operations, arguments counted", 40_000_000),
    (Quantity::Arity, "parameters and results of one function", 1_000),
    (Quantity::Joins, "branches times locals or values on the stack in one function", 20_000_000),
    (Quantity::ConstantBytes, "bytes of expressions for constants", 4 << 20),
    (Quantity::AllArity, "parameters and results of all types", 500_000),
];

impl Quantity {
    /// # Errors
    ///
    /// `plugin.too-complex` when `found` is more than is allowed.
    fn check(self, found: u64) -> Result<(), ArtifactError> {
        let (_, words, max) = BOUNDS[self as usize];
        if found <= max {
            return Ok(());
        }
        Err(ArtifactError::new(
            "plugin.too-complex",
            format!("it has {found} {words}, and {max} are allowed"),
        ))
    }
}

/// Sums over the whole component.
struct Counts([u64; BOUNDS.len()]);

impl Counts {
    /// Counts `more` and checks the sum.
    fn add(&mut self, quantity: Quantity, more: u64) -> Result<(), ArtifactError> {
        let sum = &mut self.0[quantity as usize];
        *sum = sum.saturating_add(more);
        quantity.check(*sum)
    }

    /// Counts a name.
    fn name(&mut self, name: &str) -> Result<(), ArtifactError> {
        Quantity::NameBytes.check(name.len() as u64)?;
        self.add(Quantity::AllNameBytes, name.len() as u64)
    }
}

/// Goes over all of a component, nested ones included.
pub(super) fn weigh(bytes: &[u8]) -> Result<Weight, ArtifactError> {
    let mut counts = Counts([0; BOUNDS.len()]);
    let mut nest = Nest::default();
    let mut module = Module::default();
    let mut weight = Weight::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| malformed(&error))?;
        if !matches!(payload, Payload::CodeSectionEntry(_)) {
            counts.add(Quantity::Sections, 1)?;
        }
        match &payload {
            Payload::Version { encoding: Encoding::Module, .. } => {
                counts.add(Quantity::Modules, 1)?;
                module = Module::default();
                nest.enter(true)?;
            }
            Payload::Version { encoding: Encoding::Component, .. } => {
                counts.add(Quantity::Components, 1)?;
                nest.enter(false)?;
            }
            Payload::End(_) => nest.leave(),
            Payload::CodeSectionEntry(body) => {
                weight.functions += 1;
                weight.code_bytes += body.range().len() as u64;
                module.body(body, &mut counts)?;
            }
            Payload::ComponentTypeSection(reader) => {
                counts.add(Quantity::Types, u64::from(reader.count()))?;
                declared::component_types(reader, bytes, &mut counts)?;
            }
            Payload::CoreTypeSection(reader) => {
                counts.add(Quantity::Types, u64::from(reader.count()))?;
                declared::core_types(reader, &mut counts)?;
            }
            payload => {
                module.section(payload, &mut counts)?;
                nest.section(payload, &mut counts)?;
            }
        }
    }
    Ok(weight)
}

#[cfg(test)]
mod tests;
