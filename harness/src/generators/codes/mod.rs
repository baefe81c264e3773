//! Code objects: every field of every layout, legal for the target, or wrong in one respect.
//!
//! Compilers use little of what the format of code objects can say, and readers are written by people who look at what
//! compilers make. So these are made in two ways that complement each other: from nothing, where every field takes every
//! form that its version has (`object`, `bytecode`, `tables`), and grown from compiled code, where fields are replaced in
//! surroundings that are real (`grown`). Three of eight are then made wrong in one respect that the table in `wrongs`
//! names, so that the error that comes of it is about that respect and no other.
//!
//! The opcodes come from the interpreters and not from pyc-core (`opcodes`). None of this code may ever be run.

mod bytecode;
mod grown;
mod object;
pub(super) mod opcodes;
pub(crate) mod tables;
mod wrongs;

use super::emit::Style;
use super::luck::Luck;
use super::{Generated, Target};
use arbitrary::Unstructured;

/// A code object, legal or with one thing wrong. The bases that the target compiled are changed; what else is among them is
/// not looked at.
#[must_use]
pub fn generate(u: &mut Unstructured<'_>, target: Target, bases: &[Vec<u8>]) -> Generated {
    let (bytes, wrong) = compose(u, target, bases);
    Generated { bytes, valid: wrong.is_none() }
}

/// Whether a version has this opcode.
pub(super) fn is_opcode(version: (u8, u8), opcode: u8) -> bool {
    opcodes::Opcodes::of(version).letters[usize::from(opcode)] != b'.'
}

/// The first opcode from 128 on that a version does not have.
pub(super) fn high_unknown(version: (u8, u8)) -> Option<u8> {
    opcodes::Opcodes::of(version).from(128, b".")
}

/// A stream, and the name of what is wrong with it.
fn compose(u: &mut Unstructured<'_>, target: Target, bases: &[Vec<u8>]) -> (Vec<u8>, Option<&'static str>) {
    let form = u.below(8);
    let base = if bases.is_empty() { &[] } else { bases[u.index(bases.len())].as_slice() };
    match form {
        0 | 1 => {
            let top = u32::from(target.marshal_version);
            let format = if u.below(2) == 0 { top } else { u.below(top + 1) };
            (object::generate(u, target, Style::Writer(u8::try_from(format).unwrap_or(0))), None)
        }
        2 => (object::generate(u, target, Style::Any), None),
        3 | 4 => {
            let grown = grown::generate(u, target, base);
            (grown.unwrap_or_else(|| object::generate(u, target, Style::Any)), None)
        }
        _ => {
            // Without references, so that nothing refers to what is replaced; or in something real.
            let grown = if form == 5 { grown::generate(u, target, base) } else { None };
            let mut bytes = grown.unwrap_or_else(|| object::generate(u, target, Style::Writer(0)));
            let wrong = wrongs::make(u, target, &mut bytes);
            (bytes, wrong)
        }
    }
}

/// How many cache units follow an instruction in a version.
pub(crate) fn caches(version: (u8, u8), opcode: u8) -> usize {
    opcodes::Opcodes::of(version).caches(opcode)
}

#[cfg(test)]
mod tests;
