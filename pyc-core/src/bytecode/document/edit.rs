//! Changes of a code object. What follows from its instructions is worked out anew when it is written.

use super::{Block, Document, Op, Symbol};
use crate::bytecode::{InstructionSet, Label, Operand, Place};
use crate::prelude::*;
use alloc::collections::BTreeMap;
use core::fmt;
use core::ops::Range;

/// Why there is no such instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpError {
    /// The version has no instruction of this name.
    NoSuchOpcode(String),
    /// The instruction takes another kind of argument: this one.
    Argument(String, Operand),
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpError::NoSuchOpcode(name) => write!(f, "there is no instruction {name} in this version"),
            OpError::Argument(name, operand) => write!(f, "{name} takes another argument: {operand:?}"),
        }
    }
}

impl core::error::Error for OpError {}

impl Document {
    /// An instruction, from a line.
    ///
    /// # Errors
    /// When the version has none of this name, or it takes another kind of argument.
    pub fn op(&self, name: &str, operand: Symbol, line: i32) -> Result<Op, OpError> {
        let set = InstructionSet::of(self.profile());
        let opcode = set.named(name).ok_or_else(|| OpError::NoSuchOpcode(name.into()))?;
        let kind = set.opcode(opcode).operand;
        let fits = match &operand {
            Symbol::None => kind == Operand::None,
            Symbol::Number(_) => kind != Operand::None,
            Symbol::Const(_) => kind == Operand::Const,
            Symbol::Name(..) => super::symbols::name_bits(kind).is_some(),
            Symbol::Variable(_) => matches!(kind, Operand::Local | Operand::Free),
            Symbol::Variables(..) => kind == Operand::LocalPair,
            Symbol::Jump(_) => kind.is_place(),
        };
        if !fits {
            return Err(OpError::Argument(name.into(), kind));
        }
        let end_line = self.profile().has_positions().then_some(line);
        let place = Place { line: Some(line), end_line, column: None, end_column: None };
        Ok(Op { label: None, opcode, operand, place, extra: None })
    }
}

impl Block {
    /// A label that the block has not yet.
    #[must_use]
    pub fn new_label(&self) -> Label {
        let placed = self.ops.iter().filter_map(|op| op.label).chain(self.end);
        let jumps = self.ops.iter().filter_map(|op| match op.operand {
            Symbol::Jump(label) => Some(label),
            _ => None,
        });
        let regions = self.regions.iter().flat_map(|region| [region.start, region.end, region.target]);
        Label(placed.chain(jumps).chain(regions).map(|label| label.0).max().map_or(1, |most| most.saturating_add(1)))
    }

    /// The label of an instruction, or of the end; a new one if it has none, so that a basic block begins there.
    pub fn split(&mut self, place: usize) -> Label {
        let label = self.new_label();
        match self.ops.get_mut(place) {
            Some(op) => *op.label.get_or_insert(label),
            None => *self.end.get_or_insert(label),
        }
    }

    /// Puts instructions in front of an instruction. Those that jump there come to the new ones if `caught`, else to the
    /// old one. Labels of the new ones are renamed, and jumps among them; other jumps of theirs go to labels of the block.
    pub fn splice(&mut self, place: usize, mut ops: Vec<Op>, caught: bool) {
        let place = place.min(self.ops.len());
        let first = self.new_label().0;
        let fresh: BTreeMap<Label, Label> = ops.iter().filter_map(|op| op.label).zip((first..).map(Label)).collect();
        for op in &mut ops {
            op.label = op.label.map(|label| fresh[&label]);
            if let Symbol::Jump(label) = &mut op.operand {
                *label = fresh.get(label).copied().unwrap_or(*label);
            }
        }
        if caught && !ops.is_empty() {
            let old = match self.ops.get_mut(place) {
                Some(op) => op.label.take(),
                None => self.end.take(),
            };
            match (old, ops[0].label) {
                (Some(old), Some(new)) => {
                    for op in &mut ops {
                        if op.operand == Symbol::Jump(new) {
                            op.operand = Symbol::Jump(old);
                        }
                    }
                    ops[0].label = Some(old);
                }
                (Some(old), None) => ops[0].label = Some(old),
                (None, _) => {}
            }
        }
        self.ops.splice(place..place, ops);
        self.changed();
    }

    /// Takes instructions out. What jumped to them comes to what is behind them.
    pub fn remove(&mut self, range: Range<usize>) -> Vec<Op> {
        let range = range.start.min(self.ops.len())..range.end.min(self.ops.len());
        let removed: Vec<Op> = self.ops.drain(range.clone()).collect();
        let labels: Vec<Label> = removed.iter().filter_map(|op| op.label).collect();
        if !labels.is_empty() {
            let kept = self.split(range.start);
            let moved = |label: &mut Label| {
                if labels.contains(label) {
                    *label = kept;
                }
            };
            for op in &mut self.ops {
                if let Symbol::Jump(label) = &mut op.operand {
                    moved(label);
                }
            }
            for region in &mut self.regions {
                moved(&mut region.start);
                moved(&mut region.end);
                moved(&mut region.target);
            }
        }
        self.changed();
        removed
    }

    /// Gives a variable another name, wherever the block has it.
    pub fn rename(&mut self, old: &str, new: &str) {
        let renamed = |name: &mut String| {
            if name == old {
                *name = new.into();
            }
        };
        for op in &mut self.ops {
            match &mut op.operand {
                Symbol::Variable(name) => renamed(name),
                Symbol::Variables(first, second) => {
                    renamed(first);
                    renamed(second);
                }
                _ => {}
            }
        }
        let signature = &mut self.signature;
        let arguments = signature.positional.iter_mut().chain(&mut signature.keyword_only);
        arguments.chain(&mut signature.rest).chain(&mut signature.keywords).for_each(renamed);
        for list in [&mut self.locals, &mut self.cells, &mut self.free, &mut self.hidden] {
            list.iter_mut().for_each(renamed);
        }
        self.changed();
    }

    /// Forgets numbers and accidents of what the block was. Whoever changes [`Block::ops`] by hand calls it.
    pub fn changed(&mut self) {
        self.stacksize = None;
        self.nlocals = None;
        self.marks.clear();
        for op in &mut self.ops {
            if let Some(extra) = &mut op.extra {
                extra.line_pairs = None;
            }
        }
    }
}
