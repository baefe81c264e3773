//! The control flow of a code object: basic blocks, how they follow each other, how deep the stack is where they begin.

use super::{Block, Document, DocumentError, Symbol};
use crate::bytecode::{InstructionSet, Label};
use crate::prelude::*;
use alloc::collections::{BTreeMap, BTreeSet};
use core::ops::Range;

/// Instructions that are executed one after the other, or not at all (but for exceptions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicBlock {
    /// Its instructions, by their numbers.
    pub ops: Range<usize>,
    /// How many values are on the stack where it begins; `None` if nothing leads there.
    pub depth: Option<u32>,
    /// The basic block behind it, if it goes on there.
    pub next: Option<usize>,
    /// The one that its last instruction jumps to.
    pub jump: Option<usize>,
    /// Those that exceptions in it go to (3.11 and later), innermost first.
    pub handlers: Vec<usize>,
}

impl Document {
    /// The basic blocks of a code object, in the order of its instructions.
    ///
    /// # Errors
    /// When an argument or a label is missing, or the stack has no depth.
    pub fn flow(&self, block: usize) -> Result<Vec<BasicBlock>, DocumentError> {
        let mut copy = self.clone();
        let depths = copy.depths(block)?;
        let code = self.blocks.get(block).ok_or(DocumentError::NoSuchBlock(block))?;
        let set = InstructionSet::of(self.profile());
        let ends = |place: usize| ENDS.contains(&set.opcode(code.ops[place].opcode).name);
        let places = code.places();
        let mut starts: BTreeSet<usize> = BTreeSet::from([0]);
        for (place, op) in code.ops.iter().enumerate() {
            if op.label.is_some() {
                starts.insert(place);
            }
            if matches!(op.operand, Symbol::Jump(_)) || ends(place) {
                starts.insert(place + 1);
            }
        }
        starts.retain(|start| *start < code.ops.len());
        let numbers: BTreeMap<usize, usize> = starts.iter().copied().zip(0..).collect();
        let bounds: Vec<usize> = starts.iter().copied().chain([code.ops.len()]).collect();
        let number_of = |label: &Label| places.get(label).and_then(|place| numbers.get(place)).copied();
        let basic = |bounds: &[usize]| {
            let (start, end) = (bounds[0], bounds[1]);
            let last = &code.ops[end - 1];
            let jump = match &last.operand {
                Symbol::Jump(label) if set.opcode(last.opcode).jumps() => number_of(label),
                _ => None,
            };
            let covers = |from: &Label, to: &Label| {
                places.get(from).is_some_and(|from| *from <= start) && places.get(to).is_some_and(|to| *to > start)
            };
            let regions = code.regions.iter().filter(|region| covers(&region.start, &region.end));
            BasicBlock {
                ops: start..end,
                depth: depths[start],
                next: if ends(end - 1) { None } else { numbers.get(&end).copied() },
                jump,
                handlers: regions.filter_map(|region| number_of(&region.target)).collect(),
            }
        };
        Ok(bounds.windows(2).map(basic).collect())
    }
}

/// What does not go on with the next instruction, whatever compilers reckon with.
const ENDS: [&str; 9] = [
    "JUMP_FORWARD",
    "JUMP_ABSOLUTE",
    "JUMP_BACKWARD",
    "JUMP_BACKWARD_NO_INTERRUPT",
    "RETURN_VALUE",
    "RETURN_CONST",
    "RAISE_VARARGS",
    "RERAISE",
    "INTERPRETER_EXIT",
];

impl Block {
    /// The instructions by their labels; the end is one more.
    pub(super) fn places(&self) -> BTreeMap<Label, usize> {
        let labels = self.ops.iter().map(|op| op.label).chain([self.end]);
        labels.enumerate().filter_map(|(place, label)| Some((label?, place))).collect()
    }
}
