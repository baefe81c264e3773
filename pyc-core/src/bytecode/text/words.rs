//! The words that stand for numbers: operators, flags, bits below the index of a name.

use crate::bytecode::{InstructionSet, Operand};
use crate::code::flag;
use crate::prelude::*;
use crate::profile::{COMPARISON_MASKS, Profile};

/// What `co_flags` says, by the names of `dis.COMPILER_FLAG_NAMES` and `__future__`.
pub(super) const FLAGS: [(&str, i32); 12] = [
    ("OPTIMIZED", flag::OPTIMIZED),
    ("NEWLOCALS", flag::NEWLOCALS),
    ("VARARGS", flag::VARARGS),
    ("VARKEYWORDS", flag::VARKEYWORDS),
    ("NESTED", 0x10),
    ("GENERATOR", flag::GENERATOR),
    ("NOFREE", flag::NOFREE),
    ("COROUTINE", flag::COROUTINE),
    ("ITERABLE_COROUTINE", flag::ITERABLE_COROUTINE),
    ("ASYNC_GENERATOR", flag::ASYNC_GENERATOR),
    ("HAS_DOCSTRING", flag::HAS_DOCSTRING),
    ("METHOD", 0x800_0000),
];

/// The words behind a name, for the bits below its index.
pub(super) fn bit_words(operand: Operand) -> &'static [&'static str] {
    match operand {
        Operand::NameAndNull => &["NULL"],
        Operand::NameAndSelf => &["self"],
        Operand::SuperName => &["self", "class"],
        Operand::ImportName => &["lazy", "eager"],
        _ => &[],
    }
}

/// The arguments that have words, and these; the first one of a word counts.
pub(super) fn arguments(set: &InstructionSet, operand: Operand, profile: &Profile) -> Vec<(u32, String)> {
    let plain = |list: &[&str]| (0..).zip(list.iter().map(|word| (*word).to_string())).collect();
    let data = set.data;
    match operand {
        Operand::Compare => comparisons(data.compare, profile.comparison_shift()),
        Operand::Convert => plain(&["", "str", "repr", "ascii"]),
        Operand::Binary => plain(data.binary),
        Operand::Intrinsic1 => plain(data.intrinsics_1),
        Operand::Intrinsic2 => plain(data.intrinsics_2),
        Operand::Special => plain(data.special),
        Operand::Common => plain(data.common),
        Operand::Is => plain(&["is", "is not"]),
        Operand::Contains => plain(&["in", "not in"]),
        _ => Vec::new(),
    }
}

/// Since 3.12 the lowest bits say which results of comparing two numbers make it true, for specialized instructions; since
/// 3.13 one more bit says that a `bool` is wanted.
fn comparisons(list: &[&str], shift: u32) -> Vec<(u32, String)> {
    const BOOL: u32 = 16;
    if shift == 0 {
        return (0..).zip(list.iter().map(|word| (*word).to_string())).collect();
    }
    let all = (0_u32..).zip(list).zip(COMPARISON_MASKS).map(|((index, word), mask)| (index << shift | mask, *word));
    let all: Vec<(u32, &str)> = all.collect();
    let mut out: Vec<(u32, String)> = all.iter().map(|(number, word)| (*number, (*word).to_string())).collect();
    if shift > 4 {
        out.extend(all.iter().map(|(number, word)| (number | BOOL, format!("bool({word})"))));
    }
    out
}
