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
mod cursor;
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
pub use body::{Argument, Body, Targets};
pub use cursor::{Covering, Cursor};
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
    #[inline]
    #[must_use]
    pub fn opcode(&self) -> &'static Opcode {
        self.set.opcode(self.code)
    }

    /// The name of its opcode; empty if there is none.
    #[inline]
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.opcode().name
    }

    /// Its inline caches.
    #[inline]
    #[must_use]
    pub fn caches(&self) -> &'c [u8] {
        &self.bytes[self.head..]
    }

    /// Whether it is the prefix EXTENDED_ARG.
    #[inline]
    #[must_use]
    pub fn is_prefix(&self) -> bool {
        self.code == self.set.extended_arg
    }

    /// Where the next instruction begins.
    #[inline]
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
    #[inline]
    #[must_use]
    pub fn target(&self) -> Option<i64> {
        let shape = self.set.shape(self.code);
        if !shape.is_place() {
            return None;
        }
        let distance = i64::from(self.operand?) * if self.jumps_in_units { 2 } else { 1 };
        // Missing caches count.
        let end = (self.offset + self.head + 2 * usize::from(shape.caches())) as i64;
        match self.opcode().operand {
            Operand::Forward => Some(end + distance),
            Operand::Backward => Some(end - distance),
            _ => Some(distance),
        }
    }
}

/// How instructions follow each other.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// One byte, or three with an argument (2.7).
    Bytes,
    /// Two bytes.
    Words,
    /// Two bytes, and those of the caches (3.11 and later).
    WordsAndCaches,
}

/// The instructions of some code; allocates nothing.
#[derive(Debug, Clone)]
pub struct Instructions<'c> {
    set: &'static InstructionSet,
    code: &'c [u8],
    at: usize,
    prefix: u32,
    form: Form,
    jumps_in_units: bool,
}

impl<'c> Instructions<'c> {
    /// Of `co_code` as it is in a stream.
    #[must_use]
    pub fn new(code: &'c [u8], profile: &Profile) -> Self {
        let set = InstructionSet::of(profile);
        let form = match (profile.has_wordcode(), set.has_caches) {
            (false, _) => Form::Bytes,
            (true, false) => Form::Words,
            (true, true) => Form::WordsAndCaches,
        };
        Instructions { set, code, at: 0, prefix: 0, form, jumps_in_units: profile.jumps_in_units() }
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
        match self.form {
            Form::Bytes => self.step::<false, false>(),
            Form::Words => self.step::<true, false>(),
            Form::WordsAndCaches => self.step::<true, true>(),
        }
    }

    #[inline]
    fn fold<B, F: FnMut(B, Instruction<'c>) -> B>(mut self, mut sum: B, mut add: F) -> B {
        match self.form {
            Form::Bytes => {
                while let Some(next) = self.step::<false, false>() {
                    sum = add(sum, next);
                }
            }
            Form::Words => {
                while let Some(next) = self.step::<true, false>() {
                    sum = add(sum, next);
                }
            }
            Form::WordsAndCaches => {
                while let Some(next) = self.step::<true, true>() {
                    sum = add(sum, next);
                }
            }
        }
        sum
    }
}

impl<'c> Instructions<'c> {
    /// The next one. Where there are no caches, where it ends is known before its opcode is.
    #[inline]
    fn step<const WORDS: bool, const CACHES: bool>(&mut self) -> Option<Instruction<'c>> {
        let rest = &self.code[self.at..];
        let &code = rest.first()?;
        let shape = self.set.shape(code);
        let takes = shape.takes_argument();
        let (head, low) = match rest {
            [_, low, ..] if WORDS => (2, Some(u32::from(*low))),
            _ if !WORDS && !takes => (1, Some(0)),
            [_, low, high, ..] if !WORDS => (3, Some(u32::from(*low) | u32::from(*high) << 8)),
            _ => (rest.len(), None),
        };
        let whole = if CACHES { head + 2 * usize::from(shape.caches()) } else { head };
        let bytes = if CACHES { &rest[..rest.len().min(whole)] } else { &rest[..head] };
        let flaw = match low {
            None => Some(Flaw::Truncated),
            Some(_) if bytes.len() < whole => Some(Flaw::CachesPastEnd),
            Some(_) if !shape.is_assigned() => Some(Flaw::Unassigned),
            Some(_) => None,
        };
        let operand = low.filter(|_| takes).map(|low| low | self.prefix);
        let width = if WORDS { 8 } else { 16 };
        self.prefix = operand.filter(|_| shape.is_prefix()).map_or(0, |operand| operand << width);
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
