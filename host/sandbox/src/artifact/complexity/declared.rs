//! Counts the types that a component declares, those inside other types included.
//!
//! A type can hold a type that holds a type: two or three bytes for a level. The library's reader
//! calls itself for each of them and would use up the host's stack, so the nesting is followed
//! here with a list, and the reader only ever sees what holds no other.

use super::{Counts, Quantity};
use crate::artifact::{ArtifactError, malformed};
use wasmparser::{
    BinaryReader, BinaryReaderError, ComponentType, ComponentTypeDeclaration, CoreType, FromReader,
    InstanceTypeDeclaration, SectionLimited,
};

const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// How a declaration begins that is a type.
const DECLARES_TYPE: u8 = 0x01;

/// A type that is open: which kind of declarations are still to come in it, and how many.
struct Open {
    is_component: bool,
    left: u32,
}

/// Counts a section of component types. `whole` are the bytes that the section is a part of.
pub(super) fn component_types(
    section: &SectionLimited<'_, ComponentType<'_>>,
    whole: &[u8],
    counts: &mut Counts,
) -> Result<(), ArtifactError> {
    let start = section.original_position();
    let bytes = whole.get(start..section.range().end).unwrap_or_default();
    let mut reader = BinaryReader::new(bytes, start);
    for _ in 0..section.count() {
        component_type(&mut reader, counts)?;
    }
    Ok(())
}

fn component_type(reader: &mut BinaryReader<'_>, counts: &mut Counts) -> Result<(), ArtifactError> {
    let mut open: Vec<Open> = Vec::new();
    one_type(reader, &mut open, counts)?;
    while let Some(innermost) = open.last_mut() {
        if innermost.left == 0 {
            open.pop();
            continue;
        }
        innermost.left -= 1;
        let is_component = innermost.is_component;
        if peek(reader)? == DECLARES_TYPE {
            byte(reader)?;
            one_type(reader, &mut open, counts)?;
        } else if is_component {
            read::<ComponentTypeDeclaration<'_>>(reader)?;
        } else {
            read::<InstanceTypeDeclaration<'_>>(reader)?;
        }
        counts.add(Quantity::Declarations, 1)?;
    }
    Ok(())
}

/// Reads a type, or the beginning of one that holds others.
fn one_type<'a>(
    reader: &mut BinaryReader<'a>,
    open: &mut Vec<Open>,
    counts: &mut Counts,
) -> Result<(), ArtifactError> {
    let kind = peek(reader)?;
    if !matches!(kind, COMPONENT_TYPE | INSTANCE_TYPE) {
        read::<ComponentType<'a>>(reader)?;
        return Ok(());
    }
    counts.add(Quantity::Types, u64::from(!open.is_empty()))?;
    byte(reader)?;
    let left = read::<u32>(reader)?;
    open.push(Open { is_component: kind == COMPONENT_TYPE, left });
    Quantity::TypeDepth.check(open.len() as u64)
}

/// Counts a section of core types: what the types of modules declare.
pub(super) fn core_types(
    section: &SectionLimited<'_, CoreType<'_>>,
    counts: &mut Counts,
) -> Result<(), ArtifactError> {
    for found in section.clone() {
        if let CoreType::Module(declarations) = found.map_err(|error| malformed(&error))? {
            counts.add(Quantity::Declarations, declarations.len() as u64)?;
        }
    }
    Ok(())
}

fn peek(reader: &BinaryReader<'_>) -> Result<u8, ArtifactError> {
    byte(&mut reader.clone())
}

fn byte(reader: &mut BinaryReader<'_>) -> Result<u8, ArtifactError> {
    reader.read_u8().map_err(|error| malformed(&error))
}

fn read<'a, T: FromReader<'a>>(reader: &mut BinaryReader<'a>) -> Result<T, ArtifactError> {
    reader.read().map_err(|error: BinaryReaderError| malformed(&error))
}
