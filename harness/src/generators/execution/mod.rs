//! Code objects to be *executed*: programs of few lines that do no harm, and what a few changes make of their bytecode.
//!
//! An interpreter compiles the program (`programs`), and its code objects are changed: in their bytes (`mutate`: opcodes,
//! operands, jumps, tables, sizes, variables, constants), or in their instructions, with a code object that is put together
//! anew (`edit`). Nothing else is ever executed, and in particular no code that somebody else wrote: a program calls nothing
//! but what it defines and the harmless builtins that the worker gives it.
//!
//! Reviewed for Python 3.15.

mod edit;
mod mutate;
mod programs;

use super::{Target, splitmix, tape};
use arbitrary::Unstructured;
use protocol::Compile;
use pyc_core::Profile;
use pyc_core::bytecode::document::Document;
use pyc_core::bytecode::text;

/// So many cases are made of each program: the first is the program as it was compiled.
pub const OF_EACH: u64 = 64;

/// A stream that becomes longer than this is no case.
const LONGEST: usize = 64 << 10;

/// What tapes are made for.
const NAME: &str = "execution";

/// What a compiler is asked for program number `number` of a campaign.
#[must_use]
pub fn program(target: Target, seed: u64, number: u64) -> Compile {
    let mut state = seed.wrapping_mul(0x0100_0000_01b3) ^ number;
    let tape: Vec<u8> = (0..128).flat_map(|_| splitmix(&mut state).to_le_bytes()).collect();
    let source = programs::generate(&mut Unstructured::new(&tape), target.version);
    Compile { source: source.into_bytes(), filename: "p".into(), optimize: 0 }
}

/// A compiled program, of which cases are made.
#[derive(Debug)]
pub struct Base {
    target: Target,
    stream: Vec<u8>,
    /// Its instructions, and whose they are; `None` if it cannot be taken apart. Once for all cases: that takes longer than to
    /// change them.
    instructions: Option<(&'static Profile, Document)>,
}

impl Base {
    /// Of the stream that a program was compiled to.
    #[must_use]
    pub fn new(target: Target, stream: Vec<u8>) -> Self {
        let taken_apart = |profile| Some((profile, text::disassemble(&stream, Some(profile)).ok()?));
        Self { target, instructions: target.profile().and_then(taken_apart), stream }
    }

    /// Case number `index` of a campaign, if this is of the program number `index / OF_EACH`: `other` is the stream of another
    /// one, from which parts are taken. `None` if this one cannot be taken apart.
    #[must_use]
    pub fn case(&self, seed: u64, index: u64, other: &[u8]) -> Option<Vec<u8>> {
        if index.is_multiple_of(OF_EACH) {
            return Some(self.stream.clone());
        }
        let tape = tape(seed, NAME, index);
        let mut u = Unstructured::new(&tape);
        let instructions = self.instructions.as_ref().filter(|_| index.is_multiple_of(2));
        let edited = instructions.and_then(|(profile, document)| edit::edit(&mut u, profile, document));
        edited.or_else(|| mutate::mutate(&mut u, self.target, &self.stream, other))
    }
}

#[cfg(test)]
mod tests;
