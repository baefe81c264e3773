//! Code objects taken apart and put together again.
//!
//! An [`Assembly`] has the instructions with labels in place of offsets: prefixes, jumps, inline caches and tables follow from
//! them. What does not follow is its [`Residue`], kind by kind, so that [`Assembly::assemble`] gives back the very bytes.

use super::encode::Pair;
use crate::prelude::*;
use crate::profile::Profile;
use alloc::collections::BTreeMap;

/// A place in the code that is jumped to, or where a handler begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(pub u32);

/// Where an instruction comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Place {
    /// The first line. Up to 3.9: the line that begins here, if the table has an entry for it.
    pub line: Option<i32>,
    /// The last line (3.11 and later, as what follows).
    pub end_line: Option<i32>,
    /// The first column, in bytes of UTF-8.
    pub column: Option<i32>,
    /// The first column behind.
    pub end_column: Option<i32>,
}

/// The argument of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepArgument {
    /// None.
    None,
    /// A number, without the parts that are in prefixes being counted apart.
    Number(u32),
    /// Where it jumps to.
    Jump(Label),
}

/// An instruction with its prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// What others call this place.
    pub label: Option<Label>,
    /// The opcode.
    pub opcode: u8,
    /// Its argument.
    pub argument: StepArgument,
    /// Where it comes from.
    pub place: Place,
}

/// An exception handler: a region and where exceptions in it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// The first instruction that it covers.
    pub start: Label,
    /// The first behind those.
    pub end: Label,
    /// The handler.
    pub target: Label,
    /// How many values stay on the stack.
    pub depth: u64,
    /// Whether the offset of the instruction that raised is pushed as well.
    pub lasti: bool,
}

/// What does not follow from the instructions. Steps are counted from 0 on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Residue {
    /// Steps with more prefixes than their arguments need, and how many they have.
    pub prefixes: BTreeMap<usize, usize>,
    /// Steps whose opcode takes no argument, and the byte in the place of one.
    pub unused: BTreeMap<usize, u8>,
    /// Steps whose inline caches are not all zeros, or cut short, and these.
    pub caches: BTreeMap<usize, Vec<u8>>,
    /// Steps before which `co_lnotab` has other pairs than a compiler writes for going there, and these.
    pub line_pairs: BTreeMap<usize, Vec<Pair>>,
    /// Pairs of `co_lnotab` behind those that lead to an instruction.
    pub last_line_pairs: Vec<u8>,
    /// The whole line table, where no compiler writes such a one.
    pub line_table: Option<Vec<u8>>,
    /// The whole exception table, where no compiler writes such a one.
    pub exception_table: Option<Vec<u8>>,
    /// Bytes behind the last instruction.
    pub tail: Vec<u8>,
    /// The whole code, where nothing else does: jumps of such code decide about each other's prefixes in circles.
    pub code: Option<Vec<u8>>,
}

impl Residue {
    /// The kinds that there are, by name.
    #[must_use]
    pub fn kinds(&self) -> Vec<&'static str> {
        let all = [
            ("prefixes", !self.prefixes.is_empty()),
            ("unused arguments", !self.unused.is_empty()),
            ("caches", !self.caches.is_empty()),
            ("line pairs", !self.line_pairs.is_empty()),
            ("last line pairs", !self.last_line_pairs.is_empty()),
            ("line table", self.line_table.is_some()),
            ("exception table", self.exception_table.is_some()),
            ("tail", !self.tail.is_empty()),
            ("code", self.code.is_some()),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(kind, _)| kind).collect()
    }
}

/// A code object, taken apart.
#[derive(Debug, Clone)]
pub struct Assembly<'p> {
    /// The instructions.
    pub steps: Vec<Step>,
    /// What the end of the code is called.
    pub end: Option<Label>,
    /// The exception handlers, in the order of their table.
    pub regions: Vec<Region>,
    /// What else there is.
    pub residue: Residue,
    /// `co_firstlineno`
    pub first_line: i32,
    pub(super) profile: &'p Profile,
}

/// What an [`Assembly`] comes to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembled {
    /// `co_code`
    pub code: Vec<u8>,
    /// `co_lnotab` or `co_linetable`
    pub line_table: Vec<u8>,
    /// `co_exceptiontable`
    pub exception_table: Vec<u8>,
}

/// Why an [`Assembly`] cannot be put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssembleError {
    /// No step has this label.
    NoSuchLabel(Label),
    /// The step, counted from 0 on, jumps in the direction that its opcode cannot go.
    Direction(usize),
    /// The jump of the step is not a number of 32 bits, or not a whole number of units.
    TooFar(usize),
}

impl AssembleError {
    /// The step that it is about, counted from 0 on.
    #[must_use]
    pub fn step(&self) -> Option<usize> {
        match self {
            AssembleError::NoSuchLabel(_) => None,
            AssembleError::Direction(step) | AssembleError::TooFar(step) => Some(*step),
        }
    }
}

impl core::fmt::Display for AssembleError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            AssembleError::NoSuchLabel(Label(label)) => write!(f, "no step has the label {label}"),
            AssembleError::Direction(step) => write!(f, "step {step} jumps where its opcode cannot go"),
            AssembleError::TooFar(step) => write!(f, "step {step} jumps too far"),
        }
    }
}

impl core::error::Error for AssembleError {}

impl<'p> Assembly<'p> {
    /// No instructions.
    #[must_use]
    pub fn new(profile: &'p Profile, first_line: i32) -> Self {
        let (steps, regions, residue) = (Vec::new(), Vec::new(), Residue::default());
        Assembly { steps, end: None, regions, residue, first_line, profile }
    }
}
