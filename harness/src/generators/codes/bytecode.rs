//! Instructions: what a compiler could have written, and opcodes that only a running interpreter writes.
//!
//! Until 3.11 nobody looks at instructions. Since then the loader walks over them, so every instruction has the caches
//! that its version gives it: a walk out of step sees other opcodes than were meant, and one that leaves the code writes
//! there.
//!
//! Reviewed for Python 3.15.

use super::super::code::{CACHE_UNITS, DEADLY};
use super::super::luck::Luck;
use super::opcodes::Opcodes;
use arbitrary::Unstructured;

/// Opcodes in files.
const ORDINARY: &[u8] = b"cnlfaro-";

/// How many things the arguments can name.
#[derive(Clone, Copy)]
pub(super) struct Names {
    pub(super) consts: u32,
    pub(super) names: u32,
    pub(super) locals: u32,
}

/// Whole instructions: most often few; now and then more units than two groups of six bits can count.
pub(super) fn instructions(u: &mut Unstructured<'_>, opcodes: &Opcodes, named: Names, large: bool) -> Vec<u8> {
    let n = match u.below(32) {
        0..=23 => u.below(16),
        _ => u.below(80),
    };
    let unusual = u.one_in(4);
    let mut code = Vec::new();
    for _ in 0..n {
        instruction(u, opcodes, named, unusual, &mut code);
    }
    if large && u.one_in(16) && !code.is_empty() {
        code = code.repeat(8200 / code.len() + 1);
    }
    if unusual && !code.is_empty() && opcodes.version >= (3, 11) {
        // 3.14 and later count the caches of specialized opcodes wrongly when they load.
        code.extend([0; 2 * CACHE_UNITS]);
    }
    code
}

/// One instruction with its prefixes and caches.
fn instruction(u: &mut Unstructured<'_>, opcodes: &Opcodes, named: Names, unusual: bool, code: &mut Vec<u8>) {
    let start = u.byte();
    let opcode = if unusual && u.below(4) == 1 { opcodes.from(start, b"si") } else { None };
    let deadly = |op: &u8| opcodes.letters[usize::from(*op)] == b'i' && DEADLY.contains(op);
    let opcode = opcode.filter(|op| !deadly(op)).or(opcodes.from(start, ORDINARY)).unwrap_or(0);
    let letter = opcodes.letters[usize::from(opcode)];
    let argument = match letter {
        _ if u.one_in(24) => 0x100 << u.below(17),
        b'-' if u.below(8) < 7 => 0,
        b'c' => u.below(named.consts + 1),
        b'n' => u.below(4 * named.names + 1),
        b'l' | b'f' => u.below(named.locals + 1),
        b'a' | b'r' => u.below(u32::try_from(code.len()).unwrap_or(0) + 8),
        _ => u.byte().into(),
    };
    put(opcodes, opcode, argument, code);
    let caches = opcodes.caches(opcode);
    let filler = if u.below(4) == 3 { u.byte() } else { 0 };
    code.extend(std::iter::repeat_n(filler, 2 * caches));
}

/// The unit of an opcode after as many EXTENDED_ARG as its argument needs.
pub(super) fn put(opcodes: &Opcodes, opcode: u8, argument: u32, code: &mut Vec<u8>) {
    let [low, second, third, high] = argument.to_le_bytes();
    if opcodes.version < (3, 6) {
        if opcode < opcodes.have_argument {
            return code.push(opcode);
        }
        if argument > 0xffff {
            code.extend([opcodes.extended_arg, third, high]);
        }
        return code.extend([opcode, low, second]);
    }
    for (shift, byte) in [(24, high), (16, third), (8, second)] {
        if argument >> shift != 0 {
            code.extend([opcodes.extended_arg, byte]);
        }
    }
    code.extend([opcode, low]);
}
