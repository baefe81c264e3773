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

/// Case number `index` of a campaign, which is made of the program number `index / OF_EACH`: `stream` is what that was compiled
/// to, and `other` another one, from which parts are taken. `None` if the stream cannot be taken apart.
#[must_use]
pub fn case(target: Target, seed: u64, index: u64, stream: &[u8], other: &[u8]) -> Option<Vec<u8>> {
    if index.is_multiple_of(OF_EACH) {
        return Some(stream.to_vec());
    }
    let tape = tape(seed, NAME, index);
    let mut u = Unstructured::new(&tape);
    let edited = if index.is_multiple_of(2) { edit::edit(&mut u, target, stream) } else { None };
    edited.or_else(|| mutate::mutate(&mut u, target, stream, other))
}

#[cfg(test)]
mod tests;
