//! Line tables and exception tables, as every version writes them.
//!
//! No loader looks into them. They are well-formed all the same: a table that any decoder can follow tells apart those that
//! carry it through unchanged from those that understand it wrongly. They cover the code exactly, and their numbers are of
//! every length that an encoding has a form for.
//!
//! Reviewed for Python 3.15.

use super::super::luck::Luck;
use arbitrary::Unstructured;

/// From so many bytes of code on, entries are as long as they can be: nobody needs thousands of them.
const LONG: usize = 600;

/// The table that maps instructions to lines, for this many bytes of code.
pub(super) fn lines(u: &mut Unstructured<'_>, version: (u8, u8), length: usize) -> Vec<u8> {
    match version {
        (3, 11..) => locations(u, length / 2),
        (3, 10) => ranges(u, length),
        _ => increments(u, length, version >= (3, 6)),
    }
}

/// Up to 3.9: pairs of an address increment and a line increment, which is signed since 3.6.
fn increments(u: &mut Unstructured<'_>, mut length: usize, signed: bool) -> Vec<u8> {
    let mut table = Vec::new();
    while length > 0 {
        let step = if length > LONG { 255 } else { 1 + u.index(length.min(255)) };
        length -= step;
        // A line that is too far away for one increment takes several, up or, if there is a sign, down.
        if u.one_in(8) {
            let most = if !signed { 0xff } else { u.pick(&[0x7f, 0x80]) };
            table.extend([u8::try_from(step).unwrap_or(u8::MAX), most, 0, most]);
        } else {
            table.extend([u8::try_from(step).unwrap_or(u8::MAX), u.pick(&[1, 0, 2, 0x7f, 0x80, 0xff])]);
        }
    }
    table
}

/// 3.10: pairs of a range's length in bytes and a signed line increment; -128 is no line.
fn ranges(u: &mut Unstructured<'_>, mut length: usize) -> Vec<u8> {
    let mut table = Vec::new();
    while length > 0 {
        let step = if length > LONG { 254 } else { (2 + 2 * u.index(127)).min(length) };
        length -= step;
        if u.one_in(8) {
            table.extend([0, 0x7f]);
        }
        table.extend([u8::try_from(step).unwrap_or(u8::MAX), u.pick(&[1, 0, 0x7f, 0x81, 0xff, 0x80])]);
    }
    table
}

/// Since 3.11: entries for one to eight units, of sixteen kinds.
fn locations(u: &mut Unstructured<'_>, mut units: usize) -> Vec<u8> {
    let mut table = Vec::new();
    while units > 0 {
        let some = if 2 * units > LONG { 8 } else { 1 + u.index(units.min(8)) };
        units -= some;
        let kind = u.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13, 14, 14, 15]);
        table.push(0x80 | kind << 3 | u8::try_from(some - 1).unwrap_or(7));
        match kind {
            // The column in one byte: three bits of where it begins, four of how far it goes.
            0..=9 => table.push(u.byte() & 0x7f),
            // A line further by 0, 1 or 2, and two columns.
            10..=12 => table.extend([u.byte() & 0x7f, u.byte() & 0x7f]),
            13 => signed(u, &mut table),
            14 => {
                signed(u, &mut table);
                for _ in 0..3 {
                    let n = number(u);
                    varint(n.into(), &mut table);
                }
            }
            _ => {}
        }
    }
    table
}

/// 0, or a number of one, two or more groups of six bits.
fn number(u: &mut Unstructured<'_>) -> u32 {
    match u.below(8) {
        0 => 0,
        1..=3 => u.below(64),
        4 | 5 => 64 + u.below(4032),
        _ => 4096 << u.below(6),
    }
}

fn signed(u: &mut Unstructured<'_>, table: &mut Vec<u8>) {
    let n = number(u);
    varint((n << 1 | u.below(2)).into(), table);
}

/// Groups of six bits, the lowest first; bit 6 says that more follow.
pub(crate) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 64 {
        out.push(low_bits(number) | 64);
        number >>= 6;
    }
    out.push(low_bits(number));
}

/// Groups of six bits, the highest first; bit 6 says that more follow.
pub(crate) fn exception_varint(number: u64, out: &mut Vec<u8>) {
    for shift in (6..=60).rev().step_by(6).filter(|shift| number >> shift != 0) {
        out.push(low_bits(number >> shift) | 64);
    }
    out.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    number.to_le_bytes()[0] & 63
}

/// Since 3.11: entries of four numbers: start, length and target in units, depth of the stack with the bit `lasti`.
pub(super) fn exceptions(u: &mut Unstructured<'_>, length: usize) -> Vec<u8> {
    let mut table = Vec::new();
    let units = u32::try_from(length / 2).unwrap_or(u32::MAX);
    let far = u.one_in(3);
    let mut start = 0;
    for _ in 0..u.pick(&[0, 0, 0, 1, 1, 2, 3, 6]) {
        // In order of their starts; inside the code, where it is not about the form of large numbers.
        start += if far { number(u) } else { u.below(units + 1) };
        let rest = units.saturating_sub(start);
        let (length, target) = if far { (number(u), number(u)) } else { (u.below(rest + 1), u.below(units + 1)) };
        let depth = if far { number(u) } else { u.below(20) };
        let first = table.len();
        for n in [start.min(if far { u32::MAX } else { units }), length, target, depth << 1 | u.below(2)] {
            exception_varint(n.into(), &mut table);
        }
        table[first] |= 0x80;
    }
    table
}
