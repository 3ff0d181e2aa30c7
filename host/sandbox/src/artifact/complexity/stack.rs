//! How high a function's stack of operands becomes: each value on it where two ways meet is work
//! for the compiler, as each local is.

use super::code::Module;
use wasmparser::{
    BlockType, ContType, FrameKind, FuncType, ModuleArity, Operator, RefType, SubType,
};

/// The stack of one function, while it is gone through.
#[derive(Default)]
pub(super) struct Stack {
    height: u64,
    highest: u64,
    blocks: Vec<Block>,
}

/// A block that is open.
struct Block {
    /// The height below its parameters.
    base: u64,
    params: u64,
    results: u64,
}

impl Stack {
    /// The most values that were on it.
    pub(super) fn highest(&self) -> u64 {
        self.highest
    }

    /// Takes and puts what an operator does. One that is wrong is left to the validator.
    pub(super) fn step(&mut self, module: &Module, operator: &Operator<'_>) {
        match operator {
            Operator::Block { blockty } | Operator::Loop { blockty } => self.open(module, *blockty),
            Operator::If { blockty } => {
                self.change(1, 0);
                self.open(module, *blockty);
            }
            Operator::Else => {
                if let Some(block) = self.blocks.last() {
                    self.height = block.base + block.params;
                }
            }
            Operator::End => {
                if let Some(block) = self.blocks.pop() {
                    self.height = block.base;
                    self.change(0, block.results);
                }
            }
            // Nothing after these is reached.
            Operator::Br { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::Unreachable => self.height = self.base(),
            Operator::BrIf { .. } => self.change(1, 0),
            Operator::Call { function_index } => {
                let (params, results) = module.function_arity(*function_index);
                self.change(u64::from(params), u64::from(results));
            }
            Operator::CallIndirect { type_index, .. } => {
                let (params, results) = module.arity(*type_index);
                self.change(u64::from(params) + 1, u64::from(results));
            }
            other => {
                let (takes, puts) = other.operator_arity(&Unknown).unwrap_or((0, 1));
                self.change(u64::from(takes), u64::from(puts));
            }
        }
    }

    fn open(&mut self, module: &Module, kind: BlockType) {
        let (params, results) = module.block_arity(kind);
        let (params, results) = (u64::from(params), u64::from(results));
        self.change(params, 0);
        self.blocks.push(Block { base: self.height, params, results });
        self.change(0, params);
    }

    fn change(&mut self, takes: u64, puts: u64) {
        self.height = self.height.saturating_sub(takes).max(self.base()).saturating_add(puts);
        self.highest = self.highest.max(self.height);
    }

    fn base(&self) -> u64 {
        self.blocks.last().map_or(0, |block| block.base)
    }
}

/// Knows no types: for operators that take and put the same whatever they are.
struct Unknown;

impl ModuleArity for Unknown {
    fn sub_type_at(&self, _: u32) -> Option<&SubType> {
        None
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(BlockType, FrameKind)> {
        None
    }
}
