//! Counts what is in a core module: its declarations, and each function's operations with the
//! values that they move.

use super::stack::Stack;
use super::{Counts, Quantity};
use crate::artifact::{ArtifactError, malformed};
use wasmparser::{
    BinaryReaderError, BlockType, CompositeInnerType, Data, DataKind, Element, ElementItems,
    ElementKind, FunctionBody, MemoryType, Operator, Payload, TableInit, TypeRef,
};

/// Bytes of a memory's page, unless it says otherwise.
const PAGE_BITS: u32 = 16;

/// What must be known of a module to count its functions.
#[derive(Default)]
pub(super) struct Module {
    /// Parameters and results of each type; none for one that is no function's.
    types: Vec<(u32, u32)>,
    /// The type of each function, imported ones first.
    functions: Vec<u32>,
    imported: usize,
    defined: usize,
    /// Bytes that each memory has from the start; nothing for an imported one.
    memories: Vec<Option<u64>>,
}

impl Module {
    /// Counts a section of declarations.
    pub(super) fn section(
        &mut self,
        payload: &Payload<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        match payload {
            Payload::TypeSection(reader) => {
                counts.add(Quantity::Types, u64::from(reader.count()))?;
                for group in reader.clone() {
                    self.group(&group.map_err(told)?, counts)?;
                }
            }
            Payload::ImportSection(reader) => self.imports(reader.clone(), counts)?,
            Payload::FunctionSection(reader) => {
                counts.add(Quantity::Functions, u64::from(reader.count()))?;
                for function in reader.clone() {
                    self.functions.push(function.map_err(told)?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader.clone() {
                    let table = table.map_err(told)?;
                    counts.add(Quantity::TableElements, table.ty.initial)?;
                    if let TableInit::Expr(value) = &table.init {
                        count_constant(value, counts)?;
                    }
                }
            }
            Payload::MemorySection(reader) => {
                for memory in reader.clone() {
                    let bytes = count_memory(&memory.map_err(told)?, counts)?;
                    self.memories.push(Some(bytes));
                }
            }
            Payload::GlobalSection(reader) => {
                counts.add(Quantity::Globals, u64::from(reader.count()))?;
                for global in reader.clone() {
                    count_constant(&global.map_err(told)?.init_expr, counts)?;
                }
            }
            Payload::ExportSection(reader) => {
                counts.add(Quantity::Exports, u64::from(reader.count()))?;
                for export in reader.clone() {
                    counts.name(export.map_err(told)?.name)?;
                }
            }
            Payload::ElementSection(reader) => {
                for element in reader.clone() {
                    count_element(&element.map_err(told)?, counts)?;
                }
            }
            Payload::DataSection(reader) => {
                counts.add(Quantity::DataSegments, u64::from(reader.count()))?;
                for data in reader.clone() {
                    let data = data.map_err(told)?;
                    if let DataKind::Active { offset_expr, .. } = &data.kind {
                        count_constant(offset_expr, counts)?;
                    }
                    self.data(&data)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn group(
        &mut self,
        group: &wasmparser::RecGroup,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        let types = group.types();
        // A group counts as one type above; the others are counted here.
        counts.add(Quantity::Types, (types.len() as u64).saturating_sub(1))?;
        for found in types {
            let arity = match &found.composite_type.inner {
                CompositeInnerType::Func(function) => {
                    (len(function.params()), len(function.results()))
                }
                _ => (0, 0),
            };
            Quantity::Arity.check(moved(arity))?;
            counts.add(Quantity::AllArity, moved(arity))?;
            self.types.push(arity);
        }
        Ok(())
    }

    fn imports(
        &mut self,
        reader: wasmparser::ImportSectionReader<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        for import in reader.into_imports() {
            let import = import.map_err(told)?;
            counts.add(Quantity::Imports, 1)?;
            counts.name(import.module)?;
            counts.name(import.name)?;
            match import.ty {
                TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                    self.functions.push(index);
                    self.imported += 1;
                }
                TypeRef::Memory(memory) => {
                    count_memory(&memory, counts)?;
                    self.memories.push(None);
                }
                TypeRef::Table(table) => counts.add(Quantity::TableElements, table.initial)?,
                TypeRef::Global(_) | TypeRef::Tag(_) => {}
            }
        }
        Ok(())
    }

    /// A piece that can't fit in its memory would only be found when a step starts.
    fn data(&self, data: &Data<'_>) -> Result<(), ArtifactError> {
        let DataKind::Active { memory_index, offset_expr } = &data.kind else { return Ok(()) };
        let memory = self.memories.get(*memory_index as usize).copied().flatten();
        let (Some(memory), Some(offset)) = (memory, constant(offset_expr)) else { return Ok(()) };
        let end = offset.saturating_add(data.data.len() as u64);
        if end <= memory {
            return Ok(());
        }
        Err(ArtifactError::new(
            "plugin.malformed",
            format!(
                "not a sound component: a piece of data ends at byte {end} of a memory that \
                 starts with {memory}"
            ),
        ))
    }

    /// Counts a function. Bodies come in the order in which the functions were declared.
    pub(super) fn body(
        &mut self,
        body: &FunctionBody<'_>,
        counts: &mut Counts,
    ) -> Result<(), ArtifactError> {
        let function = self.functions.get(self.imported + self.defined);
        self.defined += 1;
        Quantity::BodyBytes.check(body.range().len() as u64)?;
        let (params, results) = function.map_or((0, 0), |index| self.arity(*index));
        let mut locals = u64::from(params);
        for group in body.get_locals_reader().map_err(told)? {
            locals = locals.saturating_add(u64::from(group.map_err(told)?.0));
            Quantity::Locals.check(locals)?;
        }
        counts.add(Quantity::AllLocals, locals)?;
        let labels = vec![results];
        let stack = Stack::default();
        let mut walk = Walk { labels, stack, work: 0, edges: 0, targets: 0, accesses: 0, locals };
        let mut operators = body.get_operators_reader().map_err(told)?;
        while !operators.eof() {
            walk.operator(self, &operators.read().map_err(told)?)?;
        }
        walk.check_joins()?;
        counts.add(Quantity::AllWork, walk.work)
    }

    /// Parameters and results of a type; a wrong index is left to the validator.
    pub(super) fn arity(&self, index: u32) -> (u32, u32) {
        self.types.get(index as usize).copied().unwrap_or_default()
    }

    /// Parameters and results of a function.
    pub(super) fn function_arity(&self, index: u32) -> (u32, u32) {
        self.functions.get(index as usize).map_or((0, 0), |index| self.arity(*index))
    }

    /// Parameters and results of a block.
    pub(super) fn block_arity(&self, kind: BlockType) -> (u32, u32) {
        match kind {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => self.arity(index),
        }
    }
}

/// One function, while it is gone through.
struct Walk {
    /// How many values a branch to each open block carries.
    labels: Vec<u32>,
    stack: Stack,
    work: u64,
    /// Ways that the function's execution can take.
    edges: u64,
    targets: u64,
    /// How often locals are used.
    accesses: u64,
    locals: u64,
}

impl Walk {
    fn operator(&mut self, module: &Module, operator: &Operator<'_>) -> Result<(), ArtifactError> {
        let values = match operator {
            Operator::Block { blockty } | Operator::If { blockty } => {
                self.open(module, *blockty, false)?
            }
            Operator::Loop { blockty } => self.open(module, *blockty, true)?,
            Operator::Else => {
                self.edges += 1;
                u64::from(self.labels.last().copied().unwrap_or_default())
            }
            Operator::End => u64::from(self.labels.pop().unwrap_or_default()),
            Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
                self.edges += 1;
                self.carried(*relative_depth)
            }
            Operator::LocalGet { .. } | Operator::LocalSet { .. } | Operator::LocalTee { .. } => {
                self.accesses += 1;
                0
            }
            Operator::BrTable { targets } => {
                let count = u64::from(targets.len());
                self.targets = self.targets.saturating_add(count);
                self.edges = self.edges.saturating_add(count);
                Quantity::Targets.check(self.targets)?;
                count.saturating_mul(self.carried(targets.default()).max(1))
            }
            Operator::Return => u64::from(self.labels.first().copied().unwrap_or_default()),
            Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                moved(module.function_arity(*function_index))
            }
            Operator::CallIndirect { type_index, .. }
            | Operator::ReturnCallIndirect { type_index, .. } => moved(module.arity(*type_index)),
            _ => 0,
        };
        self.stack.step(module, operator);
        self.work = self.work.saturating_add(1).saturating_add(values);
        Quantity::BodyWork.check(self.work)
    }

    /// Opens a block, and gives the number of values that it takes and leaves.
    fn open(
        &mut self,
        module: &Module,
        kind: BlockType,
        is_loop: bool,
    ) -> Result<u64, ArtifactError> {
        let (params, results) = module.block_arity(kind);
        self.labels.push(if is_loop { params } else { results });
        Quantity::BlockDepth.check(self.labels.len() as u64)?;
        self.edges += 1;
        Ok(moved((params, results)))
    }

    /// Where two ways through a function meet, each local that is used becomes a value of its own,
    /// and so does each value on the stack.
    fn check_joins(&self) -> Result<(), ArtifactError> {
        let values = self.locals.min(self.accesses).max(self.stack.highest());
        Quantity::Joins.check(self.edges.saturating_mul(values))
    }

    fn carried(&self, depth: u32) -> u64 {
        let index = self.labels.len().checked_sub(1 + depth as usize);
        index.map_or(0, |index| u64::from(self.labels[index]))
    }
}

fn moved((params, results): (u32, u32)) -> u64 {
    u64::from(params) + u64::from(results)
}

fn count_memory(memory: &MemoryType, counts: &mut Counts) -> Result<u64, ArtifactError> {
    let page_bits = memory.page_size_log2.unwrap_or(PAGE_BITS).min(PAGE_BITS);
    let bytes = memory.initial.saturating_mul(1 << page_bits);
    counts.add(Quantity::MemoryBytes, bytes)?;
    Ok(bytes)
}

fn count_element(element: &Element<'_>, counts: &mut Counts) -> Result<(), ArtifactError> {
    if let ElementKind::Active { offset_expr, .. } = &element.kind {
        count_constant(offset_expr, counts)?;
    }
    let items = match &element.items {
        ElementItems::Functions(reader) => reader.count(),
        ElementItems::Expressions(_, reader) => {
            counts.add(Quantity::ConstantBytes, reader.range().len() as u64)?;
            reader.count()
        }
    };
    counts.add(Quantity::Elements, 1 + u64::from(items))
}

fn count_constant(
    expression: &wasmparser::ConstExpr<'_>,
    counts: &mut Counts,
) -> Result<(), ArtifactError> {
    let bytes = expression.get_binary_reader().range().len();
    counts.add(Quantity::ConstantBytes, bytes as u64)
}

/// The value of an expression that is a plain number.
fn constant(expression: &wasmparser::ConstExpr<'_>) -> Option<u64> {
    let mut operators = expression.get_operators_reader();
    let value = match operators.read().ok()? {
        Operator::I32Const { value } => u64::from(value.cast_unsigned()),
        Operator::I64Const { value } => value.cast_unsigned(),
        _ => return None,
    };
    matches!(operators.read().ok()?, Operator::End).then_some(value)
}

fn len(values: &[wasmparser::ValType]) -> u32 {
    u32::try_from(values.len()).unwrap_or(u32::MAX)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn told(error: BinaryReaderError) -> ArtifactError {
    malformed(&error)
}
