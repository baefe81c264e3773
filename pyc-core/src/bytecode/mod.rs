//! Bytecode: instructions, line tables and exception tables of every version.
//!
//! Nothing here fails. Code that no compiler made is decoded as far as it goes, and what is wrong with it is said where it
//! is: bytes that are no whole instruction are an [`Instruction`] with a [`Flaw`].
//!
//! ```
//! use pyc_core::{Profile, Version, bytecode::{Instructions, Operand}};
//! let profile = Profile::of(Version::new(3, 12)).unwrap();
//! // LOAD_GLOBAL has four units of caches; the prefix EXTENDED_ARG adds 256 to its argument.
//! let code = [144, 1, 116, 3, 0, 0, 0, 0, 0, 0, 0, 0, 83, 0];
//! let all: Vec<_> = Instructions::new(&code, profile).collect();
//! assert_eq!(all.iter().map(|it| it.name()).collect::<Vec<_>>(), ["EXTENDED_ARG", "LOAD_GLOBAL", "RETURN_VALUE"]);
//! assert_eq!((all[1].offset, all[1].operand, all[1].caches().len()), (2, Some(259), 8));
//! assert_eq!(all[1].opcode().operand, Operand::NameAndNull);
//! assert!(all.iter().flat_map(|it| it.bytes).eq(&code));
//! ```

mod apart;
mod assemble;
mod assembly;
mod body;
pub mod document;
mod encode;
mod handlers;
mod lines;
mod listing;
pub mod safety;
pub(crate) mod stack;
mod table;
mod tables;
pub mod text;

use crate::profile::Profile;

pub use assembly::{AssembleError, Assembled, Assembly, Label, Place, Region, Residue, Step, StepArgument};
pub use body::{Argument, Body};
pub use handlers::{Handler, Handlers};
pub use lines::{LineRange, Lines, Position, Positions};
pub use listing::{Listing, Raised, listing};
pub use stack::StackError;
pub use table::{InstructionSet, Opcode, Operand};

/// What is wrong with an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// The code ends inside it.
    Truncated,
    /// The code ends inside its inline caches.
    CachesPastEnd,
    /// There is no such opcode in this version.
    Unassigned,
}

/// One instruction with its inline caches. A prefix, EXTENDED_ARG, is an instruction of its own; what follows it has the whole
/// argument.
#[derive(Debug, Clone, Copy)]
pub struct Instruction<'c> {
    set: &'static InstructionSet,
    /// Where it begins in `co_code`, in bytes.
    pub offset: usize,
    /// Its number.
    pub code: u8,
    /// Its argument, with what the prefixes before it add, as the interpreter computes it: 32 bits. `None` if the opcode takes
    /// none.
    pub operand: Option<u32>,
    /// All its bytes, caches included. Those of all instructions, one after the other, are the code.
    pub bytes: &'c [u8],
    /// What is wrong with it.
    pub flaw: Option<Flaw>,
    head: usize,
    jumps_in_units: bool,
}

impl<'c> Instruction<'c> {
    /// The row of its opcode.
    #[must_use]
    pub fn opcode(&self) -> &'static Opcode {
        self.set.opcode(self.code)
    }

    /// The name of its opcode; empty if there is none.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.opcode().name
    }

    /// Its inline caches.
    #[must_use]
    pub fn caches(&self) -> &'c [u8] {
        &self.bytes[self.head..]
    }

    /// Whether it is the prefix EXTENDED_ARG.
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.code == self.set.extended_arg
    }

    /// Where the next instruction begins.
    #[must_use]
    pub fn end(&self) -> usize {
        self.offset + self.bytes.len()
    }

    /// Its bytes without the caches.
    pub(crate) fn head(&self) -> &'c [u8] {
        &self.bytes[..self.head]
    }

    pub(crate) fn is_truncated(&self) -> bool {
        self.flaw == Some(Flaw::Truncated)
    }

    pub(crate) fn caches_are_whole(&self) -> bool {
        self.flaw != Some(Flaw::CachesPastEnd)
    }

    /// Whether the code ends inside it or its caches.
    pub(in crate::bytecode) fn is_cut(&self) -> bool {
        matches!(self.flaw, Some(Flaw::Truncated | Flaw::CachesPastEnd))
    }

    /// Where it jumps to, in bytes; it may be outside of the code. `None` if it does not jump.
    #[must_use]
    pub fn target(&self) -> Option<i64> {
        let distance = i64::from(self.operand?) * if self.jumps_in_units { 2 } else { 1 };
        // Missing caches count.
        let end = (self.offset + self.head + 2 * usize::from(self.set.caches(self.code))) as i64;
        match self.opcode().operand {
            Operand::Forward => Some(end + distance),
            Operand::Backward => Some(end - distance),
            Operand::Absolute => Some(distance),
            _ => None,
        }
    }
}

/// The instructions of some code; allocates nothing.
#[derive(Debug, Clone)]
pub struct Instructions<'c> {
    set: &'static InstructionSet,
    code: &'c [u8],
    at: usize,
    prefix: u32,
    words: bool,
    jumps_in_units: bool,
}

impl<'c> Instructions<'c> {
    /// Of `co_code` as it is in a stream.
    #[must_use]
    pub fn new(code: &'c [u8], profile: &Profile) -> Self {
        let set = InstructionSet::of(profile);
        let (words, jumps_in_units) = (profile.has_wordcode(), profile.jumps_in_units());
        Instructions { set, code, at: 0, prefix: 0, words, jumps_in_units }
    }

    /// The instructions' version.
    #[must_use]
    pub fn set(&self) -> &'static InstructionSet {
        self.set
    }
}

impl<'c> Iterator for Instructions<'c> {
    type Item = Instruction<'c>;

    #[inline]
    fn next(&mut self) -> Option<Instruction<'c>> {
        let rest = &self.code[self.at..];
        let &code = rest.first()?;
        let opcode = self.set.opcode(code);
        let takes = opcode.operand != Operand::None;
        let (head, low) = match (self.words, rest) {
            (true, [_, low, ..]) => (2, Some(u32::from(*low))),
            (false, _) if !takes => (1, Some(0)),
            (false, [_, low, high, ..]) => (3, Some(u32::from(*low) | u32::from(*high) << 8)),
            _ => (rest.len(), None),
        };
        let caches = 2 * usize::from(self.set.caches(code));
        let bytes = &rest[..rest.len().min(head + caches)];
        let flaw = match low {
            None => Some(Flaw::Truncated),
            Some(_) if bytes.len() < head + caches => Some(Flaw::CachesPastEnd),
            Some(_) if opcode.name.is_empty() => Some(Flaw::Unassigned),
            Some(_) => None,
        };
        let operand = low.filter(|_| takes).map(|low| low | self.prefix);
        let width = if self.words { 8 } else { 16 };
        let is_prefix = code == self.set.extended_arg;
        self.prefix = operand.filter(|_| is_prefix).map_or(0, |operand| operand << width);
        let offset = self.at;
        self.at += bytes.len();
        let jumps_in_units = self.jumps_in_units;
        Some(Instruction { set: self.set, offset, code, operand, bytes, flaw, head, jumps_in_units })
    }
}

impl core::fmt::Debug for InstructionSet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "InstructionSet({})", self.data.version)
    }
}
